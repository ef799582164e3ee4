/* SPDX-License-Identifier: Apache-2.0 */
#include "run/pool.h"

#include <event2/event.h>
#include <stdlib.h>

#include "platform/self.h"
#include "platform/thread.h"
#include "run/loop.h"

#define THREADS_DEFAULT 2
#define THREADS_MAX     16
#define QUEUE_DEFAULT   256
#define IDLE_MS         10000

struct job {
    struct job *next;
    void (*work)(void *ctx);
    void (*done)(void *ctx, bool cancelled);
    void *ctx;
};
struct queue {
    struct job *first, **last;
    unsigned count;
};

struct moor_pool {
    unsigned threads_max, queue_max;
    struct plat_thread *threads[THREADS_MAX]; /* the loop's business, as is idle */
    unsigned thread_count;
    unsigned unfinished; /* submitted, done() not yet run */
    struct moor_timer *idle;
    struct event *finished; /* activated by the threads, runs on the loop */

    struct plat_mutex *lock; /* of what is below */
    struct plat_cond *wake;
    struct queue waiting, ended;
    unsigned sleeping; /* threads with nothing to do */
    bool leave;        /* threads end as soon as nothing waits */
};

static void queue_init(struct queue *q)
{
    *q = (struct queue){ .last = &q->first };
}

static void queue_put(struct queue *q, struct job *j)
{
    j->next = NULL;
    *q->last = j;
    q->last = &j->next;
    q->count++;
}

static struct job *queue_get(struct queue *q)
{
    struct job *j = q->first;
    if (!j)
        return NULL;
    q->first = j->next;
    if (!q->first)
        q->last = &q->first;
    q->count--;
    return j;
}

static void thread_main(void *ctx)
{
    struct moor_pool *p = ctx;
    plat_mutex_lock(p->lock);
    for (;;) {
        struct job *j = queue_get(&p->waiting);
        if (!j && p->leave)
            break;
        if (!j) {
            p->sleeping++;
            plat_cond_wait(p->wake, p->lock);
            p->sleeping--;
            continue;
        }
        plat_mutex_unlock(p->lock);
        j->work(j->ctx);
        plat_mutex_lock(p->lock);
        queue_put(&p->ended, j);
        event_active(p->finished, EV_READ, 0);
    }
    plat_mutex_unlock(p->lock);
}

/* Ends the threads; those that work finish their job first. */
static void join_threads(struct moor_pool *p)
{
    plat_mutex_lock(p->lock);
    p->leave = true;
    plat_cond_wake_all(p->wake);
    plat_mutex_unlock(p->lock);
    for (unsigned i = 0; i < p->thread_count; i++)
        plat_thread_join(p->threads[i]);
    p->thread_count = 0;
    p->leave = false;
}

static void on_idle(void *ctx)
{
    join_threads(ctx);
    plat_release_memory();
}

static void run_done(struct moor_pool *p, struct job *j, bool cancelled)
{
    void (*done)(void *, bool) = j->done;
    void *ctx = j->ctx;
    free(j);
    p->unfinished--;
    if (done)
        done(ctx, cancelled);
}

static struct job *next_ended(struct moor_pool *p)
{
    plat_mutex_lock(p->lock);
    struct job *j = queue_get(&p->ended);
    plat_mutex_unlock(p->lock);
    return j;
}

/* A turn's worth, so that done() may submit again without holding up the loop. done() does not
 * free the pool. */
static void on_finished(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    struct moor_pool *p = ctx;
    plat_mutex_lock(p->lock);
    unsigned n = p->ended.count;
    plat_mutex_unlock(p->lock);
    for (; n > 0; n--)
        run_done(p, next_ended(p), false);
    if (p->unfinished == 0)
        moor_timer_arm(p->idle, IDLE_MS);
}

moor_code moor_pool_new(struct moor_loop *l, const struct moor_pool_opts *opts,
                        struct moor_pool **out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_pool) p = calloc(1, sizeof(*p));
    if (!p)
        return moor_fail(err, MOOR_E_NOMEM, "thread pool: out of memory");
    p->threads_max = opts && opts->threads ? opts->threads : THREADS_DEFAULT;
    p->queue_max = opts && opts->queue_max ? opts->queue_max : QUEUE_DEFAULT;
    if (p->threads_max > THREADS_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "thread pool: at most %d threads", THREADS_MAX);
    queue_init(&p->waiting);
    queue_init(&p->ended);
    moor_code c = plat_mutex_new(&p->lock, err);
    if (c == MOOR_OK)
        c = plat_cond_new(&p->wake, err);
    if (c == MOOR_OK)
        c = moor_timer_new(l, on_idle, p, &p->idle, err);
    if (c != MOOR_OK)
        return c;
    p->finished = event_new(moor_loop_base(l), -1, 0, on_finished, p);
    if (!p->finished)
        return moor_fail(err, MOOR_E_NOMEM, "thread pool: out of memory");
    *out = MOOR_TAKE(p);
    return MOOR_OK;
}

void moor_pool_free(struct moor_pool *p)
{
    if (!p)
        return;
    struct queue cancelled;
    queue_init(&cancelled);
    if (p->finished) {
        plat_mutex_lock(p->lock);
        for (struct job *j; (j = queue_get(&p->waiting));)
            queue_put(&cancelled, j);
        plat_mutex_unlock(p->lock);
        join_threads(p);
        /* In the order of submission as far as there is one: what ran, then what did not. */
        for (struct job *j; (j = queue_get(&p->ended));)
            run_done(p, j, false);
        for (struct job *j; (j = queue_get(&cancelled));)
            run_done(p, j, true);
        MOOR_ASSERT(p->unfinished == 0);
        event_free(p->finished);
    }
    moor_timer_free(p->idle);
    plat_cond_free(p->wake);
    plat_mutex_free(p->lock);
    free(p);
}

/* One more thread unless one sleeps or there are enough. It is no error when there is another. */
static moor_code grow(struct moor_pool *p, unsigned sleeping, struct moor_error *err)
{
    if (sleeping > 0 || p->thread_count >= p->threads_max)
        return MOOR_OK;
    struct moor_error e = MOOR_ERROR_INIT;
    moor_code c = plat_thread_start("moor-pool", thread_main, p, &p->threads[p->thread_count], &e);
    if (c == MOOR_OK) {
        p->thread_count++;
        return MOOR_OK;
    }
    if (p->thread_count > 0)
        return MOOR_OK;
    if (err)
        *err = e;
    return c;
}

moor_code moor_pool_submit(struct moor_pool *p, void (*work)(void *ctx),
                           void (*done)(void *ctx, bool cancelled), void *ctx,
                           struct moor_error *err)
{
    plat_mutex_lock(p->lock);
    unsigned waiting = p->waiting.count, sleeping = p->sleeping;
    plat_mutex_unlock(p->lock);
    if (waiting >= p->queue_max)
        return moor_fail(err, MOOR_E_NOMEM, "thread pool: %u jobs wait already", waiting);
    /* Sleepers that were woken for a job still waiting are spoken for. */
    moor_code c = grow(p, sleeping > waiting ? sleeping - waiting : 0, err);
    if (c != MOOR_OK)
        return c;
    struct job *j = malloc(sizeof(*j));
    if (!j)
        return moor_fail(err, MOOR_E_NOMEM, "thread pool: out of memory");
    *j = (struct job){ NULL, work, done, ctx };
    moor_timer_disarm(p->idle);
    p->unfinished++;
    plat_mutex_lock(p->lock);
    queue_put(&p->waiting, j);
    plat_cond_wake(p->wake);
    plat_mutex_unlock(p->lock);
    return MOOR_OK;
}
