/* SPDX-License-Identifier: Apache-2.0 */
/* keys.h: the control plane's own keys and certificates: loaded, or made when missing. */
#ifndef MOOR_MAIN_KEYS_H
#define MOOR_MAIN_KEYS_H

#include "main/state.h"

/* A self-signed certificate and its key, P-256, 20 years. */
struct cp_ca {
    const char *cert_path, *key_path;
    const char *common_name; /* a random suffix is added */
    bool ca;
    bool code_signing;
};
MOOR_NODISCARD moor_code cp_keys_ensure_ca(const struct cp_ca *what, struct moor_cert **cert,
                                           struct moor_key **key, struct moor_error *err);

MOOR_NODISCARD moor_code cp_keys_ensure_key(const char *path, moor_key_kind kind,
                                            struct moor_key **key, struct moor_error *err);

/* keys/token.key, and keys/token.previous.key while tokens that it signed may live. */
struct cp_token_keys {
    struct moor_key *key, *previous; /* owned; previous may be NULL */
};
void cp_token_keys_drop(struct cp_token_keys *k);
MOOR_NODISCARD moor_code cp_keys_load_token(struct cp_state *s, struct cp_token_keys *out,
                                            struct moor_error *err);
/* Makes another key in the present one's place; at_age_ms: only when that one is older. */
MOOR_NODISCARD moor_code cp_keys_rotate_token(struct cp_state *s, int64_t at_age_ms,
                                              struct moor_error *err);

/* n random bytes in a file of mode 0600. */
MOOR_NODISCARD moor_code cp_keys_ensure_bytes(const char *path, size_t n, struct moor_secret *out,
                                              struct moor_error *err);

/* tls/server.pem (leaf, CA) and server.key for the configured hosts: 398 days, made anew when
 * forced or less than 30 days are left. */
MOOR_NODISCARD moor_code cp_keys_ensure_server(struct cp_state *s, const struct moor_key *ca_key,
                                               bool force, struct moor_error *err);
/* The same for a server that runs: the CA's key is read for as long as it takes. */
MOOR_NODISCARD moor_code cp_keys_renew_server(struct cp_state *s, struct moor_error *err);

#endif
