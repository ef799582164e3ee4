/* SPDX-License-Identifier: Apache-2.0 */
/* status.h: what ARM shows as a machine's status, from what is known of it. Pure. */
#ifndef MOOR_ENGINE_STATUS_H
#define MOOR_ENGINE_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#define MOOR_SILENT_PERIODS 3 /* without a beat: Disconnected; 15 minutes unless told otherwise */

struct moor_status_facts {
    int64_t last_heartbeat_ms;  /* 0 = never */
    int64_t connected_since_ms; /* first beat of the unbroken row that the last one belongs to */
    int64_t certificate_end_ms; /* of the newest certificate, 0 = unknown */
    int64_t error_since_ms;     /* the agent says Error since then, 0 = it does not */
    bool forked;
    int64_t period_ms; /* of heartbeats */
};

struct moor_status {
    const char *status; /* Connected, Disconnected, Expired, AwaitingConnection, Error */
    const char *reason; /* "Cloned" or "" */
    int64_t since_ms;   /* lastStatusChange, 0 = none */
};

void moor_status_of(const struct moor_status_facts *f, int64_t now_ms, struct moor_status *out);

#endif
