/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live.h: the hot state of machines: heartbeats in memory, written behind, and who waits for a
 * change. api/ reads a machine's status here and tells it what changed.
 *
 * What is lost when the process dies before it wrote (a few seconds of heartbeats) can only delay
 * a verdict or ask an agent for its properties or report once more.
 */
#ifndef MOOR_ENGINE_LIVE_H
#define MOOR_ENGINE_LIVE_H

#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"
#include "engine/beats.h"
#include "run/loop.h"
#include "store/machines.h"
#include "store/store.h"

struct moor_live;

/* Reads all heartbeat documents. loop may be NULL in tests: then nothing is written behind. */
MOOR_NODISCARD moor_code moor_live_new(struct moor_loop *loop, struct moor_store *store,
                                       struct moor_live **out, struct moor_error *err);
/* The period that machines are told, in seconds; default 300. */
void moor_live_period(struct moor_live *l, uint32_t seconds);
void moor_live_free(struct moor_live *l); /* writes what is pending; no waiter may be left */
MOOR_DEFINE_AUTOPTR(moor_live)

struct moor_live_status {
    const char *status;        /* Connected, Disconnected, Expired, AwaitingConnection, Error */
    const char *status_reason; /* "Cloned", "" */
    const char *agent_version; /* "" = unknown; these live until the next call into live */
    const char *error_details; /* JSON array of what the agent complains about */
    int64_t last_change_ms;    /* lastStatusChange, 0 = none */
    int64_t last_heartbeat_ms; /* 0 = never */
};
void moor_live_status(struct moor_live *l, const char *vm_id, int64_t now_ms,
                      struct moor_live_status *out);

/* One heartbeat, already checked (docs/protocol/service.md 3.3). */
struct moor_live_beat {
    struct moor_beat beat;
    const char *agent_version;
    bool error;
    const char *error_details; /* JSON array */
    const char *properties_hash, *report_hash;
    int64_t token_ms; /* when the caller's token was issued */
};
struct moor_live_answer {
    moor_beat_verdict verdict;
    int64_t forked_ms; /* when the fork was first seen, 0 = there is none */
    bool send_properties, send_report;
    uint32_t wait_seconds; /* 0 = there is no room for one more waiter */
};
MOOR_NODISCARD moor_code moor_live_take(struct moor_live *l, const char *vm_id,
                                        const struct moor_live_beat *beat, int64_t now_ms,
                                        struct moor_live_answer *out, struct moor_error *err);
/* The machine has rotated its key since the fork, at since_ms (whole seconds): the other side is
 * out, its boots are forgotten, and a beat with a token from before is the clone's. */
void moor_live_settle(struct moor_live *l, const char *vm_id, const char *boot_id,
                      int64_t since_ms);

/* What was stored for good: its hash is expected in the next heartbeats. */
void moor_live_properties_stored(struct moor_live *l, const char *vm_id, const char *hash,
                                 const char *agent_version);
void moor_live_report_stored(struct moor_live *l, const char *vm_id, const char *hash);
void moor_live_certificate_issued(struct moor_live *l, const char *vm_id, int64_t end_ms);
bool moor_live_forked(struct moor_live *l, const char *vm_id, int64_t now_ms);
/* The last beat with the newest token that was used: of the newest key that has been in use. */
int64_t moor_live_newest_key_ms(struct moor_live *l, const char *vm_id);
/* When the machine's last fork was settled by a rotation, 0 = there was none. */
int64_t moor_live_settled_ms(struct moor_live *l, const char *vm_id);
/* The fingerprint is the registered one's, or none is registered yet. */
bool moor_live_fingerprint_fits(struct moor_live *l, const char *vm_id,
                                const struct moor_fingerprint *f);

/* The desired state of the machine changed (after the commit): wakes its waiter, at most 500 a
 * second, the others as soon as it is their turn. */
void moor_live_changed(struct moor_live *l, const char *vm_id, uint64_t desired_counter);
/* Another process may have changed desired states: wakes whose is not the one they know. Nothing is
 * read while nobody waits. */
MOOR_NODISCARD moor_code moor_live_look(struct moor_live *l, struct moor_error *err);
/* The machine was deleted: forgets it, ends its waiter. */
void moor_live_forget(struct moor_live *l, const char *vm_id);

/* Waiting for another desired state than desired_counter. fn runs once, later, unless the waiter is
 * cancelled: changed is false when the time is
 * over or a second waiter of the same machine took the place. THROTTLED beyond max_waiters. */
struct moor_live_waiter;
typedef void (*moor_live_fn)(void *ctx, bool changed);
MOOR_NODISCARD moor_code moor_live_wait(struct moor_live *l, const char *vm_id,
                                        uint64_t desired_counter, uint32_t seconds, moor_live_fn fn,
                                        void *ctx, struct moor_live_waiter **out,
                                        struct moor_error *err);
void moor_live_wait_cancel(struct moor_live_waiter *w);
void moor_live_end_waits(struct moor_live *l); /* all, as if their time were over: shutdown */
void moor_live_max_waiters(struct moor_live *l, uint32_t max); /* default 10,000 */

#endif
