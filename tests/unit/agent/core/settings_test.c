/* SPDX-License-Identifier: Apache-2.0 */
/* The table of local settings: defaults, closed values, edits of the document. */
#include "base/json.h"
#include "check.h"
#include "core/settings_edit.h"

static void values_of_the_defaults_are_those_of_the_table(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(262144);
    struct moor_settings s;
    size_t n = 0;
    CHECK_INT(moor_settings_parse(MOOR_SPAN_LIT("{\"schema\":1}"), &s, &arena, NULL), MOOR_OK);
    const struct moor_setting *table = moor_settings_table(&n);
    MOOR_AUTOPTR(moor_json) values = moor_settings_values(&s);
    CHECK_INT(moor_json_size(values), n);
    for (size_t i = 0; i < n; i++) {
        MOOR_AUTO(moor_buf) text = MOOR_BUF(4096);
        moor_buf_json(&text, moor_json_get(values, table[i].field.name));
        CHECK_STR(moor_buf_cstr(&text), table[i].initial);
        CHECK(moor_setting_find(table[i].field.name) == &table[i]);
    }
    CHECK(moor_setting_find("schema") == NULL);
}

static void a_refused_file_closes_local_policy_and_keeps_the_rest(void)
{
    static const char *const broken[] = {
        "",
        "{",
        "[]",
        "{\"schema\":1,\"extensions.blocklists\":[]}",
        "{\"schema\":1,\"extensions.allowlist\":[\"a\"]}",
        "{\"schema\":1,\"extensions.enabled\":\"true\"}",
        "{\"schema\":9}",
    };
    for (size_t i = 0; i < MOOR_COUNTOF(broken); i++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
        struct moor_settings s;
        struct moor_error err = MOOR_ERROR_INIT;
        CHECK(moor_settings_parse_closed(moor_span_str(broken[i]), &s, &arena, &err) != MOOR_OK);
        CHECK(strstr(err.msg, "localconfig.json") != NULL);
        CHECK(!s.extensions_enabled && s.config_mode == MOOR_MODE_MONITOR);
        CHECK_INT(s.signature_required, MOOR_SIGNATURE_PUBLISHER);
        CHECK_INT(s.extensions_allowlist.count, 1);
        CHECK_STR(s.logs_deny_paths.items[0], "/");
        CHECK_STR(s.proxy_url, "");
    }
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    struct moor_settings s;
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK(moor_settings_parse_closed(
              MOOR_SPAN_LIT("{\"schema\":1,\"proxy.url\":\"http://p:1\",\"connection.type\":\"x\","
                            "\"extensions.enabled\":true,\"nope\":1}"),
              &s, &arena, &err) != MOOR_OK);
    CHECK_STR(s.proxy_url, "http://p:1");
    CHECK_STR(s.connection_type, "direct");
    CHECK(!s.extensions_enabled);
}

static void a_proxy_that_cannot_be_read_is_not_the_same_as_none(void)
{
    static const struct {
        const char *text;
        bool known;
    } cases[] = {
        { "{\"schema\":1,\"nope\":1}", true },
        { "{\"schema\":1,\"proxy.url\":\"http://p:1\",\"nope\":1}", true },
        { "", false },
        { "{\"schema\":1,\"proxy.url\":\"http://p:1\"", false },
        { "[]", false },
        { "{\"schema\":1,\"proxy.url\":\"p:1\"}", false },
        { "{\"schema\":1,\"proxy.ulr\":\"http://p:1\"}", false },
        { "{\"schema\":1,\"proxy.url\":\"http://p:1\",\"proxy.bypass\":\"x\"}", false },
        { "{\"schema\":1,\"Proxy.url\":\"http://p:1\"}", true },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
        struct moor_settings s;
        struct moor_error err = MOOR_ERROR_INIT;
        CHECK(moor_settings_parse_closed(moor_span_str(cases[i].text), &s, &arena, &err) !=
              MOOR_OK);
        if (!CHECK_INT(s.proxy_unknown == NULL, cases[i].known))
            printf("# %s\n", cases[i].text);
        CHECK(cases[i].known || strstr(s.proxy_unknown, "localconfig.json"));
    }
}

