/* SPDX-License-Identifier: Apache-2.0 */
/* run/pool.h without threads: a job is done where it is submitted, its end is the loop's next turn.
 * Nothing real passes in between, so that virtual time cannot run away from it. */
#include <stdlib.h>

#include "run/loop.h"
#include "run/pool.h"

struct job {
    struct job *next;
    void (*done)(void *ctx, bool cancelled);
    void *ctx;
};

struct moor_pool {
    struct moor_timer *timer;
    struct job *first, **last;
};

static void run_ends(void *ctx)
{
    struct moor_pool *p = ctx;
    while (p->first) {
        struct job *j = p->first;
        p->first = j->next;
        if (!p->first)
            p->last = &p->first;
        j->done(j->ctx, false);
        free(j);
    }
}

moor_code moor_pool_new(struct moor_loop *l, const struct moor_pool_opts *opts,
                        struct moor_pool **out, struct moor_error *err)
{
    (void)opts;
    struct moor_pool *p = calloc(1, sizeof(*p));
    if (!p)
        return moor_fail(err, MOOR_E_NOMEM, "pool: out of memory");
    p->last = &p->first;
    *out = p;
    return moor_timer_new(l, run_ends, p, &p->timer, err);
}

void moor_pool_free(struct moor_pool *p)
{
    if (!p)
        return;
    run_ends(p);
    moor_timer_free(p->timer);
    free(p);
}

moor_code moor_pool_submit(struct moor_pool *p, void (*work)(void *ctx),
                           void (*done)(void *ctx, bool cancelled), void *ctx,
                           struct moor_error *err)
{
    struct job *j = calloc(1, sizeof(*j));
    if (!j)
        return moor_fail(err, MOOR_E_NOMEM, "pool: out of memory");
    *j = (struct job){ NULL, done, ctx };
    *p->last = j;
    p->last = &j->next;
    work(ctx);
    moor_timer_arm(p->timer, 0);
    return MOOR_OK;
}
