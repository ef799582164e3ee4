/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/digest.h"

#include "check.h"

static const char key32[] = "0123456789abcdef0123456789abcdef";

static void hex_is(const unsigned char bytes[32], const char *want)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(128);
    moor_buf_hex(&b, moor_span(bytes, 32));
    CHECK_STR(moor_buf_cstr(&b), want);
}

static void digest_of_pieces_is_the_digest_of_the_whole(void)
{
    MOOR_AUTOPTR(moor_digest) d = NULL;
    unsigned char sum[32];
    CHECK(moor_digest_new(&d, NULL) == MOOR_OK);
    CHECK(moor_digest_add(d, MOOR_SPAN_LIT("a"), NULL) == MOOR_OK);
    CHECK(moor_digest_add(d, MOOR_SPAN_NONE, NULL) == MOOR_OK);
    CHECK(moor_digest_add(d, MOOR_SPAN_LIT("bc"), NULL) == MOOR_OK);
    CHECK(moor_digest_end(d, sum, NULL) == MOOR_OK);
    hex_is(sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void hmac_agrees_with_rfc_4231(void)
{
    unsigned char sum[32];
    moor_hmac_sha256(MOOR_SPAN_LIT("Jefe"), MOOR_SPAN_LIT("what do ya want for nothing?"), sum);
    hex_is(sum, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void sealed_text_opens_with_the_same_key_and_context(void)
{
    MOOR_AUTO(moor_buf) blob = MOOR_BUF(256);
    MOOR_AUTO(moor_secret) clear = MOOR_SECRET_INIT;
    struct moor_span key = moor_span(key32, 32);
    CHECK(moor_seal(key, MOOR_SPAN_LIT("ctx"), MOOR_SPAN_LIT("hello"), &blob, NULL) == MOOR_OK);
    CHECK_INT(blob.len, 12 + 5 + 16);
    CHECK(moor_unseal(key, MOOR_SPAN_LIT("ctx"), moor_buf_view(&blob), &clear, NULL) == MOOR_OK);
    CHECK(moor_span_eq_str(moor_secret_reveal(&clear), "hello"));
}

static void empty_text_can_be_sealed(void)
{
    MOOR_AUTO(moor_buf) blob = MOOR_BUF(256);
    MOOR_AUTO(moor_secret) clear = MOOR_SECRET_INIT;
    struct moor_span key = moor_span(key32, 32);
    CHECK(moor_seal(key, MOOR_SPAN_NONE, MOOR_SPAN_NONE, &blob, NULL) == MOOR_OK);
    CHECK(moor_unseal(key, MOOR_SPAN_NONE, moor_buf_view(&blob), &clear, NULL) == MOOR_OK);
    CHECK(moor_secret_empty(&clear));
}

static void sealed_text_does_not_open_when_anything_differs(void)
{
    struct moor_span key = moor_span(key32, 32);
    struct moor_span other = moor_span("X123456789abcdef0123456789abcdef", 32);
    struct moor_span ctx = MOOR_SPAN_LIT("ctx");
    MOOR_AUTO(moor_buf) blob = MOOR_BUF(256);
    MOOR_AUTO(moor_secret) clear = MOOR_SECRET_INIT;
    CHECK(moor_seal(key, ctx, MOOR_SPAN_LIT("hello"), &blob, NULL) == MOOR_OK);
    CHECK(moor_unseal(other, ctx, moor_buf_view(&blob), &clear, NULL) == MOOR_E_DENIED);
    CHECK(moor_unseal(key, MOOR_SPAN_LIT("cty"), moor_buf_view(&blob), &clear, NULL) ==
          MOOR_E_DENIED);
    CHECK(moor_unseal(key, ctx, moor_span(blob.data, blob.len - 1), &clear, NULL) == MOOR_E_DENIED);
    CHECK(moor_unseal(key, ctx, moor_span(blob.data, 27), &clear, NULL) == MOOR_E_BADINPUT);
    for (size_t i = 0; i < blob.len; i++) {
        blob.data[i] ^= 1;
        CHECK(moor_unseal(key, ctx, moor_buf_view(&blob), &clear, NULL) == MOOR_E_DENIED);
        blob.data[i] ^= 1;
    }
    CHECK(moor_secret_empty(&clear));
}

CHECK_MAIN(CHECK_TEST(digest_of_pieces_is_the_digest_of_the_whole),
           CHECK_TEST(hmac_agrees_with_rfc_4231),
           CHECK_TEST(sealed_text_opens_with_the_same_key_and_context),
           CHECK_TEST(empty_text_can_be_sealed),
           CHECK_TEST(sealed_text_does_not_open_when_anything_differs))
