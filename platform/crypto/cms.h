/* SPDX-License-Identifier: Apache-2.0 */
/* cms.h: CMS as the extension handler contract wants it. */
#ifndef MOOR_CRYPTO_CMS_H
#define MOOR_CRYPTO_CMS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/span.h"
#include "crypto/cert.h"
#include "platform/file.h"

/* EnvelopedData, DER: RSA key transport (PKCS#1 v1.5), recipient by issuer and serial number,
 * AES-256-CBC, content binary: what `openssl cms` and the older `openssl smime` both decrypt. */
MOOR_NODISCARD moor_code moor_cms_encrypt(const struct moor_cert *recipient, struct moor_span clear,
                                          struct moor_buf *der, struct moor_error *err);
MOOR_NODISCARD moor_code moor_cms_decrypt(const struct moor_cert *recipient,
                                          const struct moor_key *key, struct moor_span der,
                                          struct moor_secret *clear, struct moor_error *err);

/* Detached signature over a file's bytes: one signer, SHA-256, signer's certificate included. */
MOOR_NODISCARD moor_code moor_cms_sign_file(const struct moor_cert *signer,
                                            const struct moor_key *key,
                                            const struct plat_file *content, struct moor_buf *der,
                                            struct moor_error *err);
/* DENIED unless there is exactly one signer, a digest of SHA-256 or better, EKU codeSigning, a
 * good signature over content, and a path to one of roots (a root may be the signer itself).
 * Validity periods are not looked at: a signer's expiry does not stop installs. */
MOOR_NODISCARD moor_code moor_cms_verify_file(struct moor_span der, const struct plat_file *content,
                                              const struct moor_cert *const *roots, size_t count,
                                              struct moor_error *err);

#endif
