/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cms.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/objects.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "crypto/ssl.h"

/* Chains are judged at 112 bits and more: no SHA-1, no RSA below 2048 below the root. */
#define CHAIN_SECURITY_LEVEL 2

static moor_code put_der(CMS_ContentInfo *cms, struct moor_buf *der, struct moor_error *err)
{
    unsigned char *bytes = NULL;
    int n = i2d_CMS_ContentInfo(cms, &bytes);
    if (n <= 0)
        return moor_ssl_fail(err, MOOR_E_NOMEM, "CMS: encoding");
    moor_buf_add(der, bytes, (size_t)n);
    OPENSSL_free(bytes);
    return moor_buf_ok(der, "CMS", err);
}

static moor_code read_der(struct moor_span der, CMS_ContentInfo **out, struct moor_error *err)
{
    const unsigned char *p = (const unsigned char *)der.p;
    CMS_ContentInfo *cms =
        der.n && der.n <= INT_MAX ? d2i_CMS_ContentInfo(NULL, &p, (long)der.n) : NULL;
    if (!cms)
        return moor_ssl_fail(err, MOOR_E_BADINPUT, "CMS: want DER");
    if ((const char *)p != der.p + der.n) {
        CMS_ContentInfo_free(cms);
        return moor_fail(err, MOOR_E_BADINPUT, "CMS: bytes behind the end");
    }
    *out = cms;
    return MOOR_OK;
}

moor_code moor_cms_encrypt(const struct moor_cert *recipient, struct moor_span clear,
                           struct moor_buf *der, struct moor_error *err)
{
    X509 *x = moor_cert_x509(recipient);
    if (!EVP_PKEY_is_a(X509_get0_pubkey(x), "RSA"))
        return moor_fail(err, MOOR_E_BADINPUT, "CMS: want a recipient with an RSA key");
    MOOR_AUTOPTR(bio_st) in = moor_ssl_reader(clear);
    /* Only a container: the certificate stays the caller's. */
    STACK_OF(X509) *to = sk_X509_new_null();
    bool ready = in && to && sk_X509_push(to, x) > 0;
    MOOR_AUTOPTR(CMS_ContentInfo_st)
    cms = ready ? CMS_encrypt(to, in, EVP_aes_256_cbc(), CMS_BINARY) : NULL;
    sk_X509_free(to);
    if (!cms)
        return moor_ssl_fail(err, MOOR_E_IO, "CMS: encryption");
    return put_der(cms, der, err);
}

moor_code moor_cms_decrypt(const struct moor_cert *recipient, const struct moor_key *key,
                           struct moor_span der, struct moor_secret *clear, struct moor_error *err)
{
    MOOR_AUTOPTR(CMS_ContentInfo_st) cms = NULL;
    moor_code c = read_der(der, &cms, err);
    if (c)
        return c;
    MOOR_AUTOPTR(bio_st) mem = BIO_new(BIO_s_mem());
    if (!mem)
        return moor_fail(err, MOOR_E_NOMEM, "CMS: out of memory");
    bool ok =
        CMS_decrypt(cms, moor_key_evp(key), moor_cert_x509(recipient), NULL, mem, CMS_BINARY) == 1;
    struct moor_span text = moor_ssl_written(mem);
    c = ok ? moor_secret_set(clear, text, err)
           : moor_ssl_fail(err, MOOR_E_DENIED, "CMS: not encrypted to this certificate");
    char *bytes = NULL;
    long n = BIO_get_mem_data(mem, &bytes);
    if (n > 0)
        OPENSSL_cleanse(bytes, (size_t)n);
    return c;
}

/* A BIO that reads a plat_file from its start, so that large files are never in memory whole and
 * the bytes judged are those of the open file, whatever happens to its name. */
struct file_reader {
    const struct plat_file *file;
    uint64_t at;
    struct moor_error err;
};

static int reader_read(BIO *b, char *p, size_t n, size_t *got)
{
    struct file_reader *r = BIO_get_data(b);
    if (r->err.code || plat_read_at(r->file, r->at, p, n, got, &r->err))
        return -1;
    r->at += *got;
    return *got > 0;
}

