/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proof.h: possession of a machine's key, and the certificate it is worth
 * (docs/protocol/service.md 3.2). Touches no store.
 */
#ifndef MOOR_ENGINE_PROOF_H
#define MOOR_ENGINE_PROOF_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "crypto/cert.h"
#include "crypto/key.h"

#define MOOR_PROOF_TYP "mooring-proof+jwt"
#define MOOR_DAY_MS    INT64_C(86400000)

struct moor_proof_facts {
    const char *audience; /* registered, byte for byte */
    const char *vm_id, *resource_id;
    int64_t now_ms;
};

/* Checks a proof over the CSR's DER against the machine's public keys (base64 PKCS#1) and tells
 * which of them signed. Otherwise DENIED with http 403 and service_code ProofInvalid or ClockSkew;
 * the message does not say more to who has no key. */
MOOR_NODISCARD moor_code moor_proof_check(struct moor_span proof, struct moor_span csr_der,
                                          const struct moor_proof_facts *facts,
                                          const char *const *keys, size_t key_count,
                                          struct moor_arena *arena, size_t *which,
                                          struct moor_error *err);

struct moor_issue {
    const char *client_id; /* becomes the CN */
    const struct moor_key *subject;
    const struct moor_cert *ca;
    const struct moor_key *ca_key;
    int64_t now_ms;
    int64_t life_ms;
};
MOOR_NODISCARD moor_code moor_certificate_issue(const struct moor_issue *i, struct moor_cert **out,
                                                struct moor_error *err);

#endif
