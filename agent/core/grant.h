/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grant.h: the form of a token request (RFC 6749, 7523), for the machine's identity and for the
 * administrator's sign-in. Pure but for the assertion's random jti and PSS salt; any thread.
 */
#ifndef MOOR_CORE_GRANT_H
#define MOOR_CORE_GRANT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "crypto/cert.h"
#include "crypto/key.h"

/* Appends "name=value", percent-coded, behind an '&' unless it is the first. */
void moor_form_field(struct moor_buf *form, const char *name, struct moor_span value);

struct moor_assertion {
    const struct moor_key *key;
    const struct moor_cert *cert; /* names the key at the sign-in (x5t#S256) */
    const char *token_url;        /* the registered token endpoint, byte for byte: aud */
    const char *client_id;
    int64_t now_s; /* of a clock that the endpoint shares */
};
/* Appends client_assertion_type and client_assertion: a compact JWS, PS256, 10 minutes. */
MOOR_NODISCARD moor_code moor_form_assertion(struct moor_buf *form, const struct moor_assertion *a,
                                             struct moor_error *err);

#endif
