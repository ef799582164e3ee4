/* SPDX-License-Identifier: Apache-2.0 */
/* What local policy allows: lists, modes, verbs, signatures. */
#include "core/policy.h"

#include "check.h"

static const char *asked(struct moor_settings *s, const char *publisher, const char *type)
{
    const struct moor_policy_request r = { .publisher = publisher, .type = type };
    struct moor_policy_denial why = { "", "" };
    return moor_policy_allows(s, &r, &why) ? "allowed" : why.rule;
}

static void lists_compare_whole_names_without_case(void)
{
    static const char *entries[] = { "Contoso.Web/Agent" };
    static const struct {
        const char *publisher, *type;
        bool equal;
    } rows[] = {
        { "Contoso.Web", "Agent", true },
        { "CONTOSO.WEB", "agent", true },
        { "Contoso.Web", "Agent2", false },
        { "Contoso.Web", "Agen", false },
        { "Contoso", "Web/Agent", false },
        { "Contoso.We", "b/Agent", false },
        { "Contoso.Web ", "Agent", false },
        { "Contoso.Web", "Agent.", false },
        { "Contoso.Web", "", false },
        { "", "Contoso.Web/Agent", false },
        { "Contoso.Web\xC2\xA0", "Agent", false },
    };
    for (size_t n = 0; n < MOOR_COUNTOF(rows); n++) {
        struct moor_settings blocked = { .extensions_enabled = true,
                                         .extensions_blocklist = { entries, 1 } };
        struct moor_settings listed = { .extensions_enabled = true,
                                        .extensions_allowlist = { entries, 1 } };
        CHECK_STR(asked(&blocked, rows[n].publisher, rows[n].type),
                  rows[n].equal ? "extensions.blocklist" : "allowed");
        CHECK_STR(asked(&listed, rows[n].publisher, rows[n].type),
                  rows[n].equal ? "allowed" : "extensions.allowlist");
    }
}

static void the_first_rule_that_refuses_is_named(void)
{
    static const char *mine[] = { "P/T" };
    struct moor_settings s = { .extensions_enabled = true };
    CHECK_STR(asked(&s, "P", "T"), "allowed");
    s.extensions_allowlist = (struct moor_str_list){ mine, 1 };
    s.extensions_blocklist = (struct moor_str_list){ mine, 1 };
    CHECK_STR(asked(&s, "P", "T"), "extensions.blocklist");
    s.extensions_enabled = false;
    CHECK_STR(asked(&s, "P", "T"), "extensions.enabled");
}

static void monitor_mode_allows_only_what_is_listed(void)
{
    static const char *mine[] = { "P/T" };
    static const char *monitors[] = { "P/T", "P/U" };
    struct moor_settings s = { .extensions_enabled = true, .config_mode = MOOR_MODE_MONITOR };
    CHECK_STR(asked(&s, "P", "T"), "config.mode");
    s.extensions_monitorlist = (struct moor_str_list){ monitors, 2 };
    CHECK_STR(asked(&s, "P", "T"), "allowed");
    CHECK_STR(asked(&s, "P", "V"), "config.mode");
    s.extensions_allowlist = (struct moor_str_list){ mine, 1 };
    CHECK_STR(asked(&s, "P", "T"), "allowed");
    CHECK_STR(asked(&s, "P", "U"), "extensions.allowlist");
}

static void an_entry_that_names_nothing_allows_nothing(void)
{
    static const char *none[] = { "Allow/None" };
    struct moor_settings s = { .extensions_enabled = true, .extensions_allowlist = { none, 1 } };
    CHECK_STR(asked(&s, "P", "T"), "extensions.allowlist");
}

static void deleting_is_always_allowed(void)
{
    static const char *mine[] = { "P/T" };
    const struct moor_settings s = { .config_mode = MOOR_MODE_MONITOR,
                                     .extensions_blocklist = { mine, 1 } };
    const struct moor_policy_request r = { MOOR_POLICY_UNINSTALL, "P", "T", 0 };
    struct moor_policy_denial why;
    CHECK(moor_policy_allows(&s, &r, &why));
}

