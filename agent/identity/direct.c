/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/direct.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "identity/next_key.h"
#include "platform/clock.h"
#include "platform/dirs.h"
#include "run/log.h"
#include "run/loop.h"

#define CERT_LIFE_MS (INT64_C(730) * 86400000)
#define BACKDATE_MS  (INT64_C(3600) * 1000)
#define RETRY_MS     (300 * 1000)
#define DAY_MS       (24ULL * 3600 * 1000)
#define NEXT_TRY_MS  (6ULL * 3600 * 1000) /* each leaves a failed sign-in in the directory's log */
#define RENEW_MS     (INT64_C(60) * 86400000)

struct moor_direct {
    struct moor_direct_opts o;
    struct moor_timer *timer;
    struct moor_token_wait *wait;
    struct moor_next_key *making;
    struct moor_keystore next_view; /* during a try of the next certificate: borrows it */
    bool asking;
    bool known; /* the sign-in gave a token */
    struct moor_error error;
    int64_t error_ms;
    moor_direct_fn done; /* NULL = nobody waits */
    void *done_ctx;
};

/* A self-signed certificate of the key; text is what e->certificates names. */
static moor_code make_certificate(const struct moor_key *key, const char *client_id,
                                  struct moor_buf *text, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    MOOR_AUTO(moor_buf) der = MOOR_BUF(16384);
    const int64_t now = plat_utc_ms();
    const struct moor_cert_spec spec = { .common_name = client_id,
                                         .subject = key,
                                         .issuer_key = key,
                                         .not_before_ms = now - BACKDATE_MS,
                                         .not_after_ms = now + CERT_LIFE_MS,
                                         .tls_client = true };
    moor_code c = moor_cert_make(&spec, &cert, err);
    if (!c)
        c = moor_cert_to_der(cert, &der, err);
    if (c)
        return c;
    moor_buf_base64(text, moor_buf_view(&der));
    return moor_buf_ok(text, "certificate", err);
}

static moor_code enrol(struct moor_keystore *k, const struct moor_key *key, const char *client_id,
                       moor_code (*take)(struct moor_keystore *k, const struct moor_enrolment *e,
                                         struct moor_error *err),
                       struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(32768);
    moor_code c = make_certificate(key, client_id, &text, err);
    const char *const chain[] = { moor_buf_cstr(&text) };
    const struct moor_enrolment e = { .certificates = { chain, 1 }, .client_id = client_id };
    return c ? c : take(k, &e, err);
}

moor_code moor_direct_certify(struct moor_keystore *k, const char *client_id,
                              struct moor_error *err)
{
    return enrol(k, k->key, client_id, moor_keystore_enrol, err);
}

static moor_code use(struct moor_direct *d, const struct moor_keystore *keys,
                     struct moor_error *err)
{
    MOOR_AUTO(moor_buf) url = MOOR_BUF(2048);
    moor_cloud_token_url(&url, d->o.cloud, d->o.config->tenant_id);
    moor_code c = moor_buf_ok(&url, "token endpoint", err);
    const struct moor_token_source source = { d->o.http, keys, moor_buf_cstr(&url), d->o.pool };
    return c ? c : moor_tokens_source(d->o.tokens, &source, err);
}

