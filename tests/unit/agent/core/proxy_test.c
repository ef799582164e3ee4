/* SPDX-License-Identifier: Apache-2.0 */
/* What settings, environment and the file of credentials make of a proxy. */
#include "core/proxy.h"

#include <string.h>

#include "check.h"
#include "core/cloud.h"
#include "core/settings.h"
#include "os.h"
#include "platform/file.h"

#define FILE_MODE_PRIVATE 0600

static struct moor_settings settings_of(const char *url)
{
    return (struct moor_settings){ .proxy_url = url,
                                   .proxy_credentials_file = "",
                                   .proxy_ca_file = "" };
}

static void set_variables(const char *https_proxy, const char *no_proxy)
{
    os_setenv("HTTPS_PROXY", NULL);
    os_setenv("NO_PROXY", NULL);
    os_setenv("https_proxy", https_proxy);
    os_setenv("no_proxy", no_proxy);
}

static bool goes(const struct moor_proxy *p, const char *host)
{
    return moor_proxy_applies(p, moor_span_str(host), 443);
}

static void the_setting_wins_over_the_environment(void)
{
    MOOR_AUTO(moor_proxy) p = MOOR_PROXY_INIT;
    struct moor_settings s = settings_of("http://set.example:3128/");
    set_variables("http://env.example:1", "a.example");
    CHECK_INT(moor_proxy_load(&s, NULL, &p, NULL), MOOR_OK);
    CHECK_STR(p.url, "http://set.example:3128");
    CHECK_STR(p.setting, "proxy.url");
    CHECK(goes(&p, "a.example") && goes(&p, "localhost"));
}

static void without_either_there_is_none(void)
{
    MOOR_AUTO(moor_proxy) p = MOOR_PROXY_INIT;
    struct moor_settings s = settings_of("");
    set_variables("", "a.example");
    CHECK_INT(moor_proxy_load(&s, NULL, &p, NULL), MOOR_OK);
    CHECK(!p.url);
}

static void the_environment_has_rules_of_its_own(void)
{
    static const struct {
        const char *value, *url, *credentials;
    } rows[] = {
        { "http://p.example:3128", "http://p.example:3128", "" },
        { "p.example:3128/", "http://p.example:3128", "" },
        { "https://u:p%40%3A@p.example", "https://p.example", "u:p@:" },
        { "u:p@p.example:1", "http://p.example:1", "u:p" },
        { "http://u:a@b@p.example:1", "http://p.example:1", "u:a@b" },
    };
    struct moor_settings s = settings_of("");
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        MOOR_AUTO(moor_proxy) p = MOOR_PROXY_INIT;
        set_variables(rows[i].value, "a.example, 10.0.0.0/8");
        CHECK_INT(moor_proxy_load(&s, NULL, &p, NULL), MOOR_OK);
        CHECK_STR(p.url, rows[i].url);
        CHECK(moor_span_eq_str(moor_secret_reveal(&p.credentials), rows[i].credentials));
        CHECK(!goes(&p, "a.example") && !goes(&p, "10.2.3.4") && !goes(&p, "127.0.0.1"));
        CHECK(goes(&p, "b.example"));
    }
    os_setenv("HTTPS_PROXY", "http://upper.example:1");
    MOOR_AUTO(moor_proxy) p = MOOR_PROXY_INIT;
    CHECK_INT(moor_proxy_load(&s, NULL, &p, NULL), MOOR_OK);
    CHECK_STR(p.url, "http://upper.example:1");
}

static void a_bad_variable_is_refused_without_being_repeated(void)
{
    static const char *const bad[] = {
        "socks5://canary", "http://canary@p",      "http://canary:p%0a@p", "http://:canary@p",
        "http://",         "http://canary/path?x", "http://p:canary"
    };
    struct moor_settings s = settings_of("");
    for (size_t i = 0; i < MOOR_COUNTOF(bad); i++) {
        MOOR_AUTO(moor_proxy) p = MOOR_PROXY_INIT;
        struct moor_error err = MOOR_ERROR_INIT;
        set_variables(bad[i], NULL);
        CHECK_INT(moor_proxy_load(&s, NULL, &p, &err), MOOR_E_BADINPUT);
        CHECK(!strstr(err.msg, "canary") && strstr(err.msg, "https_proxy"));
        CHECK(!p.url && moor_secret_empty(&p.credentials));
    }
}

