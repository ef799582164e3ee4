/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "base/json.h"
#include "engine/ingest.h"
#include "engine/package.h"

static const struct moor_kql_column columns[] = {
    { "S", MOOR_KQL_STRING }, { "L", MOOR_KQL_LONG },     { "R", MOOR_KQL_REAL },
    { "B", MOOR_KQL_BOOL },   { "T", MOOR_KQL_DATETIME }, { "D", MOOR_KQL_DYNAMIC },
};

/* A body that is taken gives rows that are JSON objects, and is an array itself. */
static void takes_whole_arrays(struct moor_span body, bool gzip)
{
    MOOR_AUTO(moor_ingested) out = { .rows = NULL };
    struct moor_ingest in = {
        body, gzip, { columns, MOOR_COUNTOF(columns) }, "/r", INT64_C(1) << 40
    };
    if (moor_ingest_rows(&in, &out, NULL))
        return;
    for (size_t i = 0; i < out.count; i++) {
        MOOR_AUTOPTR(moor_json) row = NULL;
        MOOR_ASSERT(moor_json_parse(out.rows[i].json, &row, NULL) == MOOR_OK);
        MOOR_ASSERT(moor_json_typeof(row) == MOOR_JSON_OBJECT);
    }
    if (gzip)
        return;
    MOOR_AUTOPTR(moor_json) whole = NULL;
    MOOR_ASSERT(moor_json_parse(moor_span_trim(body), &whole, NULL) == MOOR_OK);
    MOOR_ASSERT(moor_json_size(whole) == out.count);
}

/* The packages' documents come from strangers, too. */
static void reads_names(struct moor_span text)
{
    struct moor_package_name name = { .publisher = "" };
    bool found = false;
    if (moor_package_from_xml(text, &name, &found, NULL) == MOOR_OK && found)
        MOOR_ASSERT(name.publisher[0] && name.type[0] && name.version[0]);
    found = false;
    if (moor_package_from_manifest(text, &name, &found, NULL) == MOOR_OK && found)
        MOOR_ASSERT(name.publisher[0] && name.type[0] && name.version[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moor_span text = moor_span(data, size);
    takes_whole_arrays(text, false);
    takes_whole_arrays(text, true);
    reads_names(text);
    return 0;
}
