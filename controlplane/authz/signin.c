/* SPDX-License-Identifier: Apache-2.0 */
#include "authz/signin.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "authz/device.h"
#include "base/json.h"
#include "base/text.h"
#include "crypto/cert.h"
#include "crypto/digest.h"
#include "crypto/jws.h"
#include "platform/random.h"
#include "store/machines.h"

#define SKEW_S           300
#define ASSERTION_LIFE_S 3600 /* of an assertion at most, from now on */
#define RESOURCE_MAX     512
#define SECRET_BYTES     32
#define CERT_MAX         (16u << 10)

moor_code moor_signin_refuse(struct moor_signin_refusal *r, int status, int number,
                             const char *oauth, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    MOOR_AUTO(moor_buf) b = MOOR_BUF(sizeof(r->text) - 1);
    moor_buf_vfmt(&b, fmt, ap);
    va_end(ap);
    *r = (struct moor_signin_refusal){ .status = status, .number = number, .oauth = oauth };
    memcpy(r->text, moor_buf_cstr(&b), b.len + !b.failed);
    return MOOR_E_DENIED;
}

static void hash_secret(const unsigned char salt[16], struct moor_span secret,
                        unsigned char out[32])
{
    moor_hmac_sha256(moor_span(salt, 16), secret, out);
}

moor_code moor_signin_new_secret(struct moor_store *s, const char *object_id, int64_t expires_ms,
                                 struct moor_secret *out, struct moor_error *err)
{
    unsigned char bytes[SECRET_BYTES];
    struct moor_secret_row row = { .expires_ms = expires_ms };
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(64);
    plat_random(row.salt, sizeof(row.salt));
    /* Not with a dash in front: people pass it as an argument (az login -p). */
    do {
        moor_buf_reset(&text);
        plat_random(bytes, sizeof(bytes));
        moor_buf_base64url(&text, moor_span(bytes, sizeof(bytes)));
    } while (moor_buf_cstr(&text)[0] == '-');
    moor_wipe(bytes, sizeof(bytes));
    moor_code c = moor_buf_ok(&text, "secret", err);
    if (c)
        return c;
    hash_secret(row.salt, moor_buf_view(&text), row.hash);
    c = moor_secret_row_add(s, object_id, &row, err);
    return c ? c : moor_secret_take(out, &text, err);
}

moor_code moor_signin_add_certificate(struct moor_store *s, const char *object_id,
                                      const struct moor_cert *cert, struct moor_error *err)
{
    char thumbprint[41];
    MOOR_AUTO(moor_buf) sha1 = MOOR_BUF(20);
    MOOR_AUTO(moor_buf) der = MOOR_BUF(CERT_MAX);
    struct moor_credential_row row = { .object_id = object_id,
                                       .not_before_ms = moor_cert_not_before_ms(cert),
                                       .not_after_ms = moor_cert_not_after_ms(cert) };
    moor_cert_sha256(cert, row.sha256);
    moor_cert_sha1_hex(cert, thumbprint);
    moor_code c = moor_hex_decode(moor_span_str(thumbprint), &sha1, err);
    if (!c)
        c = moor_cert_to_der(cert, &der, err);
    if (!c)
        c = moor_buf_ok(&der, "certificate", err);
    if (c)
        return c;
    memcpy(row.sha1, sha1.data, sizeof(row.sha1));
    row.der = moor_buf_view(&der);
    return moor_credential_add(s, &row, err);
}

/* Who signs in; zero when the application is unknown. */
struct applicant {
    struct moor_principal_row row;
    bool known;
};

moor_code moor_signin_resource(const struct moor_signin_request *req, struct moor_arena *arena,
                               const char **out, struct moor_signin_refusal *refusal)
{
    struct moor_span r = moor_span_str(req->resource);
    if (req->scope && *req->scope) {
        r = moor_span_str(req->scope);
        if (!moor_span_ends(r, "/.default"))
            return moor_signin_refuse(
                refusal, 400, 1002012, "invalid_scope",
                "The provided value for scope is not valid. Client credential flows must "
                "have a scope value with /.default suffixed to the resource identifier.");
        r.n -= strlen("/.default");
    }
    if (r.n == 0)
        return moor_signin_refuse(
            refusal, 400, 900144, "invalid_request",
            "The request body must contain the following parameter: 'scope'.");
    bool printable = r.n <= RESOURCE_MAX;
    for (size_t i = 0; i < r.n && printable; i++)
        printable = r.p[i] > ' ' && r.p[i] < 0x7f && r.p[i] != '"' && r.p[i] != '\\';
    if (!printable)
        return moor_signin_refuse(refusal, 400, 500011, "invalid_resource",
                                  "The resource principal asked for was not found in the tenant.");
    *out = moor_arena_str(arena, r);
    return *out ? MOOR_OK
                : moor_signin_refuse(refusal, 400, 500011, "invalid_resource",
                                     "The resource is too long.");
}

