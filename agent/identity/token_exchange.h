/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_exchange.h: an HTTP request that waits for a token. The request may end before the token
 * comes; then the token is kept, but nobody is answered. Loop thread.
 */
#ifndef MOOR_IDENTITY_TOKEN_EXCHANGE_H
#define MOOR_IDENTITY_TOKEN_EXCHANGE_H

#include "http/server.h"
#include "identity/identity.h"

/* Answers ex. token is NULL on failure. user is what start() was given. */
typedef void (*moor_token_answer_fn)(struct moor_http_exchange *ex, void *user,
                                     const struct moor_token *token, const struct moor_error *err);

struct moor_token_exchange {
    struct moor_identity *identity;
    const char *audience;
    bool fresh;
    moor_token_answer_fn answer; /* runs once, unless gone does */
    void (*gone)(void *user);    /* the client left; NULL = nothing to do */
    void *user;
};

/* how is copied. */
void moor_token_exchange_start(struct moor_http_exchange *ex,
                               const struct moor_token_exchange *how);

#endif
