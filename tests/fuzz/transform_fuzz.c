/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "base/json.h"
#include "logs/transform.h"

#define ROW                                                                                        \
    "{\"a\":1,\"b\":\"GET /x took 15 ms\",\"c\":{\"d\":[1,2],\"e\":null},\"f\":0.5,\"g\":true}"

/* A transform is refused with a reason, or makes a row an object, or nothing of it. */
static void transforms_make_rows_or_nothing(struct moor_span text, struct moor_span row)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(MOOR_TRANSFORM_BYTES);
    MOOR_AUTO(moor_buf) out = MOOR_BUF((size_t)8 << 20);
    MOOR_AUTOPTR(moor_json) v = NULL;
    struct moor_error e = MOOR_ERROR_INIT;
    struct moor_transform *t = NULL;
    bool kept = false;
    if (moor_transform_parse(text, &arena, &t, &e) != MOOR_OK) {
        MOOR_ASSERT(e.msg[0]);
        return;
    }
    if (moor_transform_row(t, row, &out, &kept, &e) != MOOR_OK) {
        MOOR_ASSERT(e.msg[0] && out.len == 0);
        return;
    }
    MOOR_ASSERT(kept || out.len == 0);
    if (kept && !out.failed)
        MOOR_ASSERT(moor_json_parse(moor_buf_view(&out), &v, NULL) == MOOR_OK &&
                    moor_json_typeof(v) == MOOR_JSON_OBJECT);
}

/* The first line is the transform, what follows the row; without one it is a row of ours. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moor_span row = moor_span(data, size), text = moor_span_cut(&row, '\n');
    transforms_make_rows_or_nothing(text, moor_span_str(ROW));
    if (row.n > 0)
        transforms_make_rows_or_nothing(text, row);
    return 0;
}
