/* SPDX-License-Identifier: Apache-2.0 */
#include "api/protect.h"

#include <string.h>

#include "crypto/cms.h"
#include "crypto/digest.h"

#define SETTINGS_MAX (512u << 10)

/* The resource id in lower case: the context that a sealed blob and a MAC are bound to. */
static struct moor_span context_of(const char *resource_id, struct moor_buf *out)
{
    for (const char *s = resource_id; *s; s++)
        moor_buf_char(out, (char)(*s >= 'A' && *s <= 'Z' ? *s + ('a' - 'A') : *s));
    return moor_buf_view(out);
}

void moor_protect_mac(const struct moor_app *app, const char *resource_id, struct moor_span clear,
                      unsigned char out[32])
{
    MOOR_AUTO(moor_buf) context = MOOR_BUF(4096);
    unsigned char key[32];
    /* Two uses of one key: the MAC's is derived, per resource. */
    moor_buf_str(&context, "mooring-settings-mac:");
    moor_hmac_sha256(moor_secret_reveal(&app->sealing_key), context_of(resource_id, &context), key);
    moor_hmac_sha256(moor_span(key, sizeof(key)), clear, out);
    moor_wipe(key, sizeof(key));
}

void moor_protect_clear(struct moor_extension *e)
{
    e->protect = MOOR_PROTECT_NONE;
    e->blob = MOOR_SPAN_NONE;
    e->thumbprint = "";
    memset(e->clear_mac, 0, sizeof(e->clear_mac));
}

static moor_code keep(struct moor_extension *e, moor_protect_kind kind, const struct moor_buf *blob,
                      const char *thumbprint, struct moor_arena *arena, struct moor_error *err)
{
    moor_code c = moor_buf_ok(blob, "protected settings", err);
    const char *bytes = c ? NULL : moor_arena_str(arena, moor_buf_view(blob));
    const char *print = moor_arena_str(arena, moor_span_str(thumbprint));
    if (c)
        return c;
    if (!bytes || !print)
        return moor_fail(err, MOOR_E_NOMEM, "protected settings: over the limit on memory");
    e->protect = kind;
    e->blob = moor_span(bytes, blob->len);
    e->thumbprint = print;
    return MOOR_OK;
}

static moor_code to_certificate(const struct moor_machine *m, struct moor_span clear,
                                struct moor_arena *arena, struct moor_extension *e,
                                struct moor_error *err)
{
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    MOOR_AUTO(moor_buf) der = MOOR_BUF(SETTINGS_MAX * 2);
    char thumbprint[41];
    moor_code c = moor_cert_from_pem(moor_span_str(m->settings_cert), &cert, err);
    if (!c)
        c = moor_cms_encrypt(cert, clear, &der, err);
    if (c)
        return c;
    moor_cert_sha1_hex(cert, thumbprint);
    return keep(e, MOOR_PROTECT_CMS, &der, thumbprint, arena, err);
}

moor_code moor_protect_set(const struct moor_app *app, const struct moor_machine *m,
                           struct moor_span clear, struct moor_arena *arena,
                           struct moor_extension *e, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) context = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) blob = MOOR_BUF(SETTINGS_MAX * 2);
    moor_code c = MOOR_OK;
    if (*m->settings_cert) {
        c = to_certificate(m, clear, arena, e, err);
    } else {
        c = moor_seal(moor_secret_reveal(&app->sealing_key), context_of(e->resource_id, &context),
                      clear, &blob, err);
        if (!c)
            c = keep(e, MOOR_PROTECT_SEALED, &blob, "", arena, err);
    }
    if (!c)
        moor_protect_mac(app, e->resource_id, clear, e->clear_mac);
    return c;
}

moor_code moor_protect_encrypt(const struct moor_app *app, const struct moor_machine *m,
                               struct moor_arena *arena, struct moor_extension *e, bool *changed,
                               struct moor_error *err)
{
    MOOR_AUTO(moor_buf) context = MOOR_BUF(4096);
    MOOR_AUTO(moor_secret) clear = MOOR_SECRET_INIT;
    *changed = false;
    if (e->protect != MOOR_PROTECT_SEALED || !*m->settings_cert)
        return MOOR_OK;
    moor_code c = moor_unseal(moor_secret_reveal(&app->sealing_key),
                              context_of(e->resource_id, &context), e->blob, &clear, err);
    if (!c)
        c = to_certificate(m, moor_secret_reveal(&clear), arena, e, err);
    *changed = !c;
    return c ? moor_context(err, "%s", e->resource_id) : MOOR_OK;
}
