/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/settings_key.h"

#include "crypto/cert.h"
#include "crypto/key.h"
#include "platform/clock.h"
#include "platform/file.h"

#include <string.h>

#define TEN_YEARS_MS ((int64_t)3653 * 24 * 3600 * 1000)
#define PEM_MAX      (64 * 1024)

void moor_settings_key_drop(struct moor_settings_key *k)
{
    moor_buf_drop(&k->der);
}

static void pair_path(struct moor_buf *b, const char *handlers, const char *thumbprint,
                      const char *ending)
{
    moor_buf_fmt(b, "%s/%s%s", handlers, thumbprint, ending);
}

static bool is_thumbprint(const char *s)
{
    return strlen(s) == 40 && strspn(s, "0123456789ABCDEF") == 40;
}

bool moor_settings_key_has(const char *handlers, const char *thumbprint)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    if (!is_thumbprint(thumbprint))
        return false;
    pair_path(&path, handlers, thumbprint, ".prv");
    return plat_exists(moor_buf_cstr(&path));
}

static moor_code read_pem(const char *handlers, const char *thumbprint, const char *ending,
                          struct moor_buf *pem, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    pair_path(&path, handlers, thumbprint, ending);
    return plat_read_all(moor_buf_cstr(&path), PEM_MAX, pem, err);
}

moor_code moor_settings_key_open(const char *handlers, const char *thumbprint,
                                 struct moor_cert **cert, struct moor_key **key,
                                 struct moor_error *err)
{
    MOOR_AUTO(moor_buf) crt = MOOR_BUF(PEM_MAX);
    MOOR_AUTO(moor_buf) prv = MOOR_BUF_SECRET(PEM_MAX);
    if (!moor_settings_key_has(handlers, thumbprint))
        return moor_fail(err, MOOR_E_NOTFOUND, "settings key: no private key");
    moor_code c = read_pem(handlers, thumbprint, ".crt", &crt, err);
    if (c == MOOR_OK)
        c = read_pem(handlers, thumbprint, ".prv", &prv, err);
    if (c == MOOR_OK)
        c = moor_cert_from_pem(moor_buf_view(&crt), cert, err);
    return c == MOOR_OK ? moor_key_from_pem(moor_buf_view(&prv), key, err) : c;
}

static moor_code read_pair(const char *handlers, const char *thumbprint,
                           struct moor_settings_key *out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) pem = MOOR_BUF(PEM_MAX);
    MOOR_AUTO(moor_buf) der = MOOR_BUF(PEM_MAX);
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    if (!moor_settings_key_has(handlers, thumbprint))
        return moor_fail(err, MOOR_E_NOTFOUND, "settings key: no private key");
    moor_code c = read_pem(handlers, thumbprint, ".crt", &pem, err);
    if (c == MOOR_OK)
        c = moor_cert_from_pem(moor_buf_view(&pem), &cert, err);
    if (c == MOOR_OK)
        c = moor_cert_to_der(cert, &der, err);
    if (c != MOOR_OK)
        return c;
    moor_cert_sha1_hex(cert, out->thumbprint);
    out->der = der;
    der = (struct moor_buf)MOOR_BUF(0);
    return MOOR_OK;
}

static moor_code write_pair(const char *handlers, const struct moor_cert *cert,
                            const struct moor_key *key, char thumbprint[41], struct moor_error *err)
{
    MOOR_AUTO(moor_buf) crt = MOOR_BUF(PEM_MAX);
    MOOR_AUTO(moor_buf) crt_path = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) prv_path = MOOR_BUF(4096);
    MOOR_AUTO(moor_secret) prv = MOOR_SECRET_INIT;
    moor_cert_sha1_hex(cert, thumbprint);
    pair_path(&prv_path, handlers, thumbprint, ".prv");
    pair_path(&crt_path, handlers, thumbprint, ".crt");
    moor_code c = moor_key_to_pem(key, &prv, err);
    if (c == MOOR_OK)
        c = moor_cert_to_pem(cert, &crt, err);
    if (c == MOOR_OK)
        c = plat_write_atomic(moor_buf_cstr(&prv_path), moor_secret_reveal(&prv), PLAT_OWNER_ONLY,
                              err);
    if (c == MOOR_OK)
        c = plat_write_atomic(moor_buf_cstr(&crt_path), moor_buf_view(&crt), PLAT_OWNER_ONLY, err);
    return c;
}

static moor_code make_pair(const char *handlers, const char *marker, char thumbprint[41],
                           struct moor_error *err)
{
    MOOR_AUTOPTR(moor_key) key = NULL;
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    moor_code c = moor_key_generate(MOOR_KEY_RSA_2048, &key, err);
    if (c != MOOR_OK)
        return c;
    int64_t now = plat_utc_ms();
    const struct moor_cert_spec spec = {
        .common_name = "Mooring settings",
        .subject = key,
        .issuer_key = key,
        .not_before_ms = now - 3600 * 1000,
        .not_after_ms = now + TEN_YEARS_MS,
        .key_encipherment = true,
    };
    c = moor_cert_make(&spec, &cert, err);
    if (c == MOOR_OK)
        c = write_pair(handlers, cert, key, thumbprint, err);
    if (c != MOOR_OK)
        return c;
    return plat_write_atomic(marker, moor_span_str(thumbprint), PLAT_OWNER_ONLY, err);
}

moor_code moor_settings_key_load(const char *handlers, const char *state,
                                 struct moor_settings_key *out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) marker = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(64);
    moor_buf_fmt(&marker, "%s/settings-key", state);
    moor_code c = plat_read_all(moor_buf_cstr(&marker), 64, &text, err);
    if (c == MOOR_OK && read_pair(handlers, moor_buf_cstr(&text), out, err) == MOOR_OK)
        return MOOR_OK;
    char thumbprint[41];
    c = make_pair(handlers, moor_buf_cstr(&marker), thumbprint, err);
    return c == MOOR_OK ? read_pair(handlers, thumbprint, out, err) : c;
}
