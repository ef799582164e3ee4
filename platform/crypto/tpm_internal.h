/* SPDX-License-Identifier: Apache-2.0 */
/* tpm_internal.h: what key.c, jws.c and cert.c need of tpm.c. Private to this folder. */
#ifndef MOOR_CRYPTO_TPM_INTERNAL_H
#define MOOR_CRYPTO_TPM_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/secret.h"
#include "base/span.h"
#include "crypto/key.h"

#define MOOR_TPM_SIGNATURE_MAX 512 /* RSA-4096 */

void moor_tpm_part_free(struct moor_tpm_part *p); /* NULL is fine */
MOOR_NODISCARD moor_code moor_tpm_part_pem(const struct moor_tpm_part *p, struct moor_secret *out,
                                           struct moor_error *err);

/* SHA-256 with PKCS#1 v1.5 or, for pss, with PSS and a salt of the digest's length. UNSUPPORTED
 * when this TPM makes the salt of another length, or the key is for the other scheme only. */
MOOR_NODISCARD moor_code moor_tpm_sign(const struct moor_key *k, bool pss, struct moor_span data,
                                       unsigned char sig[MOOR_TPM_SIGNATURE_MAX], size_t *n,
                                       struct moor_error *err);

#endif
