/* SPDX-License-Identifier: Apache-2.0 */
#include "core/settings.h"

#include <string.h>

#include "base/buf.h"
#include "core/document.h"
#include "core/url.h"
#include "platform/dirs.h"
#include "platform/file.h"

#define DOCUMENT_MAX (256 * 1024)
#define LIST_MAX     256

#define AT(member) offsetof(struct moor_settings, member)

static const char *const modes[] = { "full", "monitor", NULL };
static const char *const rules[] = { "no", "gallery", "publisher", NULL };

/* schema first, then one row per key in the order of infos. */
static const struct moor_json_field fields[] = {
    { MOOR_F_U32, "schema", AT(schema), MOOR_F_REQUIRED, 1, 1, NULL },
    { MOOR_F_ENUM, "config.mode", AT(config_mode), 0, 0, 0, modes },
    { MOOR_F_BOOL, "extensions.enabled", AT(extensions_enabled), 0, 0, 0, NULL },
    { MOOR_F_STR_LIST, "extensions.allowlist", AT(extensions_allowlist), 0, 0, LIST_MAX, NULL },
    { MOOR_F_STR_LIST, "extensions.blocklist", AT(extensions_blocklist), 0, 0, LIST_MAX, NULL },
    { MOOR_F_U32, "extensions.agent.cpulimit", AT(extensions_cpu_limit), 0, 1, 100, NULL },
    { MOOR_F_ENUM, "extensions.signatureRequired", AT(signature_required), 0, 0, 0, rules },
    { MOOR_F_BOOL, "guestconfiguration.enabled", AT(guestconfiguration_enabled), 0, 0, 0, NULL },
    { MOOR_F_U32, "guestconfiguration.agent.cpulimit", AT(guestconfiguration_cpu_limit), 0, 1, 100,
      NULL },
    { MOOR_F_BOOL, "incomingconnections.enabled", AT(incomingconnections_enabled), 0, 0, 0, NULL },
    { MOOR_F_STR_LIST, "incomingconnections.ports", AT(incomingconnections_ports), 0, 0, LIST_MAX,
      NULL },
    { MOOR_F_STR, "connection.type", AT(connection_type), 0, 1, 16, NULL },
    { MOOR_F_STR, "proxy.url", AT(proxy_url), 0, 0, 2048, NULL },
    { MOOR_F_STR_LIST, "proxy.bypass", AT(proxy_bypass), 0, 0, LIST_MAX, NULL },
    { MOOR_F_STR_LIST, "logs.allowPaths", AT(logs_allow_paths), 0, 0, LIST_MAX, NULL },
    { MOOR_F_STR_LIST, "logs.denyPaths", AT(logs_deny_paths), 0, 0, LIST_MAX, NULL },
    { MOOR_F_STR, "logs.compression", AT(logs_compression), 0, 1, 32, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape shape = { sizeof(struct moor_settings), fields, MOOR_F_STRICT };

static const struct moor_setting_info infos[] = {
    { "config.mode", "\"full\"", false,
      "full, or monitor: only monitoring and security extensions, nothing remote" },
    { "extensions.enabled", "true", false, "whether extensions are managed at all" },
    { "extensions.allowlist", "[]", false,
      "Publisher/Type of the extensions that may be installed; empty: all" },
    { "extensions.blocklist", "[]", false,
      "Publisher/Type of the extensions that must not be installed; wins over the allow list" },
    { "extensions.agent.cpulimit", "5", false, "processor share of extensions, percent" },
    { "extensions.signatureRequired", "\"gallery\"", false,
      "whose signature a package needs: no, gallery, publisher" },
    { "guestconfiguration.enabled", "true", false, "whether machine configuration may run" },
    { "guestconfiguration.agent.cpulimit", "5", false,
      "processor share of machine configuration, percent" },
    { "incomingconnections.enabled", "true", true, "whether remote connections may be relayed" },
    { "incomingconnections.ports", "[]", true, "local ports that may be relayed to" },
    { "connection.type", "\"direct\"", false, "how the cloud is reached" },
    { "proxy.url", "\"\"", false, "proxy for the agent's own connections" },
    { "proxy.bypass", "[]", false, "groups of endpoints reached without the proxy" },
    { "logs.allowPaths", "[]", false, "folders logs may be collected from; empty: any" },
    { "logs.denyPaths", "[]", false, "folders logs are never collected from; wins" },
    { "logs.compression", "\"fastest\"", false,
      "how log rows are compressed: fastest, balanced, smallest, or LIBRARY-LEVEL" },
};

const struct moor_setting_info *moor_settings_table(size_t *count)
{
    *count = MOOR_COUNTOF(infos);
    return infos;
}

static moor_code set_defaults(struct moor_settings *out, struct moor_arena *arena,
                              struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(8192);
    moor_buf_str(&text, "{\"schema\":1");
    for (size_t i = 0; i < MOOR_COUNTOF(infos); i++)
        moor_buf_fmt(&text, ",\"%s\":%s", infos[i].name, infos[i].initial);
    moor_buf_char(&text, '}');
    moor_code c = moor_buf_ok(&text, "default settings", err);
    return c == MOOR_OK
               ? moor_json_decode(moor_buf_view(&text), "default settings", &shape, out, arena, err)
               : c;
}

/* "Publisher/Type" with something on both sides. A list that cannot be understood must not end up
 * allowing what it was meant to forbid. */
static moor_code check_list(const struct moor_str_list *list, const char *key,
                            struct moor_error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        struct moor_span rest = moor_span_str(list->items[i]);
        struct moor_span publisher = moor_span_cut(&rest, '/');
        if (publisher.n == 0 || rest.n == 0 || memchr(rest.p, '/', rest.n) ||
            memchr(list->items[i], ' ', strlen(list->items[i])))
            return moor_fail(err, MOOR_E_BADINPUT,
                             MOOR_LOCALCONFIG_NAME ": %s: \"%s\": want Publisher/Type", key,
                             list->items[i]);
    }
    return MOOR_OK;
}

static moor_code check_paths(const struct moor_str_list *list, const char *key,
                             struct moor_error *err)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i][0] != '/')
            return moor_fail(err, MOOR_E_BADINPUT,
                             MOOR_LOCALCONFIG_NAME ": %s: \"%s\": want an absolute path", key,
                             list->items[i]);
    return MOOR_OK;
}

