/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 400 days of one machine against the real control plane, in seconds: the agent's registration on
 * one side, api/ on the other, one virtual time. One table says what happens on which day, others
 * what is true at the end of each.
 *
 * Heartbeats are an hour apart, which changes no rule (all are in periods); with an argument, the
 * period in seconds: 300 is the default of a control plane.
 */
#include <stdlib.h>

#include "base/span.h"
#include "base/text.h"
#include "check.h"
#include "unit/lifetime/node.h"
#include "unit/lifetime/plane.h"
#include "unit/lifetime/world.h"

#define DAYS        400
#define TLS_DAYS    398 /* of the server's certificate */
#define SHORT_DAYS  10  /* of a machine's, late in the test */
#define TRIES_A_DAY 420 /* of all kinds in vain: a period, or the hourly refresh of two tokens */

static uint32_t period_s = 3600;
static struct node first, second;
static struct moor_key *first_key;

/* ---- what happens ---- */

static void restart(void)
{
    node_restart(&first);
}

static void cut(void)
{
    first.cut = true;
}

static void mend(void)
{
    first.cut = false;
}

/* A clock that is a year off fails TLS: the server's certificate is not valid then. */
static void clock_off_by(int64_t ms)
{
    world_skew(SIDE_FIRST, ms);
    first.tls_from_ms = WORLD_T0 - DAY_MS;
    first.tls_until_ms = WORLD_T0 + TLS_DAYS * DAY_MS;
}

static void hour_ahead(void)
{
    clock_off_by(HOUR_MS);
}

static void hour_behind(void)
{
    clock_off_by(-HOUR_MS);
}

static void year_ahead(void)
{
    clock_off_by(365 * DAY_MS);
}

static void year_behind(void)
{
    clock_off_by(-365 * DAY_MS);
}

static void right_time(void)
{
    world_skew(SIDE_FIRST, 0);
    first.tls_until_ms = 0; /* the control plane renews its own in time */
}

static void revoke(void)
{
    plane_revoke(NODE_VM_ID);
}

static void clone_appears(void)
{
    first_key = moor_key_ref(first.keys.key);
    node_copy(&second, SIDE_SECOND, &first);
}

static void clone_goes(void)
{
    node_close(&second);
}

static void disable(void)
{
    plane_disable(NODE_VM_ID, true);
}

static void enable(void)
{
    plane_disable(NODE_VM_ID, false);
}

static void shorten_certificates(void)
{
    plane_rules()->certificate_s = SHORT_DAYS * 86400;
    plane_revoke(NODE_VM_ID);
}

static void forbid_return(void)
{
    plane_rules()->reenrollment_days = 0;
}

static void permit_return(void)
{
    plane_rules()->reenrollment_days = 180;
}

static void delete_resource(void)
{
    CHECK_INT(plane_arm("DELETE", NODE_ID, NULL), 200);
}

/* In order, each at the start of its day. */
static const struct {
    int day;
    void (*happens)(void);
} events[] = {
    { 30, restart },
    { 60, cut },
    { 120, mend },
    { 125, hour_ahead },
    { 127, right_time },
    { 128, hour_behind },
    { 129, right_time },
    { 130, year_ahead },
    { 132, right_time },
    { 134, year_behind },
    { 135, right_time },
    { 140, revoke },
    { 200, clone_appears },
    { 208, clone_goes },
    { 250, cut },
    { 345, mend },
    { 350, disable },
    { 352, enable },
    { 355, shorten_certificates },
    { 362, cut },
    { 363, forbid_return },
    { 375, mend },
    { 380, permit_return },
    { 390, delete_resource },
};

/* ---- what is true ---- */

typedef enum pulse { NO_BEATS, SOME_BEATS, ALL_BEATS } pulse; /* accepted in a day */

/* At the end of each day from this one on, until the next row. */
struct expectation {
    int day;
    const char *arm, *agent; /* "" = not there */
    moor_standing standing;
    bool token; /* a local program gets one */
    pulse beats;
};
#define GOOD     MOOR_STANDING_GOOD
#define DISABLED MOOR_STANDING_DISABLED
#define GONE     MOOR_STANDING_GONE
static const struct expectation expectations[] = {
    { 0, "Connected", "Connected", GOOD, true, ALL_BEATS },
    { 60, "Disconnected", "Disconnected", GOOD, false, NO_BEATS },
    { 120, "Connected", "Connected", GOOD, true, ALL_BEATS },
    /* Its own clock says that the certificate is over; nothing is thrown away. */
    { 130, "Disconnected", "Expired", GOOD, false, NO_BEATS },
    { 132, "Connected", "Connected", GOOD, true, ALL_BEATS },
    { 134, "Disconnected", "Disconnected", GOOD, false, NO_BEATS },
    { 135, "Connected", "Connected", GOOD, true, ALL_BEATS },
    { 250, "Disconnected", "Disconnected", GOOD, false, NO_BEATS },
    { 335, "Expired", "Expired", GOOD, false, NO_BEATS },
    { 345, "Connected", "Connected", GOOD, true, ALL_BEATS },
    { 350, "Disconnected", "Disconnected", DISABLED, false, NO_BEATS },
    { 352, "Connected", "Connected", GOOD, true, ALL_BEATS },
    { 362, "Disconnected", "Disconnected", GOOD, false, NO_BEATS },
    { 370, "Expired", "Expired", GOOD, false, NO_BEATS },
    { 380, "Connected", "Connected", GOOD, true, SOME_BEATS }, /* it asks once a day */
    { 381, "Connected", "Connected", GOOD, true, ALL_BEATS },
    { 390, "", "Disconnected", GONE, false, NO_BEATS },
    { 395, "", "Expired", GONE, false, NO_BEATS },
};

