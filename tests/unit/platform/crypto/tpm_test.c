/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in a TPM: run by tests/blackbox/test_tpm.py, which gives it a software TPM in MOOR_TPM. */
#include "crypto/tpm.h"

#include "base/sha256.h"
#include "check.h"
#include "crypto/cert.h"
#include "crypto/jws.h"
#include "platform/self.h"

static const char *device(void)
{
    return plat_environment("MOOR_TPM");
}

static void devices_are_known_forms_only(void)
{
    static const char *const good[] = { "device:/dev/tpmrm0", "device:/dev/tpm0", "tabrmd",
                                        "swtpm:path=/run/x/sock", "swtpm:host=127.0.0.1,port=1" };
    static const char *const bad[] = {
        "",
        "device:/etc/passwd",
        "device:/dev/tpm",
        "/tmp/evil.so",
        "libevil.so:x",
        "swtpm:host=10.0.0.1,port=1",
        "swtpm:host=127.0.0.1,port=0",
        "tabrmd:bus_name=x",
        "swtpm:path=/x\ntcti=y",
        "swtpm:path=/x y",
        "swtpm:path=relative",
    };
    for (size_t i = 0; i < MOOR_COUNTOF(good); i++)
        CHECK(moor_tpm_device_check(good[i], NULL) == MOOR_OK);
    for (size_t i = 0; i < MOOR_COUNTOF(bad); i++)
        CHECK(moor_tpm_device_check(bad[i], NULL) == MOOR_E_BADINPUT);
}

static struct moor_key *made(moor_key_kind kind)
{
    struct moor_key *k = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    if (!CHECK(moor_tpm_key_generate(kind, &k, &err) == MOOR_OK))
        printf("# %s\n", err.msg);
    return k;
}

static void a_key_of_a_tpm_signs_tokens_and_requests(void)
{
    if (!device())
        SKIP("MOOR_TPM names no TPM");
    MOOR_AUTOPTR(moor_key) k = made(MOOR_KEY_RSA_2048);
    MOOR_AUTO(moor_secret) pem = MOOR_SECRET_INIT;
    MOOR_AUTO(moor_buf) token = MOOR_BUF(8192);
    MOOR_AUTO(moor_buf) csr = MOOR_BUF(8192);
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    MOOR_AUTOPTR(moor_key) again = NULL;
    MOOR_AUTOPTR(moor_key) asked = NULL;
    struct moor_jws j;
    const struct moor_jws_header h = { .alg = MOOR_JWS_PS256, .typ = "JWT" };
    if (!k)
        return;
    CHECK(moor_key_in_tpm(k));
    CHECK(moor_key_to_pem(k, &pem, NULL) == MOOR_OK);
    CHECK(moor_tpm_is_pem(moor_secret_reveal(&pem)));
    CHECK(!strstr(moor_secret_reveal(&pem).p, "BEGIN PRIVATE KEY"));
    CHECK(moor_tpm_key_from_pem(moor_secret_reveal(&pem), &again, NULL) == MOOR_OK);
    CHECK(moor_key_same_public(k, again));
    CHECK(moor_jws_sign(again, &h, MOOR_SPAN_LIT("{}"), &token, NULL) == MOOR_OK);
    CHECK(moor_jws_read(moor_buf_view(&token), &j, &arena, NULL) == MOOR_OK);
    CHECK(moor_jws_verify(&j, MOOR_JWS_PS256, k, NULL) == MOOR_OK);
    CHECK(moor_csr_make(again, "web01", &csr, NULL) == MOOR_OK);
    CHECK(moor_csr_key(moor_buf_view(&csr), &asked, NULL) == MOOR_OK);
    CHECK(moor_key_same_public(k, asked));
}

static void what_a_key_derives_is_its_own_and_stays(void)
{
    if (!device())
        SKIP("MOOR_TPM names no TPM");
    MOOR_AUTOPTR(moor_key) a = made(MOOR_KEY_RSA_2048);
    MOOR_AUTOPTR(moor_key) b = made(MOOR_KEY_RSA_2048);
    MOOR_AUTOPTR(moor_key) again = NULL;
    MOOR_AUTO(moor_secret) pem = MOOR_SECRET_INIT;
    unsigned char first[32], second[32], other[32];
    if (!a || !b)
        return;
    CHECK(moor_key_to_pem(a, &pem, NULL) == MOOR_OK);
    CHECK(moor_tpm_key_from_pem(moor_secret_reveal(&pem), &again, NULL) == MOOR_OK);
    CHECK(moor_tpm_key_secret(a, first, NULL) == MOOR_E_TRANSIENT);
    CHECK(moor_tpm_key_unlock(a, NULL) == MOOR_OK && moor_tpm_key_unlock(again, NULL) == MOOR_OK);
    CHECK(moor_tpm_key_unlock(b, NULL) == MOOR_OK);
    CHECK(moor_tpm_key_secret(a, first, NULL) == MOOR_OK);
    CHECK(moor_tpm_key_secret(again, second, NULL) == MOOR_OK);
    CHECK(moor_tpm_key_secret(b, other, NULL) == MOOR_OK);
    CHECK(memcmp(first, second, 32) == 0 && memcmp(first, other, 32) != 0);
}

static void a_tpm_that_is_not_there_is_named(void)
{
    struct moor_key *k = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK(moor_tpm_use("swtpm:path=/nonexistent/tpm", NULL) == MOOR_OK);
    moor_code c = moor_tpm_key_generate(MOOR_KEY_RSA_2048, &k, &err);
    CHECK(c == MOOR_E_IO || c == MOOR_E_UNSUPPORTED); /* the latter without the provider */
    CHECK(strstr(err.msg, "swtpm:path=/nonexistent/tpm") != NULL);
}

static void none_is_used_that_nobody_chose(void)
{
    struct moor_key *k = NULL;
    CHECK(moor_tpm_key_generate(MOOR_KEY_RSA_2048, &k, NULL) == MOOR_E_UNSUPPORTED);
    CHECK(moor_tpm_use("libevil.so:x", NULL) == MOOR_E_BADINPUT);
    CHECK(moor_tpm_key_generate(MOOR_KEY_RSA_2048, &k, NULL) == MOOR_E_UNSUPPORTED);
    CHECK(!device() || moor_tpm_use(device(), NULL) == MOOR_OK);
}

CHECK_MAIN(CHECK_TEST(none_is_used_that_nobody_chose), CHECK_TEST(devices_are_known_forms_only),
           CHECK_TEST(a_key_of_a_tpm_signs_tokens_and_requests),
           CHECK_TEST(what_a_key_derives_is_its_own_and_stays),
           CHECK_TEST(a_tpm_that_is_not_there_is_named))
