/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cert.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

#include "crypto/ssl.h"
#include "crypto/tpm_internal.h"

#define SERIAL_LEN 16

struct moor_cert {
    X509 *x;
};

static moor_code adopt(X509 *x, struct moor_cert **out, struct moor_error *err)
{
    struct moor_cert *c = malloc(sizeof(*c));
    if (!c) {
        X509_free(x);
        return moor_fail(err, MOOR_E_NOMEM, "certificate: out of memory");
    }
    c->x = x;
    *out = c;
    return MOOR_OK;
}

moor_code moor_cert_from_pem(struct moor_span pem, struct moor_cert **out, struct moor_error *err)
{
    MOOR_AUTOPTR(bio_st) in = moor_ssl_reader(pem);
    if (!in)
        return moor_fail(err, MOOR_E_NOMEM, "certificate: out of memory");
    X509 *x = PEM_read_bio_X509(in, NULL, NULL, NULL);
    if (!x)
        return moor_ssl_fail(err, MOOR_E_BADINPUT, "certificate: want PEM");
    return adopt(x, out, err);
}

moor_code moor_cert_from_der(struct moor_span der, struct moor_cert **out, struct moor_error *err)
{
    const unsigned char *p = (const unsigned char *)der.p;
    X509 *x = der.n && der.n <= INT_MAX ? d2i_X509(NULL, &p, (long)der.n) : NULL;
    if (!x)
        return moor_ssl_fail(err, MOOR_E_BADINPUT, "certificate: want DER");
    if ((const char *)p != der.p + der.n) {
        X509_free(x);
        return moor_fail(err, MOOR_E_BADINPUT, "certificate: bytes behind the end");
    }
    return adopt(x, out, err);
}

moor_code moor_cert_to_pem(const struct moor_cert *c, struct moor_buf *out, struct moor_error *err)
{
    MOOR_AUTOPTR(bio_st) mem = BIO_new(BIO_s_mem());
    if (!mem || !PEM_write_bio_X509(mem, c->x))
        return moor_ssl_fail(err, MOOR_E_NOMEM, "certificate: encoding");
    moor_buf_span(out, moor_ssl_written(mem));
    return moor_buf_ok(out, "certificate", err);
}

moor_code moor_cert_to_der(const struct moor_cert *c, struct moor_buf *out, struct moor_error *err)
{
    unsigned char *der = NULL;
    int n = i2d_X509(c->x, &der);
    if (n <= 0)
        return moor_ssl_fail(err, MOOR_E_NOMEM, "certificate: encoding");
    moor_buf_add(out, der, (size_t)n);
    OPENSSL_free(der);
    return moor_buf_ok(out, "certificate", err);
}

static void append_name(const X509_NAME *name, struct moor_buf *out)
{
    MOOR_AUTOPTR(bio_st) mem = BIO_new(BIO_s_mem());
    if (!mem || X509_NAME_print_ex(mem, name, 0, XN_FLAG_RFC2253) < 0)
        moor_buf_fail(out);
    else
        moor_buf_span(out, moor_ssl_written(mem));
}

void moor_cert_subject(const struct moor_cert *c, struct moor_buf *out)
{
    append_name(X509_get_subject_name(c->x), out);
}

void moor_cert_issuer(const struct moor_cert *c, struct moor_buf *out)
{
    append_name(X509_get_issuer_name(c->x), out);
}

moor_code moor_cert_copy(const struct moor_cert *c, struct moor_cert **out, struct moor_error *err)
{
    struct moor_cert *copy = malloc(sizeof(*copy));
    if (!copy)
        return moor_fail(err, MOOR_E_NOMEM, "certificate: out of memory");
    *copy = *c;
    X509_up_ref(c->x);
    *out = copy;
    return MOOR_OK;
}

void moor_cert_free(struct moor_cert *c)
{
    if (!c)
        return;
    X509_free(c->x);
    free(c);
}

