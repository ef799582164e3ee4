/* SPDX-License-Identifier: Apache-2.0 */
#include "run/loop.h"

#include <signal.h>
#include <stdlib.h>

#include "check.h"
#include "platform/clock.h"
#include "platform/net.h"
#include "platform/thread.h"

static struct moor_error err;

static struct moor_loop *new_loop(void)
{
    struct moor_loop *l = NULL;
    CHECK_INT(moor_loop_new(&l, &err), MOOR_OK);
    return l;
}

static struct moor_timer *new_timer(struct moor_loop *l, void (*fn)(void *), void *ctx)
{
    struct moor_timer *t = NULL;
    CHECK_INT(moor_timer_new(l, fn, ctx, &t, &err), MOOR_OK);
    return t;
}

static void stop(void *ctx)
{
    moor_loop_stop(ctx);
}

static void run_for(struct moor_loop *l, uint64_t ms)
{
    MOOR_AUTOPTR(moor_timer) t = new_timer(l, stop, l);
    moor_timer_arm(t, ms);
    CHECK_INT(moor_loop_run(l, &err), MOOR_OK);
}

struct stamp {
    uint64_t armed, delay, fired;
    unsigned count;
};
static void note(void *ctx)
{
    struct stamp *s = ctx;
    s->fired = plat_mono_ms();
    s->count++;
}

static void timers_never_fire_early_and_only_once(void)
{
    enum { COUNT = 64 };
    MOOR_AUTOPTR(moor_loop) l = new_loop();
    struct stamp stamps[COUNT] = { { 0 } };
    struct moor_timer *timers[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        timers[i] = new_timer(l, note, &stamps[i]);
        stamps[i].delay = (i * 37) % 101;
        stamps[i].armed = plat_mono_ms();
        moor_timer_arm(timers[i], stamps[i].delay);
    }
    run_for(l, 150);
    for (unsigned i = 0; i < COUNT; i++) {
        CHECK_INT(stamps[i].count, 1);
        CHECK(stamps[i].fired >= stamps[i].armed + stamps[i].delay);
        CHECK(!moor_timer_armed(timers[i]));
        moor_timer_free(timers[i]);
    }
}

static void arming_again_replaces_and_disarming_removes(void)
{
    MOOR_AUTOPTR(moor_loop) l = new_loop();
    struct stamp a = { 0 }, b = { 0 };
    MOOR_AUTOPTR(moor_timer) ta = new_timer(l, note, &a);
    MOOR_AUTOPTR(moor_timer) tb = new_timer(l, note, &b);
    moor_timer_arm(ta, 0);
    moor_timer_arm(ta, 10000);
    CHECK(moor_timer_armed(ta));
    moor_timer_arm(tb, 1);
    moor_timer_disarm(tb);
    moor_timer_disarm(tb);
    run_for(l, 30);
    CHECK(a.count == 0 && b.count == 0);
    moor_timer_arm(ta, 0);
    run_for(l, 5);
    CHECK_INT(a.count, 1);
}

struct again {
    struct moor_timer *t;
    unsigned count;
};
static void arm_again(void *ctx)
{
    struct again *a = ctx;
    a->count++;
    moor_timer_arm(a->t, 0);
}

static void timer_of_no_delay_does_not_starve_others(void)
{
    MOOR_AUTOPTR(moor_loop) l = new_loop();
    struct again a = { 0 };
    struct stamp s = { 0 };
    a.t = new_timer(l, arm_again, &a);
    MOOR_AUTOPTR(moor_timer) other = new_timer(l, note, &s);
    moor_timer_arm(a.t, 0);
    moor_timer_arm(other, 5);
    run_for(l, 20);
    CHECK(a.count > 1);
    CHECK_INT(s.count, 1);
    moor_timer_free(a.t);
}

static void free_self(void *ctx)
{
    struct again *a = ctx;
    moor_timer_free(a->t);
    a->t = NULL;
}

static void timer_may_be_freed_in_its_own_callback(void)
{
    MOOR_AUTOPTR(moor_loop) l = new_loop();
    struct again a = { 0 };
    a.t = new_timer(l, free_self, &a);
    moor_timer_arm(a.t, 0);
    run_for(l, 2);
    CHECK(a.t == NULL);
}