/* Everything the cloud can ask for, in this order. */
static const struct moor_policy_request everything[] = {
    { MOOR_POLICY_INSTALL, "P", "T", 0 },
    { MOOR_POLICY_UPDATE, "P", "T", 0 },
    { MOOR_POLICY_CONFIGURE, "P", "T", 0 },
    { MOOR_POLICY_ENABLE, "P", "T", 0 },
    { MOOR_POLICY_UNINSTALL, "P", "T", 0 },
    { MOOR_POLICY_RUN_COMMAND, NULL, NULL, 0 },
    { MOOR_POLICY_RUN_COMMAND, NULL, NULL, MOOR_POLICY_SCRIPT_URI },
    { MOOR_POLICY_RUN_COMMAND, NULL, NULL, MOOR_POLICY_BLOBS | MOOR_POLICY_AS_ROOT },
    { MOOR_POLICY_END_COMMAND, NULL, NULL, 0 },
    { MOOR_POLICY_COLLECT, NULL, NULL, 0 },
};

/* One letter for each: '+' allowed, else the first letter behind the dot of the rule. */
static const char *verdicts(const struct moor_settings *s, char out[MOOR_COUNTOF(everything) + 1])
{
    for (size_t n = 0; n < MOOR_COUNTOF(everything); n++) {
        struct moor_policy_denial why = { ".?", "" };
        bool yes = moor_policy_allows(s, &everything[n], &why);
        out[n] = yes ? '+' : strchr(why.rule, '.')[1];
    }
    out[MOOR_COUNTOF(everything)] = 0;
    return out;
}

static void every_policy_decides_about_every_verb(void)
{
    static const struct {
        const char *document, *verdicts;
    } rows[] = {
        { "{}", "++++++++++" },
        { "{\"extensions.enabled\":false}", "eeee+eee++" },
        { "{\"config.mode\":\"monitor\"}", "mmmm+mmm++" },
        { "{\"config.mode\":\"monitor\",\"extensions.monitorlist\":[\"p/t\"]}", "+++++mmm++" },
        { "{\"extensions.blocklist\":[\"P/T\"]}", "bbbb++++++" },
        { "{\"extensions.blocklist\":[\"microsoft.cplat.core/runcommandhandlerlinux\"]}",
          "+++++bbb++" },
        { "{\"extensions.allowlist\":[\"P/T\"]}", "+++++aaa++" },
        { "{\"extensions.allowlist\":[\"Allow/None\"]}", "aaaa+aaa++" },
        { "{\"policy.deny\":[\"install\"]}", "d+++++++++" },
        { "{\"policy.deny\":[\"update\",\"configure\"]}", "+dd+++++++" },
        { "{\"policy.deny\":[\"runcommand\"]}", "+++++ddd++" },
        { "{\"policy.deny\":[\"runCommand.scriptUri\"]}", "++++++d+++" },
        { "{\"policy.deny\":[\"runCommand.blobs\"]}", "+++++++d++" },
        { "{\"policy.deny\":[\"runCommand.asRoot\"]}", "+++++++d++" },
        { "{\"policy.deny\":[\"collect\"]}", "+++++++++d" },
        { "{\"policy.deny\":[\"uninstall\"]}", "jjjj+jjj+j" },
        { "{\"extensions.allowlist\":[\"P\"]}", "jjjj+jjj+j" },
        { "{\"extensions.blocklist\":[\"P/T.\",\"P/\\u00a0\"]}", "jjjj+jjj+j" },
        { "{\"extensions.blocklist\":[\"P/*\"]}", "jjjj+jjj+j" },
        { "{\"extensions.enabled\":\"true\"}", "jjjj+jjj+j" },
        { "[]", "jjjj+jjj+j" },
    };
    for (size_t n = 0; n < MOOR_COUNTOF(rows); n++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
        MOOR_AUTO(moor_buf) text = MOOR_BUF(1024);
        struct moor_settings s;
        char out[MOOR_COUNTOF(everything) + 1];
        bool object = rows[n].document[0] == '{';
        bool empty = rows[n].document[1] == '}';
        moor_buf_fmt(&text, "%s%s", object ? "{\"schema\":1" : "", object && !empty ? "," : "");
        moor_buf_str(&text, rows[n].document + object);
        moor_code c = moor_settings_parse_closed(moor_buf_view(&text), &s, &arena, NULL);
        CHECK((c != MOOR_OK) == s.refused);
        CHECK_STR(verdicts(&s, out), rows[n].verdicts);
    }
}

