/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/key.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/text.h"
#include "crypto/ssl.h"
#include "crypto/tpm_internal.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 4096

struct moor_key {
    EVP_PKEY *pkey;
    struct moor_tpm_part *tpm; /* NULL = pkey has the private half, if any */
    atomic_uint owners;
};

static bool is_supported(const EVP_PKEY *pkey)
{
    if (EVP_PKEY_is_a(pkey, "RSA")) {
        int bits = EVP_PKEY_get_bits(pkey);
        return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX;
    }
    char group[32] = "";
    return EVP_PKEY_is_a(pkey, "EC") &&
           EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) == 1 &&
           OBJ_txt2nid(group) == NID_X9_62_prime256v1;
}

moor_code moor_ssl_adopt_key(struct evp_pkey_st *pkey, struct moor_key **out,
                             struct moor_error *err)
{
    if (!is_supported(pkey)) {
        EVP_PKEY_free(pkey);
        return moor_fail(err, MOOR_E_BADINPUT, "key: want RSA of %d to %d bits, or P-256",
                         RSA_BITS_MIN, RSA_BITS_MAX);
    }
    struct moor_key *k = malloc(sizeof(*k));
    if (!k) {
        EVP_PKEY_free(pkey);
        return moor_fail(err, MOOR_E_NOMEM, "key: out of memory");
    }
    k->pkey = pkey;
    k->tpm = NULL;
    atomic_init(&k->owners, 1);
    *out = k;
    return MOOR_OK;
}

moor_code moor_key_generate(moor_key_kind kind, struct moor_key **out, struct moor_error *err)
{
    static const size_t rsa_bits[] = {
        [MOOR_KEY_RSA_2048] = 2048,
        [MOOR_KEY_RSA_3072] = 3072,
        [MOOR_KEY_RSA_4096] = 4096,
        [MOOR_KEY_P256] = 0,
    };
    MOOR_ASSERT((size_t)kind < MOOR_COUNTOF(rsa_bits));
    EVP_PKEY *pkey = rsa_bits[kind] ? EVP_RSA_gen(rsa_bits[kind]) : EVP_EC_gen("P-256");
    if (!pkey)
        return moor_ssl_fail(err, MOOR_E_IO, "key: generation");
    return moor_ssl_adopt_key(pkey, out, err);
}

moor_code moor_key_from_pem(struct moor_span pem, struct moor_key **out, struct moor_error *err)
{
    MOOR_AUTOPTR(bio_st) in = moor_ssl_reader(pem);
    if (!in)
        return moor_fail(err, MOOR_E_NOMEM, "private key: out of memory");
    /* An empty password: an encrypted file must not make OpenSSL ask a terminal for one. */
    char password[] = "";
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(in, NULL, NULL, password);
    if (!pkey)
        return moor_ssl_fail(err, MOOR_E_BADINPUT, "private key: want an unencrypted PEM key");
    return moor_ssl_adopt_key(pkey, out, err);
}

moor_code moor_key_adopt_tpm(struct evp_pkey_st *public_half, struct moor_tpm_part *part,
                             struct moor_key **out, struct moor_error *err)
{
    struct moor_key *k = NULL;
    moor_code c = moor_ssl_adopt_key(public_half, &k, err);
    if (c) {
        moor_tpm_part_free(part);
        return c;
    }
    k->tpm = part;
    *out = k;
    return MOOR_OK;
}

struct moor_tpm_part *moor_key_tpm(const struct moor_key *k)
{
    return k->tpm;
}

bool moor_key_in_tpm(const struct moor_key *k)
{
    return k->tpm != NULL;
}

moor_code moor_key_to_pem(const struct moor_key *k, struct moor_secret *out, struct moor_error *err)
{
    if (k->tpm)
        return moor_tpm_part_pem(k->tpm, out, err);
    MOOR_AUTOPTR(bio_st) mem = BIO_new(BIO_s_mem());
    if (!mem || !PEM_write_bio_PKCS8PrivateKey(mem, k->pkey, NULL, NULL, 0, NULL, NULL))
        return moor_ssl_fail(err, MOOR_E_BADINPUT, "private key: encoding");
    char *p = NULL;
    long n = BIO_get_mem_data(mem, &p);
    moor_code c = moor_secret_set(out, moor_span(p, (size_t)n), err);
    OPENSSL_cleanse(p, (size_t)n);
    return c;
}

struct moor_key *moor_key_ref(struct moor_key *k)
{
    atomic_fetch_add_explicit(&k->owners, 1, memory_order_relaxed);
    return k;
}

