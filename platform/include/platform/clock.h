/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.h: the two clocks. Deadlines are monotonic; wall clock only stamps. Any thread.
 * tests/fakes implements this header on virtual time.
 */
#ifndef PLAT_CLOCK_H
#define PLAT_CLOCK_H

#include <stdint.h>

uint64_t plat_mono_ms(
    void);                 /* since an unknown start; does not jump; counts sleep of the machine */
int64_t plat_utc_ms(void); /* since 1970 UTC; may jump either way */

#endif