static moor_code unknown_application(struct moor_signin_refusal *refusal, const char *client_id)
{
    bool readable = moor_uuid_valid(moor_span_str(client_id));
    return moor_signin_refuse(refusal, 400, 700016, "unauthorized_client",
                              "Application with identifier '%s' was not found in the directory.",
                              readable ? client_id : "?");
}

/* Compares with every stored secret, and with one that nobody has when there is none. */
static moor_code check_secret(struct moor_authz *a, const struct applicant *who,
                              const struct moor_signin_request *req, int64_t now_ms,
                              struct moor_arena *arena, struct moor_signin_refusal *refusal,
                              struct moor_error *err)
{
    static const unsigned char nobody[32] = { 0 };
    struct moor_span given = moor_secret_reveal(req->client_secret);
    struct moor_secret_rows rows = { NULL, 0 };
    unsigned char hash[32];
    bool good = false, expired = false;
    const char *object_id = who->known ? who->row.object_id : "";
    moor_code c = moor_secret_row_list(moor_authz_store(a), object_id, arena, &rows, err);
    if (c)
        return c;
    if (rows.count == 0)
        hash_secret(nobody, given, hash);
    for (size_t i = 0; i < rows.count; i++) {
        const struct moor_secret_row *row = &rows.items[i];
        hash_secret(row->salt, given, hash);
        bool same = moor_span_eq_secret(moor_span(hash, 32), moor_span(row->hash, 32));
        bool live = row->expires_ms == 0 || row->expires_ms > now_ms;
        good |= same && live;
        expired |= same && !live;
    }
    moor_wipe(hash, sizeof(hash));
    if (!who->known)
        return unknown_application(refusal, req->client_id);
    if (good)
        return MOOR_OK;
    if (expired)
        return moor_signin_refuse(refusal, 401, 7000222, "invalid_client",
                                  "The provided client secret keys for app '%s' are expired.",
                                  who->row.client_id);
    return moor_signin_refuse(
        refusal, 401, 7000215, "invalid_client",
        "Invalid client secret provided. Ensure the secret being sent in the request is "
        "the client secret value, not the client secret ID, for a secret added to app "
        "'%s'.",
        who->row.client_id);
}

static moor_code bad_assertion(struct moor_signin_refusal *refusal, const char *why)
{
    return moor_signin_refuse(refusal, 401, 700027, "invalid_client",
                              "Client assertion failed signature validation: %s.", why);
}

static moor_code decode_digest(const struct moor_jws *j, struct moor_buf *out)
{
    const char *text = *j->header.x5t_s256 ? j->header.x5t_s256 : j->header.x5t;
    size_t want = *j->header.x5t_s256 ? 32 : 20;
    moor_code c = moor_base64url_decode(moor_span_str(text), out, NULL);
    return c || out->len != want ? MOOR_E_BADINPUT : MOOR_OK;
}

/* The certificate named by the assertion's header, when it is this application's and in force. */
static bool find_credential(struct moor_authz *a, const struct applicant *who,
                            const struct moor_jws *j, int64_t now_ms, struct moor_arena *arena,
                            struct moor_credential_row *out)
{
    MOOR_AUTO(moor_buf) digest = MOOR_BUF(64);
    if (decode_digest(j, &digest))
        return false;
    if (moor_credential_find(moor_authz_store(a), moor_buf_view(&digest), arena, out, NULL))
        return false;
    return who->known && moor_streq(out->object_id, who->row.object_id) &&
           out->not_before_ms <= now_ms + SKEW_S * 1000 && out->not_after_ms > now_ms;
}

static moor_code check_signature(struct moor_authz *a, const struct moor_jws *j,
                                 const struct moor_credential_row *cred,
                                 struct moor_signin_refusal *refusal)
{
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    MOOR_AUTOPTR(moor_key) key = NULL;
    if (cred && (moor_cert_from_der(cred->der, &cert, NULL) || moor_cert_key(cert, &key, NULL)))
        cred = NULL;
    /* Without a certificate the same work is done with our own key. */
    moor_code c =
        moor_jws_verify(j, MOOR_JWS_RS256 | MOOR_JWS_PS256, cred ? key : moor_authz_key(a), NULL);
    if (!cred)
        return bad_assertion(refusal, "the key was not found for the certificate named by x5t or "
                                      "x5t#S256");
    return c ? bad_assertion(refusal, "the signature is wrong") : MOOR_OK;
}

