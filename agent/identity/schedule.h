/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule.h: when to speak to the service, and what its refusals mean over time.
 * Pure: clocks and random numbers are arguments. docs/protocol/service.md has the rules.
 */
#ifndef MOOR_IDENTITY_SCHEDULE_H
#define MOOR_IDENTITY_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define MOOR_BEAT_PERIOD_S 300 /* until the service says otherwise */

/* First beat after a start: uniform over one period, the same for the same machine every time, so
 * that machines started at once keep apart. */
uint64_t moor_beat_first_ms(const char *vm_id, uint32_t period_s);

/* The period +-10 %; random is any 32-bit number. */
uint64_t moor_beat_next_ms(uint32_t period_s, uint32_t random);

/* What the service thinks of this machine, as far as it must be believed. */
typedef enum moor_standing {
    MOOR_STANDING_GOOD,
    MOOR_STANDING_GONE,     /* MachineNotFound (or no such client at the sign-in) thrice over
                             * two periods: no new tokens */
    MOOR_STANDING_DISABLED, /* MachineDisabled: cached tokens dropped, no new work */
    MOOR_STANDING_CLONED    /* IdentityCloned twice, a period apart: no tokens at all */
} moor_standing;

/* After a failure: from 60 s doubling up to one period; Retry-After is a floor. What another try
 * soon cannot help (MachineDisabled, KeySuperseded, ...) is asked again after a period, an hour or
 * a day; once the standing is not good nothing is asked more than hourly. failures counts from 1.
 */
uint64_t moor_beat_retry_ms(const struct moor_error *err, moor_standing standing, unsigned failures,
                            uint32_t period_s, uint32_t random);

struct moor_verdict {
    moor_standing standing;
    char code[64]; /* the refusal being counted, "" = none */
    unsigned seen;
    uint64_t first_ms; /* monotonic */
};
/* service_code is the code of the answer, NULL for success, "" for "no answer". True when the
 * standing changed. */
bool moor_verdict_note(struct moor_verdict *v, const char *service_code, uint64_t now_ms,
                       uint32_t period_s);

/* "Connected", "Disconnected" (15 minutes without a beat) or "Expired". Wall clock; 0 = never. */
const char *moor_agent_status(int64_t now_ms, int64_t last_beat_ms, int64_t not_after_ms);

/* When to renew: a fixed hour of the day after renew_after_ms, spread by the vmId. */
int64_t moor_renew_at_ms(int64_t renew_after_ms, const char *vm_id);

#endif
