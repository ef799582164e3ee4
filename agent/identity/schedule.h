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

/* How long to wait for news, in seconds: up to the next beat, which then finds the connection free,
 * and at most what the service allows; 0 = not worth it, the beat is near. cut_short: connections
 * on the way do not live that long; a minute they do. */
uint32_t moor_wait_seconds(uint64_t until_beat_ms, uint32_t period_s, uint32_t allowed_s,
                           bool cut_short);

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

/* "Connected", "Disconnected" (three periods without a beat) or "Expired". Wall clock; 0 = never.
 */
const char *moor_agent_status(int64_t now_ms, int64_t last_beat_ms, int64_t not_after_ms,
                              uint32_t period_s);

/* The service's time as last heard, and when that was on the monotonic clock: a wall clock that
 * jumps afterwards does not matter. Zero = not heard yet. */
struct moor_service_clock {
    int64_t service_ms;
    uint64_t mono_ms;
};
/* What stamps proofs and assertions: the service's time, unless the wall clock is off by more than
 * a day (then nobody's word is taken) or by less than 30 s. */
int64_t moor_service_clock_now(const struct moor_service_clock *c, int64_t wall_ms,
                               uint64_t mono_ms);

/* When to renew: from renew_after_ms on, spread by the vmId over a 45th of what is left then: a day
 * of a certificate of 90 days. */
int64_t moor_renew_at_ms(int64_t renew_after_ms, int64_t not_after_ms, const char *vm_id);

#endif
