/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signing.h: what a key in a TPM signs, made on the pool: the loop does not wait for a TPM. For a
 * key in a file the functions that sign are called where they are needed.
 *
 * Everything given is copied. done runs once, on the loop, later, unless the job is cancelled
 * first; err->code is MOOR_OK when it was made. Loop thread.
 */
#ifndef MOOR_IDENTITY_SIGNING_H
#define MOOR_IDENTITY_SIGNING_H

#include "base/buf.h"
#include "base/error.h"
#include "core/grant.h"
#include "identity/proof.h"

struct moor_pool;
struct moor_signing; /* a job */

struct moor_signed {
    struct moor_buf form;       /* of an assertion: its fields */
    struct moor_buf csr, proof; /* of a certificate request: DER, JWS */
};
typedef void (*moor_signing_fn)(void *ctx, struct moor_signed *made, const struct moor_error *err);

/* By key; a->key is not looked at. Also learns the key's sealing secret (tpm.h), if it is not known
 * yet. */
MOOR_NODISCARD moor_code moor_signing_assertion(struct moor_pool *pool, struct moor_key *key,
                                                const struct moor_assertion *a,
                                                moor_signing_fn done, void *ctx,
                                                struct moor_signing **out, struct moor_error *err);

/* A request for subject's certificate, proved by key; proof->csr_der is not looked at. */
MOOR_NODISCARD moor_code moor_signing_request(struct moor_pool *pool, struct moor_key *subject,
                                              struct moor_key *key, const struct moor_proof *proof,
                                              moor_signing_fn done, void *ctx,
                                              struct moor_signing **out, struct moor_error *err);

/* Only learns the sealing secret, which shows whether the TPM still takes the key. */
MOOR_NODISCARD moor_code moor_signing_unlock(struct moor_pool *pool, struct moor_key *key,
                                             moor_signing_fn done, void *ctx,
                                             struct moor_signing **out, struct moor_error *err);

void moor_signing_cancel(struct moor_signing *s); /* NULL is fine */

#endif
