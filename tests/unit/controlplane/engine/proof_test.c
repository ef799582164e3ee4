/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha256.h"
#include "check.h"
#include "crypto/jws.h"
#include "engine/proof.h"

#define NOW_S INT64_C(1795366800)

static const char vm[] = "11111111-2222-4333-8444-555555555555";
static const char rid[] = "/subscriptions/S/resourceGroups/g/providers/p/machines/m";
static const char aud[] = "https://cp.example/mooring-service";
static struct moor_key *key, *other;
static struct moor_buf csr = MOOR_BUF(8192), public_key = MOOR_BUF(4096);
static struct moor_error err;

static bool keys_made(void)
{
    if (key)
        return true;
    return !moor_key_generate(MOOR_KEY_RSA_2048, &key, &err) &&
           !moor_key_generate(MOOR_KEY_RSA_2048, &other, &err) &&
           !moor_csr_make(key, "machine", &csr, &err) &&
           !moor_key_public_pkcs1(key, &public_key, &err);
}

struct wish {
    const struct moor_key *signer;
    const char *typ, *kid, *aud, *sub, *resource;
    int64_t iat, life;
};

static struct wish good(void)
{
    return (struct wish){ key, MOOR_PROOF_TYP, "", aud, vm, rid, NOW_S, 300 };
}

static const char *check(const struct wish *w)
{
    unsigned char digest[32];
    MOOR_AUTO(moor_buf) hash = MOOR_BUF(64), payload = MOOR_BUF(4096), token = MOOR_BUF(16384);
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1 << 16);
    moor_sha256_of(moor_buf_view(&csr), digest);
    moor_buf_base64url(&hash, moor_span(digest, 32));
    moor_buf_fmt(&payload,
                 "{\"aud\":\"%s\",\"sub\":\"%s\",\"resourceId\":\"%s\",\"csrSha256\":\"%s\","
                 "\"iat\":%lld,\"exp\":%lld}",
                 w->aud, w->sub, w->resource, moor_buf_cstr(&hash), (long long)w->iat,
                 (long long)(w->iat + w->life));
    struct moor_jws_header h = { .alg = MOOR_JWS_PS256, .typ = w->typ, .kid = w->kid };
    if (moor_jws_sign(w->signer, &h, moor_buf_view(&payload), &token, &err))
        return "unsigned";
    struct moor_proof_facts facts = { aud, vm, rid, NOW_S * 1000 };
    const char *keys[2] = { "AAAA", moor_buf_cstr(&public_key) };
    size_t which = 9;
    memset(&err, 0, sizeof err);
    if (moor_proof_check(moor_buf_view(&token), moor_buf_view(&csr), &facts, keys, 2, &arena,
                         &which, &err))
        return err.service_code;
    return which == 1 ? "ok" : "wrong key";
}

static void a_proof_by_the_machines_key_counts(void)
{
    CHECK(keys_made());
    struct wish w = good();
    CHECK_STR(check(&w), "ok");
    w.resource = "/SUBSCRIPTIONS/s/resourcegroups/G/providers/p/machines/M";
    CHECK_STR(check(&w), "ok");
}

static void everything_else_is_invalid(void)
{
    CHECK(keys_made());
    struct wish w = good();
    w.signer = other;
    CHECK_STR(check(&w), "ProofInvalid");
    w = good();
    w.typ = "JWT";
    CHECK_STR(check(&w), "ProofInvalid");
    w = good();
    w.kid = "x";
    CHECK_STR(check(&w), "ProofInvalid");
    w = good();
    w.aud = "https://cp.example/mooring-service/";
    CHECK_STR(check(&w), "ProofInvalid");
    w = good();
    w.sub = "21111111-2222-4333-8444-555555555555";
    CHECK_STR(check(&w), "ProofInvalid");
    w = good();
    w.resource = "/subscriptions/S/resourceGroups/g/providers/p/machines/n";
    CHECK_STR(check(&w), "ProofInvalid");
    w = good();
    w.life = 301;
    CHECK_STR(check(&w), "ProofInvalid");
    w = good();
    w.life = 0;
    CHECK_STR(check(&w), "ProofInvalid");
}

static void a_clock_that_is_off_is_named_to_the_keys_owner_only(void)
{
    CHECK(keys_made());
    struct wish w = good();
    w.iat = NOW_S + 301;
    CHECK_STR(check(&w), "ClockSkew");
    w.iat = NOW_S - 601;
    CHECK_STR(check(&w), "ClockSkew");
    w.iat = NOW_S - 600;
    CHECK_STR(check(&w), "ok");
    w.signer = other;
    w.iat = NOW_S + 3600;
    CHECK_STR(check(&w), "ProofInvalid");
}

static void the_certificate_carries_the_key_and_ninety_days(void)
{
    CHECK(keys_made());
    MOOR_AUTOPTR(moor_cert) ca = NULL;
    MOOR_AUTOPTR(moor_cert) leaf = NULL;
    MOOR_AUTOPTR(moor_key) inside = NULL;
    struct moor_cert_spec spec = { .common_name = "CA",
                                   .subject = other,
                                   .issuer_key = other,
                                   .not_before_ms = NOW_S * 1000,
                                   .not_after_ms = (NOW_S + 86400 * 3650) * 1000,
                                   .ca = true };
    CHECK_INT(moor_cert_make(&spec, &ca, &err), MOOR_OK);
    struct moor_issue i = { "client", key, ca, other, NOW_S * 1000, 90 * MOOR_DAY_MS };
    CHECK_INT(moor_certificate_issue(&i, &leaf, &err), MOOR_OK);
    CHECK_INT(moor_cert_not_after_ms(leaf), (NOW_S + 90 * 86400) * 1000);
    CHECK(moor_cert_issued_by(leaf, ca));
    CHECK(!moor_cert_is_ca(leaf));
    CHECK_INT(moor_cert_key(leaf, &inside, &err), MOOR_OK);
    CHECK(moor_key_same_public(inside, key));
    moor_key_free(key);
    moor_key_free(other);
    moor_buf_drop(&csr);
    moor_buf_drop(&public_key);
    key = other = NULL;
}

CHECK_MAIN(CHECK_TEST(a_proof_by_the_machines_key_counts), CHECK_TEST(everything_else_is_invalid),
           CHECK_TEST(a_clock_that_is_off_is_named_to_the_keys_owner_only),
           CHECK_TEST(the_certificate_carries_the_key_and_ninety_days))
