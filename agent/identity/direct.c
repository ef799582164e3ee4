/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/direct.h"

#include <stdlib.h>

#include "base/buf.h"
#include "platform/clock.h"
#include "run/log.h"
#include "run/loop.h"

#define CERT_LIFE_MS (INT64_C(730) * 86400000)
#define BACKDATE_MS  (INT64_C(3600) * 1000)
#define RETRY_MS     (300 * 1000)

struct moor_direct {
    struct moor_direct_opts o;
    struct moor_timer *timer;
    struct moor_token_wait *wait;
    bool asking;
    bool known; /* the sign-in gave a token */
    struct moor_error error;
    int64_t error_ms;
    moor_direct_fn done; /* NULL = nobody waits */
    void *done_ctx;
};

moor_code moor_direct_certify(struct moor_keystore *k, const char *client_id,
                              struct moor_error *err)
{
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    MOOR_AUTO(moor_buf) der = MOOR_BUF(16384);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(32768);
    const int64_t now = plat_utc_ms();
    const struct moor_cert_spec spec = { .common_name = client_id,
                                         .subject = k->key,
                                         .issuer_key = k->key,
                                         .not_before_ms = now - BACKDATE_MS,
                                         .not_after_ms = now + CERT_LIFE_MS,
                                         .tls_client = true };
    moor_code c = moor_cert_make(&spec, &cert, err);
    if (!c)
        c = moor_cert_to_der(cert, &der, err);
    if (c)
        return c;
    moor_buf_base64(&text, moor_buf_view(&der));
    c = moor_buf_ok(&text, "certificate", err);
    if (c)
        return c;
    const char *const chain[] = { moor_buf_cstr(&text) };
    const struct moor_enrolment e = { .certificates = { chain, 1 },
                                      .client_id = client_id,
                                      .not_after_ms = spec.not_after_ms };
    return moor_keystore_enrol(k, &e, err);
}

static void tell(struct moor_direct *d, const struct moor_error *err)
{
    moor_direct_fn done = d->done;
    d->done = NULL;
    if (done)
        done(d->done_ctx, err);
}

static void on_token(void *ctx, const struct moor_token *token, const struct moor_error *err)
{
    struct moor_direct *d = ctx;
    d->wait = NULL;
    d->asking = false;
    d->error = token ? (struct moor_error)MOOR_ERROR_INIT : *err;
    d->error_ms = plat_utc_ms();
    d->known = d->known || token;
    if (!token)
        moor_log_error(MOOR_LOG_WARNING, "direct.no_token", err, NULL);
    if (!d->known)
        moor_timer_arm(d->timer, RETRY_MS);
    tell(d, &d->error);
    d->o.changed(d->o.ctx);
}

static void ask(struct moor_direct *d, bool fresh)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (d->asking)
        return;
    d->asking = true;
    if (moor_tokens_get(d->o.tokens, d->o.cloud->arm_audience, fresh, on_token, d, &d->wait, &err))
        on_token(d, NULL, &err);
}

static void on_timer(void *ctx)
{
    ask(ctx, false);
}

moor_code moor_direct_new(const struct moor_direct_opts *opts, struct moor_direct **out,
                          struct moor_error *err)
{
    MOOR_AUTO(moor_buf) url = MOOR_BUF(2048);
    if (!opts->keys->cert)
        return moor_fail(err, MOOR_E_BADINPUT,
                         "the machine's certificate is not there: disconnect "
                         "and connect again");
    MOOR_AUTOPTR(moor_direct) d = calloc(1, sizeof(*d));
    if (!d)
        return moor_fail(err, MOOR_E_NOMEM, "service principal: out of memory");
    d->o = *opts;
    moor_cloud_token_url(&url, opts->cloud, opts->config->tenant_id);
    moor_code c = moor_buf_ok(&url, "token endpoint", err);
    if (!c)
        c = moor_timer_new(opts->loop, on_timer, d, &d->timer, err);
    const struct moor_token_source source = { opts->http, opts->keys, moor_buf_cstr(&url),
                                              opts->pool };
    if (!c)
        c = moor_tokens_source(opts->tokens, &source, err);
    if (c)
        return c;
    moor_timer_arm(d->timer, 0);
    *out = MOOR_TAKE(d);
    return MOOR_OK;
}

void moor_direct_free(struct moor_direct *d)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (!d)
        return;
    moor_tokens_cancel(d->o.tokens, d->wait);
    if (moor_fail(&err, MOOR_E_CANCELED, "the machine is being disconnected or set up anew"))
        tell(d, &err);
    if (moor_tokens_source(d->o.tokens, NULL, &err))
        moor_log_error(MOOR_LOG_ERROR, "tokens.source", &err, NULL);
    moor_timer_free(d->timer);
    free(d);
}

moor_code moor_direct_now(struct moor_direct *d, moor_direct_fn done, void *ctx,
                          struct moor_error *err)
{
    if (d->done)
        return moor_fail(err, MOOR_E_EXISTS, "a connect is being finished already");
    d->done = done;
    d->done_ctx = ctx;
    ask(d, true);
    return MOOR_OK;
}

void moor_direct_forget_caller(struct moor_direct *d)
{
    d->done = NULL;
}

const char *moor_direct_status(const struct moor_direct *d)
{
    if (d->o.keys->doc.not_after_ms <= plat_utc_ms())
        return "Expired";
    return d->known ? "Connected" : "Disconnected";
}

const struct moor_error *moor_direct_error(const struct moor_direct *d, int64_t *at_ms)
{
    *at_ms = d->error_ms;
    return &d->error;
}
