/* SPDX-License-Identifier: Apache-2.0 */
#include "authz/signin.h"

#include <stdlib.h>

#include "base/json.h"
#include "check.h"
#include "crypto/cert.h"
#include "crypto/digest.h"
#include "crypto/jws.h"
#include "store/machines.h"

#define NOW    INT64_C(1900000000000)
#define TENANT "11111111-1111-4111-8111-111111111111"
#define APP    "22222222-2222-4222-8222-222222222222"
#define OID    "33333333-3333-4333-8333-333333333333"
#define VM     "44444444-4444-4444-8444-444444444444"
#define BASE   "https://cp.example:8443"
#define ARM    BASE "/"
#define HIS    BASE "/mooring-service"

struct world {
    struct moor_store *store;
    struct moor_authz *authz;
    struct moor_key *signing, *machine_key;
    struct moor_cert *cert;
    struct moor_arena arena;
    struct moor_secret secret;
};

static void ok(moor_code c)
{
    if (!CHECK(c == MOOR_OK))
        exit(1);
}

static void add_credential(struct world *w)
{
    MOOR_AUTO(moor_buf) der = MOOR_BUF(8192);
    const struct moor_cert_spec spec = { .common_name = APP,
                                         .subject = w->machine_key,
                                         .issuer_key = w->machine_key,
                                         .not_before_ms = NOW - 1000,
                                         .not_after_ms = NOW + 1000000,
                                         .tls_client = true };
    struct moor_credential_row row = { .object_id = OID,
                                       .not_before_ms = NOW - 1000,
                                       .not_after_ms = NOW + 1000000 };
    ok(moor_cert_make(&spec, &w->cert, NULL));
    ok(moor_cert_to_der(w->cert, &der, NULL));
    moor_cert_sha256(w->cert, row.sha256);
    row.der = moor_buf_view(&der);
    ok(moor_credential_add(w->store, &row, NULL));
}

static void world_make(struct world *w, moor_principal_kind kind)
{
    const struct moor_principal_row p = { .kind = kind,
                                          .object_id = OID,
                                          .client_id = APP,
                                          .tenant_id = TENANT,
                                          .name = "n",
                                          .vm_id = kind == MOOR_PRINCIPAL_MACHINE ? VM : "",
                                          .resource_id = "/subscriptions/S/m" };
    *w = (struct world){ .arena = MOOR_ARENA(1u << 20), .secret = MOOR_SECRET_INIT };
    ok(moor_store_open(":memory:", &w->store, NULL));
    ok(moor_key_generate(MOOR_KEY_RSA_2048, &w->signing, NULL));
    ok(moor_key_generate(MOOR_KEY_RSA_2048, &w->machine_key, NULL));
    const struct moor_authz_opts opts = { w->store, w->signing, BASE, TENANT, HIS };
    ok(moor_authz_new(&opts, &w->authz, NULL));
    ok(moor_principal_add(w->store, &p, NULL));
    ok(moor_signin_new_secret(w->store, OID, 0, &w->secret, NULL));
    add_credential(w);
}

static void world_drop(struct world *w)
{
    moor_authz_free(w->authz);
    moor_key_free(w->signing);
    moor_key_free(w->machine_key);
    moor_cert_free(w->cert);
    moor_store_free(w->store);
    moor_secret_drop(&w->secret);
    moor_arena_drop(&w->arena);
}

/* Signs in; the AADSTS number of the refusal, 0 when it was granted. *token in the arena. */
static int sign_in(struct world *w, const struct moor_signin_request *req, const char **token,
                   uint32_t *life)
{
    struct moor_signin_grant grant = { .token = MOOR_BUF_SECRET(16u << 10) };
    struct moor_signin_refusal refusal = { 0 };
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code c = moor_signin(w->authz, req, NOW, &grant, &refusal, &err);
    if (!c && token)
        *token = moor_arena_str(&w->arena, moor_buf_view(&grant.token));
    if (!c && life)
        *life = grant.expires_in_s;
    moor_buf_drop(&grant.token);
    return c ? refusal.number : 0;
}

static struct moor_signin_request by_secret(const struct moor_secret *secret)
{
    return (struct moor_signin_request){ .grant_type = "client_credentials",
                                         .client_id = APP,
                                         .client_secret = secret,
                                         .scope = ARM "/.default" };
}

