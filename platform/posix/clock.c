/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/clock.h"

#include <time.h>

#include "base/attr.h"

static int64_t read_ms(clockid_t id)
{
    struct timespec t;
    MOOR_ASSERT(clock_gettime(id, &t) == 0);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

uint64_t plat_mono_ms(void)
{
    return (uint64_t)read_ms(CLOCK_BOOTTIME);
}

int64_t plat_utc_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}