/* One certificate each, on one of these days. */
static const struct {
    int from, until;
    const char *why;
} certificates[] = {
    { 0, 0, "connect" },
    { 45, 45, "renewal" },
    { 120, 120, "renewal that the outage held up" },
    { 140, 140, "the last one was revoked" },
    { 185, 186, "renewal" },
    { 200, 200, "rotation: a clone was seen" },
    { 245, 245, "renewal" },
    { 345, 345, "re-enrolment ten days after the end" },
    { 355, 355, "the last one was revoked" },
    { 360, 361, "renewal" },
    { 380, 380, "re-enrolment, once it was allowed" },
    { 385, 386, "renewal" },
};

static const struct expectation *expected_on(int day)
{
    size_t i = MOOR_COUNTOF(expectations) - 1;
    while (expectations[i].day > day)
        i--;
    return &expectations[i];
}

static bool check_certificates(int day)
{
    unsigned least = 0, most = 0;
    for (size_t i = 0; i < MOOR_COUNTOF(certificates); i++) {
        least += certificates[i].until <= day;
        most += certificates[i].from <= day;
    }
    return CHECK(first.answered[NODE_CERTIFICATE] >= least &&
                 first.answered[NODE_CERTIFICATE] <= most);
}

/* A day's beats, give or take those of an hour: so long may it take to hear of an end. */
static bool check_beats(pulse p, unsigned beats)
{
    unsigned full = 86400 / period_s, hour = 3600 / period_s + 1;
    if (p == ALL_BEATS)
        return CHECK(beats + hour >= full * 9 / 10 && beats <= full * 11 / 10 + hour);
    return CHECK(p == SOME_BEATS ? beats && beats <= full : !beats);
}

static unsigned tries(const struct node *n)
{
    unsigned sum = 0;
    for (node_call k = 0; k < NODE_CALLS; k++)
        sum += n->sent[k];
    return sum;
}

static bool check_day(int day, const struct node *before)
{
    const struct expectation *e = expected_on(day);
    const char *reason = "";
    const char *arm = plane_status(NODE_VM_ID, &reason);
    unsigned beats = first.answered[NODE_BEAT] - before->answered[NODE_BEAT];
    bool good = CHECK_STR(arm ? arm : "", e->arm);
    good &= CHECK_STR(reason, "");
    good &= CHECK_STR(node_status(&first), e->agent);
    good &= CHECK_INT(node_state(&first)->standing, e->standing);
    /* What is cached goes on being served: for up to 26 hours. */
    good &= CHECK(node_has_token(&first) == e->token || (!e->token && day == e->day));
    good &= check_certificates(day);
    good &= check_beats(e->beats, beats);
    good &= CHECK(tries(&first) - tries(before) <= TRIES_A_DAY);
    return good;
}

/* What the days do not show. */
static void check_clone(int day)
{
    if (day < 200 || day >= 208)
        return;
    CHECK_INT(node_state(&second)->standing, MOOR_STANDING_CLONED);
    CHECK(!node_has_token(&second));
    CHECK(second.answered[NODE_BEAT] <= 3); /* until the fork was plain */
    CHECK(!plane_forked(NODE_VM_ID));       /* the rotation settled it, for good */
    CHECK(!moor_key_same_public(first.keys.key, first_key));
}

static void check_refusal(int day)
{
    if (day >= 375 && day < 380)
        CHECK_STR(node_state(&first)->error.service_code, "ReenrollmentNotAllowed");
    if (day == 350)
        CHECK_STR(node_state(&first)->error.service_code, "MachineDisabled");
}

static void open_all(void)
{
    world_open();
    plane_open(period_s);
    node_connect(&first, SIDE_FIRST);
}

static void close_all(void)
{
    node_close(&first);
    moor_key_free(MOOR_TAKE(first_key));
    plane_close();
    world_close();
}

static void a_machine_lives_400_days(void)
{
    size_t next = 0;
    open_all();
    for (int day = 0; day < DAYS; day++) {
        for (; next < MOOR_COUNTOF(events) && events[next].day == day; next++)
            events[next].happens();
        struct node before = first;
        world_run_until(WORLD_T0 + (day + 1) * DAY_MS);
        if (!check_day(day, &before))
            printf("# on day %d: %s %s\n", day, node_state(&first)->error.service_code,
                   node_state(&first)->error.msg);
        check_clone(day);
        check_refusal(day);
    }
    close_all();
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        CHECK_TEST(a_machine_lives_400_days),
    };
    if (argc > 1 && moor_parse_u32(moor_span_str(argv[1]), 30, 3600, &period_s, NULL))
        return 2;
    return check_run(tests, MOOR_COUNTOF(tests));
}
