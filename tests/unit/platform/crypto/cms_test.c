/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cms.h"

#include "base/text.h"
#include "check.h"
#include "platform/random.h"
#include "unit/platform/crypto/vectors.h"

static const char content_text[] = "content of the package\n";

/* A file with the text, already unlinked by name when the caller gets it. */
static void open_with(const char *text, struct plat_file *out)
{
    char id[37];
    char path[80];
    plat_random_uuid(id);
    (void)snprintf(path, sizeof(path), "/tmp/mooring-cms-%s", id);
    CHECK(plat_write_atomic(path, moor_span_str(text), PLAT_OWNER_ONLY, NULL) == MOOR_OK);
    CHECK(plat_open(path, PLAT_READ, out, NULL) == MOOR_OK);
    CHECK(plat_remove(path, NULL) == MOOR_OK);
}

static struct moor_cert *cert_of(const char *pem)
{
    struct moor_cert *c = NULL;
    CHECK(moor_cert_from_pem(moor_span_str(pem), &c, NULL) == MOOR_OK);
    return c;
}

static struct moor_key *key_of(const char *pem)
{
    struct moor_key *k = NULL;
    CHECK(moor_key_from_pem(moor_span_str(pem), &k, NULL) == MOOR_OK);
    return k;
}

static moor_code verify(const char *signature_base64, const char *text, const char *root_pem,
                        struct moor_error *err)
{
    MOOR_AUTO(moor_buf) der = MOOR_BUF(16384);
    MOOR_AUTO(plat_file) content = PLAT_FILE_INIT;
    MOOR_AUTOPTR(moor_cert) root = cert_of(root_pem);
    const struct moor_cert *roots[] = { root };
    CHECK(moor_base64_decode(moor_span_str(signature_base64), &der, NULL) == MOOR_OK);
    open_with(text, &content);
    return moor_cms_verify_file(moor_buf_view(&der), &content, roots, 1, err);
}

static void encrypted_text_comes_back(void)
{
    MOOR_AUTOPTR(moor_cert) cert = cert_of(vector_cert_pem);
    MOOR_AUTOPTR(moor_key) key = key_of(vector_key_pem);
    static const struct moor_span texts[] = { { "{\"a\":1}", 7 }, { "", 0 }, { "\n\r\n\0x", 5 } };
    for (size_t i = 0; i < MOOR_COUNTOF(texts); i++) {
        MOOR_AUTO(moor_buf) der = MOOR_BUF(16384);
        MOOR_AUTO(moor_secret) clear = MOOR_SECRET_INIT;
        CHECK(moor_cms_encrypt(cert, texts[i], &der, NULL) == MOOR_OK);
        CHECK(moor_cms_decrypt(cert, key, moor_buf_view(&der), &clear, NULL) == MOOR_OK);
        CHECK(moor_span_eq(moor_secret_reveal(&clear), texts[i]));
    }
}

static void envelopes_of_the_openssl_command_open(void)
{
    MOOR_AUTOPTR(moor_cert) cert = cert_of(vector_cert_pem);
    MOOR_AUTOPTR(moor_key) key = key_of(vector_key_pem);
    static const char *const *const all[] = { &vector_cms_enveloped, &vector_cms_enveloped_3des };
    for (size_t i = 0; i < MOOR_COUNTOF(all); i++) {
        MOOR_AUTO(moor_buf) der = MOOR_BUF(16384);
        MOOR_AUTO(moor_secret) clear = MOOR_SECRET_INIT;
        CHECK(moor_base64_decode(moor_span_str(*all[i]), &der, NULL) == MOOR_OK);
        CHECK(moor_cms_decrypt(cert, key, moor_buf_view(&der), &clear, NULL) == MOOR_OK);
        CHECK(moor_span_eq_str(moor_secret_reveal(&clear), "{\"secret\":\"hello\"}"));
    }
}