/* The document after an edit, or the error. */
static const char *edited(const char *document, const char *key, moor_edit how, const char *text,
                          struct moor_buf *out)
{
    MOOR_AUTOPTR(moor_json) v = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    bool changed = false;
    moor_buf_reset(out);
    moor_code c = moor_json_parse(moor_span_str(document), &v, &err);
    if (c == MOOR_OK)
        c = moor_settings_apply(v, moor_setting_find(key), how, text, &changed, &err);
    if (c != MOOR_OK)
        moor_buf_fmt(out, "%s: %s", moor_code_name(c), err.msg);
    else
        moor_buf_json(out, v);
    if (c == MOOR_OK && changed == (strcmp(moor_buf_cstr(out), document) == 0))
        moor_buf_str(out, changed ? " CHANGED" : " UNCHANGED");
    return moor_buf_cstr(out);
}

static void edits_hold_only_what_differs_from_the_defaults(void)
{
    static const struct {
        const char *before, *key;
        moor_edit how;
        const char *text, *after;
    } cases[] = {
        { "{}", "extensions.enabled", MOOR_EDIT_SET, "False", "{\"extensions.enabled\":false}" },
        { "{\"extensions.enabled\":false}", "extensions.enabled", MOOR_EDIT_SET, "true", "{}" },
        { "{}", "extensions.enabled", MOOR_EDIT_SET, "true", "{}" },
        { "{}", "extensions.enabled", MOOR_EDIT_SET, "yes",
          "bad input: extensions.enabled: want true or false" },
        { "{}", "extensions.agent.cpulimit", MOOR_EDIT_SET, "60",
          "{\"extensions.agent.cpulimit\":60}" },
        { "{}", "extensions.agent.cpulimit", MOOR_EDIT_SET, "0",
          "bad input: extensions.agent.cpulimit: want a whole number 1..100" },
        { "{}", "config.mode", MOOR_EDIT_SET, "Monitor", "{\"config.mode\":\"monitor\"}" },
        { "{}", "config.mode", MOOR_EDIT_SET, "none",
          "bad input: config.mode: want full or monitor" },
        { "{}", "extensions.allowlist", MOOR_EDIT_SET, " a/b ,c/d,",
          "{\"extensions.allowlist\":[\"a/b\",\"c/d\"]}" },
        { "{\"extensions.allowlist\":[\"a/b\"]}", "extensions.allowlist", MOOR_EDIT_ADD, "c/d,A/B",
          "{\"extensions.allowlist\":[\"a/b\",\"c/d\"]}" },
        { "{\"extensions.allowlist\":[\"a/b\",\"c/d\"]}", "extensions.allowlist", MOOR_EDIT_REMOVE,
          "A/B", "{\"extensions.allowlist\":[\"c/d\"]}" },
        { "{\"extensions.allowlist\":[\"a/b\"]}", "extensions.allowlist", MOOR_EDIT_SET, "", "{}" },
        { "{\"proxy.url\":\"http://p\"}", "proxy.url", MOOR_EDIT_CLEAR, NULL, "{}" },
        { "{}", "proxy.url", MOOR_EDIT_ADD, "http://p", "bad input: proxy.url: is no list" },
        { "{\"config.mode\":\"monitor\"}", "extensions.blocklist", MOOR_EDIT_ADD, "a/b",
          "already exists: extensions.blocklist: cannot be changed in monitor mode" },
    };
    MOOR_AUTO(moor_buf) out = MOOR_BUF(4096);
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++)
        CHECK_STR(edited(cases[i].before, cases[i].key, cases[i].how, cases[i].text, &out),
                  cases[i].after);
}

CHECK_MAIN(CHECK_TEST(values_of_the_defaults_are_those_of_the_table),
           CHECK_TEST(a_refused_file_closes_local_policy_and_keeps_the_rest),
           CHECK_TEST(a_proxy_that_cannot_be_read_is_not_the_same_as_none),
           CHECK_TEST(edits_hold_only_what_differs_from_the_defaults))
