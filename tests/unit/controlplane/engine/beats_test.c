/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "engine/beats.h"
#include "engine/status.h"

#define MIN    INT64_C(60000)
#define PERIOD (5 * MIN)
#define DAY    (1440 * MIN)

static const char boot_a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char boot_b[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

static void fill(char *out, char c)
{
    memset(out, c, 64);
    out[64] = 0;
}

/* Three letters, one for each part of the fingerprint. */
static struct moor_fingerprint print_of(const char *letters)
{
    struct moor_fingerprint f;
    for (size_t i = 0; i < 3; i++)
        fill(f.part[i], letters[i]);
    return f;
}

static moor_beat_verdict beat(struct moor_beats *b, const char *boot, uint64_t seq, int64_t at,
                              const char *letters)
{
    struct moor_beat one = { boot, seq, at, print_of(letters) };
    return moor_beats_take(b, &one, at, PERIOD);
}

static void one_machine_that_reboots_is_fine(void)
{
    struct moor_beats b = { .count = 0 };
    int64_t t = 100 * DAY;
    for (uint64_t i = 1; i <= 10; i++, t += PERIOD)
        CHECK_INT(beat(&b, boot_a, i, t, "xyz"), MOOR_BEAT_FINE);
    for (uint64_t i = 1; i <= 10; i++, t += PERIOD)
        CHECK_INT(beat(&b, boot_b, i, t, "xyz"), MOOR_BEAT_FINE);
    CHECK(!moor_beats_forked(&b, t));
}

static void a_clone_on_other_hardware_is_told_apart(void)
{
    struct moor_beats b = { .count = 0 };
    int64_t t = 100 * DAY;
    CHECK_INT(beat(&b, boot_a, 1, t, "xyz"), MOOR_BEAT_FINE);
    CHECK_INT(beat(&b, boot_b, 1, t += MIN, "pqr"), MOOR_BEAT_FINE);
    CHECK_INT(beat(&b, boot_a, 2, t += PERIOD, "xyz"), MOOR_BEAT_FINE);
    CHECK_INT(beat(&b, boot_a, 3, t += PERIOD, "xyz"), MOOR_BEAT_FINE);
    CHECK_INT(beat(&b, boot_b, 2, t += MIN, "pqr"), MOOR_BEAT_CLONE);
    CHECK_INT(beat(&b, boot_a, 4, t += MIN, "xyz"), MOOR_BEAT_ROTATE);
    CHECK(moor_beats_forked(&b, t));
    CHECK(!moor_beats_forked(&b, t + 2 * DAY));
}

static void a_settled_fork_stays_settled_when_merged(void)
{
    struct moor_beats b = { .count = 0 };
    int64_t t = 100 * DAY;
    (void)beat(&b, boot_a, 1, t, "xyz");
    (void)beat(&b, boot_b, 1, t += MIN, "pqr");
    (void)beat(&b, boot_a, 2, t += 2 * PERIOD, "xyz");
    CHECK_INT(beat(&b, boot_b, 2, t += MIN, "pqr"), MOOR_BEAT_CLONE);
    struct moor_beats stored = b;
    moor_beats_settle(&b, boot_a, t);
    moor_beats_merge(&b, &stored);
    CHECK_INT(b.count, 1);
    CHECK_INT(beat(&b, boot_a, 3, t += MIN, "xyz"), MOOR_BEAT_FINE);
}

static void a_clone_that_looks_the_same_stops_nobody(void)
{
    struct moor_beats b = { .count = 0 };
    int64_t t = 100 * DAY;
    (void)beat(&b, boot_a, 1, t, "xyz");
    (void)beat(&b, boot_b, 1, t += MIN, "xyz");
    (void)beat(&b, boot_a, 2, t += 2 * PERIOD, "xyz");
    CHECK_INT(beat(&b, boot_b, 2, t += MIN, "xyz"), MOOR_BEAT_UNSURE);
    CHECK_INT(beat(&b, boot_a, 3, t += MIN, "xyz"), MOOR_BEAT_UNSURE);
}

static void a_reverted_snapshot_is_no_fork(void)
{
    struct moor_beats b = { .count = 0 };
    int64_t t = 100 * DAY;
    (void)beat(&b, boot_a, 5, t, "xyz");
    for (uint64_t i = 1; i < 4; i++)
        CHECK_INT(beat(&b, boot_b, i, t += PERIOD, "xyz"), MOOR_BEAT_FINE);
    for (uint64_t i = 6; i < 12; i++)
        CHECK_INT(beat(&b, boot_a, i, t += PERIOD, "xyz"), MOOR_BEAT_FINE);
    CHECK(!moor_beats_forked(&b, t));
}

static void repeats_and_lost_sequences_are_no_fork(void)
{
    struct moor_beats b = { .count = 0 };
    int64_t t = 100 * DAY;
    struct moor_beat one = { boot_a, 7, t, print_of("xyz") };
    for (int i = 0; i < 10; i++)
        CHECK_INT(moor_beats_take(&b, &one, t + i, PERIOD), MOOR_BEAT_FINE);
    for (uint64_t i = 1; i < 7; i++) /* the agent lost its count */
        CHECK_INT(beat(&b, boot_a, i, t += PERIOD, "xyz"), MOOR_BEAT_FINE);
    CHECK_INT(beat(&b, boot_a, 8, t += PERIOD, "xyz"), MOOR_BEAT_FINE);
    CHECK_INT(b.boots[0].lows, 1);
}

static void one_boot_copied_with_its_memory_is_a_fork(void)
{
    struct moor_beats b = { .count = 0 };
    int64_t t = 100 * DAY;
    moor_beat_verdict mine = MOOR_BEAT_FINE, theirs = MOOR_BEAT_FINE;
    for (uint64_t i = 10; i < 15; i++) {
        mine = beat(&b, boot_a, i, t += PERIOD, "xyz");
        theirs = beat(&b, boot_a, i - 1, t += MIN, "pqz");
    }
    CHECK_INT(mine, MOOR_BEAT_ROTATE);
    CHECK_INT(theirs, MOOR_BEAT_CLONE);
    CHECK(b.forked_ms > 0 && b.forked_ms <= t);
    struct moor_beats stored = b;
    moor_beats_settle(&b, boot_a, t);
    CHECK(!moor_beats_forked(&b, t));
    /* What was written before does not bring it back. */
    moor_beats_merge(&b, &stored);
    CHECK(!moor_beats_forked(&b, t));
}

static void only_four_boots_are_kept_and_the_silent_one_goes(void)
{
    struct moor_beats b = { .count = 0 };
    char id[33] = "00000000000000000000000000000000";
    for (char c = '0'; c < '6'; c++) {
        id[0] = c;
        (void)beat(&b, id, 1, 100 * DAY + (c - '0') * PERIOD, "xyz");
    }
    CHECK_INT(b.count, 4);
    for (uint32_t i = 0; i < b.count; i++)
        CHECK(b.boots[i].id[0] >= '2');
}

static void merging_takes_the_outermost_values(void)
{
    struct moor_beats a = { .count = 0 }, b = { .count = 0 };
    (void)beat(&a, boot_a, 9, 50 * DAY, "xyz");
    (void)beat(&b, boot_a, 4, 49 * DAY, "xyz");
    (void)beat(&b, boot_b, 1, 51 * DAY, "xyz");
    moor_beats_merge(&a, &b);
    CHECK_INT(a.count, 2);
    CHECK_INT(a.boots[0].first_ms, 49 * DAY);
    CHECK_INT(a.boots[0].last_ms, 50 * DAY);
    CHECK_INT(a.boots[0].highest, 9);
}

static void what_is_written_is_read_again(void)
{
    struct moor_beats a = { .count = 0 }, b;
    (void)beat(&a, boot_a, 9, 50 * DAY, "xyz");
    (void)beat(&a, boot_b, 3, 51 * DAY, "pqr");
    MOOR_AUTOPTR(moor_json) j = moor_beats_to_json(&a);
    moor_beats_from_json(j, &b);
    CHECK_INT(b.count, 2);
    CHECK_STR(b.boots[1].id, boot_b);
    CHECK_INT(b.boots[0].highest, 9);
    CHECK_STR(b.registered.part[1], a.registered.part[1]);
    moor_beats_from_json(NULL, &b);
    CHECK_INT(b.count, 0);
}

static void a_part_that_is_missing_equals_nothing(void)
{
    struct moor_fingerprint a = print_of("xyz"), b = print_of("xyz");
    a.part[0][0] = b.part[0][0] = 0;
    CHECK(moor_fingerprint_same(&a, &b));
    a.part[1][0] = b.part[1][0] = 0;
    CHECK(!moor_fingerprint_same(&a, &b));
}

static void status_follows_beats_and_certificate(void)
{
    struct moor_status s;
    struct moor_status_facts f = { .last_heartbeat_ms = 0 };
    moor_status_of(&f, DAY, &s);
    CHECK_STR(s.status, "AwaitingConnection");
    f = (struct moor_status_facts){ .last_heartbeat_ms = DAY,
                                    .connected_since_ms = DAY - MIN,
                                    .period_ms = PERIOD };
    moor_status_of(&f, DAY + 14 * MIN, &s);
    CHECK_STR(s.status, "Connected");
    CHECK_INT(s.since_ms, DAY - MIN);
    moor_status_of(&f, DAY + 15 * MIN, &s);
    CHECK_STR(s.status, "Disconnected");
    CHECK_INT(s.since_ms, DAY + 15 * MIN);
    f.certificate_end_ms = DAY + 5 * MIN;
    moor_status_of(&f, DAY + 5 * MIN, &s);
    CHECK_STR(s.status, "Expired");
    f.certificate_end_ms = 0;
    f.error_since_ms = DAY;
    f.forked = true;
    moor_status_of(&f, DAY + MIN, &s);
    CHECK_STR(s.status, "Error");
    CHECK_STR(s.reason, "Cloned");
}

CHECK_MAIN(CHECK_TEST(one_machine_that_reboots_is_fine),
           CHECK_TEST(a_clone_on_other_hardware_is_told_apart),
           CHECK_TEST(a_settled_fork_stays_settled_when_merged),
           CHECK_TEST(a_clone_that_looks_the_same_stops_nobody),
           CHECK_TEST(a_reverted_snapshot_is_no_fork),
           CHECK_TEST(repeats_and_lost_sequences_are_no_fork),
           CHECK_TEST(one_boot_copied_with_its_memory_is_a_fork),
           CHECK_TEST(only_four_boots_are_kept_and_the_silent_one_goes),
           CHECK_TEST(merging_takes_the_outermost_values),
           CHECK_TEST(what_is_written_is_read_again),
           CHECK_TEST(a_part_that_is_missing_equals_nothing),
           CHECK_TEST(status_follows_beats_and_certificate))
