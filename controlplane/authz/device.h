/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device.h: sign-in by device code (RFC 8628). A device gets a secret half and a code that people
 * type; an administrator decides on the control plane's host as whom it signs in; the device's next
 * question is answered with a token, once. Codes live ten minutes; a peer may have five of them
 * waiting, all peers together two hundred.
 */
#ifndef MOOR_AUTHZ_DEVICE_H
#define MOOR_AUTHZ_DEVICE_H

#include <stdint.h>

#include "authz/signin.h"
#include "store/devices.h"

#define MOOR_DEVICE_GRANT      "urn:ietf:params:oauth:grant-type:device_code"
#define MOOR_DEVICE_LIFE_S     600
#define MOOR_DEVICE_INTERVAL_S 2
#define MOOR_DEVICE_PEER_MAX   5
#define MOOR_DEVICE_ALL_MAX    200
#define MOOR_USER_CODE_LETTERS 8

struct moor_device_codes {
    struct moor_buf device_code;                /* secret; drop it */
    char user_code[MOOR_USER_CODE_LETTERS + 2]; /* "WDJB-MJHT" */
};

/* Results as of moor_signin(). scope may hold "openid" and the like beside "RESOURCE/.default". */
MOOR_NODISCARD moor_code moor_device_begin(struct moor_store *s, const char *client_id,
                                           const char *scope, const char *peer, int64_t now_ms,
                                           struct moor_device_codes *out,
                                           struct moor_signin_refusal *refusal,
                                           struct moor_error *err);

/* The question of a device: by whom it was approved, and for what. The row is gone after MOOR_OK.
 * Refusals are RFC 8628's: authorization_pending, slow_down, access_denied, expired_token. */
MOOR_NODISCARD moor_code moor_device_redeem(struct moor_authz *a,
                                            const struct moor_signin_request *req, int64_t now_ms,
                                            struct moor_arena *arena, struct moor_principal_row *as,
                                            const char **resource,
                                            struct moor_signin_refusal *refusal,
                                            struct moor_error *err);

/* What a person typed as it is stored: without blanks and dashes, in capitals. BADINPUT unless
 * MOOR_USER_CODE_LETTERS letters are left. Pure. */
MOOR_NODISCARD moor_code moor_user_code_read(const char *typed,
                                             char out[MOOR_USER_CODE_LETTERS + 1],
                                             struct moor_error *err);

#endif