static long reader_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    (void)b;
    (void)num;
    (void)ptr;
    return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DUP;
}

static int reader_create(BIO *b)
{
    BIO_set_init(b, 1);
    return 1;
}

static BIO_METHOD *reader_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK | 0x7e, "file");
    if (m && BIO_meth_set_read_ex(m, reader_read) && BIO_meth_set_ctrl(m, reader_ctrl) &&
        BIO_meth_set_create(m, reader_create))
        return m;
    BIO_meth_free(m);
    return NULL;
}

/* Runs fn with a BIO over content; a read error of ours outranks what OpenSSL made of it. */
static moor_code with_content(const struct plat_file *content,
                              moor_code (*fn)(void *ctx, BIO *in, struct moor_error *err),
                              void *ctx, struct moor_error *err)
{
    struct file_reader r = { .file = content, .err = MOOR_ERROR_INIT };
    BIO_METHOD *m = reader_method();
    BIO *in = m ? BIO_new(m) : NULL;
    moor_code c = MOOR_E_NOMEM;
    if (in) {
        BIO_set_data(in, &r);
        c = fn(ctx, in, err);
    } else {
        c = moor_fail(err, c, "CMS: out of memory");
    }
    BIO_free(in);
    BIO_meth_free(m);
    if (!r.err.code)
        return c;
    return moor_fail(err, r.err.code, "%s", r.err.msg);
}

struct signing {
    const struct moor_cert *signer;
    const struct moor_key *key;
    struct moor_buf *der;
};

static moor_code sign_bytes(void *ctx, BIO *in, struct moor_error *err)
{
    const struct signing *s = ctx;
    const unsigned flags = CMS_BINARY | CMS_DETACHED | CMS_NOSMIMECAP;
    MOOR_AUTOPTR(CMS_ContentInfo_st)
    cms = CMS_sign(NULL, NULL, NULL, NULL, flags | CMS_PARTIAL);
    if (!cms ||
        !CMS_add1_signer(cms, moor_cert_x509(s->signer), moor_key_evp(s->key), EVP_sha256(),
                         flags) ||
        !CMS_final(cms, in, NULL, flags))
        return moor_ssl_fail(err, MOOR_E_IO, "CMS: signing");
    return put_der(cms, s->der, err);
}

moor_code moor_cms_sign_file(const struct moor_cert *signer, const struct moor_key *key,
                             const struct plat_file *content, struct moor_buf *der,
                             struct moor_error *err)
{
    struct signing s = { signer, key, der };
    return with_content(content, sign_bytes, &s, err);
}

static bool digest_is_strong(CMS_SignerInfo *si)
{
    X509_ALGOR *digest = NULL;
    CMS_SignerInfo_get0_algs(si, NULL, NULL, &digest, NULL);
    const ASN1_OBJECT *oid = NULL;
    X509_ALGOR_get0(&oid, NULL, NULL, digest);
    int nid = OBJ_obj2nid(oid);
    return nid == NID_sha256 || nid == NID_sha384 || nid == NID_sha512;
}

static bool may_sign_code(X509 *x)
{
    return (X509_get_extension_flags(x) & EXFLAG_XKUSAGE) &&
           (X509_get_extended_key_usage(x) & XKU_CODE_SIGN);
}

/* The one signer of a detached signature, or DENIED. */
static moor_code only_signer(CMS_ContentInfo *cms, CMS_SignerInfo **out, struct moor_error *err)
{
    if (OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_signed)
        return moor_fail(err, MOOR_E_DENIED, "signature: want CMS SignedData");
    if (CMS_is_detached(cms) != 1)
        return moor_fail(err, MOOR_E_DENIED, "signature: carries content of its own");
    STACK_OF(CMS_SignerInfo) *all = CMS_get0_SignerInfos(cms);
    int count = sk_CMS_SignerInfo_num(all);
    if (count != 1)
        return moor_fail(err, MOOR_E_DENIED, "signature: want one signer, found %d",
                         count < 0 ? 0 : count);
    CMS_SignerInfo *si = sk_CMS_SignerInfo_value(all, 0);
    if (!digest_is_strong(si))
        return moor_fail(err, MOOR_E_DENIED, "signature: want a digest of SHA-256 or better");
    *out = si;
    return MOOR_OK;
}

