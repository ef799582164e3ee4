/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack.h: rows packed into request bodies: gzip of a JSON array with one row a line.
 *
 *   [ LF row , LF row LF ]
 *
 * No row has a line feed in it, so that a body can be cut again without a JSON parser. Limits: the
 * service counts compressed bytes; uncompressed bytes are limited for memory. Any thread.
 */
#ifndef MOOR_LOGS_PACK_H
#define MOOR_LOGS_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

#define MOOR_PACK_WIRE_MAX ((size_t)1000 * 1000)
#define MOOR_PACK_RAW_MAX  ((size_t)8 * 1024 * 1024)

struct moor_packer;

struct moor_pack_limits {
    size_t wire_max; /* compressed bytes; 0 = MOOR_PACK_WIRE_MAX */
    size_t raw_max;  /* uncompressed bytes; 0 = MOOR_PACK_RAW_MAX */
};

MOOR_NODISCARD moor_code moor_packer_new(const struct moor_pack_limits *limits,
                                         struct moor_packer **out, struct moor_error *err);
void moor_packer_free(struct moor_packer *p);
MOOR_DEFINE_AUTOPTR(moor_packer)

/* Whether a row of n bytes still fits for certain. The first row always does. */
bool moor_packer_room(struct moor_packer *p, size_t n);
/* Errors are remembered and told by the end. */
void moor_packer_add(struct moor_packer *p, struct moor_span row);
uint32_t moor_packer_rows(const struct moor_packer *p);
/* Moves the finished body into out; nothing may be added afterwards. */
MOOR_NODISCARD moor_code moor_packer_end(struct moor_packer *p, struct moor_buf *out,
                                         struct moor_error *err);

/* Calls fn for each row of a body, in order, until it returns false. PROTOCOL when the body is not
 * one of ours. */
typedef bool (*moor_pack_row_fn)(void *ctx, uint32_t index, struct moor_span row);
MOOR_NODISCARD moor_code moor_pack_each(struct moor_span body, moor_pack_row_fn fn, void *ctx,
                                        struct moor_error *err);

/* A body of the rows first..first+count-1 of another. */
MOOR_NODISCARD moor_code moor_pack_cut(struct moor_span body, uint32_t first, uint32_t count,
                                       struct moor_buf *out, struct moor_error *err);

#endif
