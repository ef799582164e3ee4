/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/schedule.h"

#include <stdio.h>

#include "check.h"
#include "identity/registration.h"

#define PERIOD    300U
#define PERIOD_MS (PERIOD * 1000ULL)
#define HOUR_MS   3600000ULL

static void first_beat_is_spread_over_one_period_and_stays_the_same(void)
{
    unsigned quarters[4] = { 0 };
    for (unsigned i = 0; i < 1000; i++) {
        char vm_id[40];
        (void)snprintf(vm_id, sizeof(vm_id), "8a1f5d0e-2f5c-4c52-9e38-%012u", i);
        uint64_t ms = moor_beat_first_ms(vm_id, PERIOD);
        CHECK(ms < PERIOD_MS);
        CHECK_INT(moor_beat_first_ms(vm_id, PERIOD), ms);
        quarters[ms * 4 / PERIOD_MS]++;
    }
    for (size_t i = 0; i < 4; i++)
        CHECK(quarters[i] > 200 && quarters[i] < 300);
}

static void next_beat_stays_within_ten_percent(void)
{
    for (uint32_t random = 0; random < 1000000; random += 997) {
        uint64_t ms = moor_beat_next_ms(PERIOD, random);
        CHECK(ms >= PERIOD_MS * 9 / 10 && ms <= PERIOD_MS * 11 / 10);
    }
}

static void failures_wait_from_a_minute_to_a_period(void)
{
    struct moor_error err = { .code = MOOR_E_TRANSIENT };
    for (unsigned failures = 1; failures < 40; failures++)
        for (uint32_t random = 0; random < 4000000000U; random += 400000007U) {
            uint64_t ms = moor_beat_retry_ms(&err, MOOR_STANDING_GOOD, failures, PERIOD, random);
            CHECK(ms >= 60000 && ms <= PERIOD_MS);
        }
    CHECK(moor_beat_retry_ms(&err, MOOR_STANDING_GOOD, 1, PERIOD, 0) < 70000);
    CHECK(moor_beat_retry_ms(&err, MOOR_STANDING_GOOD, 9, PERIOD, 0) > PERIOD_MS * 8 / 10);
    CHECK(moor_beat_retry_ms(&err, MOOR_STANDING_GOOD, 1, 30, 0) >=
          60000); /* also when the period is shorter */
}

static void retry_after_is_obeyed(void)
{
    struct moor_error err = { .code = MOOR_E_THROTTLED, .retry_after_ms = 900000 };
    uint64_t ms = moor_beat_retry_ms(&err, MOOR_STANDING_GOOD, 1, PERIOD, 12345);
    CHECK(ms >= 900000 && ms <= 1080000);
    err.retry_after_ms = 5000; /* sooner than we would dare */
    CHECK(moor_beat_retry_ms(&err, MOOR_STANDING_GOOD, 1, PERIOD, 0) >= 60000);
}

static void refusals_that_time_does_not_heal_are_asked_rarely(void)
{
    static const struct {
        const char *code;
        uint64_t ms;
    } cases[] = { { "MachineDisabled", HOUR_MS },
                  { "KeySuperseded", 24 * HOUR_MS },
                  { "ReenrollmentNotAllowed", 24 * HOUR_MS },
                  { "IdentityCloned", PERIOD_MS },
                  { "ProofInvalid", PERIOD_MS } };
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++) {
        struct moor_error err = { .code = MOOR_E_DENIED };
        (void)snprintf(err.service_code, sizeof(err.service_code), "%s", cases[i].code);
        uint64_t ms = moor_beat_retry_ms(&err, MOOR_STANDING_GOOD, 1, PERIOD, 77777);
        CHECK(ms >= cases[i].ms && ms <= cases[i].ms * 11 / 10);
    }
}

static void machine_that_is_gone_asks_hourly(void)
{
    struct moor_error err = { .code = MOOR_E_NOTFOUND, .service_code = "MachineNotFound" };
    uint64_t ms = moor_beat_retry_ms(&err, MOOR_STANDING_GONE, 1, PERIOD, 4242);
    CHECK(ms >= HOUR_MS && ms <= HOUR_MS * 11 / 10);
    err = (struct moor_error){ .code = MOOR_E_TRANSIENT };
    CHECK(moor_beat_retry_ms(&err, MOOR_STANDING_CLONED, 1, PERIOD, 4242) >= HOUR_MS);
}