static bool is_token_endpoint(const struct moor_authz *a, const char *aud)
{
    for (int i = 0; i < MOOR_TOKEN_ENDPOINTS; i++) {
        MOOR_AUTO(moor_buf) url = MOOR_BUF(1024);
        moor_authz_token_endpoint(a, (moor_token_endpoint)i, &url);
        if (moor_streq(moor_buf_cstr(&url), aud))
            return true;
    }
    return false;
}

/* Times may be fractions: python's msal sends them so. */
static moor_code check_assertion_claims(const struct moor_authz *a, const struct moor_jws *j,
                                        const char *client_id, int64_t now_ms,
                                        struct moor_signin_refusal *refusal)
{
    MOOR_AUTOPTR(moor_json) claims = NULL;
    double exp = 0, nbf = 0, now_s = (double)now_ms / 1000;
    if (moor_json_parse(j->payload, &claims, NULL))
        return bad_assertion(refusal, "the claims are not a JSON object");
    const char *iss = moor_json_get_str(claims, "iss"), *sub = moor_json_get_str(claims, "sub");
    if (!iss || !sub || moor_strcasecmp(iss, client_id) != 0 ||
        moor_strcasecmp(sub, client_id) != 0)
        return moor_signin_refuse(
            refusal, 401, 700021, "invalid_client",
            "Client assertion application identifier doesn't match 'client_id' "
            "parameter.");
    if (!is_token_endpoint(a, moor_json_get_str(claims, "aud")))
        return moor_signin_refuse(
            refusal, 401, 700023, "invalid_client",
            "Client assertion audience claim does not match the token endpoint.");
    bool timed = moor_json_number(moor_json_get(claims, "exp"), &exp);
    (void)moor_json_number(moor_json_get(claims, "nbf"), &nbf);
    if (!timed || exp <= now_s || exp > now_s + ASSERTION_LIFE_S + SKEW_S || nbf > now_s + SKEW_S)
        return moor_signin_refuse(refusal, 401, 700024, "invalid_client",
                                  "Client assertion is not within its valid time range.");
    return MOOR_OK;
}

/* The key is the machine's from here on, and no certificate of an earlier one is good. */
static moor_code take_over(struct moor_store *s, const struct applicant *who,
                           const struct moor_credential_row *cred, const char *public_key,
                           int64_t now_ms, struct moor_error *err)
{
    moor_code c =
        moor_machine_key_set(s, who->row.vm_id, public_key, MOOR_KEY_CURRENT, now_ms, err);
    return c ? c : moor_credential_delete_others(s, who->row.object_id, cred->sha256, err);
}

/* First use of a machine's new certificate makes its key the machine's: in one transaction,
 * before the token leaves. */
static moor_code note_first_use(struct moor_authz *a, const struct applicant *who,
                                const struct moor_credential_row *cred, int64_t now_ms,
                                struct moor_arena *arena, struct moor_error *err)
{
    struct moor_store *s = moor_authz_store(a);
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    MOOR_AUTOPTR(moor_key) key = NULL;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(4096);
    struct moor_machine_keys keys = { NULL, 0 };
    if (cred->first_used_ms)
        return MOOR_OK;
    moor_code c = moor_store_begin(s, &tx, err);
    if (!c)
        c = moor_credential_used(s, cred->sha256, now_ms, err);
    if (!c && who->row.kind == MOOR_PRINCIPAL_MACHINE) {
        c = moor_cert_from_der(cred->der, &cert, err);
        if (!c)
            c = moor_cert_key(cert, &key, err);
        if (!c)
            c = moor_key_public_pkcs1(key, &text, err);
        if (!c)
            c = moor_machine_keys_get(s, who->row.vm_id, arena, &keys, err);
    }
    for (size_t i = 0; !c && i < keys.count; i++)
        if (keys.items[i].state == MOOR_KEY_NEXT &&
            moor_streq(keys.items[i].public_key, moor_buf_cstr(&text)))
            c = take_over(s, who, cred, keys.items[i].public_key, now_ms, err);
    return c ? c : moor_store_commit(&tx, err);
}

