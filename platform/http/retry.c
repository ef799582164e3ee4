/* SPDX-License-Identifier: Apache-2.0 */
#include "http/retry.h"

#define HOUR_MS (60ull * 60 * 1000)

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* A part of range that random chooses, 0..range. */
static uint64_t scaled(uint64_t range, uint32_t random)
{
    return range * ((uint64_t)random + 1) >> 32;
}

static uint64_t doubled(const struct moor_retry_policy *p, unsigned attempt)
{
    uint64_t delay = min_u64(p->base_ms, p->cap_ms);
    for (; attempt > 0 && delay < p->cap_ms; attempt--)
        delay = min_u64(delay * 2, p->cap_ms);
    return delay;
}

uint64_t moor_retry_delay_ms(const struct moor_retry_policy *p, const struct moor_error *err,
                             unsigned attempt, uint32_t random)
{
    uint64_t delay = doubled(p, attempt);
    uint64_t asked = err ? min_u64(err->retry_after_ms, HOUR_MS) : 0;
    if (asked > 0) {
        uint64_t least = asked > delay ? asked : delay;
        return min_u64(least + scaled(least * p->jitter_percent / 100, random), HOUR_MS);
    }
    uint64_t jitter = delay * p->jitter_percent / 100;
    return delay - jitter + scaled(2 * jitter, random);
}
