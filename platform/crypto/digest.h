/* SPDX-License-Identifier: Apache-2.0 */
/* digest.h: SHA-256 of files and streams, HMAC, and sealing with a symmetric key. */
#ifndef MOOR_CRYPTO_DIGEST_H
#define MOOR_CRYPTO_DIGEST_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/span.h"
#include "platform/file.h"

struct moor_digest; /* SHA-256 in progress */
MOOR_NODISCARD moor_code moor_digest_new(struct moor_digest **out, struct moor_error *err);
MOOR_NODISCARD moor_code moor_digest_add(struct moor_digest *d, struct moor_span bytes,
                                         struct moor_error *err);
MOOR_NODISCARD moor_code moor_digest_end(struct moor_digest *d, unsigned char out[32],
                                         struct moor_error *err);
void moor_digest_free(struct moor_digest *d);
MOOR_DEFINE_AUTOPTR(moor_digest)

/* Reads the file from its start; *size is what was read. */
MOOR_NODISCARD moor_code moor_digest_file(const struct plat_file *f, unsigned char out[32],
                                          uint64_t *size, struct moor_error *err);

void moor_hmac_sha256(struct moor_span key, struct moor_span bytes, unsigned char out[32]);

/* AES-256-GCM: nonce, ciphertext, tag in one blob. key is 32 bytes; aad binds the context. */
MOOR_NODISCARD moor_code moor_seal(struct moor_span key, struct moor_span aad,
                                   struct moor_span clear, struct moor_buf *out,
                                   struct moor_error *err);
MOOR_NODISCARD moor_code moor_unseal(struct moor_span key, struct moor_span aad,
                                     struct moor_span blob, struct moor_secret *clear,
                                     struct moor_error *err);

#endif
