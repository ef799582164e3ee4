/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key.h: asymmetric keys. RSA for machines and token signing (2048, 3072, 4096 bits), P-256 for
 * TLS. A private key leaves this module only as PEM into a secret; one in a TPM (tpm.h) does not
 * leave it at all, and its PEM is the TPM's wrapped form.
 */
#ifndef MOOR_CRYPTO_KEY_H
#define MOOR_CRYPTO_KEY_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/span.h"

struct moor_key; /* opaque: a public key, perhaps with its private half */

typedef enum moor_key_kind {
    MOOR_KEY_RSA_2048,
    MOOR_KEY_RSA_3072,
    MOOR_KEY_RSA_4096,
    MOOR_KEY_P256
} moor_key_kind;

/* RSA generation takes up to seconds: on the pool. */
MOOR_NODISCARD moor_code moor_key_generate(moor_key_kind kind, struct moor_key **out,
                                           struct moor_error *err);
MOOR_NODISCARD moor_code
moor_key_from_pem(struct moor_span pem, struct moor_key **out,
                  struct moor_error *err); /* unencrypted PKCS#8 or PKCS#1 */
MOOR_NODISCARD moor_code moor_key_to_pem(const struct moor_key *k, struct moor_secret *out,
                                         struct moor_error *err); /* PKCS#8 */
/* Its private half is in a TPM: signing may take seconds and may fail, so it is done on the pool.
 */
bool moor_key_in_tpm(const struct moor_key *k);
void moor_key_free(struct moor_key *k);
MOOR_DEFINE_AUTOPTR(moor_key)
struct moor_key *moor_key_ref(struct moor_key *k); /* one more owner */

/* RSA public keys: base64 of the PKCS#1 DER (ARM's clientPublicKey), and back. 2048..4096 bits. */
MOOR_NODISCARD moor_code moor_key_public_pkcs1(const struct moor_key *k, struct moor_buf *base64,
                                               struct moor_error *err);
MOOR_NODISCARD moor_code moor_key_from_public_pkcs1(struct moor_span base64, struct moor_key **out,
                                                    struct moor_error *err);
/* The private half in the same form, base64 of the PKCS#1 DER, and back. Not of a key in a TPM. */
MOOR_NODISCARD moor_code moor_key_private_pkcs1(const struct moor_key *k,
                                                struct moor_secret *base64, struct moor_error *err);
MOOR_NODISCARD moor_code moor_key_from_private_pkcs1(struct moor_span base64, struct moor_key **out,
                                                     struct moor_error *err);
bool moor_key_same_public(const struct moor_key *a, const struct moor_key *b);
/* RSA modulus and exponent as base64url, for a JWK. */
MOOR_NODISCARD moor_code moor_key_jwk_parts(const struct moor_key *k, struct moor_buf *n,
                                            struct moor_buf *e, struct moor_error *err);

struct evp_pkey_st;
struct evp_pkey_st *moor_key_evp(
    const struct moor_key *k); /* for crypto/ only; public of a TPM's */
struct moor_tpm_part;          /* tpm.c: what a key in a TPM has besides its public half */
struct moor_tpm_part *moor_key_tpm(const struct moor_key *k); /* NULL = not in one */
/* Takes part over, also on failure. */
MOOR_NODISCARD moor_code moor_key_adopt_tpm(struct evp_pkey_st *public_half,
                                            struct moor_tpm_part *part, struct moor_key **out,
                                            struct moor_error *err);

#endif
