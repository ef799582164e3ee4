/* SPDX-License-Identifier: Apache-2.0 */
/* What the manager writes to the audit log, and that refusals cannot flood it. */
#include "core/trail_line.h"
#include "fake_disk.h"
#include "manager/record.h"
#include "rooted.h"
#include "run/log.h"

struct seen {
    unsigned permitted, refused, several;
    char detail[64];
};

static bool count(void *ctx, const struct moor_trail_line *line)
{
    struct seen *s = ctx;
    s->permitted += moor_streq(line->verdict, MOOR_TRAIL_PERMITTED);
    s->refused += moor_streq(line->verdict, MOOR_TRAIL_REFUSED);
    if (!moor_streq(line->verb, "several"))
        return true;
    s->several++;
    (void)snprintf(s->detail, sizeof(s->detail), "%s", line->detail);
    return true;
}

static struct seen look(void)
{
    struct seen s = { 0 };
    struct moor_trail_verdict v;
    CHECK_INT(moor_trail_read(count, &s, &v, NULL), MOOR_OK);
    CHECK(v.whole);
    return s;
}

static void refuse(struct moor_record_budget *b, uint64_t now_ms, unsigned times)
{
    for (unsigned n = 0; n < times; n++)
        moor_record_refused(b, now_ms, MOOR_POLICY_INSTALL, "ext", "P/T 1.0", "config.mode");
}

static void refusals_beyond_the_budget_are_counted(void)
{
    struct moor_record_budget b = { .since_ms = 1000 };
    fake_disk_reset();
    refuse(&b, 1000, MOOR_RECORD_REFUSALS + 41);
    CHECK_INT(look().refused, MOOR_RECORD_REFUSALS);
    CHECK(moor_record_permitted(MOOR_TRAIL_BY_CLOUD, MOOR_POLICY_UPDATE, "ext", "P/T 1.1"));
    CHECK_INT(look().permitted, 1);
    moor_record_tick(&b, 999 + MOOR_RECORD_WINDOW_MS);
    CHECK_INT(look().several, 0);
    moor_record_tick(&b, 1000 + MOOR_RECORD_WINDOW_MS);
    CHECK_INT(look().several, 1);
    CHECK_STR(look().detail, "41 more within an hour");
    moor_record_tick(&b, 1000 + 2 * MOOR_RECORD_WINDOW_MS);
    CHECK_INT(look().several, 1);
    refuse(&b, 1000 + 3 * MOOR_RECORD_WINDOW_MS, 1);
    CHECK_INT(look().refused, MOOR_RECORD_REFUSALS + 2);
}

static void what_cannot_be_written_is_not_permitted(void)
{
    moor_log_init("record_test", (moor_log_level)0);
    fake_disk_reset();
    fake_disk_die_before(1);
    CHECK(!moor_record_permitted(MOOR_TRAIL_BY_CLOUD, MOOR_POLICY_INSTALL, "ext", "P/T 1.0"));
}

ROOTED_MAIN(CHECK_TEST(refusals_beyond_the_budget_are_counted),
            CHECK_TEST(what_cannot_be_written_is_not_permitted))
