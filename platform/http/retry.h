/* SPDX-License-Identifier: Apache-2.0 */
/* retry.h: how long to wait before trying again. Pure. */
#ifndef MOOR_HTTP_RETRY_H
#define MOOR_HTTP_RETRY_H

#include <stdint.h>

#include "base/error.h"

struct moor_retry_policy {
    uint64_t base_ms;        /* first delay */
    uint64_t cap_ms;         /* longest delay of our own choice */
    unsigned jitter_percent; /* the delay is drawn from delay +- this; 0..50 */
};

/* attempt counts from 0; random is any 32-bit number. retry_after_ms of the error is a floor, plus
 * jitter upwards only, at most 1 h. */
uint64_t moor_retry_delay_ms(const struct moor_retry_policy *p, const struct moor_error *err,
                             unsigned attempt, uint32_t random);

#endif
