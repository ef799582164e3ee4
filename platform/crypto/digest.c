/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/digest.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "crypto/ssl.h"

#define FILE_CHUNK 65536
#define NONCE_LEN  12
#define TAG_LEN    16
#define KEY_LEN    32

struct moor_digest {
    EVP_MD_CTX *ctx;
};

moor_code moor_digest_new(struct moor_digest **out, struct moor_error *err)
{
    struct moor_digest *d = calloc(1, sizeof(*d));
    if (!d)
        return moor_fail(err, MOOR_E_NOMEM, "digest: out of memory");
    d->ctx = EVP_MD_CTX_new();
    if (!d->ctx || !EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL)) {
        moor_digest_free(d);
        return moor_ssl_fail(err, MOOR_E_IO, "digest");
    }
    *out = d;
    return MOOR_OK;
}

moor_code moor_digest_add(struct moor_digest *d, struct moor_span bytes, struct moor_error *err)
{
    if (bytes.n && !EVP_DigestUpdate(d->ctx, bytes.p, bytes.n))
        return moor_ssl_fail(err, MOOR_E_IO, "digest");
    return MOOR_OK;
}

moor_code moor_digest_end(struct moor_digest *d, unsigned char out[32], struct moor_error *err)
{
    if (!EVP_DigestFinal_ex(d->ctx, out, NULL))
        return moor_ssl_fail(err, MOOR_E_IO, "digest");
    return MOOR_OK;
}

void moor_digest_free(struct moor_digest *d)
{
    if (!d)
        return;
    EVP_MD_CTX_free(d->ctx);
    free(d);
}

static moor_code add_file(struct moor_digest *d, const struct plat_file *f, char *chunk,
                          uint64_t *size, struct moor_error *err)
{
    uint64_t at = 0;
    for (;;) {
        size_t got = 0;
        moor_code c = plat_read_at(f, at, chunk, FILE_CHUNK, &got, err);
        if (c)
            return c;
        if (!got)
            break;
        c = moor_digest_add(d, moor_span(chunk, got), err);
        if (c)
            return c;
        at += got;
    }
    *size = at;
    return MOOR_OK;
}

moor_code moor_digest_file(const struct plat_file *f, unsigned char out[32], uint64_t *size,
                           struct moor_error *err)
{
    MOOR_AUTOPTR(moor_digest) d = NULL;
    moor_code c = moor_digest_new(&d, err);
    if (c)
        return c;
    MOOR_ASSERT(d);
    char *chunk = malloc(FILE_CHUNK);
    if (!chunk)
        return moor_fail(err, MOOR_E_NOMEM, "digest: out of memory");
    c = add_file(d, f, chunk, size, err);
    free(chunk);
    return c ? c : moor_digest_end(d, out, err);
}

void moor_hmac_sha256(struct moor_span key, struct moor_span bytes, unsigned char out[32])
{
    MOOR_ASSERT(key.n <= INT_MAX);
    unsigned int n = 0;
    const unsigned char *done =
        HMAC(EVP_sha256(), key.n ? key.p : "", (int)key.n,
             (const unsigned char *)(bytes.n ? bytes.p : ""), bytes.n, out, &n);
    MOOR_ASSERT(done && n == 32);
}

static bool seal_into(EVP_CIPHER_CTX *ctx, struct moor_span key, struct moor_span aad,
                      struct moor_span clear, unsigned char *blob)
{
    unsigned char *text = blob + NONCE_LEN;
    int n = 0;
    int tail = 0;
    return RAND_bytes(blob, NONCE_LEN) == 1 &&
           EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, (const unsigned char *)key.p, blob) &&
           (!aad.n || EVP_EncryptUpdate(ctx, NULL, &n, (const unsigned char *)aad.p, (int)aad.n)) &&
           (!clear.n ||
            EVP_EncryptUpdate(ctx, text, &n, (const unsigned char *)clear.p, (int)clear.n)) &&
           EVP_EncryptFinal_ex(ctx, text + clear.n, &tail) &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, text + clear.n);
}

moor_code moor_seal(struct moor_span key, struct moor_span aad, struct moor_span clear,
                    struct moor_buf *out, struct moor_error *err)
{
    MOOR_ASSERT(key.n == KEY_LEN);
    if (aad.n > INT_MAX || clear.n > INT_MAX - 64)
        return moor_fail(err, MOOR_E_NOMEM, "seal: text too long");
    MOOR_AUTOPTR(evp_cipher_ctx_st) ctx = EVP_CIPHER_CTX_new();
    size_t n = NONCE_LEN + clear.n + TAG_LEN;
    unsigned char *blob = (unsigned char *)moor_buf_room(out, n);
    if (!ctx || !blob)
        return moor_fail(err, MOOR_E_NOMEM, "seal: out of memory");
    if (!seal_into(ctx, key, aad, clear, blob))
        return moor_ssl_fail(err, MOOR_E_IO, "seal");
    moor_buf_grew(out, n);
    return moor_buf_ok(out, "sealed text", err);
}

static bool unseal_into(EVP_CIPHER_CTX *ctx, struct moor_span key, struct moor_span aad,
                        struct moor_span blob, unsigned char *clear)
{
    const unsigned char *nonce = (const unsigned char *)blob.p;
    const unsigned char *text = nonce + NONCE_LEN;
    int len = (int)(blob.n - NONCE_LEN - TAG_LEN);
    unsigned char tag[TAG_LEN];
    for (size_t i = 0; i < TAG_LEN; i++)
        tag[i] = text[(size_t)len + i];
    int n = 0;
    return EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, (const unsigned char *)key.p, nonce) &&
           (!aad.n || EVP_DecryptUpdate(ctx, NULL, &n, (const unsigned char *)aad.p, (int)aad.n)) &&
           (!len || EVP_DecryptUpdate(ctx, clear, &n, text, len)) &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) &&
           EVP_DecryptFinal_ex(ctx, clear + len, &n) > 0;
}

moor_code moor_unseal(struct moor_span key, struct moor_span aad, struct moor_span blob,
                      struct moor_secret *clear, struct moor_error *err)
{
    MOOR_ASSERT(key.n == KEY_LEN);
    if (blob.n < NONCE_LEN + TAG_LEN || blob.n > INT_MAX || aad.n > INT_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "sealed text: wrong length");
    size_t n = blob.n - NONCE_LEN - TAG_LEN;
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(n + 1);
    MOOR_AUTOPTR(evp_cipher_ctx_st) ctx = EVP_CIPHER_CTX_new();
    unsigned char *room = (unsigned char *)moor_buf_room(&text, n + 1);
    if (!ctx || !room)
        return moor_fail(err, MOOR_E_NOMEM, "sealed text: out of memory");
    if (!unseal_into(ctx, key, aad, blob, room)) {
        moor_wipe(room, n);
        return moor_ssl_fail(err, MOOR_E_DENIED, "sealed text: wrong key, context or bytes");
    }
    moor_buf_grew(&text, n);
    return moor_secret_take(clear, &text, err);
}
