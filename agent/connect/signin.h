/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signin.h: the administrator's access token for Resource Manager: from a service principal's
 * secret, or given ready-made. The token is opaque; its claims are only read to find defaults and
 * to say early what the service would refuse.
 */
#ifndef MOOR_CONNECT_SIGNIN_H
#define MOOR_CONNECT_SIGNIN_H

#include <stdint.h>

#include "base/error.h"
#include "base/secret.h"

struct moor_session;
struct moor_cloud;

struct moor_credential {
    const char *tenant_id; /* NULL = from the token */
    const char *client_id; /* with client_secret */
    const struct moor_secret *client_secret;
    const struct moor_secret *access_token; /* ready-made; wins */
};

/* A token for the cloud's Resource Manager. Errors: DENIED (the sign-in refused), BADINPUT
 * (what was given cannot be right), TRANSIENT, ... */
MOOR_NODISCARD moor_code moor_signin(struct moor_session *s, const struct moor_cloud *cloud,
                                     const struct moor_credential *who, struct moor_secret *token,
                                     struct moor_error *err);

/* Claims of a JWT, not verified. */
struct moor_claims {
    char tenant_id[40]; /* "tid"; "" = absent or no JWT */
    int64_t expires_ms; /* "exp"; 0 = absent */
};
void moor_token_claims(const struct moor_secret *token, struct moor_claims *out);

#endif
