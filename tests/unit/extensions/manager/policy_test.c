/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/policy.h"

#include "check.h"

static const char *asked(struct moor_settings *s, const char *publisher, const char *type)
{
    const struct moor_desired_extension goal = { .publisher = publisher, .type = type };
    struct moor_policy_denial why = { "", "" };
    return moor_policy_allows(s, &goal, &why) ? "allowed" : why.rule;
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
    struct moor_settings s = { .extensions_enabled = true, .config_mode = MOOR_MODE_MONITOR };
    CHECK_STR(asked(&s, "P", "T"), "config.mode");
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
    const struct moor_desired_extension goal = { .publisher = "P",
                                                 .type = "T",
                                                 .state = MOOR_DESIRED_UNINSTALL };
    struct moor_policy_denial why;
    CHECK(moor_policy_allows(&s, &goal, &why));
}

CHECK_MAIN(CHECK_TEST(lists_compare_whole_names_without_case),
           CHECK_TEST(the_first_rule_that_refuses_is_named),
           CHECK_TEST(monitor_mode_allows_only_what_is_listed),
           CHECK_TEST(an_entry_that_names_nothing_allows_nothing),
           CHECK_TEST(deleting_is_always_allowed))
