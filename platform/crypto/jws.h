/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jws.h: compact JWS (RFC 7515) with RS256 and PS256, for tokens, assertions and proofs.
 *
 * Verification is told which algorithms and which key count; nothing in the token chooses them.
 * Headers jwk, jku, x5u and crit are refused; kid, x5t, x5t#S256 and x5c are only reported.
 */
#ifndef MOOR_CRYPTO_JWS_H
#define MOOR_CRYPTO_JWS_H

#include <stddef.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "base/span.h"
#include "crypto/key.h"

typedef enum moor_jws_alg { MOOR_JWS_RS256 = 1, MOOR_JWS_PS256 = 2 } moor_jws_alg; /* bits */

struct moor_jws_header {
    moor_jws_alg alg;     /* one bit */
    const char *typ;      /* "" = absent */
    const char *kid;      /* "" = absent */
    const char *x5t;      /* SHA-1, base64url, padding stripped; "" = absent */
    const char *x5t_s256; /* SHA-256, base64url; "" = absent */
};

/* Signs payload; header members that are NULL or "" are left out. The token goes to out. A key in a
 * TPM that cannot make PS256's salt signs RS256 instead, and the header says so. */
MOOR_NODISCARD moor_code moor_jws_sign(const struct moor_key *k, const struct moor_jws_header *h,
                                       struct moor_span payload, struct moor_buf *out,
                                       struct moor_error *err);

/* A token taken apart; nothing is verified yet. At most 16 KiB. Strings live in the arena. */
struct moor_jws {
    struct moor_jws_header header;
    struct moor_span signing_input; /* within the token given: it must live as long */
    struct moor_span signature;
    struct moor_span payload;
};
MOOR_NODISCARD moor_code moor_jws_read(struct moor_span token, struct moor_jws *out,
                                       struct moor_arena *arena, struct moor_error *err);
/* DENIED unless header.alg is among allowed (bits) and the signature is k's. */
MOOR_NODISCARD moor_code moor_jws_verify(const struct moor_jws *j, unsigned allowed,
                                         const struct moor_key *k, struct moor_error *err);

#endif
