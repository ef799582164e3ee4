/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf.h: a text under construction, with a limit it cannot be made without.
 *
 * Appending never fails visibly: the first append that would pass the limit, or finds no memory,
 * sets a flag, frees the text and turns all later appends into nothing. One check at the end
 * (moor_buf_take or moor_buf_ok) finds it. So building a URL or a body is straight-line code.
 * The text is always terminated by a NUL that len does not count.
 */
#ifndef MOOR_BASE_BUF_H
#define MOOR_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"
#include "base/span.h"

struct moor_buf {
    char *data; /* NULL until the first append */
    size_t len;
    size_t cap;
    size_t max; /* bytes of text at most, the NUL not counted */
    bool failed;
    bool wipe; /* overwrite before every free: the text is secret */
};

#define MOOR_BUF(limit)                                                                            \
    {                                                                                              \
        .max = (limit)                                                                             \
    }
#define MOOR_BUF_SECRET(limit)                                                                     \
    {                                                                                              \
        .max = (limit), .wipe = true                                                               \
    }

void moor_buf_drop(struct moor_buf *b); /* idempotent; zeroed memory is fine */
MOOR_DEFINE_AUTO(moor_buf)

void moor_buf_reset(struct moor_buf *b); /* empty again, flag cleared, memory kept */
void moor_buf_fail(struct moor_buf *b);  /* as a failed append: for encoders of other modules */

void moor_buf_add(struct moor_buf *b, const void *p, size_t n);
void moor_buf_str(struct moor_buf *b, const char *s);
void moor_buf_span(struct moor_buf *b, struct moor_span s);
void moor_buf_char(struct moor_buf *b, char c);
MOOR_PRINTF(2, 3) void moor_buf_fmt(struct moor_buf *b, const char *fmt, ...);
MOOR_PRINTF(2, 0) void moor_buf_vfmt(struct moor_buf *b, const char *fmt, va_list ap);

/* Room for n more bytes at the end, to be filled by the caller and counted with moor_buf_grew().
 * NULL when the buffer has failed. */
char *moor_buf_room(struct moor_buf *b, size_t n);
void moor_buf_grew(struct moor_buf *b, size_t n);

void moor_buf_cut(struct moor_buf *b, size_t len); /* keep the first len bytes */
void moor_buf_eat(struct moor_buf *b, size_t n);   /* drop the first n bytes */

/* Encoders that append. */
void moor_buf_json_str(struct moor_buf *b,
                       struct moor_span s); /* with quotes; bad UTF-8 -> U+FFFD */
void moor_buf_url_part(struct moor_buf *b, struct moor_span s); /* percent-coded but unreserved */
void moor_buf_base64(struct moor_buf *b, struct moor_span s);
void moor_buf_base64url(struct moor_buf *b, struct moor_span s); /* without padding */
void moor_buf_hex(struct moor_buf *b, struct moor_span s);       /* lower case */

struct moor_span moor_buf_view(const struct moor_buf *b); /* valid until the next append */
const char *moor_buf_cstr(const struct moor_buf *b);      /* "" when empty or failed */

/* MOOR_OK, or NOMEM naming the limit and what was being built. */
MOOR_NODISCARD moor_code moor_buf_ok(const struct moor_buf *b, const char *what,
                                     struct moor_error *err);

/* Gives the text away as a heap string (never NULL on success); b is empty afterwards. */
MOOR_NODISCARD moor_code moor_buf_take(struct moor_buf *b, const char *what, char **out,
                                       struct moor_error *err);

#endif
