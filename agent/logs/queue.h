/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue.h: <LIB>/logs/queue/: finished bodies that wait for their destination, when their source
 * is about to vanish. One file an entry, named by its number, oldest first:
 *
 *   "MOORQ001"  head length, body length, CRC-32 of head, CRC-32 of body (4 x 4 bytes, little
 *   endian)     head: JSON     body: the request body, gzip
 *
 * An entry is durable, name and all, before its source is let go; it is removed after its
 * acknowledgement was written down. A damaged one is renamed to <number>.bad and counted; those
 * are the first to go when room is needed. When the quota is reached the oldest stay and nothing
 * new is taken.
 *
 * The list belongs to the loop; moor_queue_put() and moor_queue_get() block and run on the pool.
 */
#ifndef MOOR_LOGS_QUEUE_H
#define MOOR_LOGS_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/jsontab.h"
#include "base/span.h"

#define MOOR_QUEUE_BYTES_DEFAULT ((uint64_t)256 * 1024 * 1024)
#define MOOR_QUEUE_FILE_MAX      ((size_t)20 * 1024 * 1024)

struct moor_queue_head {
    const char *key; /* of the flow */
    const char *endpoint;
    const char *immutable_id;
    const char *stream;
    uint32_t rows;
    int64_t created_ms;
    struct moor_obj_list sources; /* of struct moor_position: where each file stood afterwards */
};

/* Pure halves. Decoding gives spans into text and texts in the arena; PROTOCOL when damaged. With
 * head_only the body need not be there (its span is then empty). */
void moor_queue_encode(struct moor_buf *b, const struct moor_queue_head *head,
                       struct moor_span body);
MOOR_NODISCARD moor_code moor_queue_decode(struct moor_span text, bool head_only,
                                           struct moor_queue_head *head, struct moor_span *body,
                                           struct moor_arena *arena, struct moor_error *err);

struct moor_queue_entry {
    struct moor_queue_entry *next;
    uint64_t number;
    uint64_t bytes; /* of the file */
    uint32_t rows;
    int64_t created_ms;
    char *key, *endpoint, *immutable_id, *stream;
};

struct moor_queue {
    char *folder;
    uint64_t bytes_max;
    uint64_t bytes; /* of entries, damaged ones not counted */
    uint64_t next_number;
    uint64_t damaged; /* found since the start */
    struct moor_queue_entry *first;
};

/* Called for each good entry found, oldest first; head lives during the call. */
typedef void (*moor_queue_found_fn)(void *ctx, const struct moor_queue_entry *e,
                                    const struct moor_queue_head *head);
/* Makes the folder, looks at what is there. Logs each damaged entry. */
MOOR_NODISCARD moor_code moor_queue_open(struct moor_queue *q, const char *folder,
                                         uint64_t bytes_max, moor_queue_found_fn found, void *ctx,
                                         struct moor_error *err);
void moor_queue_drop(struct moor_queue *q);

/* The oldest entry of a flow, NULL when there is none. */
struct moor_queue_entry *moor_queue_first(const struct moor_queue *q, const char *key);
bool moor_queue_has_room(const struct moor_queue *q, size_t bytes);
/* Enters what moor_queue_put() made durable. */
MOOR_NODISCARD moor_code moor_queue_add(struct moor_queue *q, uint64_t number, uint64_t bytes,
                                        const struct moor_queue_head *head, struct moor_error *err);
/* Out of the list and freed; the file is removed, or renamed when it is damaged. */
void moor_queue_forget(struct moor_queue *q, struct moor_queue_entry *e, bool damaged);

/* Pool. */
MOOR_NODISCARD moor_code moor_queue_put(const char *folder, uint64_t number,
                                        const struct moor_queue_head *head, struct moor_span body,
                                        uint64_t *bytes, struct moor_error *err);
MOOR_NODISCARD moor_code moor_queue_get(const char *folder, uint64_t number, struct moor_buf *body,
                                        struct moor_error *err);

#endif
