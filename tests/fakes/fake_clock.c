/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_clock.h"

#include "platform/clock.h"

static uint64_t mono_ms = 1000000;
static int64_t utc_ms = 1767225600000; /* 2026-01-01T00:00:00Z */

uint64_t plat_mono_ms(void)
{
    return mono_ms;
}

int64_t plat_utc_ms(void)
{
    return utc_ms;
}

void fake_clock_advance(uint64_t ms)
{
    mono_ms += ms;
    utc_ms += (int64_t)ms;
}

void fake_clock_set_utc(int64_t ms)
{
    utc_ms = ms;
}
