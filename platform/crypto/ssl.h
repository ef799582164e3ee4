/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ssl.h: what the files of crypto/ share: OpenSSL's errors as ours, and ownership of its objects.
 * Private to this folder.
 */
#ifndef MOOR_CRYPTO_SSL_H
#define MOOR_CRYPTO_SSL_H

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/span.h"

/* "what: OpenSSL's reason". Empties the thread's error queue. */
MOOR_NODISCARD MOOR_PRINTF(3, 4) moor_code
    moor_ssl_fail(struct moor_error *err, moor_code code, const char *fmt, ...);

/* Empties the thread's error queue, where the reason says nothing to anybody. */
void moor_ssl_forget(void);

/* A read-only memory BIO over bytes, which must outlive it; NULL when out of memory or when the
 * bytes are too many for the library. */
struct bio_st *moor_ssl_reader(struct moor_span bytes);

/* What was written into a memory BIO; valid until the BIO is freed. */
struct moor_span moor_ssl_written(struct bio_st *mem);

/* Wraps a key, taking it over, if it is of a kind this project uses (key.h); frees it otherwise.
 * Lives in key.c. */
struct moor_key;
MOOR_NODISCARD moor_code moor_ssl_adopt_key(struct evp_pkey_st *pkey, struct moor_key **out,
                                            struct moor_error *err);

/* The scope functions of attr.h want struct tag + _free. */
static inline void bio_st_free(struct bio_st *p)
{
    BIO_free_all(p);
}
MOOR_DEFINE_AUTOPTR(bio_st)
static inline void bignum_st_free(struct bignum_st *p)
{
    BN_free(p);
}
MOOR_DEFINE_AUTOPTR(bignum_st)
static inline void evp_pkey_st_free(struct evp_pkey_st *p)
{
    EVP_PKEY_free(p);
}
MOOR_DEFINE_AUTOPTR(evp_pkey_st)
static inline void evp_md_ctx_st_free(struct evp_md_ctx_st *p)
{
    EVP_MD_CTX_free(p);
}
MOOR_DEFINE_AUTOPTR(evp_md_ctx_st)
static inline void evp_cipher_ctx_st_free(struct evp_cipher_ctx_st *p)
{
    EVP_CIPHER_CTX_free(p);
}
MOOR_DEFINE_AUTOPTR(evp_cipher_ctx_st)
static inline void x509_st_free(struct x509_st *p)
{
    X509_free(p);
}
MOOR_DEFINE_AUTOPTR(x509_st)
static inline void X509_req_st_free(struct X509_req_st *p)
{
    X509_REQ_free(p);
}
MOOR_DEFINE_AUTOPTR(X509_req_st)
static inline void x509_store_st_free(struct x509_store_st *p)
{
    X509_STORE_free(p);
}
MOOR_DEFINE_AUTOPTR(x509_store_st)
static inline void x509_store_ctx_st_free(struct x509_store_ctx_st *p)
{
    X509_STORE_CTX_free(p);
}
MOOR_DEFINE_AUTOPTR(x509_store_ctx_st)
static inline void stack_st_X509_free(struct stack_st_X509 *p)
{
    sk_X509_pop_free(p, X509_free);
}
MOOR_DEFINE_AUTOPTR(stack_st_X509)
static inline void CMS_ContentInfo_st_free(struct CMS_ContentInfo_st *p)
{
    CMS_ContentInfo_free(p);
}
MOOR_DEFINE_AUTOPTR(CMS_ContentInfo_st)

#endif
