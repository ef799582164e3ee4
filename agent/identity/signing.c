/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/signing.h"

#include <stdlib.h>

#include "base/arena.h"
#include "crypto/tpm.h"
#include "run/pool.h"

struct moor_signing {
    moor_signing_fn done; /* NULL: cancelled */
    void *ctx;
    moor_code (*make)(struct moor_signing *s, struct moor_error *err);
    struct moor_arena texts;
    struct moor_key *key, *subject; /* owners of their own */
    struct moor_cert *cert;
    struct moor_assertion assertion;
    struct moor_proof proof;
    struct moor_signed made;
    struct moor_error err;
};

static moor_code make_nothing(struct moor_signing *s, struct moor_error *err)
{
    return moor_tpm_key_unlock(s->key, err);
}

static moor_code make_assertion(struct moor_signing *s, struct moor_error *err)
{
    moor_code c = moor_tpm_key_unlock(s->key, err);
    return c ? c : moor_form_assertion(&s->made.form, &s->assertion, err);
}

static moor_code make_request(struct moor_signing *s, struct moor_error *err)
{
    return moor_proof_request(s->subject, s->key, &s->proof, &s->made.csr, &s->made.proof, err);
}

static void free_job(struct moor_signing *s)
{
    moor_key_free(s->key);
    moor_key_free(s->subject);
    moor_cert_free(s->cert);
    moor_buf_drop(&s->made.form);
    moor_buf_drop(&s->made.csr);
    moor_buf_drop(&s->made.proof);
    moor_arena_drop(&s->texts);
    free(s);
}

static void on_pool(void *ctx)
{
    struct moor_signing *s = ctx;
    s->err.code = s->make(s, &s->err);
}

static void on_made(void *ctx, bool cancelled)
{
    struct moor_signing *s = ctx;
    if (cancelled)
        s->err.code = moor_fail(&s->err, MOOR_E_CANCELED, "the service is stopping");
    if (s->done)
        s->done(s->ctx, &s->made, &s->err);
    free_job(s);
}

static struct moor_signing *new_job(struct moor_key *key, moor_signing_fn done, void *ctx)
{
    struct moor_signing *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    *s = (struct moor_signing){ .done = done, .ctx = ctx, .texts = MOOR_ARENA(16384) };
    s->made = (struct moor_signed){ MOOR_BUF_SECRET(16384), MOOR_BUF(8192), MOOR_BUF(8192) };
    s->key = moor_key_ref(key);
    return s;
}

/* Takes the job over. */
static moor_code submit(struct moor_pool *pool, struct moor_signing *s, bool whole,
                        struct moor_signing **out, struct moor_error *err)
{
    moor_code c = s && whole ? MOOR_OK : moor_fail(err, MOOR_E_NOMEM, "signing: out of memory");
    if (!c)
        c = moor_pool_submit(pool, on_pool, on_made, s, err);
    if (!c)
        *out = s;
    else if (s)
        free_job(s);
    return c;
}

static const char *keep(struct moor_signing *s, const char *text)
{
    return moor_arena_str(&s->texts, moor_span_str(text));
}

moor_code moor_signing_assertion(struct moor_pool *pool, struct moor_key *key,
                                 const struct moor_assertion *a, moor_signing_fn done, void *ctx,
                                 struct moor_signing **out, struct moor_error *err)
{
    struct moor_signing *s = new_job(key, done, ctx);
    if (!s)
        return submit(pool, s, false, out, err);
    s->make = make_assertion;
    s->assertion = (struct moor_assertion){ .key = s->key,
                                            .token_url = keep(s, a->token_url),
                                            .client_id = keep(s, a->client_id),
                                            .now_s = a->now_s };
    bool whole = moor_cert_copy(a->cert, &s->cert, NULL) == MOOR_OK;
    s->assertion.cert = s->cert;
    return submit(pool, s, whole && s->assertion.token_url && s->assertion.client_id, out, err);
}

moor_code moor_signing_request(struct moor_pool *pool, struct moor_key *subject,
                               struct moor_key *key, const struct moor_proof *proof,
                               moor_signing_fn done, void *ctx, struct moor_signing **out,
                               struct moor_error *err)
{
    struct moor_signing *s = new_job(key, done, ctx);
    if (!s)
        return submit(pool, s, false, out, err);
    s->make = make_request;
    s->subject = moor_key_ref(subject);
    s->proof = (struct moor_proof){ .audience = keep(s, proof->audience),
                                    .vm_id = keep(s, proof->vm_id),
                                    .resource_id = keep(s, proof->resource_id),
                                    .now_s = proof->now_s };
    return submit(pool, s, s->proof.audience && s->proof.vm_id && s->proof.resource_id, out, err);
}

moor_code moor_signing_unlock(struct moor_pool *pool, struct moor_key *key, moor_signing_fn done,
                              void *ctx, struct moor_signing **out, struct moor_error *err)
{
    struct moor_signing *s = new_job(key, done, ctx);
    if (s)
        s->make = make_nothing;
    return submit(pool, s, true, out, err);
}

void moor_signing_cancel(struct moor_signing *s)
{
    if (s)
        s->done = NULL;
}
