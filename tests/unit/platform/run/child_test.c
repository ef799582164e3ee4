/* SPDX-License-Identifier: Apache-2.0 */
#include "run/child.h"

#include "check.h"
#include "platform/clock.h"
#include "run/loop.h"

static struct moor_error err;

struct ended {
    struct moor_loop *l;
    struct moor_child *c;
    struct moor_child_result r;
    unsigned count;
    bool free_it;
};
static void on_end(void *ctx, const struct moor_child_result *r)
{
    struct ended *e = ctx;
    e->r = *r;
    e->count++;
    if (e->free_it) {
        moor_child_free(e->c);
        e->c = NULL;
    }
    moor_loop_stop(e->l);
}

static struct ended run_to_end(const char *const *argv, uint64_t timeout_ms, bool free_it)
{
    MOOR_AUTOPTR(moor_loop) l = NULL;
    struct ended e = { .free_it = free_it };
    struct moor_child_opts opts = { .spawn = { .argv = argv }, .timeout_ms = timeout_ms };
    CHECK_INT(moor_loop_new(&l, &err), MOOR_OK);
    e.l = l;
    CHECK_INT(moor_child_start(l, &opts, on_end, &e, &e.c, &err), MOOR_OK);
    CHECK(moor_child_process(e.c)->pid > 0);
    CHECK_INT(moor_loop_run(l, &err), MOOR_OK);
    moor_child_free(e.c);
    e.c = NULL;
    return e;
}

static void end_of_a_child_is_told_once(void)
{
    const char *const argv[] = { "/bin/sh", "-c", "exit 3", NULL };
    for (int i = 0; i < 2; i++) {
        struct ended e = run_to_end(argv, 30000, i == 1);
        CHECK(!e.r.how.signaled && !e.r.timed_out);
        CHECK_INT(e.r.how.code, 3);
        CHECK_INT(e.count, 1);
    }
}

static void child_over_its_deadline_is_killed_with_its_tree(void)
{
    const char *const argv[] = { "/bin/sh", "-c", "sleep 300 & sleep 300; wait", NULL };
    uint64_t before = plat_mono_ms();
    struct ended e = run_to_end(argv, 200, false);
    CHECK(plat_mono_ms() - before >= 200 && plat_mono_ms() - before < 20000);
    CHECK(e.r.timed_out && e.r.how.signaled);
    CHECK_INT(e.count, 1);
}

static void process_in_the_background_does_not_delay_the_end(void)
{
    const char *const argv[] = { "/bin/sh", "-c", "sleep 20 & exit 0", NULL };
    uint64_t before = plat_mono_ms();
    struct ended e = run_to_end(argv, 0, false);
    CHECK(plat_mono_ms() - before < 10000);
    CHECK(!e.r.how.signaled && e.r.how.code == 0);
}

static void freed_child_is_not_heard_of_again(void)
{
    MOOR_AUTOPTR(moor_loop) l = NULL;
    struct ended e = { 0 };
    const char *const argv[] = { "/bin/true", NULL };
    CHECK_INT(moor_loop_new(&l, &err), MOOR_OK);
    for (int i = 0; i < 20; i++) {
        struct moor_child *c = NULL;
        struct moor_child_opts opts = { .spawn = { .argv = argv } };
        CHECK_INT(moor_child_start(l, &opts, on_end, &e, &c, &err), MOOR_OK);
        moor_child_free(c);
    }
    uint64_t next;
    moor_loop_poll(l, &next);
    CHECK_INT(e.count, 0);
    CHECK(next == UINT64_MAX);
}

static void on_tick(void *ctx)
{
    *(bool *)ctx = true;
}

static void freed_child_leaves_no_zombie(void)
{
    MOOR_AUTOPTR(moor_loop) l = NULL;
    MOOR_AUTOPTR(moor_timer) deadline = NULL;
    struct ended e = { 0 };
    struct moor_child *c = NULL;
    bool late = false;
    const char *const argv[] = { "/bin/true", NULL };
    struct moor_child_opts opts = { .spawn = { .argv = argv } };
    struct plat_process_id id;
    CHECK_INT(moor_loop_new(&l, &err), MOOR_OK);
    CHECK_INT(moor_timer_new(l, on_tick, &late, &deadline, &err), MOOR_OK);
    CHECK_INT(moor_child_start(l, &opts, on_end, &e, &c, &err), MOOR_OK);
    const int64_t pid = moor_child_process(c)->pid;
    moor_child_free(c);
    moor_timer_arm(deadline, 10000);
    moor_loop_turn(l);
    CHECK_INT(plat_process_identify(pid, &id, NULL), MOOR_E_NOTFOUND);
    CHECK(!late);
    CHECK_INT(e.count, 0);
}

static void missing_program_never_calls_back(void)
{
    MOOR_AUTOPTR(moor_loop) l = NULL;
    struct ended e = { 0 };
    const char *const argv[] = { "/nowhere/program", NULL };
    struct moor_child_opts opts = { .spawn = { .argv = argv } };
    CHECK_INT(moor_loop_new(&l, &err), MOOR_OK);
    CHECK_INT(moor_child_start(l, &opts, on_end, &e, &e.c, &err), MOOR_E_NOTFOUND);
    CHECK(e.c == NULL && e.count == 0);
}

static void kill_child(void *ctx)
{
    moor_child_kill(((struct ended *)ctx)->c);
}

static void killed_child_did_not_time_out(void)
{
    MOOR_AUTOPTR(moor_loop) l = NULL;
    struct ended e = { 0 };
    const char *const argv[] = { "/bin/sh", "-c", "sleep 300; true", NULL };
    struct moor_child_opts opts = { .spawn = { .argv = argv } };
    CHECK_INT(moor_loop_new(&l, &err), MOOR_OK);
    e.l = l;
    CHECK_INT(moor_child_start(l, &opts, on_end, &e, &e.c, &err), MOOR_OK);
    moor_loop_post(l, kill_child, &e);
    CHECK_INT(moor_loop_run(l, &err), MOOR_OK);
    CHECK(e.r.how.signaled && !e.r.timed_out);
    moor_child_free(e.c);
}

CHECK_MAIN(CHECK_TEST(end_of_a_child_is_told_once),
           CHECK_TEST(child_over_its_deadline_is_killed_with_its_tree),
           CHECK_TEST(process_in_the_background_does_not_delay_the_end),
           CHECK_TEST(freed_child_is_not_heard_of_again), CHECK_TEST(freed_child_leaves_no_zombie),
           CHECK_TEST(missing_program_never_calls_back), CHECK_TEST(killed_child_did_not_time_out))
