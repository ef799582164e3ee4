/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: making them and believing them; rights from role assignments. */
#include "authz/authz.h"

#include <stdlib.h>
#include <string.h>

#include "authz/rights.h"
#include "authz/signin.h"
#include "base/jsontab.h"
#include "base/sha256.h"
#include "base/text.h"
#include "crypto/jws.h"
#include "platform/random.h"

#define MACHINE_LIFE_S     (24u * 3600)
#define APPLICATION_LIFE_S 3600u
#define SKEW_S             300
#define TOKEN_MAX          (16u << 10)
#define URL_MAX            1024

struct signer {
    struct moor_key *key; /* NULL = there is none */
    char kid[44];
};

struct moor_authz {
    struct moor_store *store;
    struct signer signers[2]; /* the present one, and the one before it */
    char *base_url, *tenant_id, *service_audience;
    char *issuer[2];
};

static moor_code make_issuers(struct moor_authz *a, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) adfs = MOOR_BUF(URL_MAX);
    MOOR_AUTO(moor_buf) tenant = MOOR_BUF(URL_MAX);
    moor_buf_fmt(&adfs, "%s/adfs", a->base_url);
    moor_buf_fmt(&tenant, "%s/%s/v2.0", a->base_url, a->tenant_id);
    moor_code c = moor_buf_take(&adfs, "issuer", &a->issuer[MOOR_ISSUER_ADFS], err);
    return c ? c : moor_buf_take(&tenant, "issuer", &a->issuer[MOOR_ISSUER_TENANT], err);
}

static moor_code make_signer(struct moor_key *key, struct signer *out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) pkcs1 = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(sizeof(out->kid) - 1);
    unsigned char digest[MOOR_SHA256_LEN];
    moor_code c = moor_key_public_pkcs1(key, &pkcs1, err);
    if (c)
        return c;
    moor_sha256_of(moor_buf_view(&pkcs1), digest);
    moor_buf_base64url(&text, moor_span(digest, sizeof(digest)));
    c = moor_buf_ok(&text, "key id", err);
    if (c)
        return c;
    memcpy(out->kid, moor_buf_cstr(&text), text.len + 1);
    out->key = moor_key_ref(key);
    return MOOR_OK;
}

moor_code moor_authz_set_keys(struct moor_authz *a, struct moor_key *key, struct moor_key *previous,
                              struct moor_error *err)
{
    struct signer fresh[2] = { { .key = NULL }, { .key = NULL } };
    moor_code c = make_signer(key, &fresh[0], err);
    if (!c && previous)
        c = make_signer(previous, &fresh[1], err);
    for (size_t i = 0; i < MOOR_COUNTOF(fresh); i++) {
        moor_key_free(c ? fresh[i].key : a->signers[i].key);
        if (!c)
            a->signers[i] = fresh[i];
    }
    return c;
}

moor_code moor_authz_new(const struct moor_authz_opts *opts, struct moor_authz **out,
                         struct moor_error *err)
{
    MOOR_AUTOPTR(moor_authz) a = calloc(1, sizeof(*a));
    if (!a)
        return moor_fail(err, MOOR_E_NOMEM, "sign-in: out of memory");
    a->store = opts->store;
    a->base_url = moor_strdup(opts->base_url);
    a->tenant_id = moor_strdup(opts->tenant_id);
    a->service_audience = moor_strdup(opts->service_audience);
    if (!a->base_url || !a->tenant_id || !a->service_audience)
        return moor_fail(err, MOOR_E_NOMEM, "sign-in: out of memory");
    moor_code c = make_issuers(a, err);
    if (!c)
        c = moor_authz_set_keys(a, opts->signing_key, NULL, err);
    if (!c)
        *out = MOOR_TAKE(a);
    return c;
}

void moor_authz_free(struct moor_authz *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < MOOR_COUNTOF(a->signers); i++)
        moor_key_free(a->signers[i].key);
    free(a->base_url);
    free(a->tenant_id);
    free(a->service_audience);
    free(a->issuer[MOOR_ISSUER_ADFS]);
    free(a->issuer[MOOR_ISSUER_TENANT]);
    free(a);
}

const char *moor_authz_issuer(const struct moor_authz *a, moor_issuer which)
{
    return a->issuer[which];
}

static moor_code add_jwk(const struct signer *k, struct moor_buf *json, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) n = MOOR_BUF(1024);
    MOOR_AUTO(moor_buf) e = MOOR_BUF(64);
    moor_code c = moor_key_jwk_parts(k->key, &n, &e, err);
    if (c)
        return c;
    moor_buf_fmt(json,
                 "{\"kty\":\"RSA\",\"use\":\"sig\",\"alg\":\"RS256\",\"kid\":\"%s\",\"x5t\":\"%s\","
                 "\"n\":\"%s\",\"e\":\"%s\"}",
                 k->kid, k->kid, moor_buf_cstr(&n), moor_buf_cstr(&e));
    return MOOR_OK;
}

