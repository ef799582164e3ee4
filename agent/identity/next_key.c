/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/next_key.h"

#include <stdlib.h>

#include "run/pool.h"

struct moor_next_key {
    struct moor_keystore *keys; /* NULL: nobody wants it any more */
    struct moor_key *key;
    bool tpm;
    moor_key_kind kind;
    struct moor_error err;
    moor_next_key_fn done;
    void *ctx;
};

static void make(void *ctx)
{
    struct moor_next_key *job = ctx;
    if (moor_keystore_make_key(job->tpm, job->kind, &job->key, &job->err))
        job->key = NULL;
}

static void on_made(void *ctx, bool cancelled)
{
    struct moor_next_key job = *(struct moor_next_key *)ctx;
    free(ctx);
    if (job.keys && cancelled)
        job.err.code = moor_fail(&job.err, MOOR_E_CANCELED, "the service is stopping");
    if (job.keys && !job.err.code && moor_keystore_add_next(job.keys, job.key, &job.err) == MOOR_OK)
        job.key = NULL;
    moor_key_free(job.key);
    if (job.keys)
        job.done(job.ctx, &job.err);
}

moor_code moor_next_key_make(struct moor_pool *pool, struct moor_keystore *keys, moor_key_kind kind,
                             moor_next_key_fn done, void *ctx, struct moor_next_key **out,
                             struct moor_error *err)
{
    struct moor_next_key *job = calloc(1, sizeof(*job));
    if (!job)
        return moor_fail(err, MOOR_E_NOMEM, "next key: out of memory");
    *job = (struct moor_next_key){
        .keys = keys, .tpm = moor_key_in_tpm(keys->key), .kind = kind, .done = done, .ctx = ctx
    };
    moor_code c = moor_pool_submit(pool, make, on_made, job, err);
    if (c)
        free(job);
    else
        *out = job;
    return c;
}

void moor_next_key_cancel(struct moor_next_key *job)
{
    if (job)
        job->keys = NULL;
}
