/* SPDX-License-Identifier: Apache-2.0 */
/*
 * samples.h: performance counters and heartbeats as rows. Counters have the names that data
 * collection rules use for Linux: "Processor(*)\% Processor Time". Pure.
 */
#ifndef MOOR_LOGS_SAMPLES_H
#define MOOR_LOGS_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/jsontab.h"
#include "logs/positions.h"
#include "platform/counters.h"

/* Whether a specifier names a counter of ours; object and counter may be '*'. */
bool moor_counter_known(const char *specifier);

/* What became of a flow's records. */
struct moor_flow_sample {
    const char *key;
    struct moor_log_counts counts;
    uint64_t oldest_s; /* age of the oldest that is not acknowledged */
};

struct moor_sample {
    const struct plat_counters *before; /* of what is a rate or a share; NULL: those are left out */
    const struct plat_counters *now;
    const struct moor_flow_sample *flows;
    size_t flow_count;
    int64_t utc_ms;
    const char *computer;
    bool insights; /* rows of InsightsMetrics, not of Perf */
};
/* Calls row(ctx) for a buffer, appends a row to it, calls end(ctx): for each counter named. */
void moor_sample_rows(const struct moor_sample *s, const struct moor_str_list *specifiers,
                      struct moor_buf *(*row)(void *ctx), void (*end)(void *ctx), void *ctx);

/* A row of Heartbeat. */
struct moor_heartbeat_facts {
    const char *computer, *os_name, *os_major, *os_minor, *version, *vm_id, *resource_id,
        *resource_group, *resource_name, *subscription_id;
};
void moor_heartbeat_row_add(struct moor_buf *b, const struct moor_heartbeat_facts *f,
                            int64_t utc_ms);

#endif