moor_code moor_authz_jwks(const struct moor_authz *a, struct moor_buf *json, struct moor_error *err)
{
    moor_code c = MOOR_OK;
    moor_buf_str(json, "{\"keys\":[");
    for (size_t i = 0; !c && i < MOOR_COUNTOF(a->signers) && a->signers[i].key; i++) {
        if (i)
            moor_buf_char(json, ',');
        c = add_jwk(&a->signers[i], json, err);
    }
    moor_buf_str(json, "]}");
    return c ? c : moor_buf_ok(json, "key set", err);
}

/* Machines spread their renewals: +-10 %. */
static uint32_t life_of(const struct moor_principal_row *p)
{
    if (p->kind != MOOR_PRINCIPAL_MACHINE)
        return APPLICATION_LIFE_S;
    uint32_t tenth = MACHINE_LIFE_S / 10;
    return MACHINE_LIFE_S - tenth + plat_random_below(2 * tenth + 1);
}

/* What Azure's readers of tokens may look for. Our own service does not, and is sent its token with
 * every heartbeat. */
static void add_foreign_claims(struct moor_json *claims, const struct moor_principal_row *p,
                               moor_issuer issuer, int64_t now_s)
{
    char uti[37];
    plat_random_uuid(uti);
    moor_json_set_int(claims, "nbf", now_s - SKEW_S);
    moor_json_set_str(claims, "sub", p->object_id);
    moor_json_set_str(claims, "azp", p->client_id);
    moor_json_set_str(claims, "idtyp", "app");
    moor_json_set_str(claims, "uti", uti);
    moor_json_set_str(claims, "ver", issuer == MOOR_ISSUER_ADFS ? "1.0" : "2.0");
    if (p->kind == MOOR_PRINCIPAL_MACHINE)
        moor_json_set_str(claims, "xms_mirid", p->resource_id);
}

moor_code moor_authz_issue(const struct moor_authz *a, const struct moor_principal_row *p,
                           const char *resource, moor_issuer issuer, int64_t now_ms,
                           struct moor_buf *token, uint32_t *expires_in_s, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) claims = moor_json_new_object();
    MOOR_AUTO(moor_buf) payload = MOOR_BUF(TOKEN_MAX);
    uint32_t life = life_of(p);
    int64_t now_s = now_ms / 1000;
    moor_json_set_str(claims, "aud", resource);
    bool own = moor_streq(resource, a->service_audience);
    moor_json_set_str(claims, "iss", a->issuer[own ? MOOR_ISSUER_ADFS : issuer]);
    moor_json_set_int(claims, "iat", now_s);
    moor_json_set_int(claims, "exp", now_s + life);
    moor_json_set_str(claims, "tid", p->tenant_id);
    moor_json_set_str(claims, "oid", p->object_id);
    moor_json_set_str(claims, "appid", p->client_id);
    if (!own)
        add_foreign_claims(claims, p, issuer, now_s);
    moor_buf_json(&payload, claims);
    moor_code c = moor_buf_ok(&payload, "token", err);
    if (c)
        return c;
    struct moor_jws_header h = { .alg = MOOR_JWS_RS256 };
    if (!own) {
        h.typ = "JWT";
        h.kid = a->signers[0].kid;
    }
    c = moor_jws_sign(a->signers[0].key, &h, moor_buf_view(&payload), token, err);
    if (!c)
        *expires_in_s = life;
    return c;
}

MOOR_NODISCARD MOOR_PRINTF(3, 4) static moor_code
    deny(struct moor_error *err, const char *code, const char *fmt, ...)
{
    char text[256];
    MOOR_AUTO(moor_buf) b = MOOR_BUF(sizeof(text) - 1);
    va_list ap;
    va_start(ap, fmt);
    moor_buf_vfmt(&b, fmt, ap);
    va_end(ap);
    moor_code c = moor_fail(err, MOOR_E_DENIED, "%s", moor_buf_cstr(&b));
    if (err)
        memcpy(err->service_code, code, strlen(code) + 1);
    return c;
}

static bool same_but_slash(const char *a, const char *b)
{
    struct moor_span x = moor_span_str(a), y = moor_span_str(b);
    while (x.n && x.p[x.n - 1] == '/')
        x.n--;
    while (y.n && y.p[y.n - 1] == '/')
        y.n--;
    return moor_span_eq_nocase(x, y);
}

