/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/proof.h"

#include "base/sha256.h"
#include "crypto/cert.h"
#include "crypto/jws.h"

#define PROOF_LIFE_S 300
/* The verifier's clock may be a little behind: nbf and iat lie back by this. */
#define BACKDATE_S 30

static void member(struct moor_buf *b, const char *name, const char *value)
{
    moor_buf_fmt(b, "%s\"%s\":", b->len ? "," : "{", name);
    moor_buf_json_str(b, moor_span_str(value));
}

moor_code moor_proof_make(const struct moor_key *k, const struct moor_proof *p,
                          struct moor_buf *out, struct moor_error *err)
{
    unsigned char sum[MOOR_SHA256_LEN];
    moor_sha256_of(p->csr_der, sum);
    int64_t iat = p->now_s - BACKDATE_S;

    MOOR_AUTO(moor_buf) claims = MOOR_BUF(4096);
    member(&claims, "aud", p->audience);
    member(&claims, "sub", p->vm_id);
    member(&claims, "resourceId", p->resource_id);
    moor_buf_str(&claims, ",\"csrSha256\":\"");
    moor_buf_base64url(&claims, moor_span(sum, sizeof(sum)));
    moor_buf_fmt(&claims, "\",\"iat\":%lld,\"exp\":%lld}", (long long)iat,
                 (long long)iat + PROOF_LIFE_S);
    moor_code c = moor_buf_ok(&claims, "proof", err);
    if (c)
        return c;
    const struct moor_jws_header h = { .alg = MOOR_JWS_PS256, .typ = "mooring-proof+jwt" };
    return moor_jws_sign(k, &h, moor_buf_view(&claims), out, err);
}

moor_code moor_proof_request(const struct moor_key *subject, const struct moor_key *key,
                             const struct moor_proof *p, struct moor_buf *csr,
                             struct moor_buf *proof, struct moor_error *err)
{
    struct moor_proof whole = *p;
    moor_code c = moor_csr_make(subject, p->vm_id, csr, err);
    whole.csr_der = moor_buf_view(csr);
    return c ? c : moor_proof_make(key, &whole, proof, err);
}
