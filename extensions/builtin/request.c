/* SPDX-License-Identifier: Apache-2.0 */
/* request.c: what was asked for: the settings of a number, decrypted, and the script made of them.
 */
#include "builtin/place.h"

#include "base/text.h"
#include "contract/names.h"
#include "crypto/cert.h"
#include "crypto/cms.h"
#include "crypto/key.h"
#include "platform/file.h"

static moor_code read_pem(const struct builtin_place *p, const char *thumbprint, const char *ending,
                          size_t max, struct moor_buf *out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    for (const char *t = thumbprint; *t; t++) {
        if (!((*t >= '0' && *t <= '9') || (*t >= 'A' && *t <= 'F')))
            return moor_fail(err, MOOR_E_BADINPUT,
                             "settings: protectedSettingsCertThumbprint: want upper-case hex");
    }
    moor_buf_fmt(&path, "%s/%s%s", p->handlers, thumbprint, ending);
    return plat_read_all(moor_buf_cstr(&path), max, out, err);
}

static moor_code decrypt(const struct builtin_place *p, const struct moor_handler_settings *s,
                         struct moor_secret *out, struct moor_error *err)
{
    if (!s->protected_settings || !*s->protected_settings)
        return MOOR_OK;
    MOOR_AUTO(moor_buf) crt = MOOR_BUF(64 * 1024);
    MOOR_AUTO(moor_buf) prv = MOOR_BUF_SECRET(64 * 1024);
    MOOR_AUTO(moor_buf) der = MOOR_BUF(MOOR_SETTINGS_MAX);
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    MOOR_AUTOPTR(moor_key) key = NULL;
    const char *thumbprint = s->protected_thumbprint ? s->protected_thumbprint : "";
    moor_code c = read_pem(p, thumbprint, ".crt", 64 * 1024, &crt, err);
    if (c == MOOR_OK)
        c = read_pem(p, thumbprint, ".prv", 64 * 1024, &prv, err);
    if (c == MOOR_OK)
        c = moor_cert_from_pem(moor_buf_view(&crt), &cert, err);
    if (c == MOOR_OK)
        c = moor_key_from_pem(moor_buf_view(&prv), &key, err);
    if (c == MOOR_OK)
        c = moor_base64_decode(moor_span_str(s->protected_settings), &der, err);
    if (c == MOOR_OK)
        c = moor_cms_decrypt(cert, key, moor_buf_view(&der), out, err);
    return c == MOOR_OK ? c : moor_context(err, "protectedSettings");
}

moor_code builtin_settings_read(const struct builtin_place *p, struct moor_handler_settings *out,
                                struct moor_secret *clear, struct moor_arena *arena,
                                struct moor_error *err)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_SETTINGS_MAX);
    moor_buf_fmt(&path, "%s/", p->env.config_folder);
    moor_buf_settings_name(&path, p->instance, p->seq);
    moor_code c = plat_read_all(moor_buf_cstr(&path), MOOR_SETTINGS_MAX, &text, err);
    if (c == MOOR_OK)
        c = moor_handler_settings_parse(moor_buf_view(&text), out, arena, err);
    return c == MOOR_OK ? decrypt(p, out, clear, err) : c;
}

moor_code builtin_write_script(const struct builtin_place *p, struct moor_span text,
                               struct moor_error *err)
{
    moor_code c = plat_write_atomic(p->script, text, PLAT_OWNER_ONLY, err);
    return c == MOOR_OK ? plat_set_mode(p->script, 0700, err) : c;
}
