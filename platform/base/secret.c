/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

/* Called through a volatile pointer, memset cannot be dropped as a dead store. */
static void *(*const volatile set_bytes)(void *, int, size_t) = memset;

void moor_wipe(void *p, size_t n)
{
    if (n)
        set_bytes(p, 0, n);
}

void moor_secret_drop(struct moor_secret *s)
{
    if (s->data_)
        moor_wipe(s->data_, s->len_);
    free(s->data_);
    s->data_ = NULL;
    s->len_ = 0;
}

moor_code moor_secret_set(struct moor_secret *s, struct moor_span bytes, struct moor_error *err)
{
    char *copy = bytes.n < SIZE_MAX ? malloc(bytes.n + 1) : NULL;
    if (!copy)
        return moor_fail(err, MOOR_E_NOMEM, "no memory for a secret");
    if (bytes.n)
        memcpy(copy, bytes.p, bytes.n);
    copy[bytes.n] = '\0';
    moor_secret_drop(s);
    s->data_ = copy;
    s->len_ = bytes.n;
    return MOOR_OK;
}

moor_code moor_secret_take(struct moor_secret *s, struct moor_buf *b, struct moor_error *err)
{
    size_t len = b->len;
    char *data = NULL;
    moor_code c = moor_buf_take(b, "secret", &data, err);
    if (c != MOOR_OK)
        return c;
    moor_secret_drop(s);
    s->data_ = data;
    s->len_ = len;
    return MOOR_OK;
}

void moor_secret_move(struct moor_secret *to, struct moor_secret *from)
{
    if (to == from)
        return;
    moor_secret_drop(to);
    *to = *from;
    *from = (struct moor_secret)MOOR_SECRET_INIT;
}

bool moor_secret_empty(const struct moor_secret *s)
{
    return s->len_ == 0;
}

struct moor_span moor_secret_reveal(const struct moor_secret *s)
{
    return (struct moor_span){ s->data_ ? s->data_ : "", s->len_ };
}
