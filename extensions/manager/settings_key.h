/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings_key.h: the key that protected settings are encrypted to. Handlers read it from
 * <THUMBPRINT>.crt and .prv beside their folders, so it is never the machine's identity key.
 * Blocking (a key is made): pool.
 */
#ifndef MOOR_MANAGER_SETTINGS_KEY_H
#define MOOR_MANAGER_SETTINGS_KEY_H

#include "base/buf.h"
#include "base/error.h"
#include "crypto/cert.h"
#include "crypto/key.h"

struct moor_settings_key {
    char thumbprint[41]; /* SHA-1, upper-case hex */
    struct moor_buf der; /* the certificate */
};
void moor_settings_key_drop(struct moor_settings_key *k);
MOOR_DEFINE_AUTO(moor_settings_key)

/* The pair named in <state>/settings-key, made when there is none or it is not whole. */
MOOR_NODISCARD moor_code moor_settings_key_load(const char *handlers, const char *state,
                                                struct moor_settings_key *out,
                                                struct moor_error *err);

/* Whether the private half for a thumbprint is on this machine. */
bool moor_settings_key_has(const char *handlers, const char *thumbprint);

/* That pair, to decrypt with. NOTFOUND when it is not on this machine. */
MOOR_NODISCARD moor_code moor_settings_key_open(const char *handlers, const char *thumbprint,
                                                struct moor_cert **cert, struct moor_key **key,
                                                struct moor_error *err);

#endif
