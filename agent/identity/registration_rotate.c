/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new key in the place of the old one. Until the service has seen it used, the old one is the
 * machine's; from then on the new one is. Both are on the disk in between, so that a crash at any
 * point leaves one that counts.
 */
#include <stdlib.h>

#include "identity/registration_internal.h"
#include "platform/clock.h"
#include "run/log.h"
#include "run/pool.h"

#define PAUSE_MS     3600000U
#define USE_PAUSE_MS 300000U /* when nobody knows whether the use was seen */

struct key_job {
    struct moor_registration *owner; /* NULL: nobody wants it any more */
    struct moor_key *key;
    bool tpm;
    moor_key_kind kind;
    struct moor_error err;
};

static void make_key(void *ctx)
{
    struct key_job *job = ctx;
    if (moor_keystore_make_key(job->tpm, job->kind, &job->key, &job->err))
        job->key = NULL;
}

static void on_key(void *ctx, bool cancelled)
{
    struct key_job *job = ctx;
    struct moor_registration *r = job->owner;
    struct moor_error err = job->err;
    struct moor_key *key = job->key;
    free(job);
    if (r && cancelled)
        err.code = moor_fail(&err, MOOR_E_CANCELED, "the service is stopping");
    if (r && !err.code && moor_keystore_add_next(r->o.keys, key, &err) == MOOR_OK)
        key = NULL;
    moor_key_free(key);
    if (!r)
        return;
    r->key_job = NULL;
    if (err.code) {
        moor_registration_failed(r, &err);
        return;
    }
    r->busy = MOOR_STEP_NONE;
    moor_registration_advance(r);
}

moor_code moor_registration_next_key(struct moor_registration *r, struct moor_error *err)
{
    struct key_job *job = calloc(1, sizeof(*job));
    if (!job)
        return moor_fail(err, MOOR_E_NOMEM, "next key: out of memory");
    job->owner = r;
    job->tpm = moor_key_in_tpm(r->o.keys->key);
    job->kind = moor_keystore_kind(r->o.settings);
    moor_code c = moor_pool_submit(r->o.pool, make_key, on_key, job, err);
    if (c)
        free(job);
    else
        r->key_job = job;
    return c;
}

void moor_registration_drop_key_job(struct moor_registration *r)
{
    if (r->key_job)
        r->key_job->owner = NULL;
    r->key_job = NULL;
}

static moor_code take_over(struct moor_registration *r, struct moor_error *err)
{
    moor_code c = moor_keystore_promote(r->o.keys, err);
    if (c)
        return c;
    r->rotate_asked = false;
    moor_log(MOOR_LOG_NOTICE, "key.rotated", "vm_id", r->o.config->vm_id, NULL);
    return moor_registration_use(r, r->o.keys, err);
}

static void on_first_use(void *ctx, const struct moor_token *token,
                         const struct moor_error *failure)
{
    struct moor_registration *r = ctx;
    struct moor_error err = *failure;
    r->token = NULL;
    if (!token || take_over(r, &err)) {
        moor_registration_failed(r, &err);
        return;
    }
    r->busy = MOOR_STEP_NONE;
    moor_registration_advance(r);
}

moor_code moor_registration_first_use(struct moor_registration *r, struct moor_error *err)
{
    const struct moor_keystore *k = r->o.keys;
    r->next_view =
        (struct moor_keystore){ .key = k->next_key, .cert = k->next_cert, .doc = k->doc };
    moor_code c = moor_registration_use(r, &r->next_view, err);
    return c ? c
             : moor_tokens_get(r->o.tokens, r->o.cloud->service_audience, true, on_first_use, r,
                               &r->token, err);
}

void moor_registration_rotation_failed(struct moor_registration *r, moor_step step,
                                       const struct moor_error *err)
{
    struct moor_error why = MOOR_ERROR_INIT;
    bool refused = err->http != 0 && moor_error_retry(err) != MOOR_RETRY_BACKOFF;
    bool unsure = step == MOOR_STEP_FIRST_USE && !refused;
    r->rotate_not_before_ms = plat_mono_ms() + (unsure ? USE_PAUSE_MS : PAUSE_MS);
    moor_code c = MOOR_OK;
    if (step == MOOR_STEP_FIRST_USE && refused)
        c = moor_keystore_drop_next(r->o.keys, &why);
    if (!c && step == MOOR_STEP_FIRST_USE)
        c = moor_registration_use(r, r->o.keys, &why);
    if (c)
        moor_log_error(MOOR_LOG_ERROR, "rotation.not_undone", &why, NULL);
}
