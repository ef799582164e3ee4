/* SPDX-License-Identifier: Apache-2.0 */
#include "run/component.h"

#include <signal.h>

#include "check.h"
#include "platform/clock.h"
#include "run/loop.h"

static struct moor_error err;

/* What happened, one letter each: start a, stop A, release a. */
struct daemon {
    char events[64];
    struct moor_service *s;
    struct moor_timer *later;
    int signal;
};

static void note(struct daemon *d, const char *what)
{
    size_t n = strlen(d->events);
    (void)snprintf(d->events + n, sizeof(d->events) - n, "%s ", what);
}

static void raise_signal(void *ctx)
{
    (void)raise(((struct daemon *)ctx)->signal);
}

static moor_code start_a(struct moor_service *s, void *daemon, struct moor_error *e)
{
    (void)e;
    struct daemon *d = daemon;
    note(d, "+a");
    d->s = s;
    if (d->signal)
        moor_loop_post(moor_service_loop(s), raise_signal, d);
    else
        moor_service_stop(s);
    return MOOR_OK;
}
static void stop_a(struct moor_service *s, void *daemon)
{
    note(daemon, "-a");
    moor_component_stopped(s, "a");
}
static void release_a(void *daemon)
{
    note(daemon, "~a");
}
static moor_code start_b(struct moor_service *s, void *daemon, struct moor_error *e)
{
    (void)s;
    (void)e;
    note(daemon, "+b");
    return MOOR_OK;
}
static void release_b(void *daemon)
{
    note(daemon, "~b");
}

static void b_is_done(void *ctx)
{
    struct daemon *d = ctx;
    note(d, "b.");
    moor_timer_free(d->later);
    d->later = NULL;
    moor_component_stopped(d->s, "b");
}
static void stop_b_later(struct moor_service *s, void *daemon)
{
    struct daemon *d = daemon;
    note(d, "-b");
    CHECK_INT(moor_timer_new(moor_service_loop(s), b_is_done, d, &d->later, &err), MOOR_OK);
    moor_timer_arm(d->later, 20);
}
static void stop_b_never(struct moor_service *s, void *daemon)
{
    (void)s;
    note(daemon, "-b");
}
static moor_code fail_to_start(struct moor_service *s, void *daemon, struct moor_error *e)
{
    (void)s;
    note(daemon, "+c");
    return moor_fail(e, MOOR_E_IO, "port 40342: in use");
}

static moor_code run(struct daemon *d, const struct moor_component *table, size_t count)
{
    MOOR_AUTOPTR(moor_loop) l = NULL;
    CHECK_INT(moor_loop_new(&l, &err), MOOR_OK);
    return moor_service_run(l, table, count, d, &err);
}

static const struct moor_component orderly[] = {
    { "a", start_a, stop_a, release_a },
    { "b", start_b, stop_b_later, release_b },
};

static void components_stop_in_reverse_each_after_the_other(void)
{
    struct daemon d = { 0 };
    CHECK_INT(run(&d, orderly, MOOR_COUNTOF(orderly)), MOOR_OK);
    CHECK_STR(d.events, "+a +b -b b. -a ~b ~a ");
}

static void stop_signal_ends_the_service(void)
{
    struct daemon d = { .signal = SIGTERM };
    CHECK_INT(run(&d, orderly, MOOR_COUNTOF(orderly)), MOOR_OK);
    CHECK_STR(d.events, "+a +b -b b. -a ~b ~a ");
}

static void component_without_stop_is_done_at_once(void)
{
    static const struct moor_component table[] = {
        { "a", start_a, stop_a, release_a },
        { "b", start_b, NULL, NULL },
    };
    struct daemon d = { 0 };
    CHECK_INT(run(&d, table, MOOR_COUNTOF(table)), MOOR_OK);
    CHECK_STR(d.events, "+a +b -a ~a ");
}

static void component_that_hangs_is_left_behind_within_5_seconds(void)
{
    static const struct moor_component table[] = {
        { "a", start_a, stop_a, release_a },
        { "b", start_b, stop_b_never, release_b },
    };
    struct daemon d = { 0 };
    uint64_t before = plat_mono_ms();
    CHECK_INT(run(&d, table, MOOR_COUNTOF(table)), MOOR_OK);
    uint64_t took = plat_mono_ms() - before;
    CHECK(took >= 5000 && took < 8000);
    CHECK_STR(d.events, "+a +b -b -a ~b ~a ");
}

static void failed_start_stops_what_runs_and_names_the_component(void)
{
    static const struct moor_component table[] = {
        { "b", start_b, NULL, release_b },
        { "himds", fail_to_start, stop_a, release_a },
        { "a", start_a, stop_a, release_a },
    };
    struct daemon d = { 0 };
    CHECK_INT(run(&d, table, MOOR_COUNTOF(table)), MOOR_E_IO);
    CHECK_STR(err.msg, "himds: port 40342: in use");
    CHECK_STR(d.events, "+b +c ~b ");
    struct daemon first = { 0 };
    CHECK_INT(run(&first, table + 1, 1), MOOR_E_IO);
    CHECK_STR(first.events, "+c ");
}

CHECK_MAIN(CHECK_TEST(components_stop_in_reverse_each_after_the_other),
           CHECK_TEST(stop_signal_ends_the_service),
           CHECK_TEST(component_without_stop_is_done_at_once),
           CHECK_TEST(component_that_hangs_is_left_behind_within_5_seconds),
           CHECK_TEST(failed_start_stops_what_runs_and_names_the_component))
