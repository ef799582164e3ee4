/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.h: one event loop per process, owned by the thread that runs it.
 *
 * All state of the program belongs to that thread. Only moor_loop_post() may be called from
 * another one. Nothing blocks the loop: files of any size, name look-ups, digests and compression
 * go to the pool (run/pool.h). Idle means no wake-up but the next due timer.
 *
 * What registers a callback unregisters it in its _free; after _free returns the callback cannot
 * run. A start function that fails never calls back.
 */
#ifndef MOOR_RUN_LOOP_H
#define MOOR_RUN_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"

struct moor_loop;
struct event_base;

MOOR_NODISCARD moor_code moor_loop_new(struct moor_loop **out, struct moor_error *err);
void moor_loop_free(struct moor_loop *l); /* posted functions that did not run are dropped */
MOOR_DEFINE_AUTOPTR(moor_loop)

/* Runs until moor_loop_stop(). */
MOOR_NODISCARD moor_code moor_loop_run(struct moor_loop *l, struct moor_error *err);
/* Runs one turn, waiting at most until the next event; for tests. */
void moor_loop_turn(struct moor_loop *l);
/* Runs what is due now, without waiting; *next_ms is when, on the monotonic clock, the next timer
 * is due (UINT64_MAX = none). For simulations on virtual time (tests/fakes). */
void moor_loop_poll(struct moor_loop *l, uint64_t *next_ms);
void moor_loop_stop(struct moor_loop *l);

/* Any thread: fn(ctx) runs on the loop, once, in the order of posts. Aborts when out of memory. */
void moor_loop_post(struct moor_loop *l, void (*fn)(void *ctx), void *ctx);

/* Timers fire once, not before delay_ms from now on the monotonic clock; arm again for the next.
 * Every timer, watch, pool and child is freed before its loop. */
struct moor_timer;
MOOR_NODISCARD moor_code moor_timer_new(struct moor_loop *l, void (*fn)(void *ctx), void *ctx,
                                        struct moor_timer **out, struct moor_error *err);
void moor_timer_arm(struct moor_timer *t, uint64_t delay_ms); /* replaces an earlier arming */
void moor_timer_disarm(struct moor_timer *t);
bool moor_timer_armed(const struct moor_timer *t);
void moor_timer_free(struct moor_timer *t);
MOOR_DEFINE_AUTOPTR(moor_timer)

/* Descriptors: fn is called as long as the descriptor is readable (level-triggered). */
struct moor_watch;
MOOR_NODISCARD moor_code moor_watch_new(struct moor_loop *l, int fd, void (*fn)(void *ctx),
                                        void *ctx, struct moor_watch **out, struct moor_error *err);
void moor_watch_pause(struct moor_watch *w, bool paused);
void moor_watch_free(struct moor_watch *w); /* does not close fd */
MOOR_DEFINE_AUTOPTR(moor_watch)

/* SIGTERM, SIGINT (and service stop on Windows) call fn on the loop. Ended by moor_loop_free();
 * a second call replaces fn, NULL = ignore them. SIGPIPE is ignored from moor_loop_new() on. */
MOOR_NODISCARD moor_code moor_loop_on_stop(struct moor_loop *l, void (*fn)(void *ctx), void *ctx,
                                           struct moor_error *err);
/* SIGHUP: reload. */
MOOR_NODISCARD moor_code moor_loop_on_reload(struct moor_loop *l, void (*fn)(void *ctx), void *ctx,
                                             struct moor_error *err);

/* For http/ only: what it builds on. */
struct event_base *moor_loop_base(struct moor_loop *l);

#endif
