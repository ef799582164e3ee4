/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/token_exchange.h"

struct waiting {
    struct moor_token_exchange how;
    struct moor_http_exchange *ex;
    struct moor_token_wait *wait;
};

static void on_token(void *ctx, const struct moor_token *token, const struct moor_error *err)
{
    struct waiting *w = ctx;
    w->wait = NULL;
    w->how.answer(w->ex, w->how.user, token, err);
}

static void on_gone(void *ctx)
{
    struct waiting *w = ctx;
    moor_identity_token_cancel(w->how.identity, w->wait);
    if (w->how.gone)
        w->how.gone(w->how.user);
}

void moor_token_exchange_start(struct moor_http_exchange *ex, const struct moor_token_exchange *how)
{
    struct moor_error err = MOOR_ERROR_INIT;
    struct waiting *w = moor_arena_alloc(moor_http_arena(ex), sizeof(*w));
    if (!w) {
        err.code = moor_fail(&err, MOOR_E_NOMEM, "out of memory");
        how->answer(ex, how->user, NULL, &err);
        return;
    }
    *w = (struct waiting){ .how = *how, .ex = ex };
    struct moor_token_wait *wait = NULL;
    if (moor_identity_token(how->identity, how->audience, how->fresh, on_token, w, &wait, &err)) {
        how->answer(ex, how->user, NULL, &err);
        return;
    }
    /* NULL: answered already, and w may be gone with the exchange. */
    if (!wait)
        return;
    w->wait = wait;
    moor_http_on_gone(ex, on_gone, w);
}
