/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle.h: a private key and its certificate in one file, as administrators keep them: PEM (key
 * and certificates in any order, the key perhaps encrypted) or PKCS#12 ("PFX"). Any thread.
 */
#ifndef MOOR_CRYPTO_BUNDLE_H
#define MOOR_CRYPTO_BUNDLE_H

#include "base/error.h"
#include "base/secret.h"
#include "base/span.h"
#include "crypto/cert.h"
#include "crypto/key.h"

/* *cert is the one that belongs to *key; the rest of the chain is left out. password may be NULL
 * or empty. Errors: DENIED when a password is needed or the one given is wrong, BADINPUT when the
 * bytes are no such file or hold no certificate for the key, UNSUPPORTED for encryption that
 * today's OpenSSL has retired. */
MOOR_NODISCARD moor_code moor_bundle_read(struct moor_span bytes,
                                          const struct moor_secret *password, struct moor_key **key,
                                          struct moor_cert **cert, struct moor_error *err);

#endif
