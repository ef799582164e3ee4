/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/jws.h"

#include <openssl/rsa.h>
#include <string.h>

#include "base/jsontab.h"
#include "base/text.h"
#include "crypto/ssl.h"
#include "crypto/tpm_internal.h"

#define TOKEN_MAX     (16 * 1024)
#define SIGNATURE_MAX MOOR_TPM_SIGNATURE_MAX /* RSA-4096 */

static const char *const alg_names[] = { "RS256", "PS256", NULL };
static const moor_jws_alg alg_bits[] = { MOOR_JWS_RS256, MOOR_JWS_PS256 };

/* A header that carries one of these wants to choose the key, or to change the rules. */
static const char *const refused_names[] = { "jwk", "jku", "x5u", "crit", "b64" };

struct raw_header {
    int alg;
    const char *typ, *kid, *x5t, *x5t_s256;
};
static const struct moor_json_field header_fields[] = {
    { MOOR_F_ENUM, "alg", offsetof(struct raw_header, alg), MOOR_F_REQUIRED, 0, 0, alg_names },
    { MOOR_F_STR, "typ", offsetof(struct raw_header, typ), 0, 0, 64, NULL },
    { MOOR_F_STR, "kid", offsetof(struct raw_header, kid), 0, 0, 256, NULL },
    { MOOR_F_STR, "x5t", offsetof(struct raw_header, x5t), 0, 0, 64, NULL },
    { MOOR_F_STR, "x5t#S256", offsetof(struct raw_header, x5t_s256), 0, 0, 64, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape header_shape = { sizeof(struct raw_header), header_fields, 0 };

/* Sets padding, and for PSS the salt length RFC 7518 fixes to the digest's. */
static bool set_padding(EVP_PKEY_CTX *pc, moor_jws_alg alg)
{
    if (alg == MOOR_JWS_RS256)
        return EVP_PKEY_CTX_set_rsa_padding(pc, RSA_PKCS1_PADDING) > 0;
    return EVP_PKEY_CTX_set_rsa_padding(pc, RSA_PKCS1_PSS_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(pc, RSA_PSS_SALTLEN_DIGEST) > 0;
}

static void member(struct moor_buf *b, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    moor_buf_fmt(b, ",\"%s\":", name);
    moor_buf_json_str(b, moor_span_str(value));
}

static moor_code signing_input(const struct moor_jws_header *h, struct moor_span payload,
                               struct moor_buf *out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) head = MOOR_BUF(2048);
    moor_buf_fmt(&head, "{\"alg\":\"%s\"", alg_names[h->alg == MOOR_JWS_PS256]);
    member(&head, "typ", h->typ);
    member(&head, "kid", h->kid);
    member(&head, "x5t", h->x5t);
    member(&head, "x5t#S256", h->x5t_s256);
    moor_buf_char(&head, '}');
    moor_code c = moor_buf_ok(&head, "token header", err);
    if (c)
        return c;
    moor_buf_base64url(out, moor_buf_view(&head));
    moor_buf_char(out, '.');
    moor_buf_base64url(out, payload);
    return moor_buf_ok(out, "token", err);
}

static moor_code sign(const struct moor_key *k, moor_jws_alg alg, struct moor_span text,
                      unsigned char sig[SIGNATURE_MAX], size_t *n, struct moor_error *err)
{
    if (moor_key_in_tpm(k))
        return moor_tpm_sign(k, alg == MOOR_JWS_PS256, text, sig, n, err);
    MOOR_AUTOPTR(evp_md_ctx_st) ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pc = NULL; /* owned by ctx */
    *n = SIGNATURE_MAX;
    if (!ctx || EVP_DigestSignInit(ctx, &pc, EVP_sha256(), NULL, moor_key_evp(k)) != 1 ||
        !set_padding(pc, alg) ||
        EVP_DigestSign(ctx, sig, n, (const unsigned char *)text.p, text.n) != 1)
        return moor_ssl_fail(err, MOOR_E_IO, "token: signing");
    return MOOR_OK;
}

static moor_code signed_as(const struct moor_key *k, const struct moor_jws_header *h,
                           struct moor_span payload, struct moor_buf *text,
                           unsigned char sig[SIGNATURE_MAX], size_t *n, struct moor_error *err)
{
    moor_buf_reset(text);
    moor_code c = signing_input(h, payload, text, err);
    return c ? c : sign(k, h->alg, moor_buf_view(text), sig, n, err);
}

moor_code moor_jws_sign(const struct moor_key *k, const struct moor_jws_header *h,
                        struct moor_span payload, struct moor_buf *out, struct moor_error *err)
{
    MOOR_ASSERT(h->alg == MOOR_JWS_RS256 || h->alg == MOOR_JWS_PS256);
    if (!EVP_PKEY_is_a(moor_key_evp(k), "RSA"))
        return moor_fail(err, MOOR_E_BADINPUT, "token: want an RSA key");
    MOOR_AUTO(moor_buf) text = MOOR_BUF(TOKEN_MAX);
    unsigned char sig[SIGNATURE_MAX];
    size_t n = 0;
    moor_code c = signed_as(k, h, payload, &text, sig, &n, err);
    if (c == MOOR_E_UNSUPPORTED && h->alg == MOOR_JWS_PS256) {
        struct moor_jws_header other = *h;
        other.alg = MOOR_JWS_RS256;
        c = signed_as(k, &other, payload, &text, sig, &n, err);
    }
    if (c)
        return c;
    moor_buf_span(out, moor_buf_view(&text));
    moor_buf_char(out, '.');
    moor_buf_base64url(out, moor_span(sig, n));
    return moor_buf_ok(out, "token", err);
}

static moor_code decode_part(struct moor_span part, const char *what, struct moor_arena *arena,
                             struct moor_span *out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(TOKEN_MAX);
    if (moor_base64url_decode(part, &b, err))
        return moor_context(err, "token %s", what);
    char *copy = moor_arena_alloc(arena, b.len + 1);
    if (!copy)
        return moor_fail(err, MOOR_E_NOMEM, "token: too large");
    for (size_t i = 0; i < b.len; i++)
        copy[i] = b.data[i];
    *out = moor_span(copy, b.len);
    return MOOR_OK;
}

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

static moor_code read_header(struct moor_span text, struct moor_jws_header *out,
                             struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) v = NULL;
    moor_code c = moor_json_parse(text, &v, err);
    if (c)
        return moor_context(err, "token header");
    for (size_t i = 0; i < MOOR_COUNTOF(refused_names); i++)
        if (moor_json_get(v, refused_names[i]))
            return moor_fail(err, MOOR_E_BADINPUT, "token header: %s is not accepted",
                             refused_names[i]);
    struct raw_header raw = { .alg = -1 };
    c = moor_json_decode_value(v, "token header", &header_shape, &raw, arena, err);
    if (c)
        return c;
    char *x5t = moor_arena_str(arena, moor_span_str(or_empty(raw.x5t)));
    if (!x5t)
        return moor_fail(err, MOOR_E_NOMEM, "token header: too large");
    for (size_t n = strlen(x5t); n && x5t[n - 1] == '='; n--)
        x5t[n - 1] = '\0';
    *out = (struct moor_jws_header){
        .alg = alg_bits[raw.alg],
        .typ = or_empty(raw.typ),
        .kid = or_empty(raw.kid),
        .x5t = x5t,
        .x5t_s256 = or_empty(raw.x5t_s256),
    };
    return MOOR_OK;
}

moor_code moor_jws_read(struct moor_span token, struct moor_jws *out, struct moor_arena *arena,
                        struct moor_error *err)
{
    if (token.n > TOKEN_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "token: longer than %d bytes", TOKEN_MAX);
    struct moor_span rest = token;
    struct moor_span head = moor_span_cut(&rest, '.');
    struct moor_span body = moor_span_cut(&rest, '.');
    if (!head.n || !body.n || !rest.n)
        return moor_fail(err, MOOR_E_BADINPUT, "token: want three parts");

    struct moor_jws j = { .signing_input = moor_span(token.p, head.n + 1 + body.n) };
    struct moor_span head_text = MOOR_SPAN_NONE;
    moor_code c = decode_part(head, "header", arena, &head_text, err);
    if (!c)
        c = read_header(head_text, &j.header, arena, err);
    if (!c)
        c = decode_part(body, "payload", arena, &j.payload, err);
    if (!c)
        c = decode_part(rest, "signature", arena, &j.signature, err);
    if (!c)
        *out = j;
    return c;
}

moor_code moor_jws_verify(const struct moor_jws *j, unsigned allowed, const struct moor_key *k,
                          struct moor_error *err)
{
    if (!((unsigned)j->header.alg & allowed))
        return moor_fail(err, MOOR_E_DENIED, "token: algorithm is not accepted");
    if (!EVP_PKEY_is_a(moor_key_evp(k), "RSA"))
        return moor_fail(err, MOOR_E_DENIED, "token: the key is not an RSA key");
    MOOR_AUTOPTR(evp_md_ctx_st) ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pc = NULL; /* owned by ctx */
    if (!ctx || EVP_DigestVerifyInit(ctx, &pc, EVP_sha256(), NULL, moor_key_evp(k)) != 1 ||
        !set_padding(pc, j->header.alg))
        return moor_ssl_fail(err, MOOR_E_IO, "token: verification");
    if (EVP_DigestVerify(ctx, (const unsigned char *)j->signature.p, j->signature.n,
                         (const unsigned char *)j->signing_input.p, j->signing_input.n) != 1) {
        moor_ssl_forget();
        return moor_fail(err, MOOR_E_DENIED, "token: signature does not match");
    }
    return MOOR_OK;
}
