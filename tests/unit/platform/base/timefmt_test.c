/* SPDX-License-Identifier: Apache-2.0 */
#include "base/timefmt.h"

#include "check.h"

static void every_day_of_the_calendar_goes_there_and_back(void)
{
    int64_t ms = 0;
    int weekday = 4;
    for (int day = 0; day < 2932897; day += 1) {
        struct moor_date d;
        moor_date_from_ms(ms, &d);
        if (d.weekday != weekday || moor_date_to_ms(&d) != ms) {
            CHECK_INT(day, -1);
            return;
        }
        ms += 86400000;
        weekday = (weekday + 1) % 7;
    }
    struct moor_date last;
    moor_date_from_ms(ms - 1, &last);
    CHECK_INT(last.year * 10000 + last.month * 100 + last.day, 99991231);
}

CHECK_MAIN(CHECK_TEST(every_day_of_the_calendar_goes_there_and_back))