static moor_code authenticate(struct world *w, const char *token, moor_audience audience,
                              int64_t now, struct moor_principal *p, struct moor_error *err)
{
    const char *header = moor_arena_fmt(&w->arena, "Bearer %s", token);
    return moor_authz_authenticate(w->authz, header, audience, now, &w->arena, p, err);
}

static void a_secret_gives_a_token_that_is_believed(void)
{
    struct world w;
    struct moor_principal p;
    const char *token = NULL;
    uint32_t life = 0;
    world_make(&w, MOOR_PRINCIPAL_APPLICATION);
    struct moor_signin_request req = by_secret(&w.secret);
    CHECK_INT(sign_in(&w, &req, &token, &life), 0);
    CHECK_INT(life, 3600);
    CHECK(authenticate(&w, token, MOOR_AUD_ARM, NOW, &p, NULL) == MOOR_OK);
    CHECK_STR(p.object_id, OID);
    CHECK_INT(p.kind, MOOR_PRINCIPAL_APPLICATION);
    world_drop(&w);
}

static void a_token_counts_for_its_audience_and_time_only(void)
{
    struct world w;
    struct moor_principal p;
    struct moor_error err = MOOR_ERROR_INIT;
    const char *token = NULL;
    world_make(&w, MOOR_PRINCIPAL_APPLICATION);
    struct moor_signin_request req = by_secret(&w.secret);
    CHECK_INT(sign_in(&w, &req, &token, NULL), 0);
    static const moor_audience others[] = { MOOR_AUD_NOBODY, MOOR_AUD_SERVICE, MOOR_AUD_INGESTION };
    for (size_t i = 0; i < MOOR_COUNTOF(others); i++) {
        CHECK(authenticate(&w, token, others[i], NOW, &p, &err) == MOOR_E_DENIED);
        CHECK_INT(p.kind, MOOR_PRINCIPAL_NOBODY);
    }
    CHECK(authenticate(&w, token, MOOR_AUD_ARM, NOW + 3600 * 1000, &p, &err) == MOOR_E_DENIED);
    CHECK_STR(err.service_code, "ExpiredAuthenticationToken");
    CHECK(authenticate(&w, token, MOOR_AUD_ARM, NOW - 3600 * 1000, &p, &err) == MOOR_E_DENIED);
    CHECK(moor_principal_delete(w.store, OID, NULL) == MOOR_OK);
    CHECK(authenticate(&w, token, MOOR_AUD_ARM, NOW, &p, &err) == MOOR_E_DENIED);
    world_drop(&w);
}

static void a_principal_of_zeros_may_nothing(void)
{
    static const struct moor_principal nobody;
    struct world w;
    world_make(&w, MOOR_PRINCIPAL_APPLICATION);
    /* Even where a row without a principal slipped into the store. */
    const struct moor_role_assignment everything = { "a", moor_role_find("Owner")->id, "", "/", 0 };
    ok(moor_role_assign(w.store, &everything, NULL));
    CHECK_INT(nobody.kind, MOOR_PRINCIPAL_NOBODY);
    CHECK(!moor_authz_allows(w.authz, &nobody, "Microsoft.HybridCompute/machines/read", "/"));
    CHECK(!moor_authz_allows_data(w.authz, &nobody, "Microsoft.Insights/Telemetry/Write", "/"));
    world_drop(&w);
}

static void a_changed_token_is_nobody(void)
{
    struct world w;
    struct moor_principal p;
    const char *token = NULL;
    world_make(&w, MOOR_PRINCIPAL_APPLICATION);
    struct moor_signin_request req = by_secret(&w.secret);
    CHECK_INT(sign_in(&w, &req, &token, NULL), 0);
    for (size_t i = 0; i < strlen(token); i += 37) {
        char *bad = moor_arena_str(&w.arena, moor_span_str(token));
        bad[i] = bad[i] == 'A' ? 'B' : 'A';
        CHECK(authenticate(&w, bad, MOOR_AUD_ARM, NOW, &p, NULL) == MOOR_E_DENIED);
    }
    CHECK(authenticate(&w, "", MOOR_AUD_ARM, NOW, &p, NULL) == MOOR_E_DENIED);
    CHECK(moor_authz_authenticate(w.authz, NULL, MOOR_AUD_ARM, NOW, &w.arena, &p, NULL) ==
          MOOR_E_DENIED);
    world_drop(&w);
}