static void envelope_for_somebody_else_stays_closed(void)
{
    MOOR_AUTOPTR(moor_cert) cert = cert_of(vector_cert_pem);
    MOOR_AUTOPTR(moor_cert) other = cert_of(vector_signer_pem);
    MOOR_AUTOPTR(moor_key) key = key_of(vector_signer_key_pem);
    MOOR_AUTO(moor_buf) der = MOOR_BUF(16384);
    MOOR_AUTO(moor_secret) clear = MOOR_SECRET_INIT;
    CHECK(moor_cms_encrypt(cert, MOOR_SPAN_LIT("x"), &der, NULL) == MOOR_OK);
    CHECK(moor_cms_decrypt(other, key, moor_buf_view(&der), &clear, NULL) == MOOR_E_DENIED);
    moor_buf_char(&der, 'x');
    CHECK(moor_cms_decrypt(other, key, moor_buf_view(&der), &clear, NULL) == MOOR_E_BADINPUT);
    CHECK(moor_cms_decrypt(other, key, MOOR_SPAN_NONE, &clear, NULL) == MOOR_E_BADINPUT);
    CHECK(moor_secret_empty(&clear));
}

static void own_signature_verifies_over_the_same_bytes_only(void)
{
    MOOR_AUTOPTR(moor_cert) cert = cert_of(vector_signer_pem);
    MOOR_AUTOPTR(moor_key) key = key_of(vector_signer_key_pem);
    MOOR_AUTO(plat_file) content = PLAT_FILE_INIT;
    MOOR_AUTO(plat_file) other = PLAT_FILE_INIT;
    MOOR_AUTO(moor_buf) der = MOOR_BUF(16384);
    const struct moor_cert *roots[] = { cert };
    struct moor_error err = MOOR_ERROR_INIT;
    open_with(content_text, &content);
    open_with("content of the packagE\n", &other);
    CHECK(moor_cms_sign_file(cert, key, &content, &der, NULL) == MOOR_OK);
    CHECK(moor_cms_verify_file(moor_buf_view(&der), &content, roots, 1, &err) == MOOR_OK);
    CHECK(moor_cms_verify_file(moor_buf_view(&der), &other, roots, 1, &err) == MOOR_E_DENIED);
    CHECK(moor_cms_verify_file(moor_buf_view(&der), &content, NULL, 0, &err) == MOOR_E_DENIED);
}

static void expired_signer_with_a_path_to_the_root_is_accepted(void)
{
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK(verify(vector_sig_good, content_text, vector_root_pem, &err) == MOOR_OK);
    CHECK(verify(vector_sig_good, content_text, vector_inter_pem, &err) == MOOR_OK);
    CHECK(verify(vector_sig_good, content_text, vector_signer_pem, &err) == MOOR_OK);
    CHECK(verify(vector_sig_noattr, content_text, vector_root_pem, &err) == MOOR_OK);
}

static void refused(const char *signature, const char *text, const char *root, const char *why)
{
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK_INT(verify(signature, text, root, &err), MOOR_E_DENIED);
    if (!CHECK(strstr(err.msg, why) != NULL))
        printf("# got: %s\n", err.msg);
}

static void signatures_outside_the_rules_are_refused(void)
{
    refused(vector_sig_good, "other\n", vector_root_pem, "signature: ");
    refused(vector_sig_noattr, "other\n", vector_root_pem, "signature: ");
    refused(vector_sig_good, content_text, vector_cert_pem, "no path to a trusted certificate");
    refused(vector_sig_sha1, content_text, vector_root_pem, "SHA-256 or better");
    refused(vector_sig_two, content_text, vector_root_pem, "want one signer, found 2");
    refused(vector_sig_tls, content_text, vector_root_pem, "not for code signing");
    refused(vector_sig_attached, content_text, vector_root_pem, "content of its own");
    refused(vector_cms_enveloped, content_text, vector_root_pem, "want CMS SignedData");
    refused("", content_text, vector_root_pem, "want CMS in DER");
    refused("AAAA", content_text, vector_root_pem, "want CMS in DER");
}

CHECK_MAIN(CHECK_TEST(encrypted_text_comes_back), CHECK_TEST(envelopes_of_the_openssl_command_open),
           CHECK_TEST(envelope_for_somebody_else_stays_closed),
           CHECK_TEST(own_signature_verifies_over_the_same_bytes_only),
           CHECK_TEST(expired_signer_with_a_path_to_the_root_is_accepted),
           CHECK_TEST(signatures_outside_the_rules_are_refused))