static void many_timers_fire_in_order_of_due_time(void)
{
    /* Every order of arming and disarming goes through the heap. */
    MOOR_AUTOPTR(moor_loop) l = new_loop();
    enum { COUNT = 1000 };
    static struct stamp stamps[COUNT];
    static struct moor_timer *timers[COUNT];
    memset(stamps, 0, sizeof(stamps));
    for (unsigned i = 0; i < COUNT; i++) {
        timers[i] = new_timer(l, note, &stamps[i]);
        moor_timer_arm(timers[i], (i * 7919) % 40);
    }
    for (unsigned i = 0; i < COUNT; i += 3)
        moor_timer_disarm(timers[i]);
    for (unsigned i = 0; i < COUNT; i += 5)
        moor_timer_arm(timers[i], i % 11);
    run_for(l, 100);
    for (unsigned i = 0; i < COUNT; i++) {
        CHECK_INT(stamps[i].count, i % 3 == 0 && i % 5 != 0 ? 0 : 1);
        moor_timer_free(timers[i]);
    }
}

/* How often the kernel put this thread to sleep. */
static long sleeps(void)
{
    static const char name[] = "\nvoluntary_ctxt_switches:\t";
    MOOR_AUTO(moor_buf) b = MOOR_BUF(16384);
    CHECK_INT(plat_read_all("/proc/self/status", 16384, &b, &err), MOOR_OK);
    const char *at = strstr(moor_buf_cstr(&b), name);
    return at ? strtol(at + strlen(name), NULL, 10) : -1000000;
}

static void idle_loop_sleeps_once_until_the_next_timer(void)
{
    MOOR_AUTOPTR(moor_loop) l = new_loop();
    struct stamp s = { 0 };
    MOOR_AUTOPTR(moor_timer) far = new_timer(l, note, &s);
    MOOR_AUTOPTR(moor_timer) gone = new_timer(l, note, &s);
    moor_timer_arm(far, 3600000);
    moor_timer_arm(gone, 50);
    moor_timer_disarm(gone);
    long before = sleeps();
    run_for(l, 400);
    CHECK(sleeps() - before <= 5);
    CHECK_INT(s.count, 0);
}

enum { POSTERS = 4, POSTS = 10000 };
struct poster {
    struct moor_loop *l;
    unsigned next_out;
    bool in_order;
    unsigned *left;
    struct posted {
        struct poster *from;
        unsigned number;
    } posts[POSTS];
};

static void receive(void *ctx)
{
    struct posted *p = ctx;
    p->from->in_order = p->from->in_order && p->number == p->from->next_out;
    p->from->next_out++;
    if (--*p->from->left == 0)
        moor_loop_stop(p->from->l);
}

static void post_all(void *ctx)
{
    struct poster *p = ctx;
    for (unsigned i = 0; i < POSTS; i++) {
        p->posts[i] = (struct posted){ p, i };
        moor_loop_post(p->l, receive, &p->posts[i]);
    }
}

static void posts_of_several_threads_all_run_in_each_threads_order(void)
{
    MOOR_AUTOPTR(moor_loop) l = new_loop();
    unsigned left = POSTERS * POSTS;
    struct poster *posters = calloc(POSTERS, sizeof(*posters));
    struct plat_thread *threads[POSTERS];
    for (int i = 0; i < POSTERS; i++) {
        posters[i].l = l;
        posters[i].in_order = true;
        posters[i].left = &left;
        CHECK_INT(plat_thread_start("poster", post_all, &posters[i], &threads[i], &err), MOOR_OK);
    }
    CHECK_INT(moor_loop_run(l, &err), MOOR_OK);
    for (int i = 0; i < POSTERS; i++) {
        plat_thread_join(threads[i]);
        CHECK(posters[i].in_order);
        CHECK_INT(posters[i].next_out, POSTS);
    }
    free(posters);
}

static void add_one(void *ctx)
{
    ++*(unsigned *)ctx;
}

static void posts_that_did_not_run_are_dropped_with_the_loop(void)
{
    unsigned count = 0;
    {
        MOOR_AUTOPTR(moor_loop) l = new_loop();
        moor_loop_post(l, add_one, &count);
        moor_loop_post(l, add_one, &count);
    }
    CHECK_INT(count, 0);
}