static void wrong_secrets_are_refused_by_number(void)
{
    struct world w;
    MOOR_AUTO(moor_secret) bad = MOOR_SECRET_INIT;
    MOOR_AUTO(moor_secret) expired = MOOR_SECRET_INIT;
    MOOR_AUTO(moor_secret) none = MOOR_SECRET_INIT;
    world_make(&w, MOOR_PRINCIPAL_APPLICATION);
    ok(moor_secret_set(&bad, MOOR_SPAN_LIT("nonsense"), NULL));
    ok(moor_signin_new_secret(w.store, OID, NOW - 1, &expired, NULL));
    struct moor_signin_request req = by_secret(&bad);
    CHECK_INT(sign_in(&w, &req, NULL, NULL), 7000215);
    req.client_secret = &expired;
    CHECK_INT(sign_in(&w, &req, NULL, NULL), 7000222);
    req.client_secret = &none;
    CHECK_INT(sign_in(&w, &req, NULL, NULL), 7000218);
    req.client_id = "55555555-5555-4555-8555-555555555555";
    req.client_secret = &w.secret;
    CHECK_INT(sign_in(&w, &req, NULL, NULL), 700016);
    req = by_secret(&w.secret);
    req.scope = "https://x";
    CHECK_INT(sign_in(&w, &req, NULL, NULL), 1002012);
    req.grant_type = "password";
    CHECK_INT(sign_in(&w, &req, NULL, NULL), 70003);
    CHECK(moor_principal_disable(w.store, OID, true, NULL) == MOOR_OK);
    req = by_secret(&w.secret);
    CHECK_INT(sign_in(&w, &req, NULL, NULL), 700016);
    world_drop(&w);
}

struct assertion {
    const char *aud, *iss;
    int64_t exp_s;
    moor_jws_alg alg;
};

static const char *assert_by(struct world *w, const struct moor_key *key, struct assertion a)
{
    unsigned char digest[32];
    MOOR_AUTO(moor_buf) x5t = MOOR_BUF(64);
    MOOR_AUTO(moor_buf) payload = MOOR_BUF(1024);
    MOOR_AUTO(moor_buf) out = MOOR_BUF(8192);
    moor_cert_sha256(w->cert, digest);
    moor_buf_base64url(&x5t, moor_span(digest, 32));
    /* A fraction, as python's msal sends it. */
    moor_buf_fmt(&payload, "{\"aud\":\"%s\",\"iss\":\"%s\",\"sub\":\"%s\",\"exp\":%lld.5}", a.aud,
                 a.iss, a.iss, (long long)a.exp_s);
    struct moor_jws_header h = { .alg = a.alg, .typ = "JWT", .x5t_s256 = moor_buf_cstr(&x5t) };
    ok(moor_jws_sign(key, &h, moor_buf_view(&payload), &out, NULL));
    return moor_arena_str(&w->arena, moor_buf_view(&out));
}

static int sign_in_by(struct world *w, const char *assertion, const char *resource,
                      const char **token, uint32_t *life)
{
    struct moor_signin_request req = { .grant_type = "client_credentials",
                                       .client_id = APP,
                                       .client_assertion = assertion,
                                       .client_assertion_type = MOOR_ASSERTION_TYPE,
                                       .resource = resource,
                                       .issuer = MOOR_ISSUER_TENANT };
    return sign_in(w, &req, token, life);
}

#define V2 BASE "/" TENANT "/oauth2/v2.0/token"

static void a_machine_signs_in_by_its_certificate(void)
{
    struct world w;
    struct moor_principal p;
    const char *token = NULL;
    uint32_t life = 0;
    world_make(&w, MOOR_PRINCIPAL_MACHINE);
    static const moor_jws_alg algs[] = { MOOR_JWS_PS256, MOOR_JWS_RS256 };
    for (size_t i = 0; i < MOOR_COUNTOF(algs); i++) {
        struct assertion a = { V2, APP, NOW / 1000 + 600, algs[i] };
        CHECK_INT(sign_in_by(&w, assert_by(&w, w.machine_key, a), HIS, &token, &life), 0);
        CHECK(life >= 86400 - 8640 && life <= 86400 + 8640);
        CHECK(authenticate(&w, token, MOOR_AUD_SERVICE, NOW, &p, NULL) == MOOR_OK);
        CHECK_STR(p.vm_id, VM);
        CHECK(authenticate(&w, token, MOOR_AUD_ARM, NOW, &p, NULL) == MOOR_E_DENIED);
    }
    world_drop(&w);
}