static void a_refusal_names_object_reason_and_rule(void)
{
    static const struct moor_policy_denial why = { "extensions.blocklist", "it is blocked" };
    MOOR_AUTO(moor_buf) text = MOOR_BUF(256);
    moor_policy_explain(&text, "P/T", &why);
    CHECK_STR(moor_buf_cstr(&text),
              "P/T is refused by this machine: it is blocked (extensions.blocklist)");
}

static void signatures_are_asked_for_by_publisher(void)
{
    static const char *entries[] = { "Contoso.*=publisher", "Contoso.Web=no",
                                     "contoso.web*=gallery", "Fabrikam=no", "FABRIKAM=gallery" };
    const struct moor_settings s = { .signature_required = MOOR_SIGNATURE_GALLERY,
                                     .signature_by_publisher = { entries, MOOR_COUNTOF(entries) } };
    CHECK_INT(moor_policy_signature(&s, "Other"), MOOR_SIGNATURE_GALLERY);
    CHECK_INT(moor_policy_signature(&s, "Contoso.Db"), MOOR_SIGNATURE_PUBLISHER);
    CHECK_INT(moor_policy_signature(&s, "CONTOSO.WEB"), MOOR_SIGNATURE_NO);
    CHECK_INT(moor_policy_signature(&s, "Contoso.Web2"), MOOR_SIGNATURE_GALLERY);
    CHECK_INT(moor_policy_signature(&s, "Contoso"), MOOR_SIGNATURE_GALLERY);
    CHECK_INT(moor_policy_signature(&s, "Fabrikam"), MOOR_SIGNATURE_GALLERY);
}

static void entries_that_say_nothing_are_refused(void)
{
    static const char *const bad[] = { "",           "Contoso", "=no",         "Contoso=",
                                       "Contoso=No", "C*d=no",  "Contoso=no ", "*" };
    for (size_t n = 0; n < MOOR_COUNTOF(bad); n++)
        CHECK_INT(moor_policy_check_signature(bad[n], NULL), MOOR_E_BADINPUT);
    CHECK_INT(moor_policy_check_signature("*=publisher", NULL), MOOR_OK);
    CHECK_INT(moor_policy_check_deny("uninstall", NULL), MOOR_E_BADINPUT);
    CHECK_INT(moor_policy_check_deny("endCommand", NULL), MOOR_E_BADINPUT);
    CHECK_INT(moor_policy_check_deny("RUNCOMMAND", NULL), MOOR_OK);
}

CHECK_MAIN(CHECK_TEST(lists_compare_whole_names_without_case),
           CHECK_TEST(the_first_rule_that_refuses_is_named),
           CHECK_TEST(monitor_mode_allows_only_what_is_listed),
           CHECK_TEST(an_entry_that_names_nothing_allows_nothing),
           CHECK_TEST(deleting_is_always_allowed),
           CHECK_TEST(every_policy_decides_about_every_verb),
           CHECK_TEST(a_refusal_names_object_reason_and_rule),
           CHECK_TEST(signatures_are_asked_for_by_publisher),
           CHECK_TEST(entries_that_say_nothing_are_refused))
