/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signin.h: the administrator's access token for Resource Manager, by one of five ways. The token
 * is opaque; its claims are only read to find defaults and to say early what the service would
 * refuse.
 */
#ifndef MOOR_CONNECT_SIGNIN_H
#define MOOR_CONNECT_SIGNIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/secret.h"
#include "connect/progress.h"

struct moor_session;
struct moor_cloud;
struct moor_key;
struct moor_cert;

typedef enum moor_signin_way {
    MOOR_SIGNIN_TOKEN,       /* access_token, ready-made */
    MOOR_SIGNIN_SECRET,      /* a service principal: client_id, client_secret, tenant_id */
    MOOR_SIGNIN_CERTIFICATE, /* a service principal: client_id, key, cert, tenant_id */
    MOOR_SIGNIN_DEVICE,      /* a person approves a code elsewhere (RFC 8628): tenant_id */
    MOOR_SIGNIN_AZCLI,       /* whoever is signed in to the Azure CLI */
    MOOR_SIGNIN_WAYS
} moor_signin_way;

struct moor_credential {
    moor_signin_way way;
    const char *tenant_id; /* of the credential; NULL = from the token, or the CLI's default */
    const char *client_id;
    const struct moor_secret *client_secret;
    const struct moor_key *key;
    const struct moor_cert *cert;
    const struct moor_secret *access_token;
    /* A principal that the sign-in does not know is waited for, and this is then set; NULL = no. */
    bool *awaited;
};

/* A token for the cloud's Resource Manager. A device code is told through progress. Errors: DENIED
 * (the sign-in refused), BADINPUT (what was given cannot be right), NOTFOUND (no Azure CLI),
 * TRANSIENT, ... */
MOOR_NODISCARD moor_code moor_signin(struct moor_session *s, const struct moor_cloud *cloud,
                                     const struct moor_credential *who,
                                     const struct moor_progress *progress,
                                     struct moor_secret *token, struct moor_error *err);

/* Claims of a JWT, not verified. */
struct moor_claims {
    char tenant_id[40]; /* "tid"; "" = absent or no JWT */
    int64_t expires_ms; /* "exp"; 0 = absent */
};
void moor_token_claims(const struct moor_secret *token, struct moor_claims *out);

#endif
