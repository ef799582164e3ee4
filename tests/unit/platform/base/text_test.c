/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include "check.h"

static void whole_numbers_are_read_whole_or_refused(void)
{
    static const struct {
        const char *in;
        uint64_t min, max;
        bool ok;
        uint64_t want;
    } rows[] = {
        { "0", 0, UINT64_MAX, true, 0 },
        { "007", 0, 10, true, 7 },
        { "18446744073709551615", 0, UINT64_MAX, true, UINT64_MAX },
        { "18446744073709551616", 0, UINT64_MAX, false, 0 },
        { "99999999999999999999", 0, UINT64_MAX, false, 0 },
        { "30", 30, 86400, true, 30 },
        { "29", 30, 86400, false, 0 },
        { "86401", 30, 86400, false, 0 },
        { "", 0, 10, false, 0 },
        { "-1", 0, 10, false, 0 },
        { "+1", 0, 10, false, 0 },
        { " 1", 0, 10, false, 0 },
        { "1 ", 0, 10, false, 0 },
        { "0x1", 0, 10, false, 0 },
        { "1e1", 0, 10, false, 0 },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        uint64_t v = 42;
        moor_code c = moor_parse_u64(moor_span_str(rows[i].in), rows[i].min, rows[i].max, &v, NULL);
        CHECK_INT(c, rows[i].ok ? MOOR_OK : MOOR_E_BADINPUT);
        CHECK(v == (rows[i].ok ? rows[i].want : 42));
    }
}

CHECK_MAIN(CHECK_TEST(whole_numbers_are_read_whole_or_refused))
