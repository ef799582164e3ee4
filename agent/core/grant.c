/* SPDX-License-Identifier: Apache-2.0 */
#include "core/grant.h"

#include "base/sha256.h"
#include "crypto/jws.h"
#include "platform/random.h"

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define LIFE_S         600
/* The verifier's clock may be a little behind: nbf and iat lie back by this. */
#define BACKDATE_S 30

void moor_form_field(struct moor_buf *form, const char *name, struct moor_span value)
{
    moor_buf_fmt(form, "%s%s=", form->len ? "&" : "", name);
    moor_buf_url_part(form, value);
}

static void claims_of(const struct moor_assertion *a, struct moor_buf *out)
{
    char jti[37];
    plat_random_uuid(jti);
    const struct {
        const char *name, *value;
    } texts[] = {
        { "aud", a->token_url }, { "iss", a->client_id }, { "sub", a->client_id }, { "jti", jti }
    };
    for (size_t i = 0; i < MOOR_COUNTOF(texts); i++) {
        moor_buf_fmt(out, "%s\"%s\":", i ? "," : "{", texts[i].name);
        moor_buf_json_str(out, moor_span_str(texts[i].value));
    }
    const long long iat = (long long)a->now_s - BACKDATE_S;
    moor_buf_fmt(out, ",\"iat\":%lld,\"nbf\":%lld,\"exp\":%lld}", iat, iat, iat + LIFE_S);
}

moor_code moor_form_assertion(struct moor_buf *form, const struct moor_assertion *a,
                              struct moor_error *err)
{
    unsigned char sum[MOOR_SHA256_LEN];
    MOOR_AUTO(moor_buf) x5t = MOOR_BUF(64);
    MOOR_AUTO(moor_buf) claims = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(8192);
    moor_cert_sha256(a->cert, sum);
    moor_buf_base64url(&x5t, moor_span(sum, sizeof(sum)));
    claims_of(a, &claims);
    moor_code c = moor_buf_ok(&claims, "client assertion", err);
    if (c)
        return c;
    const struct moor_jws_header h = { .alg = MOOR_JWS_PS256,
                                       .typ = "JWT",
                                       .x5t_s256 = moor_buf_cstr(&x5t) };
    c = moor_jws_sign(a->key, &h, moor_buf_view(&claims), &text, err);
    if (c)
        return c;
    moor_form_field(form, "client_assertion_type", MOOR_SPAN_LIT(ASSERTION_TYPE));
    moor_form_field(form, "client_assertion", moor_buf_view(&text));
    return MOOR_OK;
}
