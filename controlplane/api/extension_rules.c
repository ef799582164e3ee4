/* SPDX-License-Identifier: Apache-2.0 */
#include "api/extension_rules.h"

#include <string.h>

#include "base/text.h"

#define SETTINGS_MAX (512u << 10)
#define AFTER_MAX    64u

static moor_code refuse(struct moor_error *err, int http, const char *service_code,
                        const char *message)
{
    moor_code c = moor_fail(err, MOOR_E_BADINPUT, "%s", message);
    if (err) {
        err->http = http;
        memcpy(err->service_code, service_code, strlen(service_code) + 1);
    }
    return c;
}

struct reader {
    const struct moor_json *properties;
    struct moor_arena *arena;
    struct moor_error *err;
    bool patch;
};

/* A text member: absent keeps the old one for PATCH, is "" for PUT. */
static moor_code read_text(const struct reader *r, const char *name, size_t max, const char **value)
{
    const struct moor_json *v = moor_json_get(r->properties, name);
    const char *s = moor_json_str(v);
    if (!v || moor_json_typeof(v) == MOOR_JSON_NULL) {
        if (!r->patch || !*value)
            *value = "";
        return MOOR_OK;
    }
    if (!s || strlen(s) > max)
        return moor_fail(r->err, MOOR_E_BADINPUT, "properties.%s: want a text of at most %zu bytes",
                         name, max);
    *value = moor_arena_str(r->arena, moor_span_str(s));
    return *value ? MOOR_OK : moor_fail(r->err, MOOR_E_NOMEM, "properties.%s: too long", name);
}

static moor_code read_flag(const struct reader *r, const char *name, bool unset, bool *value)
{
    const struct moor_json *v = moor_json_get(r->properties, name);
    if (!v || moor_json_typeof(v) == MOOR_JSON_NULL) {
        if (!r->patch)
            *value = unset;
        return MOOR_OK;
    }
    if (!moor_json_bool(v, value))
        return moor_fail(r->err, MOOR_E_BADINPUT, "properties.%s: want true or false", name);
    return MOOR_OK;
}

static moor_code read_settings(const struct reader *r, const char **value)
{
    const struct moor_json *v = moor_json_get(r->properties, "settings");
    MOOR_AUTO(moor_buf) b = MOOR_BUF(SETTINGS_MAX);
    if (!v || moor_json_typeof(v) == MOOR_JSON_NULL) {
        if (!r->patch || !*value)
            *value = "null"; /* handlers tell none from an empty object */
        return MOOR_OK;
    }
    if (moor_json_typeof(v) != MOOR_JSON_OBJECT)
        return moor_fail(r->err, MOOR_E_BADINPUT, "properties.settings: want an object");
    moor_buf_json(&b, v);
    moor_code c = moor_buf_ok(&b, "properties.settings", r->err);
    if (c)
        return moor_fail(r->err, MOOR_E_BADINPUT, "properties.settings: over 512 KiB");
    *value = moor_arena_str(r->arena, moor_buf_view(&b));
    return *value ? MOOR_OK : moor_fail(r->err, MOOR_E_NOMEM, "properties.settings: too long");
}

/* Names of extensions of the same machine, as scale sets have them. */
static moor_code read_after(const struct reader *r, const char **value)
{
    const struct moor_json *v = moor_json_get(r->properties, "provisionAfterExtensions");
    MOOR_AUTO(moor_buf) b = MOOR_BUF(8u << 10);
    if (!v || moor_json_typeof(v) == MOOR_JSON_NULL) {
        if (!r->patch || !*value)
            *value = "[]";
        return MOOR_OK;
    }
    bool good = moor_json_typeof(v) == MOOR_JSON_ARRAY && moor_json_size(v) <= AFTER_MAX;
    MOOR_JSON_EACH(name, v)
    {
        const char *s = moor_json_str(name);
        good = good && s && *s && strlen(s) <= 64;
    }
    moor_buf_json(&b, v);
    if (!good || b.failed)
        return moor_fail(r->err, MOOR_E_BADINPUT,
                         "properties.provisionAfterExtensions: want at most %u names of extensions",
                         AFTER_MAX);
    *value = moor_arena_str(r->arena, moor_buf_view(&b));
    return *value
               ? MOOR_OK
               : moor_fail(r->err, MOOR_E_NOMEM, "properties.provisionAfterExtensions: too long");
}

