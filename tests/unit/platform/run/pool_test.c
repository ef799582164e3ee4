/* SPDX-License-Identifier: Apache-2.0 */
#include "run/pool.h"

#include "check.h"
#include "platform/clock.h"
#include "platform/thread.h"
#include "run/loop.h"

static struct moor_error err;

/* A gate that holds jobs on their threads until it opens. */
struct gate {
    struct plat_mutex *m;
    struct plat_cond *c;
    bool open;
    unsigned inside;
};
static void gate_make(struct gate *g)
{
    *g = (struct gate){ 0 };
    CHECK_INT(plat_mutex_new(&g->m, &err), MOOR_OK);
    CHECK_INT(plat_cond_new(&g->c, &err), MOOR_OK);
}
static void gate_free(struct gate *g)
{
    plat_cond_free(g->c);
    plat_mutex_free(g->m);
}
static void gate_open(struct gate *g)
{
    plat_mutex_lock(g->m);
    g->open = true;
    plat_cond_wake_all(g->c);
    plat_mutex_unlock(g->m);
}
static void gate_wait_inside(struct gate *g, unsigned n)
{
    plat_mutex_lock(g->m);
    while (g->inside < n)
        plat_cond_wait(g->c, g->m);
    plat_mutex_unlock(g->m);
}

struct job {
    struct moor_loop *l;
    struct moor_pool *p;
    struct gate *gate;
    unsigned *left;
    unsigned worked, done, cancelled;
};

static void work(void *ctx)
{
    struct job *j = ctx;
    if (j->gate) {
        plat_mutex_lock(j->gate->m);
        j->gate->inside++;
        plat_cond_wake_all(j->gate->c);
        while (!j->gate->open)
            plat_cond_wait(j->gate->c, j->gate->m);
        plat_mutex_unlock(j->gate->m);
    }
    j->worked++;
}

static void done(void *ctx, bool cancelled)
{
    struct job *j = ctx;
    j->done++;
    j->cancelled += cancelled;
    if (j->left && --*j->left == 0)
        moor_loop_stop(j->l);
}

static void every_job_works_and_is_done_once(void)
{
    enum { COUNT = 200 };
    MOOR_AUTOPTR(moor_loop) l = NULL;
    MOOR_AUTOPTR(moor_pool) p = NULL;
    static struct job jobs[COUNT];
    unsigned left = COUNT;
    CHECK_INT(moor_loop_new(&l, &err), MOOR_OK);
    CHECK_INT(moor_pool_new(l, &(struct moor_pool_opts){ .threads = 4 }, &p, &err), MOOR_OK);
    for (int i = 0; i < COUNT; i++) {
        jobs[i] = (struct job){ .l = l, .left = &left };
        CHECK_INT(moor_pool_submit(p, work, done, &jobs[i], &err), MOOR_OK);
    }
    CHECK_INT(moor_loop_run(l, &err), MOOR_OK);
    for (int i = 0; i < COUNT; i++)
        CHECK(jobs[i].worked == 1 && jobs[i].done == 1 && jobs[i].cancelled == 0);
}

static void free_waits_for_running_jobs_and_cancels_waiting_ones(void)
{
    enum { COUNT = 6 };
    MOOR_AUTOPTR(moor_loop) l = NULL;
    struct moor_pool *p = NULL;
    struct job jobs[COUNT] = { { 0 } };
    struct gate gate;
    gate_make(&gate);
    CHECK_INT(moor_loop_new(&l, &err), MOOR_OK);
    CHECK_INT(moor_pool_new(l, NULL, &p, &err), MOOR_OK);
    for (int i = 0; i < COUNT; i++) {
        jobs[i].gate = &gate;
        CHECK_INT(moor_pool_submit(p, work, done, &jobs[i], &err), MOOR_OK);
    }
    gate_wait_inside(&gate, 2);
    gate_open(&gate);
    moor_pool_free(p);
    unsigned worked = 0, cancelled = 0;
    for (int i = 0; i < COUNT; i++) {
        CHECK_INT(jobs[i].done, 1);
        CHECK_INT(jobs[i].worked + jobs[i].cancelled, 1);
        worked += jobs[i].worked;
        cancelled += jobs[i].cancelled;
    }
    CHECK(worked >= 2);
    CHECK_INT(worked + cancelled, COUNT);
    gate_free(&gate);
}

static void full_queue_refuses_and_takes_nothing(void)
{
    MOOR_AUTOPTR(moor_loop) l = NULL;
    struct moor_pool *p = NULL;
    struct job running = { 0 }, waiting = { 0 }, refused = { 0 };
    struct gate gate;
    gate_make(&gate);
    running.gate = &gate;
    CHECK_INT(moor_loop_new(&l, &err), MOOR_OK);
    CHECK_INT(moor_pool_new(l, &(struct moor_pool_opts){ 1, 1 }, &p, &err), MOOR_OK);
    CHECK_INT(moor_pool_submit(p, work, done, &running, &err), MOOR_OK);
    gate_wait_inside(&gate, 1);
    CHECK_INT(moor_pool_submit(p, work, done, &waiting, &err), MOOR_OK);
    CHECK_INT(moor_pool_submit(p, work, done, &refused, &err), MOOR_E_NOMEM);
    gate_open(&gate);
    moor_pool_free(p);
    CHECK(running.worked == 1 && running.done == 1);
    CHECK_INT(waiting.done, 1);
    CHECK(refused.worked == 0 && refused.done == 0);
    gate_free(&gate);
}

static void done_again(void *ctx, bool cancelled)
{
    struct job *j = ctx;
    (void)cancelled;
    if (++j->done < 50)
        CHECK_INT(moor_pool_submit(j->p, work, done_again, j, &err), MOOR_OK);
    else
        moor_loop_stop(j->l);
}

static void done_may_submit_the_next_job(void)
{
    MOOR_AUTOPTR(moor_loop) l = NULL;
    MOOR_AUTOPTR(moor_pool) p = NULL;
    struct job j = { 0 };
    CHECK_INT(moor_loop_new(&l, &err), MOOR_OK);
    CHECK_INT(moor_pool_new(l, NULL, &p, &err), MOOR_OK);
    j.l = l;
    j.p = p;
    CHECK_INT(moor_pool_submit(p, work, done_again, &j, &err), MOOR_OK);
    CHECK_INT(moor_loop_run(l, &err), MOOR_OK);
    CHECK_INT(j.worked, 50);
}

static void pool_without_jobs_makes_no_threads_and_frees_at_once(void)
{
    MOOR_AUTOPTR(moor_loop) l = NULL;
    struct moor_pool *p = NULL;
    CHECK_INT(moor_loop_new(&l, &err), MOOR_OK);
    CHECK_INT(moor_pool_new(l, NULL, &p, &err), MOOR_OK);
    uint64_t before = plat_mono_ms();
    moor_pool_free(p);
    CHECK(plat_mono_ms() - before < 1000);
    moor_pool_free(NULL);
}

CHECK_MAIN(CHECK_TEST(every_job_works_and_is_done_once),
           CHECK_TEST(free_waits_for_running_jobs_and_cancels_waiting_ones),
           CHECK_TEST(full_queue_refuses_and_takes_nothing),
           CHECK_TEST(done_may_submit_the_next_job),
           CHECK_TEST(pool_without_jobs_makes_no_threads_and_frees_at_once))
