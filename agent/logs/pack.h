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
#include "logs/squeeze.h"

#define MOOR_PACK_WIRE_MAX ((size_t)1000 * 1000)
#define MOOR_PACK_RAW_MAX  ((size_t)8 * 1024 * 1024)
#define MOOR_PACK_LIMIT    ((size_t)1024 * 1024) /* compressed: what the service takes at most */
/* A library that takes whole texts has to be given memory for all of one. */
#define MOOR_PACK_WHOLE_MAX ((size_t)3 * 1024 * 1024)

struct moor_packer;

struct moor_pack_limits {
    size_t wire_max; /* compressed bytes; 0 = MOOR_PACK_WIRE_MAX */
    size_t raw_max;  /* uncompressed bytes; 0 = MOOR_PACK_RAW_MAX, or MOOR_PACK_WHOLE_MAX */
};

/* limits, way: NULL = the defaults. */
MOOR_NODISCARD moor_code moor_packer_new(const struct moor_pack_limits *limits,
                                         const struct moor_squeeze_way *way,
                                         struct moor_packer **out, struct moor_error *err);
void moor_packer_free(struct moor_packer *p);
MOOR_DEFINE_AUTOPTR(moor_packer)

/* A row is appended to what moor_packer_row() returns, without a line feed in it, and then taken
 * by moor_packer_keep(). False when it is certain to fit no more: then it is forgotten, and the
 * body wants to be ended. The first row always fits. Other errors are remembered and told by the
 * end. */
struct moor_buf *moor_packer_row(struct moor_packer *p);
bool moor_packer_keep(struct moor_packer *p);
void moor_packer_forget(struct moor_packer *p); /* the row begun is none */
bool moor_packer_add(struct moor_packer *p, struct moor_span row);
uint32_t moor_packer_rows(const struct moor_packer *p);
/* Moves the finished body into out; the packer is empty again, and has learned how well such rows
 * compress. A library that does not stream may pass wire_max, by a surprise: see
 * moor_packer_shrink(). */
MOOR_NODISCARD moor_code moor_packer_end(struct moor_packer *p, struct moor_buf *out,
                                         struct moor_error *err);
/* The body was too long: the next one will be well shorter. */
void moor_packer_shrink(struct moor_packer *p);

/* Calls fn for each row of a body, in order, until it returns false. PROTOCOL when the body is not
 * one of ours. */
typedef bool (*moor_pack_row_fn)(void *ctx, uint32_t index, struct moor_span row);
MOOR_NODISCARD moor_code moor_pack_each(struct moor_span body, moor_pack_row_fn fn, void *ctx,
                                        struct moor_error *err);

/* A body of the rows first..first+count-1 of another. */
MOOR_NODISCARD moor_code moor_pack_cut(struct moor_span body, uint32_t first, uint32_t count,
                                       struct moor_buf *out, struct moor_error *err);

#endif