static moor_code read_protected(const struct reader *r, struct moor_extension_change *out)
{
    const struct moor_json *v = moor_json_get(r->properties, "protectedSettings");
    out->protected_settings = v;
    if (!v)
        out->protected_given = MOOR_PROTECTED_ABSENT;
    else if (moor_json_typeof(v) == MOOR_JSON_NULL)
        out->protected_given = MOOR_PROTECTED_NONE;
    else if (moor_json_typeof(v) == MOOR_JSON_OBJECT)
        out->protected_given = moor_json_size(v) ? MOOR_PROTECTED_SET : MOOR_PROTECTED_NONE;
    else
        return moor_fail(r->err, MOOR_E_BADINPUT, "properties.protectedSettings: want an object");
    return MOOR_OK;
}

static bool same_settings(const char *a, const char *b)
{
    MOOR_AUTOPTR(moor_json) x = NULL;
    MOOR_AUTOPTR(moor_json) y = NULL;
    if (moor_json_parse(moor_span_str(a), &x, NULL) || moor_json_parse(moor_span_str(b), &y, NULL))
        return false;
    return moor_json_equal(x, y);
}

static bool differs(const struct moor_extension *old, const struct moor_extension *now)
{
    return !moor_streq(old->version, now->version) || !moor_streq(old->force_tag, now->force_tag) ||
           old->auto_upgrade_minor != now->auto_upgrade_minor ||
           old->automatic_upgrade != now->automatic_upgrade ||
           !same_settings(old->settings, now->settings) || !same_settings(old->after, now->after);
}

static moor_code check_names(const struct moor_extension *old, struct moor_extension *now,
                             struct moor_error *err)
{
    if (!*now->publisher || !*now->type) {
        if (!old)
            return refuse(err, 400, "InvalidParameter",
                          "properties.publisher and properties.type: required");
        now->publisher = old->publisher;
        now->type = old->type;
    }
    if (old && (moor_strcasecmp(old->publisher, now->publisher) != 0 ||
                moor_strcasecmp(old->type, now->type) != 0))
        return refuse(err, 409, "PropertyChangeNotAllowed",
                      "properties.publisher and properties.type: cannot change; delete the "
                      "extension first");
    if (*now->version && !moor_version_valid(moor_span_str(now->version)))
        return refuse(err, 400, "InvalidParameter",
                      "properties.typeHandlerVersion: want one to four numbers joined by dots");
    return MOOR_OK;
}

moor_code moor_extension_change(const struct moor_json *body, const struct moor_extension *old,
                                const char *installed, bool patch, struct moor_arena *arena,
                                struct moor_extension_change *out, struct moor_error *err)
{
    struct reader r = { moor_json_get(body, "properties"), arena, err, patch && old };
    struct moor_extension_change ch = { .differs = true };
    if (old)
        ch.row = *old;
    moor_code c = read_text(&r, "publisher", 128, &ch.row.publisher);
    if (!c)
        c = read_text(&r, "type", 128, &ch.row.type);
    if (!c)
        c = read_text(&r, "typeHandlerVersion", 43, &ch.row.version);
    if (!c)
        c = read_text(&r, "forceUpdateTag", 256, &ch.row.force_tag);
    if (!c)
        c = read_flag(&r, "autoUpgradeMinorVersion", true, &ch.row.auto_upgrade_minor);
    if (!c)
        c = read_flag(&r, "enableAutomaticUpgrade", false, &ch.row.automatic_upgrade);
    if (!c)
        c = read_settings(&r, &ch.row.settings);
    if (!c)
        c = read_after(&r, &ch.row.after);
    if (!c)
        c = read_protected(&r, &ch);
    if (!c)
        c = check_names(old, &ch.row, err);
    if (c)
        return c;
    if (old && *installed && moor_streq(ch.row.version, installed))
        ch.row.version = old->version;
    if (old)
        ch.differs = differs(old, &ch.row);
    ch.row.uninstall = false;
    *out = ch;
    return MOOR_OK;
}