static void unknown_machine_is_believed_after_three_times_over_two_periods(void)
{
    struct moor_verdict v = { 0 };
    CHECK(!moor_verdict_note(&v, "MachineNotFound", 0, PERIOD));
    CHECK(!moor_verdict_note(&v, "MachineNotFound", 1000, PERIOD));
    CHECK(!moor_verdict_note(&v, "MachineNotFound", 2000, PERIOD)); /* too soon */
    CHECK(!moor_verdict_note(&v, "", PERIOD_MS, PERIOD));           /* no answer: no verdict */
    CHECK(moor_verdict_note(&v, "MachineNotFound", 2 * PERIOD_MS, PERIOD));
    CHECK_INT(v.standing, MOOR_STANDING_GONE);
    CHECK(moor_verdict_note(&v, NULL, 3 * PERIOD_MS, PERIOD));
    CHECK_INT(v.standing, MOOR_STANDING_GOOD);
    CHECK(!moor_verdict_note(&v, "MachineNotFound", 9 * PERIOD_MS, PERIOD)); /* from one again */
}

static void clone_is_believed_the_second_time_a_period_later(void)
{
    struct moor_verdict v = { 0 };
    CHECK(!moor_verdict_note(&v, "IdentityCloned", 0, PERIOD));
    CHECK(!moor_verdict_note(&v, "IdentityCloned", 60000, PERIOD));
    CHECK(moor_verdict_note(&v, "IdentityCloned", PERIOD_MS, PERIOD));
    CHECK_INT(v.standing, MOOR_STANDING_CLONED);
}

static void disabled_is_believed_at_once(void)
{
    struct moor_verdict v = { 0 };
    CHECK(moor_verdict_note(&v, "MachineDisabled", 0, PERIOD));
    CHECK_INT(v.standing, MOOR_STANDING_DISABLED);
    CHECK(!moor_verdict_note(&v, "ServiceUnavailable", 1, PERIOD));
    CHECK_INT(v.standing, MOOR_STANDING_DISABLED);
}

static void another_refusal_starts_its_own_count(void)
{
    struct moor_verdict v = { 0 };
    CHECK(!moor_verdict_note(&v, "MachineNotFound", 0, PERIOD));
    CHECK(!moor_verdict_note(&v, "IdentityCloned", 2 * PERIOD_MS, PERIOD));
    CHECK(!moor_verdict_note(&v, "MachineNotFound", 4 * PERIOD_MS, PERIOD));
    CHECK_INT(v.standing, MOOR_STANDING_GOOD);
}

static void proofs_are_stamped_by_the_service_clock(void)
{
    const int64_t hour = 3600000, day = 24 * hour, at = 1795367970000;
    const struct moor_service_clock unheard = { 0, 0 }, heard = { at, 5000 };
    CHECK_INT(moor_service_clock_now(&unheard, at + hour, 9000), at + hour);
    CHECK_INT(moor_service_clock_now(&heard, at + 5000, 9000), at + 5000); /* near enough */
    CHECK_INT(moor_service_clock_now(&heard, at + hour, 9000), at + 4000);
    CHECK_INT(moor_service_clock_now(&heard, at - hour, 9000), at + 4000);
    CHECK_INT(moor_service_clock_now(&heard, at + 2 * day, 9000), at + 2 * day);
}

static void renewal_is_spread_over_a_45th_of_the_second_half(void)
{
    const int64_t day = 86400000;
    int64_t at = moor_renew_at_ms(45 * day, 90 * day, "8a1f5d0e-2f5c-4c52-9e38-0d8b8a5c9f11");
    CHECK(at >= 45 * day && at < 46 * day);
    CHECK_INT(moor_renew_at_ms(45 * day, 90 * day, "8a1f5d0e-2f5c-4c52-9e38-0d8b8a5c9f11"), at);
    at = moor_renew_at_ms(45000, 90000, "8a1f5d0e-2f5c-4c52-9e38-0d8b8a5c9f11");
    CHECK(at >= 45000 && at < 46000);
    CHECK_INT(moor_renew_at_ms(5, 5, "8a1f5d0e-2f5c-4c52-9e38-0d8b8a5c9f11"), 5);
}

