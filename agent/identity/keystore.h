/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keystore.h: <STATE>/certs: the machine's key, its certificate, and whose they are.
 *
 *   identity.key    PEM, 0600: PKCS#8, or the wrapped form of a key in a TPM (crypto/tpm.h)
 *   identity.json   which machine the key was made for, and what the service said of it
 *   myCert          PEM chain, leaf first
 *   next.key        the key that is to replace it, made by a rotation that is under way
 *   next.cert       and its chain
 *   given.key       a key made elsewhere that proves for identity.key, once (connect existing)
 *   tokens.cache    tokens.h
 *
 * Every write is durable before the function returns. Blocking, but the files are small: fine on
 * the loop. Loop thread.
 */
#ifndef MOOR_IDENTITY_KEYSTORE_H
#define MOOR_IDENTITY_KEYSTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/jsontab.h"
#include "core/settings.h"
#include "crypto/cert.h"
#include "crypto/key.h"

struct moor_identity_doc {
    uint32_t schema; /* 1 */
    const char *vm_id;
    const char *resource_id;
    const char *client_id; /* this and the rest: NULL or 0 until the first certificate */
    const char *principal_id;
    const char *tenant_id;
    int64_t not_after_ms;
    int64_t renew_after_ms;
    int64_t key_made_ms;
};

struct moor_keystore {
    struct moor_key *key;
    struct moor_cert *cert;      /* NULL until the first certificate */
    struct moor_key *next_key;   /* NULL = no rotation under way */
    struct moor_cert *next_cert; /* NULL until it has one */
    struct moor_key *given_key;  /* NULL: the key proves for itself */
    struct moor_identity_doc doc;
    struct moor_arena arena; /* of doc */
};
#define MOOR_KEYSTORE_INIT                                                                         \
    {                                                                                              \
        .arena = MOOR_ARENA(16384)                                                                 \
    }
void moor_keystore_drop(struct moor_keystore *k); /* the files stay */
MOOR_DEFINE_AUTO(moor_keystore)

/* The kind of key that local settings ask for. */
moor_key_kind moor_keystore_kind(const struct moor_settings *s);

/* A new key where keys are to be: in the TPM, or in memory for a file. RSA. Blocking. */
MOOR_NODISCARD moor_code moor_keystore_make_key(bool tpm, moor_key_kind kind, struct moor_key **out,
                                                struct moor_error *err);

/* NOTFOUND when there is no key; BADINPUT when key, document and certificate do not belong
 * together. *k is empty on failure. */
MOOR_NODISCARD moor_code moor_keystore_load(struct moor_keystore *k, struct moor_error *err);

/* Replaces whatever is there by a new machine's key (taken over on success). */
MOOR_NODISCARD moor_code moor_keystore_create(struct moor_keystore *k, struct moor_key *key,
                                              const char *vm_id, const char *resource_id,
                                              struct moor_error *err);

/* Keeps a key made elsewhere (one more owner) until the first certificate is there. */
MOOR_NODISCARD moor_code moor_keystore_give(struct moor_keystore *k, struct moor_key *given,
                                            struct moor_error *err);

/* What a certificate call answered. BADINPUT unless the leaf is for the key held here. */
struct moor_enrolment {
    struct moor_str_list certificates; /* base64 DER, leaf first */
    const char *client_id, *principal_id, *tenant_id;
    int64_t not_after_ms, renew_after_ms;
};
MOOR_NODISCARD moor_code moor_keystore_enrol(struct moor_keystore *k,
                                             const struct moor_enrolment *e,
                                             struct moor_error *err);

/* Rotation. The next key is durable before anybody hears of it (taken over on success); its
 * certificate makes it ready for a first use; that use, once accepted, makes it the key. A
 * promotion that was interrupted is finished by the next load. */
MOOR_NODISCARD moor_code moor_keystore_add_next(struct moor_keystore *k, struct moor_key *key,
                                                struct moor_error *err);
MOOR_NODISCARD moor_code moor_keystore_enrol_next(struct moor_keystore *k,
                                                  const struct moor_enrolment *e,
                                                  struct moor_error *err);
MOOR_NODISCARD moor_code moor_keystore_promote(struct moor_keystore *k, struct moor_error *err);
MOOR_NODISCARD moor_code moor_keystore_drop_next(struct moor_keystore *k, struct moor_error *err);

/* Removes every file of the folder, and empties *k. */
MOOR_NODISCARD moor_code moor_keystore_wipe(struct moor_keystore *k, struct moor_error *err);

/* A 32-byte key for sealing what belongs to this machine key only. TRANSIENT for a key in a TPM
 * that is not unlocked yet (signing.h). */
MOOR_NODISCARD moor_code moor_keystore_sealing_key(const struct moor_keystore *k,
                                                   unsigned char out[32], struct moor_error *err);

#endif
