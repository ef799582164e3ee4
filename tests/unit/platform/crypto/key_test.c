/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/key.h"

#include "check.h"
#include "unit/platform/crypto/vectors.h"

static void key_survives_pem(void)
{
    static const moor_key_kind kinds[] = { MOOR_KEY_RSA_2048, MOOR_KEY_P256 };
    for (size_t i = 0; i < MOOR_COUNTOF(kinds); i++) {
        MOOR_AUTOPTR(moor_key) a = NULL;
        MOOR_AUTOPTR(moor_key) b = NULL;
        MOOR_AUTO(moor_secret) pem = MOOR_SECRET_INIT;
        CHECK(moor_key_generate(kinds[i], &a, NULL) == MOOR_OK);
        CHECK(moor_key_to_pem(a, &pem, NULL) == MOOR_OK);
        CHECK(moor_span_starts(moor_secret_reveal(&pem), "-----BEGIN PRIVATE KEY-----\n"));
        CHECK(moor_key_from_pem(moor_secret_reveal(&pem), &b, NULL) == MOOR_OK);
        CHECK(moor_key_same_public(a, b));
    }
}

static void pkcs1_pem_is_read(void)
{
    MOOR_AUTOPTR(moor_key) a = NULL;
    MOOR_AUTOPTR(moor_key) b = NULL;
    CHECK(moor_key_from_pem(moor_span_str(vector_key_pem), &a, NULL) == MOOR_OK);
    CHECK(moor_key_from_pem(moor_span_str(vector_key_pkcs1_pem), &b, NULL) == MOOR_OK);
    CHECK(moor_key_same_public(a, b));
}

static void client_public_key_survives_base64(void)
{
    MOOR_AUTOPTR(moor_key) a = NULL;
    MOOR_AUTOPTR(moor_key) b = NULL;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(1024);
    CHECK(moor_key_from_pem(moor_span_str(vector_key_pem), &a, NULL) == MOOR_OK);
    CHECK(moor_key_public_pkcs1(a, &text, NULL) == MOOR_OK);
    CHECK_STR(moor_buf_cstr(&text), vector_key_public);
    CHECK(moor_key_from_public_pkcs1(moor_buf_view(&text), &b, NULL) == MOOR_OK);
    CHECK(moor_key_same_public(a, b));
    MOOR_AUTO(moor_secret) pem = MOOR_SECRET_INIT;
    CHECK(moor_key_to_pem(b, &pem, NULL) != MOOR_OK);
}

static void jwk_exponent_is_65537(void)
{
    MOOR_AUTOPTR(moor_key) k = NULL;
    MOOR_AUTO(moor_buf) n = MOOR_BUF(1024);
    MOOR_AUTO(moor_buf) e = MOOR_BUF(16);
    CHECK(moor_key_from_pem(moor_span_str(vector_key_pem), &k, NULL) == MOOR_OK);
    CHECK(moor_key_jwk_parts(k, &n, &e, NULL) == MOOR_OK);
    CHECK_STR(moor_buf_cstr(&e), "AQAB");
    CHECK_INT(n.len, 342);
}

static void weak_or_foreign_keys_are_refused(void)
{
    MOOR_AUTOPTR(moor_key) k = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK(moor_key_from_pem(moor_span_str(vector_rsa1024_pem), &k, &err) == MOOR_E_BADINPUT);
    CHECK_STR(err.msg, "key: want RSA of 2048 to 4096 bits, or P-256");
    CHECK(moor_key_from_pem(moor_span_str(vector_ed25519_pem), &k, &err) == MOOR_E_BADINPUT);
    CHECK(moor_key_from_pem(moor_span_str(vector_encrypted_pem), &k, &err) == MOOR_E_BADINPUT);
    CHECK(moor_key_from_pem(MOOR_SPAN_LIT("hello"), &k, &err) == MOOR_E_BADINPUT);
    CHECK(moor_key_from_pem(MOOR_SPAN_NONE, &k, &err) == MOOR_E_BADINPUT);
    CHECK(moor_key_from_public_pkcs1(MOOR_SPAN_LIT("AAAA"), &k, &err) == MOOR_E_BADINPUT);
    CHECK(moor_key_from_public_pkcs1(MOOR_SPAN_LIT("*"), &k, &err) == MOOR_E_BADINPUT);
    CHECK(moor_key_from_public_pkcs1(MOOR_SPAN_NONE, &k, &err) == MOOR_E_BADINPUT);
    CHECK(k == NULL);
}

static void bytes_behind_a_public_key_are_refused(void)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(1024);
    MOOR_AUTOPTR(moor_key) k = NULL;
    /* A PKCS#1 key of 2048 bits is 270 bytes, a multiple of 3: more base64 is more bytes. */
    moor_buf_str(&text, vector_key_public);
    moor_buf_str(&text, "AAAA");
    CHECK(moor_key_from_public_pkcs1(moor_buf_view(&text), &k, NULL) == MOOR_E_BADINPUT);
}

static void last_owner_releases_the_key(void)
{
    struct moor_key *k = NULL;
    CHECK(moor_key_from_pem(moor_span_str(vector_key_pem), &k, NULL) == MOOR_OK);
    struct moor_key *same = moor_key_ref(k);
    moor_key_free(k);
    CHECK(moor_key_same_public(same, same));
    moor_key_free(same);
}

CHECK_MAIN(CHECK_TEST(key_survives_pem), CHECK_TEST(pkcs1_pem_is_read),
           CHECK_TEST(client_public_key_survives_base64), CHECK_TEST(jwk_exponent_is_65537),
           CHECK_TEST(weak_or_foreign_keys_are_refused),
           CHECK_TEST(bytes_behind_a_public_key_are_refused),
           CHECK_TEST(last_owner_releases_the_key))
