/* SPDX-License-Identifier: Apache-2.0 */
/* loop_internal.h (private to run/): what loop.c, timer.c and child.c share. */
#ifndef MOOR_RUN_LOOP_INTERNAL_H
#define MOOR_RUN_LOOP_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "run/loop.h"

struct event;

/*
 * The timers of a loop: a binary heap by due time and order of arming, and one event of libevent
 * set to the first. The clock is plat_mono_ms() alone, so that tests run on virtual time, and
 * libevent's rounding and cached time decide only when we look again.
 */
struct moor_timers {
    struct moor_timer **heap;
    size_t count, cap; /* cap also covers the disarmed, so that arming needs no memory */
    size_t existing;
    uint64_t next_seq;
    uint64_t set_for; /* what the event is set to, UINT64_MAX = nothing */
    struct event *alarm;
};

MOOR_NODISCARD moor_code moor_timers_init(struct moor_timers *t, struct event_base *base,
                                          struct moor_error *err);
void moor_timers_drop(struct moor_timers *t);
uint64_t moor_timers_next(const struct moor_timers *t); /* UINT64_MAX = none */
void moor_timers_run(struct moor_timers *t);            /* fires what is due */
struct moor_timers *moor_loop_timers(struct moor_loop *l);

/* Children that were freed while they ran: the head of a list that child.c keeps. */
struct moor_child;
struct moor_child **moor_loop_forgotten(struct moor_loop *l);
void moor_children_drop(struct moor_loop *l); /* at the loop's end */

#endif
