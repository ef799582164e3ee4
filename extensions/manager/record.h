/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h: what the manager writes to the local audit log (core/trail.h). Loop thread; blocking
 * for two flushes.
 *
 * What is permitted is in the log before it begins, or does not begin. Refusals cost the service
 * nothing: within MOOR_RECORD_WINDOW_MS at most MOOR_RECORD_REFUSALS of them are written, of the
 * rest one line with their number, so that nobody can push older lines out of the log with them.
 */
#ifndef MOOR_MANAGER_RECORD_H
#define MOOR_MANAGER_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/policy.h"
#include "core/trail.h"

#define MOOR_RECORD_WINDOW_MS ((uint64_t)60 * 60 * 1000)
#define MOOR_RECORD_REFUSALS  512

struct moor_record_budget {
    uint64_t since_ms; /* monotonic; 0 = no refusal yet */
    unsigned lines, left_out;
};

/* by: MOOR_TRAIL_BY_CLOUD, or MOOR_TRAIL_BY_LOCAL for the administrator's own wish. detail says
 * what the object is: "Publisher/Type 1.0". A failure is logged; true: the line is on the disk. */
bool moor_record_permitted(const char *by, moor_policy_verb verb, const char *object,
                           const char *detail);
void moor_record_refused(struct moor_record_budget *b, uint64_t now_ms, moor_policy_verb verb,
                         const char *object, const char *detail, const char *rule);
/* Writes the number of those that were left out, once their hour is over. Call it now and then. */
void moor_record_tick(struct moor_record_budget *b, uint64_t now_ms);

#endif
