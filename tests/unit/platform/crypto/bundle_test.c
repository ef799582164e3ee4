/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/bundle.h"

#include "check.h"

/* PEM of a self-signed certificate of k, appended. */
static void add_cert(struct moor_buf *b, const struct moor_key *k)
{
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    const struct moor_cert_spec spec = { .common_name = "signer",
                                         .subject = k,
                                         .issuer_key = k,
                                         .not_before_ms = 1700000000000,
                                         .not_after_ms = 1900000000000 };
    CHECK(moor_cert_make(&spec, &cert, NULL) == MOOR_OK);
    CHECK(moor_cert_to_pem(cert, b, NULL) == MOOR_OK);
}

static void add_key(struct moor_buf *b, const struct moor_key *k)
{
    MOOR_AUTO(moor_secret) pem = MOOR_SECRET_INIT;
    CHECK(moor_key_to_pem(k, &pem, NULL) == MOOR_OK);
    moor_buf_span(b, moor_secret_reveal(&pem));
}

/* The pieces in the order of the letters: k key, c its certificate, o another's. */
static moor_code read_pem(const char *order, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_key) mine = NULL;
    MOOR_AUTOPTR(moor_key) other = NULL;
    MOOR_AUTOPTR(moor_key) key = NULL;
    MOOR_AUTOPTR(moor_key) certified = NULL;
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(65536);
    CHECK(moor_key_generate(MOOR_KEY_RSA_2048, &mine, NULL) == MOOR_OK);
    CHECK(moor_key_generate(MOOR_KEY_P256, &other, NULL) == MOOR_OK);
    for (const char *p = order; *p; p++) {
        if (*p == 'k')
            add_key(&text, mine);
        else
            add_cert(&text, *p == 'c' ? mine : other);
    }
    moor_code c = moor_bundle_read(moor_buf_view(&text), NULL, &key, &cert, err);
    if (c == MOOR_OK) {
        CHECK(moor_key_same_public(key, mine));
        CHECK(moor_cert_key(cert, &certified, NULL) == MOOR_OK);
        CHECK(moor_key_same_public(certified, mine));
    }
    return c;
}

static void pem_pieces_may_stand_in_any_order(void)
{
    static const char *const orders[] = { "kc", "ck", "kco", "ock", "oock" };
    for (size_t i = 0; i < MOOR_COUNTOF(orders); i++)
        CHECK(read_pem(orders[i], NULL) == MOOR_OK);
}

static void a_missing_half_is_named(void)
{
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK(read_pem("c", &err) == MOOR_E_BADINPUT);
    CHECK(strstr(err.msg, "private key") != NULL);
    CHECK(read_pem("k", &err) == MOOR_E_BADINPUT);
    CHECK(strstr(err.msg, "no certificate") != NULL);
    CHECK(read_pem("ko", &err) == MOOR_E_BADINPUT);
    CHECK(read_pem("", &err) == MOOR_E_BADINPUT);
}

CHECK_MAIN(CHECK_TEST(pem_pieces_may_stand_in_any_order), CHECK_TEST(a_missing_half_is_named))
