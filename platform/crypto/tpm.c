/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/tpm.h"

#include <openssl/decoder.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/ssl.h"
#include "crypto/tpm_internal.h"
#include "platform/self.h"

#define WRAPPED    "TSS2 PRIVATE KEY"
#define SECRET_LEN 32

struct moor_tpm_part {
    struct moor_secret pem; /* the wrapped key, and the public one in a block of its own */
    unsigned char secret[SECRET_LEN];
    atomic_bool unlocked; /* secret is there */
};

/* Set before the first thread, read by all. */
static char used[MOOR_TPM_DEVICE_MAX + 1];

/* ---- devices ---- */

static bool is_path(struct moor_span s, const char *start)
{
    size_t n = strlen(start);
    if (!moor_span_starts(s, start) || s.n == n)
        return false;
    for (size_t i = n; i < s.n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-/.", s.p[i]))
            return false;
    return true;
}

static bool is_local_port(struct moor_span s)
{
    static const char start[] = "swtpm:host=127.0.0.1,port=";
    uint32_t port;
    return moor_span_starts(s, start) &&
           moor_parse_u32(moor_span(s.p + sizeof(start) - 1, s.n - sizeof(start) + 1), 1, 65535,
                          &port, NULL) == MOOR_OK;
}

moor_code moor_tpm_device_check(const char *device, struct moor_error *err)
{
    struct moor_span s = moor_span_str(device);
    if (s.n <= MOOR_TPM_DEVICE_MAX &&
        (moor_span_eq_str(s, "tabrmd") || is_path(s, "device:/dev/tpm") ||
         is_path(s, "swtpm:path=/") || is_local_port(s)))
        return MOOR_OK;
    return moor_fail(err, MOOR_E_BADINPUT,
                     "TPM device: want device:/dev/tpm..., tabrmd, swtpm:path=/..., or "
                     "swtpm:host=127.0.0.1,port=N");
}

moor_code moor_tpm_use(const char *device, struct moor_error *err)
{
    moor_code c = moor_tpm_device_check(device, err);
    if (!c)
        c = plat_set_environment("TPM2OPENSSL_TCTI", device, err);
    /* Or the TSS writes to standard error what comes back as an error anyway. */
    if (!c)
        c = plat_set_environment("TSS2_LOG", "all+NONE", err);
    if (!c)
        (void)snprintf(used, sizeof(used), "%s", device);
    return c;
}

/* ---- the provider, for one act ---- */

/* A library context of its own: nothing else of the process ever uses the provider. */
struct tpm {
    OSSL_LIB_CTX *library;
    OSSL_PROVIDER *usual, *tpm2;
};

/* The provider's errors carry the TPM's words as data: "tpm:parameter(1):..." */
static moor_code tpm_fail(struct moor_error *err, moor_code code, const char *what)
{
    char words[160] = "";
    const char *data = NULL;
    int flags = 0;
    unsigned long e = ERR_peek_error_all(NULL, NULL, NULL, &data, &flags);
    const char *reason = e ? ERR_reason_error_string(e) : NULL;
    if (e && data && *data && (flags & ERR_TXT_STRING))
        (void)snprintf(words, sizeof(words), "%s", data);
    else if (reason)
        (void)snprintf(words, sizeof(words), "%s", reason);
    ERR_clear_error();
    return moor_fail(err, code, "TPM at %s: %s%s%s", used, what, *words ? ": " : "", words);
}

static void close_tpm(struct tpm *t)
{
    if (t->tpm2)
        (void)OSSL_PROVIDER_unload(t->tpm2);
    if (t->usual)
        (void)OSSL_PROVIDER_unload(t->usual);
    OSSL_LIB_CTX_free(t->library);
    *t = (struct tpm){ NULL, NULL, NULL };
}

static moor_code open_tpm(struct tpm *t, struct moor_error *err)
{
    if (!*used)
        return moor_fail(err, MOOR_E_UNSUPPORTED, "TPM: none was chosen");
    t->library = OSSL_LIB_CTX_new();
    if (!t->library)
        return moor_ssl_fail(err, MOOR_E_NOMEM, "TPM");
    t->usual = OSSL_PROVIDER_load(t->library, "default");
    t->tpm2 = t->usual ? OSSL_PROVIDER_load(t->library, "tpm2") : NULL;
    if (t->tpm2)
        return MOOR_OK;
    bool missing = ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_DSO;
    moor_code c = missing
                      ? tpm_fail(err, MOOR_E_UNSUPPORTED,
                                 "OpenSSL's provider tpm2 is not installed (package tpm2-openssl)")
                      : tpm_fail(err, MOOR_E_IO, "cannot be reached");
    close_tpm(t);
    return c;
}

/* One act at a time: the TPM does no more, and the provider has no locks. */
static CRYPTO_RWLOCK *turn;
static CRYPTO_ONCE turn_once = CRYPTO_ONCE_STATIC_INIT;
static void make_turn(void)
{
    turn = CRYPTO_THREAD_lock_new();
}

static moor_code take_turn(struct moor_error *err)
{
    if (!CRYPTO_THREAD_run_once(&turn_once, make_turn) || !turn || !CRYPTO_THREAD_write_lock(turn))
        return moor_fail(err, MOOR_E_NOMEM, "TPM: no lock");
    return MOOR_OK;
}

/* ---- keys ---- */

void moor_tpm_part_free(struct moor_tpm_part *p)
{
    if (!p)
        return;
    moor_secret_drop(&p->pem);
    moor_wipe(p->secret, sizeof(p->secret));
    free(p);
}

moor_code moor_tpm_part_pem(const struct moor_tpm_part *p, struct moor_secret *out,
                            struct moor_error *err)
{
    return moor_secret_set(out, moor_secret_reveal(&p->pem), err);
}

bool moor_tpm_is_pem(struct moor_span pem)
{
    return moor_span_starts(moor_span_trim(pem), "-----BEGIN " WRAPPED "-----");
}

moor_code moor_tpm_key_from_pem(struct moor_span pem, struct moor_key **out, struct moor_error *err)
{
    MOOR_AUTOPTR(bio_st) in = moor_ssl_reader(pem);
    EVP_PKEY *public_half = in ? PEM_read_bio_PUBKEY(in, NULL, NULL, NULL) : NULL;
    if (!public_half)
        return moor_ssl_fail(err, MOOR_E_BADINPUT, "TPM key: want its public half beside it");
    struct moor_tpm_part *part = calloc(1, sizeof(*part));
    if (!part || moor_secret_set(&part->pem, pem, err)) {
        free(part);
        EVP_PKEY_free(public_half);
        return moor_fail(err, MOOR_E_NOMEM, "TPM key: out of memory");
    }
    return moor_key_adopt_tpm(public_half, part, out, err);
}

static EVP_PKEY *generate(const struct tpm *t, unsigned bits)
{
    EVP_PKEY *made = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(t->library, "RSA", "provider=tpm2");
    if (!ctx || EVP_PKEY_keygen_init(ctx) <= 0 ||
        EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits) <= 0 || EVP_PKEY_generate(ctx, &made) <= 0)
        made = NULL;
    EVP_PKEY_CTX_free(ctx);
    return made;
}

