/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/json.h"
#include "crypto/digest.h"
#include "identity/tokens_internal.h"
#include "platform/dirs.h"
#include "platform/file.h"

#define CACHE_NAME "tokens.cache"
#define CACHE_MAX  (MOOR_TOKENS_MAX * 20 * 1024)
/* A token whose clock says it was issued this far ahead was cached under another time. */
#define FUTURE_MAX_MS 86400000

static const char context[] = "mooring tokens.cache 1";

static moor_code cache_path(char **out, struct moor_error *err)
{
    return plat_path(PLAT_DIR_CERTS, out, err, "%s", CACHE_NAME);
}

void moor_token_entry_drop(struct moor_token_entry *e)
{
    free(e->audience);
    moor_secret_drop(&e->value);
    *e = (struct moor_token_entry){ 0 };
}

static void put_entry(struct moor_buf *b, const struct moor_token_entry *e)
{
    moor_buf_str(b, "{\"audience\":");
    moor_buf_json_str(b, moor_span_str(e->audience));
    moor_buf_str(b, ",\"token\":");
    moor_buf_json_str(b, moor_secret_reveal(&e->value));
    moor_buf_fmt(b, ",\"issued\":%lld,\"expires\":%lld}", (long long)e->issued_ms,
                 (long long)e->expires_ms);
}

moor_code moor_tokens_cache_save(const struct moor_token_entry *list, size_t count,
                                 const struct moor_keystore *keys, struct moor_error *err)
{
    unsigned char key[32];
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(CACHE_MAX);
    MOOR_AUTO(moor_buf) sealed = MOOR_BUF(CACHE_MAX);
    MOOR_AUTOSTR path = NULL;
    moor_buf_str(&text, "{\"clientId\":");
    moor_buf_json_str(&text, moor_span_str(keys->doc.client_id));
    moor_buf_str(&text, ",\"tokens\":[");
    for (size_t i = 0; i < count; i++) {
        if (i)
            moor_buf_char(&text, ',');
        put_entry(&text, &list[i]);
    }
    moor_buf_str(&text, "]}");
    moor_code c = moor_buf_ok(&text, CACHE_NAME, err);
    if (!c)
        c = moor_keystore_sealing_key(keys, key, err);
    if (!c)
        c = moor_seal(moor_span(key, sizeof(key)), MOOR_SPAN_LIT(context), moor_buf_view(&text),
                      &sealed, err);
    moor_wipe(key, sizeof(key));
    if (!c)
        c = cache_path(&path, err);
    return c ? c : plat_write_atomic(path, moor_buf_view(&sealed), PLAT_OWNER_ONLY, err);
}

static bool read_entry(const struct moor_json *v, int64_t now_ms, struct moor_token_entry *out)
{
    const char *audience = moor_json_get_str(v, "audience");
    const char *token = moor_json_get_str(v, "token");
    int64_t issued = 0;
    int64_t expires = 0;
    if (!audience || !token || !moor_json_int(moor_json_get(v, "issued"), &issued) ||
        !moor_json_int(moor_json_get(v, "expires"), &expires) || expires <= now_ms ||
        issued > now_ms + FUTURE_MAX_MS)
        return false;
    struct moor_token_entry e = { .audience = moor_strdup(audience),
                                  .issued_ms = issued,
                                  .expires_ms = expires };
    if (!e.audience || moor_secret_set(&e.value, moor_span_str(token), NULL)) {
        moor_token_entry_drop(&e);
        return false;
    }
    *out = e;
    return true;
}

moor_code moor_tokens_cache_load(struct moor_token_entry *list, size_t max, size_t *count,
                                 int64_t now_ms, const struct moor_keystore *keys,
                                 struct moor_error *err)
{
    unsigned char key[32];
    MOOR_AUTO(moor_buf) sealed = MOOR_BUF(CACHE_MAX);
    MOOR_AUTO(moor_secret) text = MOOR_SECRET_INIT;
    MOOR_AUTOPTR(moor_json) doc = NULL;
    MOOR_AUTOSTR path = NULL;
    moor_code c = cache_path(&path, err);
    if (!c)
        c = plat_read_all(path, CACHE_MAX, &sealed, err);
    if (!c)
        c = moor_keystore_sealing_key(keys, key, err);
    if (c)
        return c;
    c = moor_unseal(moor_span(key, sizeof(key)), MOOR_SPAN_LIT(context), moor_buf_view(&sealed),
                    &text, err);
    moor_wipe(key, sizeof(key));
    if (!c)
        c = moor_json_parse(moor_secret_reveal(&text), &doc, err);
    if (c)
        return moor_context(err, CACHE_NAME);
    if (!moor_streq(moor_json_get_str(doc, "clientId"), keys->doc.client_id))
        return moor_fail(err, MOOR_E_BADINPUT, CACHE_NAME ": of another identity");
    MOOR_JSON_EACH(v, moor_json_get(doc, "tokens"))
    if (*count < max && read_entry(v, now_ms, &list[*count]))
        ++*count;
    return MOOR_OK;
}

void moor_tokens_cache_remove(void)
{
    MOOR_AUTOSTR path = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code c = cache_path(&path, &err);
    if (!c)
        c = plat_remove(path, &err);
    (void)c; /* nothing more can be done; it does not open without the key */
}
