/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h: <LIB>/logs: positions of all flows, those of rules that went away included, and the
 * queue on disk. A damaged positions.json is set aside and everything is read from the start: to
 * deliver twice is a nuisance, to guess is a loss.
 */
#ifndef MOOR_LOGS_STORE_H
#define MOOR_LOGS_STORE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "logs/flow.h"
#include "logs/ledger.h"
#include "logs/positions.h"
#include "logs/queue.h"

/* What is known of a flow that does not run. */
struct moor_dormant {
    struct moor_dormant *next;
    struct moor_arena arena;
    struct moor_flow_record record;
};

struct moor_store {
    char *folder, *status_path;
    struct moor_ledger ledger; /* the pool's while something is being saved */
    bool unsettled;            /* more changed than the flows know of: all is to be written */
    struct moor_dormant *dormant;
    struct moor_queue queue;
    int64_t saved_ms;    /* of the document that was read, 0 = there was none */
    uint64_t queue_next; /* likewise */
    uint64_t damaged;    /* entries in earlier runs */
};

/* Makes the folders and reads what is there. Logs what it had to set aside. */
MOOR_NODISCARD moor_code moor_store_open(struct moor_store *s, uint64_t queue_max,
                                         struct moor_error *err);
void moor_store_drop(struct moor_store *s);

/* Takes the record of a flow out; NULL when there is none. Free it. */
struct moor_dormant *moor_store_wake(struct moor_store *s, const char *key);
void moor_dormant_free(struct moor_dormant *d);
/* Puts the record of a flow that is about to go in. */
MOOR_NODISCARD moor_code moor_store_sleep(struct moor_store *s, struct moor_flow *f,
                                          struct moor_error *err);

/* What moor_ledger_write() makes durable: what changed of these flows, or all of them with the
 * dormant ones. After anything but success there moor_store_unsettle() is to be called. */
MOOR_NODISCARD moor_code moor_store_encode(struct moor_store *s, struct moor_flow *const *flows,
                                           size_t count, struct moor_ledger_text *out,
                                           struct moor_error *err);
void moor_store_unsettle(struct moor_store *s);
void moor_store_encode_status(const struct moor_store *s, struct moor_flow *const *flows,
                              size_t count, struct moor_buf *b);

#endif
