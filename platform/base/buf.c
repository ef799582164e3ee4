/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

#define CAP_FIRST 64

static void release(struct moor_buf *b)
{
    if (b->wipe && b->data)
        moor_wipe(b->data, b->cap);
    free(b->data);
    b->data = NULL;
    b->len = 0;
    b->cap = 0;
}

void moor_buf_fail(struct moor_buf *b)
{
    release(b);
    b->failed = true;
}

/* realloc() would leave the old bytes behind, so a secret text moves by hand. */
static char *resize(struct moor_buf *b, size_t cap)
{
    if (!b->wipe)
        return realloc(b->data, cap);
    char *p = malloc(cap);
    if (!p)
        return NULL;
    if (b->data) {
        memcpy(p, b->data, b->len + 1);
        moor_wipe(b->data, b->cap);
        free(b->data);
    }
    return p;
}

/* Makes room for n more bytes and the NUL; false when the buffer has failed. */
static bool reserve(struct moor_buf *b, size_t n)
{
    if (b->failed)
        return false;
    if (n > b->max - b->len || b->len + n >= SIZE_MAX / 4) {
        moor_buf_fail(b);
        return false;
    }
    size_t need = b->len + n + 1;
    if (need <= b->cap) {
        MOOR_ASSERT(b->data);
        return true;
    }
    size_t cap = b->cap ? b->cap : CAP_FIRST;
    while (cap < need)
        cap *= 2;
    if (cap > b->max && need <= b->max + 1)
        cap = b->max + 1;
    char *p = resize(b, cap);
    if (!p) {
        moor_buf_fail(b);
        return false;
    }
    b->data = p;
    b->cap = cap;
    b->data[b->len] = '\0';
    return true;
}

void moor_buf_drop(struct moor_buf *b)
{
    release(b);
}

void moor_buf_reset(struct moor_buf *b)
{
    moor_buf_cut(b, 0);
    b->failed = false;
}

void moor_buf_add(struct moor_buf *b, const void *p, size_t n)
{
    if (!reserve(b, n))
        return;
    if (n)
        memcpy(b->data + b->len, p, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void moor_buf_str(struct moor_buf *b, const char *s)
{
    moor_buf_add(b, s, s ? strlen(s) : 0);
}

void moor_buf_span(struct moor_buf *b, struct moor_span s)
{
    moor_buf_add(b, s.p, s.n);
}

void moor_buf_char(struct moor_buf *b, char c)
{
    moor_buf_add(b, &c, 1);
}

void moor_buf_fmt(struct moor_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    moor_buf_vfmt(b, fmt, ap);
    va_end(ap);
}

void moor_buf_vfmt(struct moor_buf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    if (n < 0)
        moor_buf_fail(b);
    else if (reserve(b, (size_t)n)) {
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

char *moor_buf_room(struct moor_buf *b, size_t n)
{
    return reserve(b, n) ? b->data + b->len : NULL;
}

void moor_buf_grew(struct moor_buf *b, size_t n)
{
    if (b->failed || n == 0)
        return;
    MOOR_ASSERT(n < b->cap - b->len);
    b->len += n;
    b->data[b->len] = '\0';
}

void moor_buf_cut(struct moor_buf *b, size_t len)
{
    if (len >= b->len)
        return;
    if (b->wipe)
        moor_wipe(b->data + len, b->len - len);
    b->len = len;
    b->data[len] = '\0';
}

void moor_buf_eat(struct moor_buf *b, size_t n)
{
    if (n >= b->len) {
        moor_buf_cut(b, 0);
        return;
    }
    memmove(b->data, b->data + n, b->len - n);
    moor_buf_cut(b, b->len - n);
}

struct moor_span moor_buf_view(const struct moor_buf *b)
{
    return (struct moor_span){ b->data, b->len };
}

const char *moor_buf_cstr(const struct moor_buf *b)
{
    return b->data ? b->data : "";
}

moor_code moor_buf_ok(const struct moor_buf *b, const char *what, struct moor_error *err)
{
    if (!b->failed)
        return MOOR_OK;
    return moor_fail(err, MOOR_E_NOMEM, "%s: over the limit of %zu bytes, or out of memory", what,
                     b->max);
}

moor_code moor_buf_take(struct moor_buf *b, const char *what, char **out, struct moor_error *err)
{
    /* An empty buffer has no memory yet, but the caller gets a text. */
    moor_buf_add(b, NULL, 0);
    moor_code c = moor_buf_ok(b, what, err);
    if (c != MOOR_OK)
        return c;
    *out = MOOR_TAKE(b->data);
    b->len = 0;
    b->cap = 0;
    return MOOR_OK;
}