struct verifying {
    CMS_ContentInfo *cms;
    STACK_OF(X509) * roots;
};

static moor_code check_bytes(void *ctx, BIO *in, struct moor_error *err)
{
    const struct verifying *v = ctx;
    const unsigned flags = CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY;
    if (CMS_verify(v->cms, v->roots, NULL, in, NULL, flags) != 1)
        return moor_ssl_fail(err, MOOR_E_DENIED, "signature");
    return MOOR_OK;
}

/* The chain alone, apart from the signature, so that the message says which of the two failed. */
static moor_code check_chain(const struct verifying *v, X509 *signer, struct moor_error *err)
{
    MOOR_AUTOPTR(x509_store_st) store = X509_STORE_new();
    MOOR_AUTOPTR(x509_store_ctx_st) ctx = X509_STORE_CTX_new();
    MOOR_AUTOPTR(stack_st_X509) between = CMS_get1_certs(v->cms);
    bool ready = store && ctx;
    for (int i = 0; ready && i < sk_X509_num(v->roots); i++)
        ready = X509_STORE_add_cert(store, sk_X509_value(v->roots, i)) == 1;
    if (!ready || X509_STORE_CTX_init(ctx, store, signer, between) != 1)
        return moor_ssl_fail(err, MOOR_E_NOMEM, "signer: certificate path");
    X509_VERIFY_PARAM *how = X509_STORE_CTX_get0_param(ctx);
    if (!X509_VERIFY_PARAM_set_flags(how, X509_V_FLAG_NO_CHECK_TIME | X509_V_FLAG_PARTIAL_CHAIN))
        return moor_ssl_fail(err, MOOR_E_BUG, "signer: certificate path");
    X509_VERIFY_PARAM_set_auth_level(how, CHAIN_SECURITY_LEVEL);
    if (X509_verify_cert(ctx) == 1)
        return MOOR_OK;
    const char *why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
    moor_ssl_forget();
    return moor_fail(err, MOOR_E_DENIED, "signer: no path to a trusted certificate: %s", why);
}

static moor_code verify_with(const struct verifying *v, const struct plat_file *content,
                             struct moor_error *err)
{
    CMS_SignerInfo *si = NULL;
    moor_code c = only_signer(v->cms, &si, err);
    if (c)
        return c;
    struct verifying copy = *v;
    c = with_content(content, check_bytes, &copy, err);
    if (c)
        return c;
    X509 *signer = NULL; /* known to CMS after CMS_verify */
    CMS_SignerInfo_get0_algs(si, NULL, &signer, NULL, NULL);
    if (!signer || !may_sign_code(signer))
        return moor_fail(err, MOOR_E_DENIED, "signer: the certificate is not for code signing");
    return check_chain(v, signer, err);
}

moor_code moor_cms_verify_file(struct moor_span der, const struct plat_file *content,
                               const struct moor_cert *const *roots, size_t count,
                               struct moor_error *err)
{
    MOOR_AUTOPTR(CMS_ContentInfo_st) cms = NULL;
    if (read_der(der, &cms, NULL))
        return moor_fail(err, MOOR_E_DENIED, "signature: want CMS in DER");
    struct verifying v = { cms, sk_X509_new_null() };
    bool ready = v.roots != NULL;
    for (size_t i = 0; ready && i < count; i++)
        ready = sk_X509_push(v.roots, moor_cert_x509(roots[i])) > 0;
    moor_code c = ready ? verify_with(&v, content, err)
                        : moor_fail(err, MOOR_E_NOMEM, "signature: out of memory");
    sk_X509_free(v.roots);
    return c;
}
