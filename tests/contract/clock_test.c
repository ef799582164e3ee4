/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/clock.h"

#include "check.h"
#include "os.h"
#include "platform/random.h"

static void monotonic_clock_counts_milliseconds(void)
{
    uint64_t before = plat_mono_ms();
    os_sleep_ms(20);
    uint64_t passed = plat_mono_ms() - before;
    CHECK(passed >= 19 && passed < 10000);
}

static void wall_clock_is_after_this_test_was_written(void)
{
    CHECK(plat_utc_ms() > 1750000000000);
}

static void random_below_reaches_every_value_and_no_other(void)
{
    unsigned seen[5] = { 0 };
    for (int i = 0; i < 1000; i++) {
        uint32_t r = plat_random_below(5);
        if (!CHECK(r < 5))
            return;
        seen[r]++;
    }
    for (int i = 0; i < 5; i++)
        CHECK(seen[i] > 50);
    CHECK_INT(plat_random_below(1), 0);
}

static void uuids_are_version_4_and_differ(void)
{
    char a[37], b[37];
    plat_random_uuid(a);
    plat_random_uuid(b);
    CHECK_INT(strlen(a), 36);
    CHECK_INT(a[14], '4');
    CHECK(strcmp(a, b) != 0);
}

CHECK_MAIN(CHECK_TEST(monotonic_clock_counts_milliseconds),
           CHECK_TEST(wall_clock_is_after_this_test_was_written),
           CHECK_TEST(random_below_reaches_every_value_and_no_other),
           CHECK_TEST(uuids_are_version_4_and_differ))
