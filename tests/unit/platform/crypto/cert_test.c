/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cert.h"

#include "check.h"
#include "unit/platform/crypto/vectors.h"

#define DAY_MS 86400000LL
#define T0     1795367970000LL /* 2026-11-22T17:19:30Z */

static struct moor_key *new_key(moor_key_kind kind)
{
    struct moor_key *k = NULL;
    CHECK(moor_key_generate(kind, &k, NULL) == MOOR_OK);
    return k;
}

static struct moor_cert *new_ca(const struct moor_key *k, const char *name)
{
    struct moor_cert *c = NULL;
    struct moor_cert_spec spec = {
        .common_name = name,
        .subject = k,
        .not_before_ms = T0,
        .not_after_ms = T0 + 3650 * DAY_MS,
        .ca = true,
    };
    CHECK(moor_cert_make(&spec, &c, NULL) == MOOR_OK);
    return c;
}

static void ca_signs_a_server_certificate(void)
{
    static const char *const names[] = { "localhost", "127.0.0.1", "::1", NULL };
    MOOR_AUTOPTR(moor_key) ca_key = new_key(MOOR_KEY_P256);
    MOOR_AUTOPTR(moor_key) key = new_key(MOOR_KEY_P256);
    MOOR_AUTOPTR(moor_cert) ca = new_ca(ca_key, "test CA");
    MOOR_AUTOPTR(moor_cert) other = new_ca(key, "test CA");
    MOOR_AUTOPTR(moor_cert) leaf = NULL;
    struct moor_cert_spec spec = {
        .common_name = "localhost",
        .subject = key,
        .issuer = ca,
        .issuer_key = ca_key,
        .not_before_ms = T0,
        .not_after_ms = T0 + 90 * DAY_MS,
        .tls_server = true,
        .dns_names = names,
    };
    CHECK(moor_cert_make(&spec, &leaf, NULL) == MOOR_OK);
    CHECK(moor_cert_is_ca(ca));
    CHECK(!moor_cert_is_ca(leaf));
    CHECK(moor_cert_issued_by(leaf, ca));
    CHECK(moor_cert_issued_by(ca, ca));
    CHECK(!moor_cert_issued_by(leaf, other)); /* the right name, another key */
    CHECK(!moor_cert_issued_by(ca, leaf));
    CHECK_INT(moor_cert_not_before_ms(leaf), T0);
    CHECK_INT(moor_cert_not_after_ms(leaf), T0 + 90 * DAY_MS);
    MOOR_AUTOPTR(moor_key) found = NULL;
    CHECK(moor_cert_key(leaf, &found, NULL) == MOOR_OK);
    CHECK(moor_key_same_public(found, key));
}

static void certificate_survives_pem_and_der(void)
{
    MOOR_AUTOPTR(moor_cert) a = NULL;
    MOOR_AUTOPTR(moor_cert) b = NULL;
    MOOR_AUTO(moor_buf) der = MOOR_BUF(8192);
    MOOR_AUTO(moor_buf) pem = MOOR_BUF(8192);
    CHECK(moor_cert_from_pem(moor_span_str(vector_cert_pem), &a, NULL) == MOOR_OK);
    CHECK(moor_cert_to_der(a, &der, NULL) == MOOR_OK);
    CHECK(moor_cert_from_der(moor_buf_view(&der), &b, NULL) == MOOR_OK);
    CHECK(moor_cert_to_pem(b, &pem, NULL) == MOOR_OK);
    CHECK_STR(moor_buf_cstr(&pem), vector_cert_pem);
    char thumbprint[41];
    moor_cert_sha1_hex(b, thumbprint);
    CHECK_STR(thumbprint, vector_cert_thumbprint);

    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTOPTR(moor_cert) c = NULL;
    moor_buf_char(&der, 'x');
    CHECK(moor_cert_from_der(moor_buf_view(&der), &c, &err) == MOOR_E_BADINPUT);
    CHECK_STR(err.msg, "certificate: bytes behind the end");
    CHECK(moor_cert_from_der(MOOR_SPAN_NONE, &c, &err) == MOOR_E_BADINPUT);
    CHECK(moor_cert_from_pem(MOOR_SPAN_LIT("junk"), &c, &err) == MOOR_E_BADINPUT);
}

static void dates_after_2049_are_kept(void)
{
    MOOR_AUTOPTR(moor_key) k = new_key(MOOR_KEY_P256);
    MOOR_AUTOPTR(moor_cert) c = NULL;
    struct moor_cert_spec spec = {
        .common_name = "far",
        .subject = k,
        .not_before_ms = T0,
        .not_after_ms = 2556144000000LL, /* 2051-01-01 */
    };
    CHECK(moor_cert_make(&spec, &c, NULL) == MOOR_OK);
    CHECK_INT(moor_cert_not_after_ms(c), 2556144000000LL);
}

static void request_gives_its_key_and_nothing_when_changed(void)
{
    MOOR_AUTOPTR(moor_key) k = NULL;
    MOOR_AUTOPTR(moor_key) found = NULL;
    MOOR_AUTO(moor_buf) der = MOOR_BUF(8192);
    CHECK(moor_key_from_pem(moor_span_str(vector_key_pem), &k, NULL) == MOOR_OK);
    CHECK(moor_csr_make(k, "8a1f5d0e-2f5c-4c52-9e38-0d8b8a5c9f11", &der, NULL) == MOOR_OK);
    CHECK(moor_csr_key(moor_buf_view(&der), &found, NULL) == MOOR_OK);
    CHECK(moor_key_same_public(k, found));
    MOOR_AUTOPTR(moor_key) none = NULL;
    der.data[40] ^= 1; /* within the subject */
    CHECK(moor_csr_key(moor_buf_view(&der), &none, NULL) == MOOR_E_BADINPUT);
    der.data[40] ^= 1;
    moor_buf_char(&der, 'x');
    CHECK(moor_csr_key(moor_buf_view(&der), &none, NULL) == MOOR_E_BADINPUT);
    CHECK(moor_csr_key(MOOR_SPAN_NONE, &none, NULL) == MOOR_E_BADINPUT);
    CHECK(none == NULL);
}

static void serials_differ(void)
{
    MOOR_AUTOPTR(moor_key) k = new_key(MOOR_KEY_P256);
    MOOR_AUTOPTR(moor_cert) a = new_ca(k, "same");
    MOOR_AUTOPTR(moor_cert) b = new_ca(k, "same");
    unsigned char x[32];
    unsigned char y[32];
    moor_cert_sha256(a, x);
    moor_cert_sha256(b, y);
    CHECK(memcmp(x, y, sizeof(x)) != 0);
}

CHECK_MAIN(CHECK_TEST(ca_signs_a_server_certificate), CHECK_TEST(certificate_survives_pem_and_der),
           CHECK_TEST(dates_after_2049_are_kept),
           CHECK_TEST(request_gives_its_key_and_nothing_when_changed), CHECK_TEST(serials_differ))
