/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chunked.h: a chunked request body, byte by byte, strictly. Pure.
 *
 * A size is 1 to 8 hexadecimal digits. Chunk extensions and trailers are refused: nobody needs
 * them here, and two readers that disagree on them see two different requests.
 */
#ifndef MOOR_HTTP_CHUNKED_H
#define MOOR_HTTP_CHUNKED_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/span.h"
#include "http/refusal.h"

struct moor_chunked { /* zeroed memory is the start; private */
    uint32_t left;
    uint8_t digits;
    uint8_t state;
};

typedef enum moor_chunked_result {
    MOOR_CHUNKED_MORE,
    MOOR_CHUNKED_DONE,
    MOOR_CHUNKED_REFUSED
} moor_chunked_result;

/* Appends what it decodes to out, whose own limit is the body's: going over it is refused with
 * BODY_LONG. *used is how many bytes belong to the body. Not to be fed after DONE or REFUSED. */
MOOR_NODISCARD moor_chunked_result moor_chunked_feed(struct moor_chunked *c, struct moor_span in,
                                                     struct moor_buf *out, size_t *used,
                                                     moor_refusal *why);

#endif
