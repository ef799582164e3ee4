/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "logs/w3c.h"

/* Every line behind its directives is a row that is a JSON object, or is refused and leaves
 * nothing. */
static void lines_are_rows_or_nothing(struct moor_span in)
{
    const struct moor_w3c_origin from = { 0, "box" };
    struct moor_w3c w = { .count = 0 };
    MOOR_AUTO(moor_buf) b = MOOR_BUF((size_t)8 << 20);
    while (in.n > 0) {
        struct moor_span line = moor_span_cut(&in, '\n');
        MOOR_AUTOPTR(moor_json) row = NULL;
        moor_buf_reset(&b);
        if (moor_w3c_is_directive(line)) {
            (void)moor_w3c_directive(&w, line);
            MOOR_ASSERT(w.count <= MOOR_W3C_FIELDS_MAX);
        } else if (moor_w3c_row_add(&b, &w, line, &from, NULL) != MOOR_OK) {
            MOOR_ASSERT(b.len == 0);
        } else if (!memchr(line.p, '\0', line.n)) {
            /* NUL is escaped in the row, and refused by our own parser. */
            MOOR_ASSERT(moor_json_parse(moor_buf_view(&b), &row, NULL) == MOOR_OK);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lines_are_rows_or_nothing(moor_span(data, size));
    return 0;
}
