/* SPDX-License-Identifier: Apache-2.0 */
/*
 * positions.h: how far each file of each flow was taken, and what became of the records. One
 * document, so that positions and counts never tell different stories. It moves only after the
 * service acknowledged, or the queue on disk holds the rows. How it is kept: ledger.h.
 */
#ifndef MOOR_LOGS_POSITIONS_H
#define MOOR_LOGS_POSITIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/jsontab.h"
#include "logs/mark.h"

#define MOOR_POSITIONS_MAX ((size_t)32 * 1024 * 1024)

/* A file as it is written down. */
struct moor_position {
    const char *path;
    const char *id; /* "device:inode", hexadecimal: both may pass 2^53 */
    uint64_t offset;
    bool skipping;
    uint32_t head_len;
    struct moor_span head, tail;
    int64_t seen_ms;
};
extern const struct moor_json_shape moor_position_shape;

struct moor_file_key {
    uint64_t device, inode;
};

/* Texts land in the arena, which must not be NULL-returning: false when out of memory. */
MOOR_NODISCARD bool moor_position_write(struct moor_position *out, struct moor_arena *arena,
                                        const char *path, const struct moor_file_key *key,
                                        const struct moor_mark *mark, int64_t seen_ms);
/* False when it was edited into something that cannot be. */
MOOR_NODISCARD bool moor_position_read(const struct moor_position *in, struct moor_file_key *key,
                                       struct moor_mark *mark);

/* received = acknowledged + queued + the dropped ones; what is under way is not received yet. */
struct moor_log_counts {
    uint64_t received;
    uint64_t acknowledged;
    uint64_t queued;
    uint64_t dropped_format;     /* lines that are no JSON object: dead-letter file */
    uint64_t dropped_refused;    /* records the service refuses: dead-letter file */
    uint64_t dropped_damaged;    /* lost with a damaged entry of the queue */
    uint64_t dropped_queue_full; /* rotated away while nothing could take them */
    uint64_t dropped_filtered;   /* by the rule's own transform */
    uint64_t dropped_socket;     /* the system threw them away before they were read */
    uint64_t gaps; /* times that the journal had gone on without us; no count of rows */
    uint64_t cut;  /* of received: longer than a line may be */
};
extern const struct moor_json_shape moor_log_counts_shape;
uint64_t moor_log_counts_dropped(const struct moor_log_counts *c); /* for whatever reason */

struct moor_flow_record {
    const char *key;
    const char *cursor;  /* of the journal, "" = none */
    uint64_t queue_done; /* entries of the queue up to this number are delivered */
    struct moor_log_counts counts;
    struct moor_obj_list files; /* of struct moor_position */
};

struct moor_positions {
    uint32_t schema;
    const char *id;             /* NULL = written before there were journals */
    int64_t saved_ms;           /* wall clock */
    uint64_t queue_next;        /* entries from this number on are newer than this document */
    uint64_t queue_damaged;     /* entries found damaged so far */
    struct moor_obj_list flows; /* of struct moor_flow_record */
};

/* Errors name the path and what is wrong. */
MOOR_NODISCARD moor_code moor_positions_decode(struct moor_span text, const char *path,
                                               struct moor_positions *out, struct moor_arena *arena,
                                               struct moor_error *err);
void moor_positions_encode(struct moor_buf *b, const struct moor_positions *p);

#endif
