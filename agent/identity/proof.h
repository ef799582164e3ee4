/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proof.h: what the machine signs: the proof of its key (certificate call) and the client
 * assertion (sign-in). Pure but for the random jti and PSS salt; any thread. Times are seconds of
 * the corrected clock (registration.h). Appends a compact JWS, PS256.
 */
#ifndef MOOR_IDENTITY_PROOF_H
#define MOOR_IDENTITY_PROOF_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "crypto/cert.h"
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

/* audience: the registered token endpoint. cert names the key at the sign-in (x5t#S256). */
MOOR_NODISCARD moor_code moor_assertion_make(const struct moor_key *k, const struct moor_cert *cert,
                                             const char *audience, const char *client_id,
                                             int64_t now_s, struct moor_buf *out,
                                             struct moor_error *err);

#endif