static moor_code check(const struct moor_settings *s, struct moor_error *err)
{
    moor_code c = check_list(&s->extensions_allowlist, "extensions.allowlist", err);
    if (c == MOOR_OK)
        c = check_list(&s->extensions_blocklist, "extensions.blocklist", err);
    if (c == MOOR_OK)
        c = check_paths(&s->logs_allow_paths, "logs.allowPaths", err);
    if (c == MOOR_OK)
        c = check_paths(&s->logs_deny_paths, "logs.denyPaths", err);
    struct moor_url proxy;
    if (c == MOOR_OK && *s->proxy_url && moor_url_parse(s->proxy_url, &proxy, err) != MOOR_OK)
        c = moor_fail(err, MOOR_E_BADINPUT,
                      MOOR_LOCALCONFIG_NAME ": proxy.url: want http://host:port without user name");
    return c;
}

moor_code moor_settings_parse(struct moor_span text, struct moor_settings *out,
                              struct moor_arena *arena, struct moor_error *err)
{
    struct moor_settings s = { .schema = 1 };
    moor_code c = set_defaults(&s, arena, err);
    if (c == MOOR_OK)
        c = moor_document_decode(text, MOOR_LOCALCONFIG_NAME, &shape, 1, &s, arena, err);
    if (c == MOOR_OK)
        c = check(&s, err);
    if (c == MOOR_OK)
        *out = s;
    return c;
}

moor_code moor_settings_load(struct moor_settings *out, struct moor_arena *arena,
                             struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    moor_code c = plat_path(PLAT_DIR_STATE, &path, err, "%s", MOOR_LOCALCONFIG_NAME);
    if (c != MOOR_OK)
        return c;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(DOCUMENT_MAX);
    c = plat_read_all(path, DOCUMENT_MAX, &text, err);
    if (c == MOOR_E_NOTFOUND)
        return moor_settings_parse(MOOR_SPAN_LIT("{\"schema\":1}"), out, arena, err);
    return c == MOOR_OK ? moor_settings_parse(moor_buf_view(&text), out, arena, err) : c;
}

moor_code moor_settings_get(const struct moor_settings *s, const char *name, const char **json,
                            struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) all = MOOR_BUF(DOCUMENT_MAX);
    moor_json_encode(&all, &shape, s);
    MOOR_AUTOPTR(moor_json) v = NULL;
    moor_code c = moor_buf_ok(&all, "settings", err);
    if (c == MOOR_OK)
        c = moor_json_parse(moor_buf_view(&all), &v, err);
    if (c != MOOR_OK)
        return c;
    const struct moor_json *value = moor_json_get(v, name);
    if (!value || moor_streq(name, "schema"))
        return moor_fail(err, MOOR_E_BADINPUT, "%s: no such setting", name);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(DOCUMENT_MAX);
    moor_buf_json(&text, value);
    c = moor_buf_ok(&text, name, err);
    const char *copy = c == MOOR_OK ? moor_arena_str(arena, moor_buf_view(&text)) : NULL;
    if (c == MOOR_OK && !copy)
        c = moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", name);
    if (c == MOOR_OK)
        *json = copy;
    return c;
}
