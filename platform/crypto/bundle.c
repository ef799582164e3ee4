/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/bundle.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <string.h>

#include "crypto/ssl.h"

#define CERTS_MAX 16

static inline void PKCS12_st_free(struct PKCS12_st *p)
{
    PKCS12_free(p);
}
MOOR_DEFINE_AUTOPTR(PKCS12_st)

/* What was asked for and not given makes a failure a question of the password. */
struct asking {
    const struct moor_secret *password;
    bool asked;
};

static int give_password(char *buf, int size, int writing, void *ctx)
{
    struct asking *a = ctx;
    (void)writing;
    a->asked = true;
    struct moor_span s = a->password ? moor_secret_reveal(a->password) : MOOR_SPAN_NONE;
    if (s.n == 0 || s.n > (size_t)size)
        return -1;
    memcpy(buf, s.p, s.n);
    return (int)s.n;
}

static moor_code refuse_password(const struct moor_secret *password, struct moor_error *err)
{
    moor_ssl_forget();
    return moor_fail(err, MOOR_E_DENIED, "%s",
                     password && !moor_secret_empty(password)
                         ? "the password is wrong"
                         : "the private key is encrypted: its password is needed");
}

static moor_code read_pem_key(struct moor_span bytes, const struct moor_secret *password,
                              struct moor_key **out, struct moor_error *err)
{
    MOOR_AUTOPTR(bio_st) in = moor_ssl_reader(bytes);
    struct asking a = { .password = password };
    if (!in)
        return moor_fail(err, MOOR_E_NOMEM, "private key: out of memory");
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(in, NULL, give_password, &a);
    if (!pkey && a.asked)
        return refuse_password(password, err);
    if (!pkey)
        return moor_ssl_fail(err, MOOR_E_BADINPUT, "private key: want PEM or PKCS#12");
    return moor_ssl_adopt_key(pkey, out, err);
}

/* Takes the certificate when it is the key's; frees it otherwise. */
static moor_code take_if_own(X509 *x, const struct moor_key *key, struct moor_cert **out,
                             struct moor_error *err)
{
    MOOR_AUTOPTR(x509_st) own = x;
    MOOR_AUTO(moor_buf) der = MOOR_BUF(65536);
    unsigned char *bytes = NULL;
    if (X509_check_private_key(own, moor_key_evp(key)) != 1) {
        moor_ssl_forget();
        return MOOR_OK;
    }
    int n = i2d_X509(own, &bytes);
    if (n <= 0)
        return moor_ssl_fail(err, MOOR_E_BADINPUT, "certificate: encoding");
    moor_buf_add(&der, bytes, (size_t)n);
    OPENSSL_free(bytes);
    moor_code c = moor_buf_ok(&der, "certificate", err);
    return c ? c : moor_cert_from_der(moor_buf_view(&der), out, err);
}

static moor_code read_pem_cert(struct moor_span bytes, const struct moor_key *key,
                               struct moor_cert **out, struct moor_error *err)
{
    MOOR_AUTOPTR(bio_st) in = moor_ssl_reader(bytes);
    moor_code c = in ? MOOR_OK : moor_fail(err, MOOR_E_NOMEM, "certificate: out of memory");
    for (int i = 0; !c && !*out && i < CERTS_MAX; i++) {
        X509 *x = PEM_read_bio_X509(in, NULL, NULL, NULL);
        if (!x)
            break;
        c = take_if_own(x, key, out, err);
    }
    moor_ssl_forget();
    return c;
}

static moor_code read_pkcs12(PKCS12 *p12, const struct moor_secret *password, struct moor_key **key,
                             struct moor_cert **cert, struct moor_error *err)
{
    EVP_PKEY *pkey = NULL;
    X509 *x = NULL;
    const char *text =
        password && !moor_secret_empty(password) ? moor_secret_reveal(password).p : NULL;
    if (!PKCS12_verify_mac(p12, text ? text : "", -1) && !PKCS12_verify_mac(p12, text, -1))
        return refuse_password(password, err);
    if (!PKCS12_parse(p12, text, &pkey, &x, NULL))
        return moor_ssl_fail(err, MOOR_E_UNSUPPORTED,
                             "PKCS#12: cannot be decrypted (files of old programs: export again "
                             "with AES-256)");
    if (!pkey) {
        X509_free(x);
        return moor_fail(err, MOOR_E_BADINPUT, "PKCS#12: no private key in it");
    }
    moor_code c = moor_ssl_adopt_key(pkey, key, err);
    if (c || !x) {
        X509_free(x);
        return c;
    }
    return take_if_own(x, *key, cert, err);
}

static moor_code read_either(struct moor_span bytes, const struct moor_secret *password,
                             struct moor_key **key, struct moor_cert **cert, struct moor_error *err)
{
    MOOR_AUTOPTR(bio_st) in = moor_ssl_reader(bytes);
    if (!in)
        return moor_fail(err, MOOR_E_NOMEM, "certificate: out of memory");
    MOOR_AUTOPTR(PKCS12_st) p12 = d2i_PKCS12_bio(in, NULL);
    moor_ssl_forget();
    if (p12)
        return read_pkcs12(p12, password, key, cert, err);
    moor_code c = read_pem_key(bytes, password, key, err);
    return c ? c : read_pem_cert(bytes, *key, cert, err);
}

moor_code moor_bundle_read(struct moor_span bytes, const struct moor_secret *password,
                           struct moor_key **key, struct moor_cert **cert, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_key) k = NULL;
    MOOR_AUTOPTR(moor_cert) own = NULL;
    moor_code c = read_either(bytes, password, &k, &own, err);
    if (!c && !own)
        c = moor_fail(err, MOOR_E_BADINPUT, "no certificate for the private key in it");
    if (c)
        return c;
    *key = MOOR_TAKE(k);
    *cert = MOOR_TAKE(own);
    return MOOR_OK;
}
