/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/jws.h"

#include "check.h"
#include "unit/platform/crypto/vectors.h"

static struct moor_key *vector_key(void)
{
    struct moor_key *k = NULL;
    CHECK(moor_key_from_pem(moor_span_str(vector_key_pem), &k, NULL) == MOOR_OK);
    return k;
}

static void signed_token_verifies_with_the_same_key_only(void)
{
    static const moor_jws_alg algs[] = { MOOR_JWS_RS256, MOOR_JWS_PS256 };
    MOOR_AUTOPTR(moor_key) k = vector_key();
    MOOR_AUTOPTR(moor_key) other = NULL;
    CHECK(moor_key_generate(MOOR_KEY_RSA_2048, &other, NULL) == MOOR_OK);
    for (size_t i = 0; i < MOOR_COUNTOF(algs); i++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
        MOOR_AUTO(moor_buf) token = MOOR_BUF(16384);
        struct moor_jws_header h = { .alg = algs[i], .typ = "JWT", .x5t_s256 = "abc" };
        struct moor_jws j;
        CHECK(moor_jws_sign(k, &h, MOOR_SPAN_LIT("{\"a\":1}"), &token, NULL) == MOOR_OK);
        CHECK(moor_jws_read(moor_buf_view(&token), &j, &arena, NULL) == MOOR_OK);
        CHECK_INT(j.header.alg, algs[i]);
        CHECK_STR(j.header.typ, "JWT");
        CHECK_STR(j.header.kid, "");
        CHECK_STR(j.header.x5t_s256, "abc");
        CHECK(moor_span_eq_str(j.payload, "{\"a\":1}"));
        CHECK(moor_jws_verify(&j, MOOR_JWS_RS256 | MOOR_JWS_PS256, k, NULL) == MOOR_OK);
        CHECK(moor_jws_verify(&j, (unsigned)algs[i] ^ 3U, k, NULL) == MOOR_E_DENIED);
        CHECK(moor_jws_verify(&j, 3, other, NULL) == MOOR_E_DENIED);
    }
}

static void tokens_of_another_implementation_verify(void)
{
    static const char *const *const tokens[] = { &vector_jws_rs256, &vector_jws_ps256 };
    MOOR_AUTOPTR(moor_key) k = vector_key();
    for (size_t i = 0; i < MOOR_COUNTOF(tokens); i++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
        struct moor_jws j;
        CHECK(moor_jws_read(moor_span_str(*tokens[i]), &j, &arena, NULL) == MOOR_OK);
        CHECK(moor_jws_verify(&j, 3, k, NULL) == MOOR_OK);
        CHECK_STR(j.header.x5t, "AAECAwQFBgcICQoLDA0ODxAREhM");
    }
}

static void salt_length_other_than_the_digests_is_refused(void)
{
    MOOR_AUTOPTR(moor_key) k = vector_key();
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    struct moor_jws j;
    CHECK(moor_jws_read(moor_span_str(vector_jws_ps256_salt20), &j, &arena, NULL) == MOOR_OK);
    CHECK(moor_jws_verify(&j, 3, k, NULL) == MOOR_E_DENIED);
}

static void changed_token_is_refused(void)
{
    MOOR_AUTOPTR(moor_key) k = vector_key();
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    MOOR_AUTO(moor_buf) token = MOOR_BUF(16384);
    moor_buf_str(&token, vector_jws_rs256);
    char *dot = strchr(token.data, '.');
    dot[5] = dot[5] == 'A' ? 'B' : 'A';
    struct moor_jws j;
    CHECK(moor_jws_read(moor_buf_view(&token), &j, &arena, NULL) == MOOR_OK);
    CHECK(moor_jws_verify(&j, 3, k, NULL) == MOOR_E_DENIED);
}

static void header_is_refused(const char *header)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    MOOR_AUTO(moor_buf) token = MOOR_BUF(16384);
    struct moor_jws j;
    moor_buf_base64url(&token, moor_span_str(header));
    moor_buf_str(&token, ".e30.AAAA");
    if (!CHECK(moor_jws_read(moor_buf_view(&token), &j, &arena, NULL) == MOOR_E_BADINPUT))
        printf("# accepted: %s\n", header);
}

static void headers_that_choose_the_key_are_refused(void)
{
    header_is_refused("{\"alg\":\"none\"}");
    header_is_refused("{\"alg\":\"HS256\"}");
    header_is_refused("{\"alg\":\"rs256\"}");
    header_is_refused("{\"typ\":\"JWT\"}");
    header_is_refused("{\"alg\":\"RS256\",\"jwk\":{}}");
    header_is_refused("{\"alg\":\"RS256\",\"jku\":\"https://x\"}");
    header_is_refused("{\"alg\":\"RS256\",\"x5u\":\"https://x\"}");
    header_is_refused("{\"alg\":\"RS256\",\"crit\":[]}");
    header_is_refused("{\"alg\":\"RS256\",\"b64\":false}");
    header_is_refused("{\"alg\":\"RS256\",\"alg\":\"none\"}");
    header_is_refused("[]");
    header_is_refused("");
}

static void broken_tokens_are_refused(void)
{
    static const char *const bad[] = { "",
                                       ".",
                                       "..",
                                       "a.b",
                                       "e30.e30.",
                                       "e30..AAAA",
                                       ".e30.AAAA",
                                       "e30.e30.AA.AA",
                                       "eyJhbGciOiJSUzI1NiJ9.e30.A=",
                                       "eyJhbGciOiJSUzI1NiJ9.e30.A A" };
    for (size_t i = 0; i < MOOR_COUNTOF(bad); i++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
        struct moor_jws j;
        if (!CHECK(moor_jws_read(moor_span_str(bad[i]), &j, &arena, NULL) == MOOR_E_BADINPUT))
            printf("# accepted: %s\n", bad[i]);
    }
}

static void padding_of_x5t_is_dropped(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    MOOR_AUTO(moor_buf) token = MOOR_BUF(16384);
    struct moor_jws j;
    moor_buf_base64url(&token, MOOR_SPAN_LIT("{\"alg\":\"RS256\",\"x5t\":\"AAAA=\",\"x5c\":[]}"));
    moor_buf_str(&token, ".e30.AAAA");
    CHECK(moor_jws_read(moor_buf_view(&token), &j, &arena, NULL) == MOOR_OK);
    CHECK_STR(j.header.x5t, "AAAA");
}

CHECK_MAIN(CHECK_TEST(signed_token_verifies_with_the_same_key_only),
           CHECK_TEST(tokens_of_another_implementation_verify),
           CHECK_TEST(salt_length_other_than_the_digests_is_refused),
           CHECK_TEST(changed_token_is_refused),
           CHECK_TEST(headers_that_choose_the_key_are_refused),
           CHECK_TEST(broken_tokens_are_refused), CHECK_TEST(padding_of_x5t_is_dropped))
