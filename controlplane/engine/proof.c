/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/proof.h"

#include <string.h>

#include "base/json.h"
#include "base/jsontab.h"
#include "base/sha256.h"
#include "base/text.h"
#include "crypto/jws.h"

#define LIFE_MAX_S  300
#define SKEW_MAX_S  300
#define BACKDATE_MS (INT64_C(5) * 60 * 1000) /* of notBefore, for clocks a little behind */

struct claims {
    const char *aud, *sub, *resource_id, *csr_sha256;
    int64_t iat, exp;
};
#define CLAIM(kind, name, member, min, max)                                                        \
    {                                                                                              \
        kind, name, offsetof(struct claims, member), MOOR_F_REQUIRED, min, max, NULL               \
    }
#define SECONDS_MAX INT64_C(253402300799)
static const struct moor_json_field claim_fields[] = {
    CLAIM(MOOR_F_STR, "aud", aud, 1, 256),
    CLAIM(MOOR_F_STR, "sub", sub, 36, 36),
    CLAIM(MOOR_F_STR, "resourceId", resource_id, 1, 2048),
    CLAIM(MOOR_F_STR, "csrSha256", csr_sha256, 43, 43),
    CLAIM(MOOR_F_I64, "iat", iat, 0, SECONDS_MAX),
    CLAIM(MOOR_F_I64, "exp", exp, 0, SECONDS_MAX),
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape claim_shape = { sizeof(struct claims), claim_fields, 0 };

static moor_code deny(struct moor_error *err, const char *service_code, const char *why)
{
    moor_code c = moor_fail(err, MOOR_E_DENIED, "%s", why);
    if (err) {
        err->http = 403;
        memcpy(err->service_code, service_code, strlen(service_code) + 1);
    }
    return c;
}

static moor_code invalid(struct moor_error *err, const char *why)
{
    return deny(err, "ProofInvalid", why);
}

/* alg and typ, and nothing else: nothing in a proof may point to a key. */
static bool header_is_plain(struct moor_span proof)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(1024);
    MOOR_AUTOPTR(moor_json) header = NULL;
    struct moor_span rest = proof;
    return moor_base64url_decode(moor_span_cut(&rest, '.'), &text, NULL) == MOOR_OK &&
           moor_json_parse(moor_buf_view(&text), &header, NULL) == MOOR_OK &&
           moor_json_typeof(header) == MOOR_JSON_OBJECT && moor_json_size(header) == 2 &&
           moor_json_get_str(header, "alg") &&
           moor_streq(moor_json_get_str(header, "typ"), MOOR_PROOF_TYP);
}

static bool signed_by(const struct moor_jws *j, const char *public_key)
{
    MOOR_AUTOPTR(moor_key) key = NULL;
    return moor_key_from_public_pkcs1(moor_span_str(public_key), &key, NULL) == MOOR_OK &&
           moor_jws_verify(j, MOOR_JWS_RS256 | MOOR_JWS_PS256, key, NULL) == MOOR_OK;
}

static moor_code check_claims(const struct claims *claims, struct moor_span csr_der,
                              const struct moor_proof_facts *facts, struct moor_error *err)
{
    unsigned char digest[MOOR_SHA256_LEN];
    MOOR_AUTO(moor_buf) text = MOOR_BUF(64);
    moor_sha256_of(csr_der, digest);
    moor_buf_base64url(&text, moor_span(digest, sizeof(digest)));
    if (!moor_streq(claims->aud, facts->audience))
        return invalid(err, "proof: aud is not this service's audience");
    if (!moor_streq(claims->sub, facts->vm_id))
        return invalid(err, "proof: sub is another machine");
    if (moor_strcasecmp(claims->resource_id, facts->resource_id) != 0)
        return invalid(err, "proof: resourceId is another resource");
    if (!moor_streq(claims->csr_sha256, moor_buf_cstr(&text)))
        return invalid(err, "proof: csrSha256 is of another request");
    if (claims->exp <= claims->iat || claims->exp - claims->iat > LIFE_MAX_S)
        return invalid(err, "proof: exp must be at most 300 s behind iat");
    int64_t now_s = facts->now_ms / 1000;
    if (claims->iat > now_s + SKEW_MAX_S || claims->exp < now_s - SKEW_MAX_S)
        return deny(err, "ClockSkew", "proof: this machine's clock is off: see serverTime");
    return MOOR_OK;
}

moor_code moor_proof_check(struct moor_span proof, struct moor_span csr_der,
                           const struct moor_proof_facts *facts, const char *const *keys,
                           size_t key_count, struct moor_arena *arena, size_t *which,
                           struct moor_error *err)
{
    struct moor_jws j;
    struct claims claims = { .iat = 0 };
    if (!header_is_plain(proof) || moor_jws_read(proof, &j, arena, NULL))
        return invalid(err, "proof: not a compact JWS with alg and typ only");
    size_t signer = 0;
    while (signer < key_count && !signed_by(&j, keys[signer]))
        signer++;
    if (signer == key_count)
        return invalid(err, "proof: not signed by a key of this machine");
    if (moor_json_decode(j.payload, "proof", &claim_shape, &claims, arena, err))
        return invalid(err, "proof: a claim is missing or malformed");
    moor_code c = check_claims(&claims, csr_der, facts, err);
    if (!c)
        *which = signer;
    return c;
}

moor_code moor_certificate_issue(const struct moor_issue *i, struct moor_cert **out,
                                 struct moor_error *err)
{
    struct moor_cert_spec spec = {
        .common_name = i->client_id,
        .subject = i->subject,
        .issuer = i->ca,
        .issuer_key = i->ca_key,
        .not_before_ms = i->now_ms - BACKDATE_MS,
        .not_after_ms = i->now_ms + i->life_ms,
        .tls_client = true,
    };
    return moor_cert_make(&spec, out, err);
}