static bool encode(const EVP_PKEY *key, int selection, const char *structure, const char *provider,
                   struct bio_st *out)
{
    OSSL_ENCODER_CTX *e = OSSL_ENCODER_CTX_new_for_pkey(key, selection, "PEM", structure, provider);
    bool ok = e && OSSL_ENCODER_CTX_get_num_encoders(e) > 0 && OSSL_ENCODER_to_bio(e, out) == 1;
    OSSL_ENCODER_CTX_free(e);
    return ok;
}

moor_code moor_tpm_key_generate(moor_key_kind kind, struct moor_key **out, struct moor_error *err)
{
    static const unsigned bits[] = {
        [MOOR_KEY_RSA_2048] = 2048, [MOOR_KEY_RSA_3072] = 3072, [MOOR_KEY_RSA_4096] = 4096
    };
    MOOR_ASSERT((size_t)kind < MOOR_COUNTOF(bits));
    struct tpm t = { NULL, NULL, NULL };
    moor_code c = take_turn(err);
    if (c)
        return c;
    c = open_tpm(&t, err);
    MOOR_AUTOPTR(evp_pkey_st) made = c ? NULL : generate(&t, bits[kind]);
    MOOR_AUTOPTR(bio_st) pem = BIO_new(BIO_s_mem());
    if (!c &&
        (!made || !pem || !encode(made, EVP_PKEY_KEYPAIR, "PrivateKeyInfo", "provider=tpm2", pem) ||
         !encode(made, EVP_PKEY_PUBLIC_KEY, "SubjectPublicKeyInfo", NULL, pem)))
        c = tpm_fail(err, MOOR_E_IO, "makes no key");
    EVP_PKEY_free(MOOR_TAKE(made)); /* before its provider goes */
    close_tpm(&t);
    CRYPTO_THREAD_unlock(turn);
    return c ? c : moor_tpm_key_from_pem(moor_ssl_written(pem), out, err);
}

static EVP_PKEY *load(const struct tpm *t, const struct moor_tpm_part *part)
{
    EVP_PKEY *key = NULL;
    MOOR_AUTOPTR(bio_st) in = moor_ssl_reader(moor_secret_reveal(&part->pem));
    OSSL_DECODER_CTX *d = OSSL_DECODER_CTX_new_for_pkey(&key, "PEM", NULL, "RSA", EVP_PKEY_KEYPAIR,
                                                        t->library, "provider=tpm2");
    if (!in || !d || OSSL_DECODER_from_bio(d, in) != 1)
        key = NULL;
    OSSL_DECODER_CTX_free(d);
    return key;
}