void moor_cert_sha256(const struct moor_cert *c, unsigned char out[32])
{
    unsigned int n = 0;
    int ok = X509_digest(c->x, EVP_sha256(), out, &n);
    MOOR_ASSERT(ok == 1 && n == 32);
}

void moor_cert_sha1_hex(const struct moor_cert *c, char out[41])
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned char sum[20];
    unsigned int n = 0;
    int ok = X509_digest(c->x, EVP_sha1(), sum, &n);
    MOOR_ASSERT(ok == 1 && n == sizeof(sum));
    for (size_t i = 0; i < sizeof(sum); i++) {
        out[2 * i] = digits[sum[i] >> 4];
        out[2 * i + 1] = digits[sum[i] & 15];
    }
    out[40] = '\0';
}

moor_code moor_cert_pin(const struct moor_cert *c, struct moor_buf *out, struct moor_error *err)
{
    unsigned char *der = NULL;
    unsigned char sum[32];
    const int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->x), &der);
    if (n <= 0)
        return moor_ssl_fail(err, MOOR_E_BADINPUT, "certificate: its key cannot be read");
    int ok = EVP_Digest(der, (size_t)n, sum, NULL, EVP_sha256(), NULL);
    OPENSSL_free(der);
    MOOR_ASSERT(ok == 1);
    moor_buf_base64(out, moor_span(sum, sizeof(sum)));
    return moor_buf_ok(out, "certificate's pin", err);
}

/* By difference from 1970, so that no time_t and no time zone is involved. 0 when unreadable. */
static int64_t asn1_ms(const ASN1_TIME *t)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0;
    int seconds = 0;
    bool ok = epoch && ASN1_TIME_diff(&days, &seconds, epoch, t) == 1;
    ASN1_TIME_free(epoch);
    return ok ? ((int64_t)days * 86400 + seconds) * 1000 : 0;
}

int64_t moor_cert_not_before_ms(const struct moor_cert *c)
{
    return asn1_ms(X509_get0_notBefore(c->x));
}

int64_t moor_cert_not_after_ms(const struct moor_cert *c)
{
    return asn1_ms(X509_get0_notAfter(c->x));
}

moor_code moor_cert_key(const struct moor_cert *c, struct moor_key **out, struct moor_error *err)
{
    EVP_PKEY *pkey = X509_get_pubkey(c->x);
    if (!pkey)
        return moor_ssl_fail(err, MOOR_E_BADINPUT, "certificate: public key");
    moor_code code = moor_ssl_adopt_key(pkey, out, err);
    return code ? moor_context(err, "certificate") : code;
}

bool moor_cert_is_ca(const struct moor_cert *c)
{
    return X509_check_ca(c->x) == 1;
}

bool moor_cert_issued_by(const struct moor_cert *c, const struct moor_cert *issuer)
{
    EVP_PKEY *pkey = X509_get0_pubkey(issuer->x);
    bool named = X509_NAME_cmp(X509_get_issuer_name(c->x), X509_get_subject_name(issuer->x)) == 0;
    bool ok = named && pkey && X509_verify(c->x, pkey) == 1;
    if (!ok)
        moor_ssl_forget();
    return ok;
}

static bool set_serial(X509 *x)
{
    unsigned char bytes[SERIAL_LEN];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40); /* positive and of full length */
    MOOR_AUTOPTR(bignum_st) bn = BN_bin2bn(bytes, sizeof(bytes), NULL);
    return bn && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x));
}

static bool set_time(ASN1_TIME *t, int64_t ms)
{
    return ASN1_TIME_adj(t, 0, (int)(ms / 86400000), (long)(ms / 1000 % 86400)) != NULL;
}

static bool add_common_name(X509_NAME *name, const char *cn)
{
    return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                      (const unsigned char *)cn, -1, -1, 0) == 1;
}