/* When there is something to do that nobody asks for. */
static void arm(struct moor_direct *d)
{
    moor_timer_arm(d->timer, !d->known ? RETRY_MS : d->o.keys->next_key ? NEXT_TRY_MS : DAY_MS);
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
    arm(d);
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

/* Renewal. The directory takes a certificate only from an administrator: the next one lies ready
 * long before the end, is tried now and then, and replaces the former with its first token. */

moor_code moor_direct_next(const struct moor_direct *d, char **path, struct moor_error *err)
{
    return d->o.keys->next_cert ? plat_path(PLAT_DIR_CERTS, path, err, "next.cert") : MOOR_OK;
}

static void tell_next(const struct moor_direct *d)
{
    MOOR_AUTOSTR path = NULL;
    char end[MOOR_RFC3339_LEN + 1];
    moor_rfc3339_format(d->o.keys->doc.not_after_ms, end);
    if (moor_direct_next(d, &path, NULL) == MOOR_OK && path)
        moor_log(MOOR_LOG_WARNING, "certificate.ends", "not_after", end, "add", path, "application",
                 d->o.keys->doc.client_id, NULL);
}

static void on_next_key(void *ctx, const struct moor_error *failure)
{
    struct moor_direct *d = ctx;
    struct moor_keystore *k = d->o.keys;
    struct moor_error err = *failure;
    d->making = NULL;
    if (!err.code && enrol(k, k->next_key, k->doc.client_id, moor_keystore_enrol_next, &err) == 0)
        tell_next(d);
    else
        moor_log_error(MOOR_LOG_ERROR, "next_certificate.not_made", &err, NULL);
    arm(d);
    d->o.changed(d->o.ctx);
}

static void make_next(struct moor_direct *d)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (d->making || moor_next_key_make(d->o.pool, d->o.keys, moor_keystore_kind(d->o.settings),
                                        on_next_key, d, &d->making, &err) == MOOR_OK)
        return;
    on_next_key(d, &err);
}

static void take_over(struct moor_direct *d, struct moor_error *err)
{
    err->code = moor_keystore_promote(d->o.keys, err);
    if (!err->code)
        moor_log(MOOR_LOG_NOTICE, "certificate.renewed", "application", d->o.keys->doc.client_id,
                 NULL);
}

static void on_next_token(void *ctx, const struct moor_token *token,
                          const struct moor_error *failure)
{
    struct moor_direct *d = ctx;
    struct moor_error err = *failure;
    d->wait = NULL;
    d->asking = false;
    if (token)
        take_over(d, &err);
    if (!token || err.code)
        moor_log_error(MOOR_LOG_INFO, "next_certificate.not_taken", &err, NULL);
    if (use(d, d->o.keys, &err))
        moor_log_error(MOOR_LOG_ERROR, "tokens.source", &err, NULL);
    ask(d, d->done != NULL);
}

static void try_next(struct moor_direct *d)
{
    const struct moor_keystore *k = d->o.keys;
    struct moor_error err = MOOR_ERROR_INIT;
    if (d->asking)
        return;
    tell_next(d);
    d->asking = true;
    d->next_view =
        (struct moor_keystore){ .key = k->next_key, .cert = k->next_cert, .doc = k->doc };
    moor_code c = use(d, &d->next_view, &err);
    if (!c)
        c = moor_tokens_get(d->o.tokens, d->o.cloud->arm_audience, true, on_next_token, d, &d->wait,
                            &err);
    if (c)
        on_next_token(d, NULL, &err);
}

static bool is_ending(const struct moor_direct *d)
{
    return d->o.keys->doc.not_after_ms - plat_utc_ms() < RENEW_MS;
}

/* The next certificate, as soon as there is one, is the better question. */
static void proceed(struct moor_direct *d, bool fresh)
{
    if (d->o.keys->next_cert) {
        try_next(d);
        return;
    }
    if (is_ending(d))
        make_next(d);
    ask(d, fresh);
}

static void on_timer(void *ctx)
{
    proceed(ctx, false);
}

moor_code moor_direct_new(const struct moor_direct_opts *opts, struct moor_direct **out,
                          struct moor_error *err)
{
    if (!opts->keys->cert)
        return moor_fail(err, MOOR_E_BADINPUT,
                         "the machine's certificate is not there: disconnect "
                         "and connect again");
    MOOR_AUTOPTR(moor_direct) d = calloc(1, sizeof(*d));
    if (!d)
        return moor_fail(err, MOOR_E_NOMEM, "service principal: out of memory");
    d->o = *opts;
    moor_code c = moor_timer_new(opts->loop, on_timer, d, &d->timer, err);
    if (!c)
        c = use(d, d->o.keys, err);
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
    moor_next_key_cancel(d->making);
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
    proceed(d, true);
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
