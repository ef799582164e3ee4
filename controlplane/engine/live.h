/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live.h: the hot state of machines: heartbeats in memory, written behind, and who waits for a
 * change. api/ reads a machine's status here and tells it what changed.
 */
#ifndef MOOR_ENGINE_LIVE_H
#define MOOR_ENGINE_LIVE_H

#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"
#include "run/loop.h"
#include "store/machines.h"
#include "store/store.h"

struct moor_live;

/* Reads all heartbeat documents. loop may be NULL in tests: then nothing is written behind. */
MOOR_NODISCARD moor_code moor_live_new(struct moor_loop *loop, struct moor_store *store,
                                       struct moor_live **out, struct moor_error *err);
void moor_live_free(struct moor_live *l); /* writes what is pending */
MOOR_DEFINE_AUTOPTR(moor_live)

struct moor_live_status {
    const char *status;        /* Connected, Disconnected, Expired, AwaitingConnection, Error */
    const char *status_reason; /* "Cloned", "" */
    const char *agent_version; /* "" = unknown; these live until the next call into live */
    int64_t last_change_ms;    /* lastStatusChange, 0 = none */
    int64_t last_heartbeat_ms; /* 0 = never */
};
void moor_live_status(struct moor_live *l, const char *vm_id, int64_t now_ms,
                      struct moor_live_status *out);
/* The desired state of the machine changed (after the commit): wakes its waiter. */
void moor_live_changed(struct moor_live *l, const char *vm_id, uint64_t desired_counter);
/* The machine was deleted: forgets it, ends its waiter. */
void moor_live_forget(struct moor_live *l, const char *vm_id);

#endif