static void bad_assertions_are_refused_by_number(void)
{
    struct world w;
    world_make(&w, MOOR_PRINCIPAL_MACHINE);
    int64_t soon = NOW / 1000 + 600;
    const struct {
        struct assertion a;
        int number;
    } cases[] = {
        { { "https://evil.example/token", APP, soon, MOOR_JWS_PS256 }, 700023 },
        { { V2, OID, soon, MOOR_JWS_PS256 }, 700021 },
        { { V2, APP, NOW / 1000 - 1, MOOR_JWS_PS256 }, 700024 },
        { { V2, APP, NOW / 1000 + 90000, MOOR_JWS_PS256 }, 700024 },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++)
        CHECK_INT(sign_in_by(&w, assert_by(&w, w.machine_key, cases[i].a), HIS, NULL, NULL),
                  cases[i].number);
    struct assertion good = { V2, APP, soon, MOOR_JWS_PS256 };
    CHECK_INT(sign_in_by(&w, assert_by(&w, w.signing, good), HIS, NULL, NULL), 700027);
    CHECK(moor_credential_delete_all(w.store, OID, NULL) == MOOR_OK);
    CHECK_INT(sign_in_by(&w, assert_by(&w, w.machine_key, good), HIS, NULL, NULL), 700027);
    world_drop(&w);
}

static void first_use_makes_the_next_key_the_current_one(void)
{
    struct world w;
    MOOR_AUTO(moor_buf) key = MOOR_BUF(4096);
    struct moor_machine_keys keys;
    world_make(&w, MOOR_PRINCIPAL_MACHINE);
    ok(moor_key_public_pkcs1(w.machine_key, &key, NULL));
    ok(moor_machine_key_set(w.store, VM, "old", MOOR_KEY_CURRENT, 1, NULL));
    ok(moor_machine_key_set(w.store, VM, moor_buf_cstr(&key), MOOR_KEY_NEXT, 2, NULL));
    struct assertion a = { V2, APP, NOW / 1000 + 600, MOOR_JWS_PS256 };
    CHECK_INT(sign_in_by(&w, assert_by(&w, w.machine_key, a), HIS, NULL, NULL), 0);
    ok(moor_machine_keys_get(w.store, VM, &w.arena, &keys, NULL));
    CHECK_STR(keys.items[0].public_key, moor_buf_cstr(&key));
    CHECK_INT(keys.items[0].state, MOOR_KEY_CURRENT);
    CHECK_INT(keys.items[1].state, MOOR_KEY_PREVIOUS);
    world_drop(&w);
}

static void the_key_set_verifies_tokens(void)
{
    struct world w;
    MOOR_AUTO(moor_buf) json = MOOR_BUF(8192);
    MOOR_AUTOPTR(moor_json) keys = NULL;
    world_make(&w, MOOR_PRINCIPAL_APPLICATION);
    ok(moor_authz_jwks(w.authz, &json, NULL));
    ok(moor_json_parse(moor_buf_view(&json), &keys, NULL));
    const struct moor_json *key = moor_json_first(moor_json_get(keys, "keys"));
    CHECK_STR(moor_json_get_str(key, "kty"), "RSA");
    CHECK_STR(moor_json_get_str(key, "e"), "AQAB");
    CHECK(strlen(moor_json_get_str(key, "kid")) == 43);
    world_drop(&w);
}

CHECK_MAIN(CHECK_TEST(a_secret_gives_a_token_that_is_believed),
           CHECK_TEST(a_token_counts_for_its_audience_and_time_only),
           CHECK_TEST(a_principal_of_zeros_may_nothing), CHECK_TEST(a_changed_token_is_nobody),
           CHECK_TEST(wrong_secrets_are_refused_by_number),
           CHECK_TEST(a_machine_signs_in_by_its_certificate),
           CHECK_TEST(bad_assertions_are_refused_by_number),
           CHECK_TEST(first_use_makes_the_next_key_the_current_one),
           CHECK_TEST(the_key_set_verifies_tokens))
