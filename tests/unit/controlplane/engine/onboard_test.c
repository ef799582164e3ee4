/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "engine/onboard.h"

static struct moor_error err;

static void a_package_is_known_by_its_name(void)
{
    static const struct {
        const char *name, *format, *arch, *version; /* format NULL: refused */
    } cases[] = {
        { "mooring_0.1.0_amd64.deb", "deb", "amd64", "0.1.0" },
        { "mooring_12.0_arm64.deb", "deb", "arm64", "12.0" },
        { "mooring-1.2.3-1.x86_64.rpm", "rpm", "amd64", "1.2.3" },
        { "mooring-1.2.3-1.aarch64.rpm", "rpm", "arm64", "1.2.3" },
        { "mooring-1.2.3-linux-arm64.tar.gz", "tar", "arm64", "1.2.3" },
        { "mooring_0.1.0_x86_64.deb", NULL, NULL, NULL },
        { "mooring_0.1.0;id_amd64.deb", NULL, NULL, NULL },
        { "mooring__amd64.deb", NULL, NULL, NULL },
        { "mooring_amd64.deb", NULL, NULL, NULL },
        { "mooring-controlplane_0.1.0_amd64.deb", NULL, NULL, NULL },
        { "../mooring_0.1.0_amd64.deb", NULL, NULL, NULL },
        { "", NULL, NULL, NULL },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(4096);
        struct moor_agent_package p = { 0 };
        moor_code c = moor_agent_name(cases[i].name, &arena, &p, &err);
        CHECK_INT(c, cases[i].format ? MOOR_OK : MOOR_E_BADINPUT);
        if (c)
            continue;
        CHECK_STR(p.format, cases[i].format);
        CHECK_STR(p.arch, cases[i].arch);
        CHECK_STR(p.version, cases[i].version);
    }
}

static void the_settings_stand_between_the_marks(void)
{
    struct moor_agent_package packages[] = {
        { "mooring_1.0_amd64.deb", "deb", "amd64", "1.0", "ab", 1, 0 },
        { "mooring_1.1_amd64.deb", "deb", "amd64", "1.1", "cd", 1, 0 },
    };
    const struct moor_agent_list list = { packages, 2 };
    const struct moor_onboard o = { .endpoint = "https://[::1]:8443",
                                    .ca = "-----BEGIN-----\nA+/=",
                                    .tags = "Owner=Ann B.,Site=x" };
    MOOR_AUTO(moor_buf) out = MOOR_BUF(4096);
    CHECK_INT(moor_onboard_script(&o, &list, "head\n#@settings\nendpoint='old'\n#@end\ntail\n",
                                  &out, &err),
              MOOR_OK);
    CHECK_STR(moor_buf_cstr(&out),
              "head\nendpoint='https://[::1]:8443'\ncloud=''\nca='-----BEGIN-----\nA+/='\n"
              "tenant_id=''\nsubscription_id=''\nresource_group=''\nlocation=''\n"
              "service_principal_id=''\ntags='Owner=Ann B.,Site=x'\ncorrelation_id=''\n"
              "packages='deb amd64 1.0 ab mooring_1.0_amd64.deb\n"
              "deb amd64 1.1 cd mooring_1.1_amd64.deb'\ntail\n");
}

static void the_script_in_this_program_has_its_marks(void)
{
    const struct moor_agent_list none = { NULL, 0 };
    MOOR_AUTO(moor_buf) out = MOOR_BUF(256u << 10);
    CHECK_INT(
        moor_onboard_script(&(struct moor_onboard){ 0 }, &none, moor_onboard_template, &out, &err),
        MOOR_OK);
    CHECK(strncmp(moor_buf_cstr(&out), "#!/bin/sh\n", 10) == 0);
    CHECK_INT(moor_onboard_script(&(struct moor_onboard){ 0 }, &none, "no marks", &out, &err),
              MOOR_E_BUG);
}

static void what_a_shell_would_read_is_refused(void)
{
    static const char *const bad[] = { "a'b", "a\"b", "a$b", "a`b",  "a\\b", "a\nb",     "a;b",
                                       "a&b", "a|b",  "a>b", "a<b",  "a*b",  "a?b",      "a#b",
                                       "a!b", "a%b",  "a^b", "a{b}", "a~b",  "\xc3\xa4", "a\tb" };
    for (size_t i = 0; i < MOOR_COUNTOF(bad); i++) {
        const struct moor_onboard all[] = {
            { .endpoint = bad[i] },
            { .cloud = bad[i] },
            { .tenant_id = bad[i] },
            { .subscription_id = bad[i] },
            { .resource_group = bad[i] },
            { .location = bad[i] },
            { .service_principal_id = bad[i] },
            { .tags = bad[i] },
            { .correlation_id = bad[i] },
        };
        for (size_t j = 0; j < MOOR_COUNTOF(all); j++)
            CHECK_INT(moor_onboard_check(&all[j], &err), MOOR_E_BADINPUT);
    }
    const struct moor_onboard group = { .resource_group = "rg$(id)" };
    CHECK_INT(moor_onboard_check(&group, &err), MOOR_E_BADINPUT);
    CHECK_STR(err.msg, "resource_group: byte 2 is a letter it may not have");
}

static void a_value_has_a_length(void)
{
    char text[92];
    const struct moor_onboard o = { .resource_group = text };
    memset(text, 'a', sizeof text);
    text[90] = '\0';
    CHECK_INT(moor_onboard_check(&o, &err), MOOR_OK);
    text[90] = 'a';
    text[91] = '\0';
    CHECK_INT(moor_onboard_check(&o, &err), MOOR_E_BADINPUT);
    CHECK_STR(err.msg, "resource_group: longer than 90 bytes");
}

static void the_query_asks_for_what_is_set(void)
{
    MOOR_AUTO(moor_buf) out = MOOR_BUF(4096);
    moor_onboard_query(&(struct moor_onboard){ .resource_group = "a(b)",
                                               .tags = "A=B,C=D",
                                               .endpoint = "https://x" },
                       &out);
    CHECK_STR(moor_buf_cstr(&out), "resourceGroup=a%28b%29&tags=A%3DB%2CC%3DD");
}

CHECK_MAIN(CHECK_TEST(a_package_is_known_by_its_name),
           CHECK_TEST(the_settings_stand_between_the_marks),
           CHECK_TEST(the_script_in_this_program_has_its_marks),
           CHECK_TEST(what_a_shell_would_read_is_refused), CHECK_TEST(a_value_has_a_length),
           CHECK_TEST(the_query_asks_for_what_is_set))
