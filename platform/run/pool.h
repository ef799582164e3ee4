/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.h: a few threads for what would block the loop. Threads start with the first job and end
 * after 10 s without one, so that an idle process has none.
 *
 * work() runs on a pool thread and touches nothing but its ctx; done() runs on the loop afterwards,
 * exactly once, also for a job that was cancelled before it started (with cancelled = true).
 */
#ifndef MOOR_RUN_POOL_H
#define MOOR_RUN_POOL_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/error.h"

struct moor_loop;
struct moor_pool;

struct moor_pool_opts {
    unsigned threads;   /* at most; 0 = 2 */
    unsigned queue_max; /* jobs waiting at most; 0 = 256 */
};
MOOR_NODISCARD moor_code moor_pool_new(struct moor_loop *l, const struct moor_pool_opts *opts,
                                       struct moor_pool **out, struct moor_error *err);
/* Waits for running jobs, cancels waiting ones; every done() has run when it returns. */
void moor_pool_free(struct moor_pool *p);
MOOR_DEFINE_AUTOPTR(moor_pool)

/* NOMEM when the queue is full: nothing was taken, nothing will be called. */
MOOR_NODISCARD moor_code moor_pool_submit(struct moor_pool *p, void (*work)(void *ctx),
                                          void (*done)(void *ctx, bool cancelled), void *ctx,
                                          struct moor_error *err);

#endif
