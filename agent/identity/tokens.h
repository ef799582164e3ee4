/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens.h: access tokens of the machine's identity, by audience.
 *
 * A token is fetched once however many wait for it, served from memory while it is valid, and
 * fetched anew in the background from half its life on if somebody used it. What is valid is
 * served, whether the cloud answers or not. After every fetch the tokens are sealed into
 * certs/tokens.cache, so that a restart without the cloud goes on serving. Loop thread.
 */
#ifndef MOOR_IDENTITY_TOKENS_H
#define MOOR_IDENTITY_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/secret.h"
#include "http/transport.h"
#include "identity/keystore.h"
#include "identity/schedule.h"

struct moor_loop;
struct moor_pool;
struct moor_tokens;
struct moor_token_wait; /* one caller waiting */

#define MOOR_TOKEN_AUDIENCE_MAX 1024

MOOR_NODISCARD moor_code moor_tokens_new(struct moor_loop *l, struct moor_tokens **out,
                                         struct moor_error *err);
/* Waiters are forgotten. */
void moor_tokens_free(struct moor_tokens *t);
MOOR_DEFINE_AUTOPTR(moor_tokens)

/* Where tokens come from. token_url is copied; the others must outlive the next call with NULL,
 * which makes every further fetch fail with TRANSIENT ("not ready") and ends those in flight. */
struct moor_token_source {
    struct moor_http_transport *http;
    const struct moor_keystore *keys; /* with a certificate */
    const char *token_url;
    struct moor_pool *pool; /* for a key in a TPM */
};
MOOR_NODISCARD moor_code moor_tokens_source(struct moor_tokens *t,
                                            const struct moor_token_source *source,
                                            struct moor_error *err);
/* The service's clock; stamps assertions. */
void moor_tokens_clock(struct moor_tokens *t, const struct moor_service_clock *clock);

/* The sign-in did not take the certificate the last time it was asked, and nobody was asked since:
 * another one may help. */
bool moor_tokens_refused(const struct moor_tokens *t);

/* Reads the sealed file. A file that does not open is removed; that is no error. */
void moor_tokens_load(struct moor_tokens *t, const struct moor_keystore *keys);
/* Forgets every token; the file stays. */
void moor_tokens_clear(struct moor_tokens *t);
/* Forgets every token and removes the file. */
void moor_tokens_forget(struct moor_tokens *t);

struct moor_token { /* lives during the callback */
    const struct moor_secret *value;
    int64_t issued_ms, expires_ms; /* wall clock */
};
/* token is NULL on failure. */
typedef void (*moor_token_fn)(void *ctx, const struct moor_token *token,
                              const struct moor_error *err);

/* done runs exactly once unless the wait is cancelled: at once, before the return, when the token
 * is cached (*wait is then NULL), otherwise later. fresh passes by the cache (one fetch still
 * serves all who wait). On failure of the call itself done does not run. */
MOOR_NODISCARD moor_code moor_tokens_get(struct moor_tokens *t, const char *audience, bool fresh,
                                         moor_token_fn done, void *ctx,
                                         struct moor_token_wait **wait, struct moor_error *err);
void moor_tokens_cancel(struct moor_tokens *t, struct moor_token_wait *wait); /* NULL is fine */

#endif
