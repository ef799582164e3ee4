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

static void mac_of(const struct moor_protect_target *t, struct moor_span clear,
                   unsigned char out[32])
{
    MOOR_AUTO(moor_buf) context = MOOR_BUF(4096);
    unsigned char key[32];
    /* Two uses of one key: the MAC's is derived, per resource. */
    moor_buf_str(&context, "mooring-settings-mac:");
    moor_hmac_sha256(moor_secret_reveal(&t->app->sealing_key), context_of(t->resource_id, &context),
                     key);
    moor_hmac_sha256(moor_span(key, sizeof(key)), clear, out);
    moor_wipe(key, sizeof(key));
}

bool moor_protect_any(const struct moor_guarded *g)
{
    static const unsigned char none[sizeof(g->clear_mac)] = { 0 };
    return memcmp(g->clear_mac, none, sizeof(none)) != 0;
}

void moor_protect_clear(struct moor_guarded *g)
{
    *g = (struct moor_guarded){ .blob = MOOR_SPAN_NONE, .thumbprint = "" };
}

static moor_code keep(const struct moor_protect_target *t, moor_protect_kind kind,
                      const struct moor_buf *blob, const char *thumbprint, struct moor_guarded *g,
                      struct moor_error *err)
{
    moor_code c = moor_buf_ok(blob, "protected settings", err);
    const char *bytes = c ? NULL : moor_arena_str(t->arena, moor_buf_view(blob));
    const char *print = moor_arena_str(t->arena, moor_span_str(thumbprint));
    if (c)
        return c;
    if (!bytes || !print)
        return moor_fail(err, MOOR_E_NOMEM, "protected settings: over the limit on memory");
    g->protect = kind;
    g->blob = moor_span(bytes, blob->len);
    g->thumbprint = print;
    return MOOR_OK;
}

static moor_code to_certificate(const struct moor_protect_target *t, struct moor_span clear,
                                struct moor_guarded *g, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_cert) cert = NULL;
    MOOR_AUTO(moor_buf) der = MOOR_BUF(SETTINGS_MAX * 2);
    char thumbprint[41];
    moor_code c = moor_cert_from_pem(moor_span_str(t->machine->settings_cert), &cert, err);
    if (!c)
        c = moor_cms_encrypt(cert, clear, &der, err);
    if (c)
        return c;
    moor_cert_sha1_hex(cert, thumbprint);
    return keep(t, MOOR_PROTECT_CMS, &der, thumbprint, g, err);
}

static moor_code to_sealed(const struct moor_protect_target *t, struct moor_span clear,
                           struct moor_guarded *g, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) context = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) blob = MOOR_BUF(SETTINGS_MAX * 2);
    moor_code c = moor_seal(moor_secret_reveal(&t->app->sealing_key),
                            context_of(t->resource_id, &context), clear, &blob, err);
    return c ? c : keep(t, MOOR_PROTECT_SEALED, &blob, "", g, err);
}

moor_code moor_protect_set(const struct moor_protect_target *t, struct moor_span clear,
                           struct moor_guarded *g, bool *changed, struct moor_error *err)
{
    unsigned char mac[sizeof(g->clear_mac)];
    mac_of(t, clear, mac);
    *changed = false;
    if (moor_protect_any(g) &&
        moor_span_eq_secret(moor_span(mac, sizeof(mac)), moor_span(g->clear_mac, sizeof(mac))))
        return MOOR_OK;
    moor_code c =
        *t->machine->settings_cert ? to_certificate(t, clear, g, err) : to_sealed(t, clear, g, err);
    if (c)
        return c;
    memcpy(g->clear_mac, mac, sizeof(mac));
    *changed = true;
    return MOOR_OK;
}

moor_code moor_protect_encrypt(const struct moor_protect_target *t, struct moor_guarded *g,
                               bool *changed, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) context = MOOR_BUF(4096);
    MOOR_AUTO(moor_secret) clear = MOOR_SECRET_INIT;
    *changed = false;
    if (g->protect != MOOR_PROTECT_SEALED || !*t->machine->settings_cert)
        return MOOR_OK;
    moor_code c = moor_unseal(moor_secret_reveal(&t->app->sealing_key),
                              context_of(t->resource_id, &context), g->blob, &clear, err);
    if (!c)
        c = to_certificate(t, moor_secret_reveal(&clear), g, err);
    *changed = !c;
    return c ? moor_context(err, "%s", t->resource_id) : MOOR_OK;
}