void moor_key_free(struct moor_key *k)
{
    if (!k || atomic_fetch_sub_explicit(&k->owners, 1, memory_order_acq_rel) != 1)
        return;
    EVP_PKEY_free(k->pkey);
    moor_tpm_part_free(k->tpm);
    free(k);
}

moor_code moor_key_public_pkcs1(const struct moor_key *k, struct moor_buf *base64,
                                struct moor_error *err)
{
    if (!EVP_PKEY_is_a(k->pkey, "RSA"))
        return moor_fail(err, MOOR_E_BADINPUT, "public key: want RSA");
    unsigned char *der = NULL;
    int n = i2d_PublicKey(k->pkey, &der);
    if (n <= 0)
        return moor_ssl_fail(err, MOOR_E_IO, "public key: encoding");
    moor_buf_base64(base64, moor_span(der, (size_t)n));
    OPENSSL_free(der);
    return moor_buf_ok(base64, "public key", err);
}

moor_code moor_key_private_pkcs1(const struct moor_key *k, struct moor_secret *base64,
                                 struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(16384);
    unsigned char *der = NULL;
    if (k->tpm || !EVP_PKEY_is_a(k->pkey, "RSA"))
        return moor_fail(err, MOOR_E_BADINPUT, "private key: want RSA outside a TPM");
    int n = i2d_PrivateKey(k->pkey, &der);
    if (n <= 0)
        return moor_ssl_fail(err, MOOR_E_IO, "private key: encoding");
    moor_buf_base64(&text, moor_span(der, (size_t)n));
    OPENSSL_clear_free(der, (size_t)n);
    return moor_secret_take(base64, &text, err);
}

moor_code moor_key_from_public_pkcs1(struct moor_span base64, struct moor_key **out,
                                     struct moor_error *err)
{
    MOOR_AUTO(moor_buf) der = MOOR_BUF(4096);
    moor_code c = moor_base64_decode(base64, &der, err);
    if (c)
        return moor_context(err, "public key");
    const unsigned char *p = (const unsigned char *)der.data;
    EVP_PKEY *pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)der.len);
    if (!pkey)
        return moor_ssl_fail(err, MOOR_E_BADINPUT, "public key: want PKCS#1 DER");
    if (p != (const unsigned char *)der.data + der.len) {
        EVP_PKEY_free(pkey);
        return moor_fail(err, MOOR_E_BADINPUT, "public key: bytes behind the key");
    }
    return moor_ssl_adopt_key(pkey, out, err);
}

moor_code moor_key_from_private_pkcs1(struct moor_span base64, struct moor_key **out,
                                      struct moor_error *err)
{
    MOOR_AUTO(moor_buf) der = MOOR_BUF_SECRET(8192);
    moor_code c = moor_base64_decode(base64, &der, err);
    if (c)
        return moor_context(err, "private key");
    const unsigned char *p = (const unsigned char *)der.data;
    EVP_PKEY *pkey = d2i_PrivateKey(EVP_PKEY_RSA, NULL, &p, (long)der.len);
    if (!pkey)
        return moor_ssl_fail(err, MOOR_E_BADINPUT, "private key: want PKCS#1 DER");
    return moor_ssl_adopt_key(pkey, out, err);
}

bool moor_key_same_public(const struct moor_key *a, const struct moor_key *b)
{
    return EVP_PKEY_eq(a->pkey, b->pkey) == 1;
}

static moor_code number_part(const EVP_PKEY *pkey, const char *name, struct moor_buf *out,
                             struct moor_error *err)
{
    BIGNUM *bn = NULL;
    if (!EVP_PKEY_get_bn_param(pkey, name, &bn))
        return moor_ssl_fail(err, MOOR_E_BADINPUT, "public key: want RSA");
    unsigned char bytes[RSA_BITS_MAX / 8];
    int n = BN_num_bytes(bn);
    if (n <= (int)sizeof(bytes)) {
        BN_bn2bin(bn, bytes);
        moor_buf_base64url(out, moor_span(bytes, (size_t)n));
    }
    BN_free(bn);
    if (n > (int)sizeof(bytes))
        return moor_fail(err, MOOR_E_BADINPUT, "public key: number too long");
    return moor_buf_ok(out, "public key", err);
}

moor_code moor_key_jwk_parts(const struct moor_key *k, struct moor_buf *n, struct moor_buf *e,
                             struct moor_error *err)
{
    moor_code c = number_part(k->pkey, OSSL_PKEY_PARAM_RSA_N, n, err);
    if (c)
        return c;
    return number_part(k->pkey, OSSL_PKEY_PARAM_RSA_E, e, err);
}

struct evp_pkey_st *moor_key_evp(const struct moor_key *k)
{
    return k->pkey;
}