static void waits_last_until_the_beat_that_uses_their_connection(void)
{
    CHECK_INT(moor_wait_seconds(300000, 300, 300, false), 294);
    CHECK_INT(moor_wait_seconds(330000, 300, 300, false), 300);
    CHECK_INT(moor_wait_seconds(300000, 300, 55, false), 55);
    CHECK_INT(moor_wait_seconds(300000, 300, 300, true), 55);
    CHECK_INT(moor_wait_seconds(300000, 300, 20, true), 20);
    CHECK_INT(moor_wait_seconds(36000, 300, 300, false), 30);
    CHECK_INT(moor_wait_seconds(35999, 300, 300, false), 0);
    CHECK_INT(moor_wait_seconds(0, 300, 300, false), 0);
}

static void status_follows_beats_and_certificate(void)
{
    const int64_t now = 1795367970000LL;
    CHECK_STR(moor_agent_status(now, 0, 0, 300), "Disconnected");
    CHECK_STR(moor_agent_status(now, now - 900000, now + 1, 300), "Connected");
    CHECK_STR(moor_agent_status(now, now - 900001, now + 1, 300), "Disconnected");
    CHECK_STR(moor_agent_status(now, now + 5000, now + 1, 300), "Connected");
    CHECK_STR(moor_agent_status(now, now + 900001, now + 1, 300), "Disconnected");
    CHECK_STR(moor_agent_status(now, now - 900001, now + 1, 600), "Connected");
    CHECK_STR(moor_agent_status(now, now - 1, now, 300), "Expired");
}

static void steps_come_in_the_order_they_need_each_other(void)
{
    struct moor_step_facts f = { .due = false };
    CHECK_INT(moor_registration_step(&f), MOOR_STEP_NONE);
    f.wait_resumes = true;
    CHECK_INT(moor_registration_step(&f), MOOR_STEP_DISCOVER);
    f.due = true;
    CHECK_INT(moor_registration_step(&f), MOOR_STEP_FACTS);
    f.facts_known = true;
    CHECK_INT(moor_registration_step(&f), MOOR_STEP_DISCOVER);
    f.endpoints_known = true;
    CHECK_INT(moor_registration_step(&f), MOOR_STEP_CERTIFICATE);
    f.certificate_valid = true;
    CHECK_INT(moor_registration_step(&f), MOOR_STEP_BEAT);
    f.rotation_due = true;
    CHECK_INT(moor_registration_step(&f), MOOR_STEP_NEXT_KEY);
    f.next_key = true;
    CHECK_INT(moor_registration_step(&f), MOOR_STEP_NEXT_CERTIFICATE);
    f.next_certificate = true;
    CHECK_INT(moor_registration_step(&f), MOOR_STEP_FIRST_USE);
    f.renewal_due = true;
    CHECK_INT(moor_registration_step(&f), MOOR_STEP_CERTIFICATE);
    f.due = false;
    CHECK_INT(moor_registration_step(&f), MOOR_STEP_NONE);
    f.properties_asked = true;
    CHECK_INT(moor_registration_step(&f), MOOR_STEP_PROPERTIES);
}

CHECK_MAIN(CHECK_TEST(first_beat_is_spread_over_one_period_and_stays_the_same),
           CHECK_TEST(next_beat_stays_within_ten_percent),
           CHECK_TEST(failures_wait_from_a_minute_to_a_period), CHECK_TEST(retry_after_is_obeyed),
           CHECK_TEST(refusals_that_time_does_not_heal_are_asked_rarely),
           CHECK_TEST(machine_that_is_gone_asks_hourly),
           CHECK_TEST(unknown_machine_is_believed_after_three_times_over_two_periods),
           CHECK_TEST(clone_is_believed_the_second_time_a_period_later),
           CHECK_TEST(disabled_is_believed_at_once),
           CHECK_TEST(another_refusal_starts_its_own_count),
           CHECK_TEST(waits_last_until_the_beat_that_uses_their_connection),
           CHECK_TEST(proofs_are_stamped_by_the_service_clock),
           CHECK_TEST(renewal_is_spread_over_a_45th_of_the_second_half),
           CHECK_TEST(status_follows_beats_and_certificate),
           CHECK_TEST(steps_come_in_the_order_they_need_each_other))
