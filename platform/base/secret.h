/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret.h: bytes that are wiped when released and that no formatter knows.
 *
 * There is no way from a secret to a message but moor_secret_reveal(), so a search for that name
 * finds every place where a secret leaves its box.
 */
#ifndef MOOR_BASE_SECRET_H
#define MOOR_BASE_SECRET_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

struct moor_secret {
    char *data_; /* terminated; private */
    size_t len_;
};

#define MOOR_SECRET_INIT                                                                           \
    {                                                                                              \
        NULL, 0                                                                                    \
    }

void moor_secret_drop(struct moor_secret *s); /* wipes; idempotent */
MOOR_DEFINE_AUTO(moor_secret)

/* Copies bytes in; what was there before is wiped. The caller wipes its own copy. */
MOOR_NODISCARD moor_code moor_secret_set(struct moor_secret *s, struct moor_span bytes,
                                         struct moor_error *err);

/* Moves the text of a buffer in; b is empty afterwards. */
MOOR_NODISCARD moor_code moor_secret_take(struct moor_secret *s, struct moor_buf *b,
                                          struct moor_error *err);

/* Moves a secret; from is empty afterwards. */
void moor_secret_move(struct moor_secret *to, struct moor_secret *from);

bool moor_secret_empty(const struct moor_secret *s);

/* The bytes, terminated behind the end; valid until the secret changes. */
struct moor_span moor_secret_reveal(const struct moor_secret *s);

/* Overwrites memory in a way that the compiler keeps. */
void moor_wipe(void *p, size_t n);

#endif
