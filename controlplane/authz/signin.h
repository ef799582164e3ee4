/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signin.h: grants: a secret, a signed assertion or an approved device code for a token.
 *
 * Secrets are never chosen by people: moor_signin_new_secret() draws 256 bits, so a salted HMAC is
 * all the hashing that is needed. Every refusal costs the same work whether or not the
 * application exists.
 */
#ifndef MOOR_AUTHZ_SIGNIN_H
#define MOOR_AUTHZ_SIGNIN_H

#include <stdint.h>

#include "authz/authz.h"
#include "base/buf.h"
#include "base/secret.h"
#include "crypto/cert.h"

#define MOOR_ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

/* The form's fields; NULL = absent. */
struct moor_signin_request {
    const char *grant_type;
    const char *client_id;
    const struct moor_secret *client_secret; /* NULL or empty = absent */
    const char *client_assertion, *client_assertion_type;
    const char *device_code;
    const char *scope;    /* "RESOURCE/.default" */
    const char *resource; /* the older form; used when there is no scope */
    moor_issuer issuer;
};

/* What the endpoint answers when it refuses: Entra's numbers. */
struct moor_signin_refusal {
    int status;        /* 400, 401 or 429 */
    int number;        /* 7000215 for AADSTS7000215 */
    const char *oauth; /* "invalid_client" */
    char text[320];
};

struct moor_signin_grant {
    struct moor_buf token; /* drop it */
    uint32_t expires_in_s;
};

/* MOOR_OK: *grant is filled. DENIED: *refusal is. Anything else: err (a failing store). */
MOOR_NODISCARD moor_code moor_signin(struct moor_authz *a, const struct moor_signin_request *req,
                                     int64_t now_ms, struct moor_signin_grant *grant,
                                     struct moor_signin_refusal *refusal, struct moor_error *err);

/* A fresh secret for the principal, stored as its hash. expires_ms 0 = never. */
MOOR_NODISCARD moor_code moor_signin_new_secret(struct moor_store *s, const char *object_id,
                                                int64_t expires_ms, struct moor_secret *out,
                                                struct moor_error *err);

/* The certificate signs assertions of this principal from now on, until it ends. Again: OK. */
MOOR_NODISCARD moor_code moor_signin_add_certificate(struct moor_store *s, const char *object_id,
                                                     const struct moor_cert *cert,
                                                     struct moor_error *err);

/* The token endpoints advertised, for discovery documents and assertion audiences: 0, 1, 2;
 * appended to out. */
typedef enum moor_token_endpoint {
    MOOR_TOKEN_ADFS,
    MOOR_TOKEN_V2,
    MOOR_TOKEN_V1,
    MOOR_TOKEN_ENDPOINTS
} moor_token_endpoint;
void moor_authz_token_endpoint(const struct moor_authz *a, moor_token_endpoint which,
                               struct moor_buf *out);

/* For authz/ only. Refusing fills *refusal and returns DENIED. */
MOOR_NODISCARD MOOR_PRINTF(5, 6) moor_code
    moor_signin_refuse(struct moor_signin_refusal *refusal, int status, int number,
                       const char *oauth, const char *fmt, ...);
/* The resource asked for: the scope without its "/.default" (exactly that: "https://h//.default"
 * asks for "https://h/"), or the older resource parameter. */
MOOR_NODISCARD moor_code moor_signin_resource(const struct moor_signin_request *req,
                                              struct moor_arena *arena, const char **out,
                                              struct moor_signin_refusal *refusal);
struct moor_store *moor_authz_store(const struct moor_authz *a);
const struct moor_key *moor_authz_key(const struct moor_authz *a);
const char *moor_authz_tenant(const struct moor_authz *a);
const char *moor_authz_service_audience(const struct moor_authz *a);

#endif