static bool add_extension(X509 *x, X509V3_CTX *ctx, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
    bool ok = e && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

/* An address becomes an iPAddress, everything else a dNSName. */
static bool push_name(GENERAL_NAMES *names, const char *name)
{
    GENERAL_NAME *g = GENERAL_NAME_new();
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(name);
    ASN1_IA5STRING *dns = ip ? NULL : ASN1_IA5STRING_new();
    bool filled = g && (ip || (dns && ASN1_STRING_set(dns, name, -1)));
    if (filled)
        GENERAL_NAME_set0_value(g, ip ? GEN_IPADD : GEN_DNS, ip ? (void *)ip : (void *)dns);
    if (filled && sk_GENERAL_NAME_push(names, g) > 0)
        return true;
    if (!filled) {
        ASN1_OCTET_STRING_free(ip);
        ASN1_IA5STRING_free(dns);
    }
    GENERAL_NAME_free(g);
    return false;
}

static bool add_alt_names(X509 *x, const char *const *names)
{
    if (!names || !*names)
        return true;
    GENERAL_NAMES *list = GENERAL_NAMES_new();
    bool ok = list != NULL;
    for (size_t i = 0; ok && names[i]; i++)
        ok = push_name(list, names[i]);
    ok = ok && X509_add1_ext_i2d(x, NID_subject_alt_name, list, 0, X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(list);
    return ok;
}

static bool add_purposes(X509 *x, X509V3_CTX *ctx, const struct moor_cert_spec *spec)
{
    const struct {
        bool on;
        const char *name;
    } purposes[] = { { spec->tls_server, ",serverAuth" },
                     { spec->tls_client, ",clientAuth" },
                     { spec->code_signing, ",codeSigning" } };
    MOOR_AUTO(moor_buf) list = MOOR_BUF(128);
    for (size_t i = 0; i < MOOR_COUNTOF(purposes); i++)
        if (purposes[i].on)
            moor_buf_str(&list, purposes[i].name);
    return !list.len || add_extension(x, ctx, NID_ext_key_usage, moor_buf_cstr(&list) + 1);
}

static bool add_extensions(X509 *x, const struct moor_cert_spec *spec)
{
    const char *usage = spec->ca                 ? "critical,keyCertSign,cRLSign"
                        : spec->key_encipherment ? "critical,digitalSignature,keyEncipherment"
                                                 : "critical,digitalSignature";
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, spec->issuer ? spec->issuer->x : x, x, NULL, NULL, 0);
    return add_extension(x, &ctx, NID_basic_constraints,
                         spec->ca ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
           add_extension(x, &ctx, NID_key_usage, usage) && add_purposes(x, &ctx, spec) &&
           add_alt_names(x, spec->dns_names) &&
           add_extension(x, &ctx, NID_subject_key_identifier, "hash") &&
           (!spec->issuer || add_extension(x, &ctx, NID_authority_key_identifier, "keyid"));
}

moor_code moor_cert_make(const struct moor_cert_spec *spec, struct moor_cert **out,
                         struct moor_error *err)
{
    MOOR_AUTOPTR(x509_st) x = X509_new();
    if (!x)
        return moor_fail(err, MOOR_E_NOMEM, "certificate: out of memory");
    const struct moor_key *signer = spec->issuer_key ? spec->issuer_key : spec->subject;
    if (!add_common_name(X509_get_subject_name(x), spec->common_name))
        return moor_ssl_fail(err, MOOR_E_BADINPUT, "certificate: name \"%s\"", spec->common_name);
    X509_NAME *issuer =
        spec->issuer ? X509_get_subject_name(spec->issuer->x) : X509_get_subject_name(x);
    if (!X509_set_version(x, X509_VERSION_3) || !set_serial(x) ||
        !set_time(X509_getm_notBefore(x), spec->not_before_ms) ||
        !set_time(X509_getm_notAfter(x), spec->not_after_ms) || !X509_set_issuer_name(x, issuer) ||
        !X509_set_pubkey(x, moor_key_evp(spec->subject)) || !add_extensions(x, spec) ||
        !X509_sign(x, moor_key_evp(signer), EVP_sha256()))
        return moor_ssl_fail(err, MOOR_E_BADINPUT, "certificate for \"%s\"", spec->common_name);
    return adopt(MOOR_TAKE(x), out, err);
}

/* The signature of a key that OpenSSL's own functions cannot use here is put in by hand. */
static moor_code sign_request_in_tpm(X509_REQ *req, const struct moor_key *k,
                                     struct moor_error *err)
{
    unsigned char sig[MOOR_TPM_SIGNATURE_MAX], *bytes = NULL;
    size_t n = 0;
    X509_ALGOR *alg = X509_ALGOR_new();
    ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
    int len = i2d_re_X509_REQ_tbs(req, &bytes);
    moor_code c = alg && bits && len > 0
                      ? moor_tpm_sign(k, false, moor_span((char *)bytes, (size_t)len), sig, &n, err)
                      : moor_ssl_fail(err, MOOR_E_NOMEM, "certificate request");
    if (!c && (!X509_ALGOR_set0(alg, OBJ_nid2obj(NID_sha256WithRSAEncryption), V_ASN1_NULL, NULL) ||
               !X509_REQ_set1_signature_algo(req, alg) || !ASN1_BIT_STRING_set(bits, sig, (int)n)))
        c = moor_ssl_fail(err, MOOR_E_NOMEM, "certificate request");
    if (!c) {
        bits->flags &= ~(ASN1_STRING_FLAG_BITS_LEFT | 7);
        bits->flags |= ASN1_STRING_FLAG_BITS_LEFT;
        X509_REQ_set0_signature(req, MOOR_TAKE(bits));
    }
    ASN1_BIT_STRING_free(bits);
    X509_ALGOR_free(alg);
    OPENSSL_free(bytes);
    return c;
}

static moor_code sign_request(X509_REQ *req, const struct moor_key *k, struct moor_error *err)
{
    if (moor_key_in_tpm(k))
        return sign_request_in_tpm(req, k, err);
    if (!X509_REQ_sign(req, moor_key_evp(k), EVP_sha256()))
        return moor_ssl_fail(err, MOOR_E_BADINPUT, "certificate request");
    return MOOR_OK;
}

moor_code moor_csr_make(const struct moor_key *k, const char *common_name, struct moor_buf *der,
                        struct moor_error *err)
{
    MOOR_AUTOPTR(X509_req_st) req = X509_REQ_new();
    if (!req || !add_common_name(X509_REQ_get_subject_name(req), common_name) ||
        !X509_REQ_set_version(req, X509_REQ_VERSION_1) ||
        !X509_REQ_set_pubkey(req, moor_key_evp(k)))
        return moor_ssl_fail(err, MOOR_E_BADINPUT, "certificate request");
    moor_code c = sign_request(req, k, err);
    if (c)
        return c;
    unsigned char *bytes = NULL;
    int n = i2d_X509_REQ(req, &bytes);
    if (n <= 0)
        return moor_ssl_fail(err, MOOR_E_NOMEM, "certificate request: encoding");
    moor_buf_add(der, bytes, (size_t)n);
    OPENSSL_free(bytes);
    return moor_buf_ok(der, "certificate request", err);
}

moor_code moor_csr_key(struct moor_span der, struct moor_key **out, struct moor_error *err)
{
    const unsigned char *p = (const unsigned char *)der.p;
    MOOR_AUTOPTR(X509_req_st)
    req = der.n && der.n <= INT_MAX ? d2i_X509_REQ(NULL, &p, (long)der.n) : NULL;
    if (!req || (const char *)p != der.p + der.n)
        return moor_ssl_fail(err, MOOR_E_BADINPUT, "certificate request: want PKCS#10 DER");
    EVP_PKEY *pkey = X509_REQ_get_pubkey(req);
    if (!pkey || X509_REQ_verify(req, pkey) != 1) {
        EVP_PKEY_free(pkey);
        return moor_ssl_fail(err, MOOR_E_BADINPUT, "certificate request: signature");
    }
    moor_code c = moor_ssl_adopt_key(pkey, out, err);
    return c ? moor_context(err, "certificate request") : c;
}

struct x509_st *moor_cert_x509(const struct moor_cert *c)
{
    return c->x;
}
