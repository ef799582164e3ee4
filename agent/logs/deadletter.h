/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deadletter.h: records nobody takes: <LIB>/logs/dead-letter.jsonl, one JSON object a line, with
 * where it came from and why. At MOOR_DEAD_FILE_MAX the file becomes dead-letter.jsonl.1.
 */
#ifndef MOOR_LOGS_DEADLETTER_H
#define MOOR_LOGS_DEADLETTER_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

#define MOOR_DEAD_BYTES_MAX  ((size_t)1024 * 1024) /* of one batch; what is over is only counted */
#define MOOR_DEAD_RECORD_MAX ((size_t)64 * 1024)
#define MOOR_DEAD_FILE_MAX   ((size_t)16 * 1024 * 1024)

struct moor_dead_record {
    const char *key;  /* of the flow */
    const char *path; /* NULL when only the row is known */
    uint64_t offset;  /* in path */
    const char *reason;
    struct moor_span record;
    int64_t now_ms;
};

/* Appends one line, or nothing when b has no room for it. Pure. */
void moor_dead_record_add(struct moor_buf *b, const struct moor_dead_record *d);

/* Appends whole lines to the file in folder, readable by its owner only. Blocking. */
MOOR_NODISCARD moor_code moor_dead_write(const char *folder, struct moor_span lines,
                                         struct moor_error *err);

#endif
