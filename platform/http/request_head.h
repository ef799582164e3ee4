/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_head.h: the request line and the headers, byte by byte, strictly.
 *
 * Bytes in, a struct or a refusal out; no I/O, so that it is tested and fuzzed alone. The result
 * does not depend on how the bytes were cut. Refused as early as the byte that breaks a rule:
 * anything but HTTP/1.1 with an origin-form target, bare CR or LF, NUL and other controls, bytes
 * over 0x7e, blanks in or behind names, folding. Refused at the end of the head: a missing,
 * repeated or malformed Host, repeats of headers that may come once, lengths that are not plain
 * decimal, a length beside a transfer coding, any coding but chunked, any expectation but
 * 100-continue. One thread.
 */
#ifndef MOOR_HTTP_REQUEST_HEAD_H
#define MOOR_HTTP_REQUEST_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/span.h"
#include "http/refusal.h"

struct moor_head_field {
    uint32_t name; /* offsets in text, both terminated */
    uint32_t value;
};

struct moor_request_head {
    /* Results, complete when moor_head_feed() said DONE. */
    const char *method; /* "" until it was read: one of the six */
    bool body_chunked;
    bool body_sized;
    bool close;           /* the client asked for it */
    bool expect_continue; /* and a body follows */
    uint64_t body_length; /* when body_sized */
    struct moor_head_field *fields;
    uint32_t field_count;

    /* Private. */
    struct moor_buf text;
    uint32_t bytes, bytes_max, fields_max, fields_cap;
    uint32_t word;   /* where the current word starts in text */
    uint32_t target; /* 0 until it was read: "" stands at 0 */
    uint8_t state;
};

typedef enum moor_head_result {
    MOOR_HEAD_MORE,
    MOOR_HEAD_DONE,
    MOOR_HEAD_REFUSED
} moor_head_result;

void moor_head_init(struct moor_request_head *h, size_t bytes_max, unsigned fields_max);
void moor_head_drop(struct moor_request_head *h);

/* Reads from in; *used is how many bytes belong to the head. After DONE or REFUSED (*why says
 * what for) it must not be fed again. */
MOOR_NODISCARD moor_head_result moor_head_feed(struct moor_request_head *h, struct moor_span in,
                                               size_t *used, moor_refusal *why);

const char *moor_head_target(const struct moor_request_head *h); /* "" until it was read */
/* The first header of that name, in any case, or NULL. Valid until drop. */
const char *moor_head_find(const struct moor_request_head *h, const char *name);
unsigned moor_head_count(const struct moor_request_head *h, const char *name);

#endif
