/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world.h: one virtual time for a control plane and two machines in one program. Each side has its
 * own loop, its own root folder, and a wall clock of its own that may be wrong.
 *
 * One side is present at any moment: the clock and the folders are its own. Whoever calls another
 * side's code goes there first and comes back.
 */
#ifndef MOOR_TESTS_WORLD_H
#define MOOR_TESTS_WORLD_H

#include <stdint.h>

#include "run/loop.h"

typedef enum side { SIDE_PLANE, SIDE_FIRST, SIDE_SECOND, SIDE_COUNT } side;

#define WORLD_T0  1795367970000LL /* 2026-11-22T17:19:30Z */
#define MINUTE_MS 60000LL
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

void world_open(void); /* at WORLD_T0; exits when it cannot */
void world_close(void);

int64_t world_now(void); /* the true time */
struct moor_loop *world_loop(side s);

/* The side that is present; enter tells who was before. */
side world_side(void);
side world_enter(side s);

/* The side's wall clock is off by so much from now on. */
void world_skew(side s, int64_t off_ms);
int64_t world_skew_of(side s);

/* Runs every side's timers up to a true time, in order. */
void world_run_until(int64_t utc_ms);

#endif