static bool among(const char *const *names, const char *aud)
{
    for (; *names; names++)
        if (same_but_slash(*names, aud))
            return true;
    return false;
}

/* Clients ask for Azure's own names whatever endpoint they are given (azure-sdk for
 * loganalytics, monitor-ingestion); the token is worth something here only. */
static bool audience_fits(const struct moor_authz *a, moor_audience wanted, const char *aud)
{
    static const char *const arm[] = { "https://management.azure.com",
                                       "https://management.core.windows.net", NULL };
    static const char *const ingestion[] = { "https://monitor.azure.com", NULL };
    static const char *const query[] = { "https://api.loganalytics.io",
                                         "https://api.loganalytics.azure.com", NULL };
    bool is_arm = same_but_slash(a->base_url, aud) || among(arm, aud);
    switch (wanted) {
    case MOOR_AUD_ARM:
        return is_arm;
    case MOOR_AUD_SERVICE:
        return moor_streq(a->service_audience, aud);
    case MOOR_AUD_INGESTION:
        return among(ingestion, aud);
    case MOOR_AUD_QUERY:
        return is_arm || among(query, aud);
    case MOOR_AUD_NOBODY:
    case MOOR_AUD_PUBLIC:
    default:
        return false;
    }
}

struct claims {
    const char *aud, *iss, *tid, *oid, *appid;
    int64_t iat, exp, nbf;
};

static const struct moor_json_field claim_fields[] = {
    { MOOR_F_STR, "aud", offsetof(struct claims, aud), MOOR_F_REQUIRED, 1, 512, NULL },
    { MOOR_F_STR, "iss", offsetof(struct claims, iss), MOOR_F_REQUIRED, 1, URL_MAX, NULL },
    { MOOR_F_STR, "tid", offsetof(struct claims, tid), MOOR_F_REQUIRED, 1, 64, NULL },
    { MOOR_F_STR, "oid", offsetof(struct claims, oid), MOOR_F_REQUIRED, 1, 64, NULL },
    { MOOR_F_STR, "appid", offsetof(struct claims, appid), MOOR_F_REQUIRED, 1, 64, NULL },
    { MOOR_F_I64, "iat", offsetof(struct claims, iat), MOOR_F_REQUIRED, 1, INT64_C(1) << 40, NULL },
    { MOOR_F_I64, "exp", offsetof(struct claims, exp), MOOR_F_REQUIRED, 1, INT64_C(1) << 40, NULL },
    { MOOR_F_I64, "nbf", offsetof(struct claims, nbf), 0, 1, INT64_C(1) << 40, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape claim_shape = { sizeof(struct claims), claim_fields, 0 };

/* Whether one of our keys made it. A token for our own service names none: moor_authz_issue(). */
static bool is_signed(const struct moor_authz *a, const struct moor_jws *j)
{
    for (size_t i = 0; i < MOOR_COUNTOF(a->signers); i++) {
        const struct signer *s = &a->signers[i];
        bool named = *j->header.kid == '\0' || moor_streq(s->kid, j->header.kid);
        if (s->key && named && moor_jws_verify(j, MOOR_JWS_RS256, s->key, NULL) == MOOR_OK)
            return true;
    }
    return false;
}

/* Signature first: nothing in a token is looked at before it is known to be ours. */
static moor_code read_claims(const struct moor_authz *a, struct moor_span token,
                             struct moor_arena *arena, struct claims *out, struct moor_error *err)
{
    struct moor_jws j;
    if (moor_jws_read(token, &j, arena, NULL) || !is_signed(a, &j) ||
        moor_json_decode(j.payload, "token", &claim_shape, out, arena, NULL))
        return deny(err, "InvalidAuthenticationToken", "The access token is invalid.");
    return MOOR_OK;
}

static moor_code check_claims(const struct moor_authz *a, const struct claims *t,
                              moor_audience audience, int64_t now_ms, struct moor_error *err)
{
    int64_t now_s = now_ms / 1000;
    if (!moor_streq(t->iss, a->issuer[MOOR_ISSUER_ADFS]) &&
        !moor_streq(t->iss, a->issuer[MOOR_ISSUER_TENANT]))
        return deny(err, "InvalidAuthenticationTokenTenant",
                    "The access token is from the wrong issuer.");
    if (!audience_fits(a, audience, t->aud))
        return deny(err, "InvalidAuthenticationTokenAudience",
                    "The access token has been obtained for wrong audience or resource '%s'.",
                    t->aud);
    if (t->exp <= now_s)
        return deny(err, "ExpiredAuthenticationToken", "The access token expiry is in the past.");
    if (t->nbf > now_s + SKEW_S)
        return deny(err, "InvalidAuthenticationToken", "The access token is not valid yet.");
    return MOOR_OK;
}

static void copy_id(char out[40], const char *id)
{
    size_t n = strlen(id);
    n = n < 39 ? n : 39;
    memcpy(out, id, n);
    out[n] = '\0';
}

/* A disabled machine is still told by the service that it is. */
static bool may_speak(const struct moor_principal_row *row, moor_audience audience)
{
    return !row->disabled || (row->kind == MOOR_PRINCIPAL_MACHINE && audience == MOOR_AUD_SERVICE);
}

static moor_code load_principal(struct moor_authz *a, const struct claims *t,
                                moor_audience audience, struct moor_arena *arena,
                                struct moor_principal *out, struct moor_error *err)
{
    struct moor_principal_row row = { 0 };
    struct moor_error store_err = MOOR_ERROR_INIT;
    moor_code c = moor_principal_by_object(a->store, t->oid, arena, &row, &store_err);
    if (c && c != MOOR_E_NOTFOUND) {
        if (err)
            *err = store_err;
        return c;
    }
    if (c || !may_speak(&row, audience) || !moor_streq(row.tenant_id, t->tid) ||
        !moor_streq(row.client_id, t->appid))
        return deny(err, "InvalidAuthenticationToken",
                    "The principal of the access token does not exist or is disabled.");
    struct moor_principal p = { .kind = row.kind,
                                .issued_ms = t->iat * 1000,
                                .disabled = row.disabled,
                                .resource_id = row.resource_id,
                                .name = row.name };
    copy_id(p.object_id, row.object_id);
    copy_id(p.client_id, row.client_id);
    copy_id(p.tenant_id, row.tenant_id);
    copy_id(p.vm_id, row.vm_id);
    *out = p;
    return MOOR_OK;
}

moor_code moor_authz_authenticate(struct moor_authz *a, const char *header, moor_audience audience,
                                  int64_t now_ms, struct moor_arena *arena,
                                  struct moor_principal *out, struct moor_error *err)
{
    struct claims t = { 0 };
    *out = (struct moor_principal){ .resource_id = "", .name = "" };
    struct moor_span value = moor_span_str(header);
    struct moor_span scheme = moor_span_cut(&value, ' ');
    if (!moor_span_eq_nocase(scheme, MOOR_SPAN_LIT("Bearer")) || value.n == 0)
        return deny(err, "AuthenticationFailed",
                    "Authentication failed. The 'Authorization' header is missing.");
    moor_code c = read_claims(a, moor_span_trim(value), arena, &t, err);
    if (!c)
        c = check_claims(a, &t, audience, now_ms, err);
    if (!c)
        c = load_principal(a, &t, audience, arena, out, err);
    return c;
}

static bool allows(struct moor_authz *a, const struct moor_principal *p, const char *action,
                   const char *scope, bool data)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1u << 20);
    struct moor_role_assignments assignments = { NULL, 0 };
    if (p->kind == MOOR_PRINCIPAL_NOBODY)
        return false;
    if (moor_role_assignments_of(a->store, p->object_id, &arena, &assignments, NULL))
        return false;
    return moor_rights_allow(&assignments, action, scope, data);
}

