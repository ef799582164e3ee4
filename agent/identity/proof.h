/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proof.h: the proof of the machine's key (certificate call). Pure but for the random PSS salt;
 * any thread. Times are seconds of the corrected clock (registration.h). Appends a compact JWS,
 * PS256.
 */
#ifndef MOOR_IDENTITY_PROOF_H
#define MOOR_IDENTITY_PROOF_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "crypto/key.h"

struct moor_proof {
    const char *audience; /* the registered service audience, byte for byte */
    const char *vm_id;
    const char *resource_id;
    struct moor_span csr_der;
    int64_t now_s;
};
MOOR_NODISCARD moor_code moor_proof_make(const struct moor_key *k, const struct moor_proof *p,
                                         struct moor_buf *out, struct moor_error *err);

/* The request for subject's certificate (PKCS#10, named by the vmId) and its proof by key: what
 * moor_csr_make() and moor_proof_make() make. p->csr_der is not looked at. */
MOOR_NODISCARD moor_code moor_proof_request(const struct moor_key *subject,
                                            const struct moor_key *key, const struct moor_proof *p,
                                            struct moor_buf *csr, struct moor_buf *proof,
                                            struct moor_error *err);

#endif
