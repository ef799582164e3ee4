/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tpm.h: RSA keys that are made in a TPM 2.0 and never leave it, through OpenSSL's provider "tpm2"
 * (Debian: tpm2-openssl).
 *
 * Such a key is a moor_key like others (key.h): its PEM holds the TPM's wrapped form ("TSS2 PRIVATE
 * KEY"), useless anywhere else, and the public key, so that reading it needs no TPM. Only signing
 * does: the provider is loaded for one signature and unloaded after it, so that nothing of it stays
 * in a process, no handle stays in the TPM, and a TPM that was away is found again. That takes up
 * to seconds: on the pool. One signature at a time in a process. Any thread.
 */
#ifndef MOOR_CRYPTO_TPM_H
#define MOOR_CRYPTO_TPM_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/error.h"
#include "base/span.h"
#include "crypto/key.h"

#define MOOR_TPM_DEVICE     "device:/dev/tpmrm0" /* the usual place */
#define MOOR_TPM_DEVICE_MAX 120

/* How a TPM is reached, in the TSS's words: "device:/dev/tpmrm0", "tabrmd", "swtpm:path=/x",
 * "swtpm:host=127.0.0.1,port=2321". BADINPUT for anything else: the TSS would load a library of
 * that name. */
MOOR_NODISCARD moor_code moor_tpm_device_check(const char *device, struct moor_error *err);

/* Says which one this process uses, once, before the first thread: the provider reads it from the
 * environment. Without this call all below is UNSUPPORTED, since the TSS left alone would take any
 * TPM it finds, somebody's program on port 2321 among them. */
MOOR_NODISCARD moor_code moor_tpm_use(const char *device, struct moor_error *err);

/* RSA of 2048 to 4096 bits, below the storage hierarchy of its owner, without a password. Blocking.
 * UNSUPPORTED when the provider is not installed; IO for whatever the TPM says. */
MOOR_NODISCARD moor_code moor_tpm_key_generate(moor_key_kind kind, struct moor_key **out,
                                               struct moor_error *err);

/* Whether this PEM text holds a TPM's key, which moor_tpm_key_from_pem() then reads. */
bool moor_tpm_is_pem(struct moor_span pem);
MOOR_NODISCARD moor_code moor_tpm_key_from_pem(struct moor_span pem, struct moor_key **out,
                                               struct moor_error *err);

/* 32 bytes for sealing that only this TPM with this key makes again. unlock asks the TPM for them,
 * blocking, unless this moor_key has them; secret gives them, TRANSIENT before that. */
MOOR_NODISCARD moor_code moor_tpm_key_unlock(const struct moor_key *k, struct moor_error *err);
MOOR_NODISCARD moor_code moor_tpm_key_secret(const struct moor_key *k, unsigned char out[32],
                                             struct moor_error *err);

#endif
