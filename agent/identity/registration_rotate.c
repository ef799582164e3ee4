/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new key in the place of the old one. Until the service has seen it used, the old one is the
 * machine's; from then on the new one is. Both are on the disk in between, so that a crash at any
 * point leaves one that counts.
 */
#include "identity/registration_internal.h"
#include "platform/clock.h"
#include "run/log.h"

#define PAUSE_MS     3600000U
#define USE_PAUSE_MS 300000U /* when nobody knows whether the use was seen */

static void on_key(void *ctx, const struct moor_error *err)
{
    struct moor_registration *r = ctx;
    r->key_job = NULL;
    if (err->code) {
        moor_registration_failed(r, err);
        return;
    }
    r->busy = MOOR_STEP_NONE;
    moor_registration_advance(r);
}

moor_code moor_registration_next_key(struct moor_registration *r, struct moor_error *err)
{
    return moor_next_key_make(r->o.pool, r->o.keys, moor_keystore_kind(r->o.settings), on_key, r,
                              &r->key_job, err);
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