static moor_code check_assertion(struct moor_authz *a, const struct applicant *who,
                                 const struct moor_signin_request *req, int64_t now_ms,
                                 struct moor_arena *arena, struct moor_signin_refusal *refusal,
                                 struct moor_error *err)
{
    struct moor_jws j;
    struct moor_credential_row cred = { 0 };
    if (!moor_streq(req->client_assertion_type, MOOR_ASSERTION_TYPE))
        return moor_signin_refuse(refusal, 400, 900144, "invalid_request",
                                  "The request body must contain client_assertion_type '%s'.",
                                  MOOR_ASSERTION_TYPE);
    if (moor_jws_read(moor_span_str(req->client_assertion), &j, arena, NULL))
        return moor_signin_refuse(
            refusal, 400, 50027, "invalid_request",
            "The client assertion is not a readable JWT signed by RS256 or PS256.");
    bool found = find_credential(a, who, &j, now_ms, arena, &cred);
    moor_code c = check_signature(a, &j, found ? &cred : NULL, refusal);
    if (!who->known)
        return unknown_application(refusal, req->client_id);
    if (!c)
        c = check_assertion_claims(a, &j, who->row.client_id, now_ms, refusal);
    return c ? c : note_first_use(a, who, &cred, now_ms, arena, err);
}

/* A disabled machine gets tokens for the service, which tells it that it is. */
static bool is_enabled(const struct moor_authz *a, const struct moor_principal_row *row,
                       const char *resource)
{
    return !row->disabled || (row->kind == MOOR_PRINCIPAL_MACHINE &&
                              moor_streq(resource, moor_authz_service_audience(a)));
}

static moor_code find_applicant(struct moor_authz *a, const char *client_id, const char *resource,
                                struct moor_arena *arena, struct applicant *out,
                                struct moor_error *err)
{
    moor_code c = moor_principal_by_client(moor_authz_store(a), client_id, arena, &out->row, err);
    if (c && c != MOOR_E_NOTFOUND)
        return c;
    out->known = !c && is_enabled(a, &out->row, resource) &&
                 moor_streq(out->row.tenant_id, moor_authz_tenant(a));
    return MOOR_OK;
}

/* az and python's libraries write it out, JavaScript's short. */
static bool is_device(const struct moor_signin_request *req)
{
    return moor_streq(req->grant_type, MOOR_DEVICE_GRANT) ||
           moor_streq(req->grant_type, "device_code");
}

static moor_code check_form(const struct moor_signin_request *req,
                            struct moor_signin_refusal *refusal)
{
    if (!req->grant_type || !*req->grant_type)
        return moor_signin_refuse(
            refusal, 400, 900144, "invalid_request",
            "The request body must contain the following parameter: 'grant_type'.");
    if (!moor_streq(req->grant_type, "client_credentials") && !is_device(req))
        return moor_signin_refuse(refusal, 400, 70003, "unsupported_grant_type",
                                  "The app requested an unsupported grant type; this service knows "
                                  "'client_credentials' and device codes.");
    if (!req->client_id || !*req->client_id)
        return moor_signin_refuse(
            refusal, 400, 900144, "invalid_request",
            "The request body must contain the following parameter: 'client_id'.");
    return MOOR_OK;
}

static moor_code by_credentials(struct moor_authz *a, const struct moor_signin_request *req,
                                int64_t now_ms, struct moor_arena *arena, struct applicant *who,
                                const char **resource, struct moor_signin_refusal *refusal,
                                struct moor_error *err)
{
    bool has_secret = req->client_secret && !moor_secret_empty(req->client_secret);
    moor_code c = moor_signin_resource(req, arena, resource, refusal);
    if (!c)
        c = find_applicant(a, req->client_id, *resource, arena, who, err);
    if (c)
        return c;
    if (req->client_assertion)
        return check_assertion(a, who, req, now_ms, arena, refusal, err);
    if (has_secret)
        return check_secret(a, who, req, now_ms, arena, refusal, err);
    return moor_signin_refuse(refusal, 401, 7000218, "invalid_client",
                              "The request body must contain the following parameter: "
                              "'client_assertion' or 'client_secret'.");
}

moor_code moor_signin(struct moor_authz *a, const struct moor_signin_request *req, int64_t now_ms,
                      struct moor_signin_grant *grant, struct moor_signin_refusal *refusal,
                      struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(256u << 10);
    struct applicant who = { .known = false };
    const char *resource = NULL;
    moor_code c = check_form(req, refusal);
    if (!c && is_device(req))
        c = moor_device_redeem(a, req, now_ms, &arena, &who.row, &resource, refusal, err);
    else if (!c)
        c = by_credentials(a, req, now_ms, &arena, &who, &resource, refusal, err);
    return c ? c
             : moor_authz_issue(a, &who.row, resource, req->issuer, now_ms, &grant->token,
                                &grant->expires_in_s, err);
}
