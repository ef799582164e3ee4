/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "engine/kql.h"

#define NOW INT64_C(1795366800000)

static const struct moor_kql_column columns[] = {
    { "T", MOOR_KQL_DATETIME }, { "S", MOOR_KQL_STRING }, { "I", MOOR_KQL_INT },
    { "L", MOOR_KQL_LONG },     { "R", MOOR_KQL_REAL },   { "B", MOOR_KQL_BOOL },
    { "D", MOOR_KQL_DYNAMIC },  { "G", MOOR_KQL_GUID },
};
static const char full_row[] =
    "{\"T\":\"2026-11-22T16:59:00Z\",\"S\":\"web01\",\"I\":3,\"L\":10,\"R\":0.5,\"B\":true,"
    "\"D\":{\"a\":1},\"G\":\"7a9d9e2b-0000-4000-8000-000000000000\"}";
static const char *const rows[] = {
    full_row,
    "{\"S\":\"\",\"L\":-9007199254740991,\"D\":[1,2],\"T\":\"1970-01-01T00:00:00Z\"}",
    "{}",
};

/* A query that is understood runs; what it answers is JSON. One that is not says where. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA((size_t)8 << 20);
    MOOR_AUTO(moor_buf) out = MOOR_BUF((size_t)1 << 20);
    MOOR_AUTOPTR(moor_kql_run) run = NULL;
    MOOR_AUTOPTR(moor_json) answer = NULL;
    struct moor_kql_columns table = { columns, MOOR_COUNTOF(columns) };
    struct moor_kql_error why = { .line = 0 };
    struct moor_kql *q = NULL;
    bool cut = false;
    if (moor_kql_parse(moor_span(data, size), NOW, &arena, &q, &why) ||
        moor_kql_bind(q, &table, &why)) {
        MOOR_ASSERT(why.line >= 1 && why.pos >= 1 && why.message[0]);
        return 0;
    }
    MOOR_ASSERT(moor_kql_run_new(q, &out, &run, NULL) == MOOR_OK);
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        MOOR_AUTOPTR(moor_json) row = NULL;
        MOOR_ASSERT(moor_json_parse(moor_span_str(rows[i]), &row, NULL) == MOOR_OK);
        if (!moor_kql_feed(run, row))
            break;
    }
    if (moor_kql_finish(run, &cut, NULL) == MOOR_OK) {
        MOOR_ASSERT(moor_json_parse(moor_buf_view(&out), &answer, NULL) == MOOR_OK);
        MOOR_JSON_EACH(row, answer)
        MOOR_ASSERT(moor_json_size(row) == moor_kql_result(q)->count);
    }
    return 0;
}
