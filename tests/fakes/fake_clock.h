/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_clock.h: platform/clock.h on virtual time. A test that links fakes before posix gets it:
 *   moor_test(unit/.../x_test.c USES run fakes posix)
 * Time stands still until the test moves it.
 */
#ifndef MOOR_FAKE_CLOCK_H
#define MOOR_FAKE_CLOCK_H

#include <stdint.h>

struct moor_loop;

void fake_clock_advance(uint64_t ms);    /* both clocks */
void fake_clock_set_utc(int64_t utc_ms); /* the wall clock jumps */

/* Runs the loop for ms of virtual time, from one due timer to the next without waiting. */
void fake_run(struct moor_loop *l, uint64_t ms);

#endif