bool moor_authz_allows(struct moor_authz *a, const struct moor_principal *p, const char *action,
                       const char *scope)
{
    return allows(a, p, action, scope, false);
}

bool moor_authz_allows_data(struct moor_authz *a, const struct moor_principal *p,
                            const char *data_action, const char *scope)
{
    return allows(a, p, data_action, scope, true);
}

void moor_authz_token_endpoint(const struct moor_authz *a, moor_token_endpoint which,
                               struct moor_buf *out)
{
    switch (which) {
    case MOOR_TOKEN_ADFS:
        moor_buf_fmt(out, "%s/adfs/oauth2/token", a->base_url);
        break;
    case MOOR_TOKEN_V1:
        moor_buf_fmt(out, "%s/%s/oauth2/token", a->base_url, a->tenant_id);
        break;
    case MOOR_TOKEN_V2:
    case MOOR_TOKEN_ENDPOINTS:
    default:
        moor_buf_fmt(out, "%s/%s/oauth2/v2.0/token", a->base_url, a->tenant_id);
        break;
    }
}

struct moor_store *moor_authz_store(const struct moor_authz *a)
{
    return a->store;
}

const struct moor_key *moor_authz_key(const struct moor_authz *a)
{
    return a->signers[0].key;
}

const char *moor_authz_tenant(const struct moor_authz *a)
{
    return a->tenant_id;
}

const char *moor_authz_service_audience(const struct moor_authz *a)
{
    return a->service_audience;
}
