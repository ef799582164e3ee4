/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parcel.h: one body on its way, with all that can be wrong with it. A body that is too large, or
 * refused, is sent again in halves until the records that are wrong are alone; those go to the
 * dead-letter file. When nothing at all was accepted of a refused body, an empty one is sent to
 * tell bad records from a destination that refuses everything. Loop thread; cutting is done on
 * the pool.
 */
#ifndef MOOR_LOGS_PARCEL_H
#define MOOR_LOGS_PARCEL_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/error.h"
#include "logs/sender.h"

struct moor_pool;
struct moor_parcel;

struct moor_parcel_opts {
    struct moor_sender *sender;
    struct moor_pool *pool;
    const char *folder; /* of the dead-letter file; borrowed for the parcel's life */
    const char *key;    /* of the flow, for rejected records; copied, as what follows */
    const char *endpoint, *immutable_id, *stream;
    uint32_t rows;
};

struct moor_parcel_result {
    uint32_t accepted, refused; /* records; together all of them */
};

/* v is ACCEPTED when every record was accepted or rejected for good, and the latter are on the
 * disk. RETRY and HOLD: nothing goes on until moor_parcel_go() is called again. */
typedef void (*moor_parcel_fn)(void *ctx, moor_verdict v, const struct moor_parcel_result *r,
                               const struct moor_error *err);

/* Moves body, and rejected: lines that go to the dead-letter file with what is found here. */
MOOR_NODISCARD moor_code moor_parcel_new(const struct moor_parcel_opts *opts, struct moor_buf *body,
                                         struct moor_buf *rejected, moor_parcel_fn done, void *ctx,
                                         struct moor_parcel **out, struct moor_error *err);
void moor_parcel_go(struct moor_parcel *p);
/* A part of it was accepted or rejected: sending it anew would repeat more than need be. */
bool moor_parcel_is_split(const struct moor_parcel *p);
void moor_parcel_free(struct moor_parcel *p); /* done will not run */

#endif
