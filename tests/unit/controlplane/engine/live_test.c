/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "engine/live.h"
#include "run/loop.h"

#define NOW INT64_C(1795366800000)

static const char vm[] = "11111111-2222-4333-8444-555555555555";
static const char vm2[] = "21111111-2222-4333-8444-555555555555";
static struct moor_loop *loop;
static struct moor_store *store;
static struct moor_live *live;
static struct moor_error err;
static int calls, changes;

static bool start(void)
{
    calls = changes = 0;
    return !moor_loop_new(&loop, &err) && !moor_store_open(":memory:", &store, &err) &&
           !moor_live_new(loop, store, &live, &err);
}

static void stop(void)
{
    moor_live_free(live);
    moor_store_free(store);
    moor_loop_free(loop);
}

static moor_code beat(uint64_t seq, int64_t at, bool error, struct moor_live_answer *out)
{
    struct moor_live_beat b = { .beat = { "0123456789abcdef0123456789abcdef", seq, at, { { "" } } },
                                .agent_version = "0.1.0",
                                .error = error,
                                .error_details = error ? "[{\"code\":\"X\"}]" : "[]",
                                .properties_hash = "p1",
                                .report_hash = "" };
    return moor_live_take(live, vm, &b, at, out, &err);
}

static void on_wait(void *ctx, bool changed)
{
    (void)ctx;
    calls++;
    changes += changed;
}

static void beats_decide_the_status(void)
{
    struct moor_live_answer a;
    struct moor_live_status s;
    CHECK(start());
    moor_live_status(live, vm, NOW, &s);
    CHECK_STR(s.status, "AwaitingConnection");
    CHECK_INT(beat(1, NOW, false, &a), MOOR_OK);
    CHECK(a.send_properties && !a.send_report && a.wait_seconds == 300);
    moor_live_properties_stored(live, vm, "p1", "0.1.0");
    CHECK_INT(beat(2, NOW + 1000, true, &a), MOOR_OK);
    CHECK(!a.send_properties);
    moor_live_status(live, vm, NOW + 1000, &s);
    CHECK_STR(s.status, "Error");
    CHECK_STR(s.error_details, "[{\"code\":\"X\"}]");
    CHECK_INT(beat(3, NOW + 2000, false, &a), MOOR_OK);
    moor_live_status(live, vm, NOW + 2000, &s);
    CHECK_STR(s.status, "Connected");
    CHECK_INT(s.last_change_ms, NOW + 2000);
    stop();
}

static void add_machine(void)
{
    const struct moor_machine m = {
        .vm_id = vm,
        .resource_id = "/subscriptions/s/resourceGroups/g/providers/p/m/n",
        .tenant_id = "t",
        .client_id = "c",
        .principal_id = "o",
        .settings_cert = "",
    };
    CHECK_INT(moor_machine_add(store, &m, &err), MOOR_OK);
}

static void what_was_written_behind_is_there_after_a_restart(void)
{
    struct moor_live_answer a;
    struct moor_live_status s;
    CHECK(start());
    add_machine();
    CHECK_INT(beat(1, NOW, false, &a), MOOR_OK);
    moor_live_certificate_issued(live, vm, NOW + 5000);
    moor_live_free(live);
    live = NULL;
    CHECK_INT(moor_live_new(loop, store, &live, &err), MOOR_OK);
    moor_live_status(live, vm, NOW + 1, &s);
    CHECK_STR(s.status, "Connected");
    CHECK_STR(s.agent_version, "0.1.0");
    moor_live_status(live, vm, NOW + 5000, &s);
    CHECK_STR(s.status, "Expired");
    moor_live_forget(live, vm);
    moor_live_status(live, vm, NOW + 1, &s);
    CHECK_STR(s.status, "AwaitingConnection");
    stop();
}

static void a_change_wakes_its_waiter_and_a_second_wait_ends_the_first(void)
{
    struct moor_live_waiter *w = NULL;
    CHECK(start());
    CHECK_INT(moor_live_wait(live, vm, 0, 60, on_wait, NULL, &w, &err), MOOR_OK);
    moor_live_changed(live, vm2, 1);
    CHECK_INT(calls, 0);
    moor_live_changed(live, vm, 1);
    CHECK(calls == 1 && changes == 1);
    CHECK_INT(moor_live_wait(live, vm, 0, 60, on_wait, NULL, &w, &err), MOOR_OK);
    CHECK_INT(moor_live_wait(live, vm, 0, 60, on_wait, NULL, &w, &err), MOOR_OK);
    CHECK(calls == 2 && changes == 1);
    moor_live_wait_cancel(w);
    moor_live_changed(live, vm, 2);
    CHECK_INT(calls, 2);
    stop();
}

static void a_change_by_another_process_wakes_whom_it_concerns(void)
{
    struct moor_live_waiter *w = NULL, *other = NULL;
    CHECK(start());
    add_machine();
    CHECK_INT(moor_live_wait(live, vm, 0, 60, on_wait, NULL, &w, &err), MOOR_OK);
    CHECK_INT(moor_live_wait(live, vm2, 0, 60, on_wait, NULL, &other, &err), MOOR_OK);
    CHECK_INT(moor_live_look(live, &err), MOOR_OK);
    CHECK_INT(calls, 0);
    CHECK_INT(moor_machine_touch_desired(store, vm, NULL, &err), MOOR_OK);
    CHECK_INT(moor_live_look(live, &err), MOOR_OK);
    CHECK(calls == 1 && changes == 1);
    moor_live_wait_cancel(other);
    stop();
}

static void waiters_are_limited(void)
{
    struct moor_live_waiter *w = NULL, *v = NULL;
    struct moor_live_answer a;
    CHECK(start());
    moor_live_max_waiters(live, 1);
    CHECK_INT(moor_live_wait(live, vm2, 0, 60, on_wait, NULL, &w, &err), MOOR_OK);
    CHECK_INT(moor_live_wait(live, vm, 0, 60, on_wait, NULL, &v, &err), MOOR_E_THROTTLED);
    CHECK_INT(beat(1, NOW, false, &a), MOOR_OK);
    CHECK_INT(a.wait_seconds, 0);
    moor_live_wait_cancel(w);
    stop();
}

static void many_changes_are_spread_over_seconds(void)
{
    char ids[600][37];
    struct moor_live_waiter *w[600];
    CHECK(start());
    for (unsigned i = 0; i < 600; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "%08x-2222-4333-8444-555555555555", i);
        CHECK_INT(moor_live_wait(live, ids[i], 0, 60, on_wait, NULL, &w[i], &err), MOOR_OK);
    }
    for (unsigned i = 0; i < 600; i++)
        moor_live_changed(live, ids[i], 1);
    CHECK_INT(calls, 500);
    moor_live_wait_cancel(w[550]);
    moor_live_wait_cancel(w[599]);
    moor_live_wait_cancel(w[500]);
    for (int turns = 0; calls < 597 && turns < 50; turns++)
        moor_loop_turn(loop);
    CHECK_INT(calls, 597);
    stop();
}

CHECK_MAIN(CHECK_TEST(beats_decide_the_status),
           CHECK_TEST(what_was_written_behind_is_there_after_a_restart),
           CHECK_TEST(a_change_wakes_its_waiter_and_a_second_wait_ends_the_first),
           CHECK_TEST(a_change_by_another_process_wakes_whom_it_concerns),
           CHECK_TEST(waiters_are_limited), CHECK_TEST(many_changes_are_spread_over_seconds))