static bool set_padding(EVP_PKEY_CTX *pc, bool pss)
{
    if (!pss)
        return EVP_PKEY_CTX_set_rsa_padding(pc, RSA_PKCS1_PADDING) > 0;
    return EVP_PKEY_CTX_set_rsa_padding(pc, RSA_PKCS1_PSS_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(pc, RSA_PSS_SALTLEN_DIGEST) > 0;
}

static bool sign_with(const struct tpm *t, EVP_PKEY *key, bool pss, struct moor_span data,
                      unsigned char *sig, size_t *n)
{
    MOOR_AUTOPTR(evp_md_ctx_st) ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pc = NULL; /* owned by ctx */
    return ctx &&
           EVP_DigestSignInit_ex(ctx, &pc, "SHA256", t->library, "?provider=tpm2", key, NULL) ==
               1 &&
           set_padding(pc, pss) &&
           EVP_DigestSign(ctx, sig, n, (const unsigned char *)data.p, data.n) == 1;
}

/* A signature no one accepts is worse than none. */
static bool verifies(const struct moor_key *k, bool pss, struct moor_span data,
                     const unsigned char *sig, size_t n)
{
    MOOR_AUTOPTR(evp_md_ctx_st) ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pc = NULL; /* owned by ctx */
    bool ok = ctx && EVP_DigestVerifyInit(ctx, &pc, EVP_sha256(), NULL, moor_key_evp(k)) == 1 &&
              set_padding(pc, pss) &&
              EVP_DigestVerify(ctx, sig, n, (const unsigned char *)data.p, data.n) == 1;
    moor_ssl_forget();
    return ok;
}

static moor_code sign(const struct tpm *t, const struct moor_key *k, bool pss,
                      struct moor_span data, unsigned char *sig, size_t *n, struct moor_error *err)
{
    MOOR_AUTOPTR(evp_pkey_st) key = load(t, moor_key_tpm(k));
    if (!key)
        return tpm_fail(err, MOOR_E_IO, "does not take this key (cleared, or another TPM)");
    *n = MOOR_TPM_SIGNATURE_MAX;
    if (!sign_with(t, key, pss, data, sig, n))
        return tpm_fail(err, pss ? MOOR_E_UNSUPPORTED : MOOR_E_IO, "does not sign");
    if (!verifies(k, pss, data, sig, *n))
        return moor_fail(err, MOOR_E_UNSUPPORTED, "TPM at %s: makes signatures of another form",
                         used);
    return MOOR_OK;
}

moor_code moor_tpm_sign(const struct moor_key *k, bool pss, struct moor_span data,
                        unsigned char sig[MOOR_TPM_SIGNATURE_MAX], size_t *n,
                        struct moor_error *err)
{
    struct tpm t = { NULL, NULL, NULL };
    moor_code c = take_turn(err);
    if (c)
        return c;
    c = open_tpm(&t, err);
    if (!c)
        c = sign(&t, k, pss, data, sig, n, err);
    close_tpm(&t);
    CRYPTO_THREAD_unlock(turn);
    return c;
}

/* A signature by PKCS#1 v1.5 is the same every time, and only the TPM makes it. Nothing else ever
 * signs this text, since it is neither a token nor a request. */
moor_code moor_tpm_key_unlock(const struct moor_key *k, struct moor_error *err)
{
    static const char label[] = "mooring sealing secret 1";
    struct moor_tpm_part *part = moor_key_tpm(k);
    unsigned char sig[MOOR_TPM_SIGNATURE_MAX];
    unsigned char secret[SECRET_LEN];
    size_t n = 0;
    if (atomic_load_explicit(&part->unlocked, memory_order_acquire))
        return MOOR_OK;
    moor_code c = moor_tpm_sign(k, false, MOOR_SPAN_LIT(label), sig, &n, err);
    if (c)
        return c;
    moor_hmac_sha256(moor_span(sig, n), MOOR_SPAN_LIT(label), secret);
    c = take_turn(err);
    if (!c) {
        if (!atomic_load_explicit(&part->unlocked, memory_order_relaxed))
            memcpy(part->secret, secret, sizeof(secret));
        atomic_store_explicit(&part->unlocked, true, memory_order_release);
        CRYPTO_THREAD_unlock(turn);
    }
    moor_wipe(sig, sizeof(sig));
    moor_wipe(secret, sizeof(secret));
    return c;
}

moor_code moor_tpm_key_secret(const struct moor_key *k, unsigned char out[32],
                              struct moor_error *err)
{
    const struct moor_tpm_part *part = moor_key_tpm(k);
    if (!atomic_load_explicit(&part->unlocked, memory_order_acquire))
        return moor_fail(err, MOOR_E_TRANSIENT, "TPM at %s: has not unlocked the key yet", used);
    memcpy(out, part->secret, sizeof(part->secret));
    return MOOR_OK;
}