static void groups_stand_for_azure_and_for_the_cloud(void)
{
    static const struct {
        const char *group, *direct, *proxied;
    } rows[] = {
        { "AAD", "login.microsoftonline.com", "management.azure.com" },
        { "aad", "login.cloud.example", "arm.cloud.example" },
        { "ARM", "management.azure.com", "login.microsoftonline.com" },
        { "ARM", "arm.cloud.example", "his.cloud.example" },
        { "Arc", "gbl.his.arc.azure.com", "management.azure.com" },
        { "Arc", "his.cloud.example", "arm.cloud.example" },
        { "Arc", "eu.svc.example", "login.cloud.example" },
        { "ArcData", "san-af-eu.arcdataservices.com", "his.cloud.example" },
        { "AMA", "x.ods.opinsights.azure.com", "gbl.his.arc.azure.com" },
        { "AMA", "eu.svc.example", "arm.cloud.example" },
        { "own.example", "own.example", "his.cloud.example" },
    };
    const char *suffixes[] = { "svc.example" };
    const struct moor_cloud cloud = { .login_endpoint = "https://login.cloud.example/adfs",
                                      .token_endpoint = "https://login.cloud.example/{tenant}/t",
                                      .resource_manager = "https://arm.cloud.example",
                                      .his_endpoint = "https://his.cloud.example/his",
                                      .host_suffixes = { suffixes, 1 } };
    set_variables(NULL, NULL);
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        MOOR_AUTO(moor_proxy) p = MOOR_PROXY_INIT;
        struct moor_settings s = settings_of("http://p.example:1");
        const char *entries[] = { rows[i].group };
        s.proxy_bypass = (struct moor_str_list){ entries, 1 };
        CHECK_INT(moor_proxy_load(&s, &cloud, &p, NULL), MOOR_OK);
        if (goes(&p, rows[i].direct) || !goes(&p, rows[i].proxied))
            CHECK_STR(rows[i].group, rows[i].direct);
    }
    CHECK(moor_proxy_bypass_valid("AMA") && moor_proxy_bypass_valid("a.example"));
    CHECK(!moor_proxy_bypass_valid("https://a.example") && !moor_proxy_bypass_valid(""));
}

static void credentials_come_from_a_file_that_is_nobody_elses(void)
{
    static const struct {
        const char *text;
        uint32_t mode;
        const char *problem; /* NULL = good */
    } rows[] = {
        { "user:pass word\n", FILE_MODE_PRIVATE, NULL },
        { "user:pass word", 0640, NULL },
        { "user:pass word", 0644, "others can read it" },
        { "user:pass word", 0660, "or write" },
        { "user", FILE_MODE_PRIVATE, "user:password" },
        { ":canary", FILE_MODE_PRIVATE, "user:password" },
        { "", FILE_MODE_PRIVATE, "user:password" },
        { "user:canary\nX: y", FILE_MODE_PRIVATE, "user:password" },
    };
    const char *path = os_temp("credentials");
    struct moor_settings s = settings_of("http://p.example:1");
    s.proxy_credentials_file = path;
    set_variables(NULL, NULL);
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        MOOR_AUTO(moor_proxy) p = MOOR_PROXY_INIT;
        CHECK_INT(plat_write_atomic(path, moor_span_str(rows[i].text), PLAT_OWNER_ONLY, NULL),
                  MOOR_OK);
        CHECK_INT(plat_set_mode(path, rows[i].mode, NULL), MOOR_OK);
        CHECK_INT(moor_proxy_load(&s, NULL, &p, NULL), MOOR_OK);
        CHECK(moor_secret_empty(&p.credentials) == (rows[i].problem != NULL));
        CHECK((p.problem != NULL) == (rows[i].problem != NULL));
        if (p.problem && (!strstr(p.problem, rows[i].problem) || strstr(p.problem, "canary")))
            CHECK_STR(p.problem, rows[i].problem);
        if (!p.problem)
            CHECK(moor_span_eq_str(moor_secret_reveal(&p.credentials), "user:pass word"));
    }
    CHECK_INT(plat_remove(path, NULL), MOOR_OK);
    MOOR_AUTO(moor_proxy) p = MOOR_PROXY_INIT;
    CHECK_INT(moor_proxy_load(&s, NULL, &p, NULL), MOOR_OK);
    CHECK(p.problem && strstr(p.problem, path));
}

CHECK_MAIN(CHECK_TEST(the_setting_wins_over_the_environment),
           CHECK_TEST(without_either_there_is_none),
           CHECK_TEST(the_environment_has_rules_of_its_own),
           CHECK_TEST(a_bad_variable_is_refused_without_being_repeated),
           CHECK_TEST(groups_stand_for_azure_and_for_the_cloud),
           CHECK_TEST(credentials_come_from_a_file_that_is_nobody_elses))
