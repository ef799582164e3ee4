/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow.h: one flow from its files to its destination, in order. One batch is on its way while the
 * next is read; a failure forgets what was read and waits, since the files are the buffer. Only
 * what may vanish meanwhile goes to the queue on disk. Loop thread.
 */
#ifndef MOOR_LOGS_FLOW_H
#define MOOR_LOGS_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "logs/inputs.h"
#include "logs/pack.h"
#include "logs/positions.h"
#include "logs/queue.h"
#include "logs/rules.h"
#include "logs/sender.h"
#include "logs/squeeze.h"

struct moor_loop;
struct moor_pool;
struct moor_flow;

/* What all flows share; outlives them. */
struct moor_flow_env {
    struct moor_loop *loop;
    struct moor_pool *pool;
    struct moor_sender *sender; /* NULL: nothing can be sent */
    struct moor_queue *queue;
    struct moor_watchset *file_watches, *folder_watches;
    struct moor_inputs_policy policy;
    struct moor_squeeze_way way;
    struct moor_pack_limits limits; /* of a body */
    int64_t since_ms;   /* for flows that an earlier run knew: see moor_inputs.since_ms */
    const char *folder; /* <LIB>/logs */
    const char *computer;
    const char *journal_folder;     /* NULL: the machine's own */
    void (*on_progress)(void *ctx); /* positions or counts changed: write them down */
    void (*on_state)(void *ctx);    /* a destination fails, or works again */
    void (*on_rest)(void *ctx);     /* a flow came to rest, or waits */
    void *ctx;
};

/* Copies the spec. record: what an earlier run wrote down, NULL = nothing. */
MOOR_NODISCARD moor_code moor_flow_new(struct moor_flow_env *env, const struct moor_flow_spec *spec,
                                       const struct moor_flow_record *record,
                                       struct moor_flow **out, struct moor_error *err);
/* Whatever is under way is forgotten; what the pool still works on frees itself later. */
void moor_flow_free(struct moor_flow *f);
/* The rule was written again; the key is the same. Files go on where they are. */
MOOR_NODISCARD moor_code moor_flow_update(struct moor_flow *f, const struct moor_flow_spec *spec,
                                          struct moor_error *err);

const char *moor_flow_key(const struct moor_flow *f);
const char *moor_flow_rule(const struct moor_flow *f); /* the name of its document */
struct moor_inputs *moor_flow_inputs(struct moor_flow *f);

/* Looks for work and begins it. A wait after a failure goes on unless at_once is set. */
void moor_flow_go(struct moor_flow *f, bool at_once);
/* Begins nothing any more, but finishes the request under way. */
void moor_flow_stop(struct moor_flow *f);
bool moor_flow_is_busy(const struct moor_flow *f); /* it sends, or writes rows to the queue */
/* See moor_inputs_tend(). */
void moor_flow_tend(struct moor_flow *f, uint64_t *due_ms);

/* Rows that come but once (sockets, samples): appended to moor_flow_row(), without a line feed, and
 * ended. They go through the queue on disk, a second's worth at a time. */
struct moor_buf *moor_flow_row(struct moor_flow *f);
void moor_flow_row_end(struct moor_flow *f, bool cut);
/* There is no room: who can wait waits, others drop and count. */
bool moor_flow_is_full(const struct moor_flow *f);
void moor_flow_drop(struct moor_flow *f, uint64_t here, uint64_t in_socket);
/* The flow ends: rows that are in no queue are counted as dropped. */
void moor_flow_abandon(struct moor_flow *f);
void moor_flow_journal_changed(struct moor_flow *f); /* go afterwards */
const struct moor_flow_spec *moor_flow_spec(const struct moor_flow *f);

/* For the positions document; texts are borrowed from the flow or in the arena. all: of every
 * file; else of those that changed since the last record. */
MOOR_NODISCARD moor_code moor_flow_record(struct moor_flow *f, bool all,
                                          struct moor_flow_record *out, int64_t now_ms,
                                          struct moor_arena *arena, struct moor_error *err);
bool moor_flow_is_unsaved(const struct moor_flow *f); /* something changed since then */
/* The document of the last moor_flow_record() is on the disk: what it calls delivered can go. */
void moor_flow_recorded(struct moor_flow *f);

/* What became of its records; the key is borrowed. */
struct moor_flow_sample;
void moor_flow_account(const struct moor_flow *f, struct moor_flow_sample *out);

/* Appends the flow's object of status.json. */
void moor_flow_status(const struct moor_flow *f, struct moor_buf *b);

#endif