struct reader {
    struct plat_file *s;
    unsigned count;
    bool read;
};
static void on_readable(void *ctx)
{
    struct reader *r = ctx;
    char c;
    size_t got;
    r->count++;
    if (r->read)
        CHECK_INT(plat_message_receive(r->s, &c, 1, &got, NULL, &err), MOOR_OK);
}

static void descriptor_is_reported_as_long_as_it_is_readable(void)
{
    MOOR_AUTOPTR(moor_loop) l = new_loop();
    MOOR_AUTO(plat_file) a = PLAT_FILE_INIT;
    MOOR_AUTO(plat_file) b = PLAT_FILE_INIT;
    CHECK_INT(plat_socket_pair(&a, &b, &err), MOOR_OK);
    struct reader r = { .s = &b };
    MOOR_AUTOPTR(moor_watch) w = NULL;
    CHECK_INT(moor_watch_new(l, plat_file_fd(&b), on_readable, &r, &w, &err), MOOR_OK);
    run_for(l, 5);
    CHECK_INT(r.count, 0);
    CHECK_INT(plat_message_send(&a, MOOR_SPAN_LIT("x"), NULL, &err), MOOR_OK);
    moor_loop_turn(l);
    moor_loop_turn(l);
    CHECK_INT(r.count, 2);
    moor_watch_pause(w, true);
    run_for(l, 5);
    CHECK_INT(r.count, 2);
    moor_watch_pause(w, false);
    r.read = true;
    run_for(l, 5);
    CHECK_INT(r.count, 3);
}

struct stopping {
    struct moor_loop *l;
    unsigned stops, reloads;
};
static void on_stop(void *ctx)
{
    struct stopping *s = ctx;
    s->stops++;
    moor_loop_stop(s->l);
}
static void on_reload(void *ctx)
{
    struct stopping *s = ctx;
    s->reloads++;
    (void)raise(SIGTERM);
}

static void signals_arrive_on_the_loop(void)
{
    MOOR_AUTOPTR(moor_loop) l = new_loop();
    struct stopping s = { .l = l };
    CHECK_INT(moor_loop_on_stop(l, on_stop, &s, &err), MOOR_OK);
    CHECK_INT(moor_loop_on_reload(l, on_reload, &s, &err), MOOR_OK);
    (void)raise(SIGHUP);
    CHECK_INT(moor_loop_run(l, &err), MOOR_OK);
    (void)raise(SIGINT);
    CHECK_INT(moor_loop_run(l, &err), MOOR_OK);
    CHECK(s.stops == 2 && s.reloads == 1);
}

static void writing_to_a_closed_socket_is_an_error_not_the_end(void)
{
    MOOR_AUTOPTR(moor_loop) l = new_loop();
    MOOR_AUTO(plat_file) a = PLAT_FILE_INIT;
    MOOR_AUTO(plat_file) b = PLAT_FILE_INIT;
    CHECK(l != NULL);
    CHECK_INT(plat_socket_pair(&a, &b, &err), MOOR_OK);
    plat_file_drop(&b);
    CHECK(plat_append(&a, MOOR_SPAN_LIT("x"), &err) != MOOR_OK);
}

CHECK_MAIN(CHECK_TEST(timers_never_fire_early_and_only_once),
           CHECK_TEST(arming_again_replaces_and_disarming_removes),
           CHECK_TEST(timer_of_no_delay_does_not_starve_others),
           CHECK_TEST(timer_may_be_freed_in_its_own_callback),
           CHECK_TEST(many_timers_fire_in_order_of_due_time),
           CHECK_TEST(idle_loop_sleeps_once_until_the_next_timer),
           CHECK_TEST(posts_of_several_threads_all_run_in_each_threads_order),
           CHECK_TEST(posts_that_did_not_run_are_dropped_with_the_loop),
           CHECK_TEST(descriptor_is_reported_as_long_as_it_is_readable),
           CHECK_TEST(signals_arrive_on_the_loop),
           CHECK_TEST(writing_to_a_closed_socket_is_an_error_not_the_end))
