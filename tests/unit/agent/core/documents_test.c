/* SPDX-License-Identifier: Apache-2.0 */
/* agentconfig.json, localconfig.json and cloud documents as text. Files: tests/blackbox. */
#include "check.h"
#include "core/agentconfig.h"
#include "core/cloud.h"
#include "core/settings.h"

#define UUID "11111111-2222-3333-4444-555555555555"
#define CONFIG                                                                                     \
    "{\"schema\":1,\"cloud\":\"Lab\",\"tenantId\":\"" UUID "\",\"subscriptionId\":\"" UUID         \
    "\",\"resourceGroup\":\"rg\",\"resourceName\":\"m\",\"location\":\"local\",\"resourceId\":"    \
    "\"/subscriptions/x\",\"vmId\":\"AAAAAAAA-2222-3333-4444-555555555555\","                      \
    "\"identityMode\":\"mooring\"}"

static void agentconfig_is_read(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(16384);
    struct moor_agentconfig a;
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK_INT(moor_agentconfig_parse(MOOR_SPAN_LIT(CONFIG), &a, &arena, &err), MOOR_OK);
    CHECK_STR(err.msg, "");
    CHECK_STR(a.vm_id, "aaaaaaaa-2222-3333-4444-555555555555");
    CHECK_STR(a.cloud, "Lab");
    CHECK(a.client_id == NULL);
}

static moor_code parse_settings(const char *text, struct moor_settings *s, struct moor_arena *arena,
                                struct moor_error *err)
{
    return moor_settings_parse(moor_span_str(text), s, arena, err);
}

static void documents_of_a_newer_schema_are_left_alone(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    struct moor_settings s;
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK_INT(parse_settings("{\"schema\":2,\"new\":1}", &s, &arena, &err), MOOR_E_UNSUPPORTED);
    CHECK(strstr(err.msg, "newer version"));
}

static void unknown_names_refuse_a_file(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    struct moor_settings s;
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK_INT(parse_settings("{\"schema\":1,\"extensions.enable\":false}", &s, &arena, &err),
              MOOR_E_BADINPUT);
    CHECK(strstr(err.msg, "extensions.enable"));
}

static void settings_have_their_defaults(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    struct moor_settings s;
    CHECK_INT(
        parse_settings("{\"schema\":1,\"proxy.url\":\"http://p.example:3128\"}", &s, &arena, NULL),
        MOOR_OK);
    CHECK_INT(s.config_mode, MOOR_MODE_FULL);
    CHECK(s.extensions_enabled && s.guestconfiguration_enabled);
    CHECK_INT(s.signature_required, MOOR_SIGNATURE_GALLERY);
    CHECK_INT(s.extensions_cpu_limit, 5);
    CHECK_INT(s.extensions_allowlist.count, 0);
    CHECK_STR(s.proxy_url, "http://p.example:3128");
}

static void lists_that_cannot_be_understood_fail_closed(void)
{
    static const char *const bad[] = {
        "{\"schema\":1,\"extensions.allowlist\":[\"Publisher\"]}",
        "{\"schema\":1,\"extensions.blocklist\":[\"/Type\"]}",
        "{\"schema\":1,\"extensions.blocklist\":[\"a/b/c\"]}",
        "{\"schema\":1,\"extensions.blocklist\":[\"a/b c\"]}",
        "{\"schema\":1,\"logs.denyPaths\":[\"var/log\"]}",
        "{\"schema\":1,\"proxy.url\":\"http://user:canary@p\"}",
        "{\"schema\":1,\"proxy.url\":\"http://p:3128/path\"}",
        "{\"schema\":1,\"proxy.url\":\"socks5://p\"}",
        "{\"schema\":1,\"proxy.bypass\":[\"https://a.example\"]}",
        "{\"schema\":1,\"proxy.credentialsFile\":\"password\"}",
        "{\"schema\":1,\"proxy.caFile\":\"ca.pem\"}",
        "{\"schema\":1,\"config.mode\":\"none\"}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
        struct moor_settings s;
        struct moor_error err = MOOR_ERROR_INIT;
        CHECK_INT(parse_settings(bad[i], &s, &arena, &err), MOOR_E_BADINPUT);
        CHECK(strstr(err.msg, "localconfig.json") && !strstr(err.msg, "canary"));
    }
}

#define CLOUD                                                                                      \
    "{\"schema\":1,\"name\":\"Lab\",\"resourceManager\":\"https://cp.example:8443\","              \
    "\"loginEndpoint\":\"https://cp.example:8443/adfs\",\"tokenEndpoint\":"                        \
    "\"https://cp.example:8443/{tenant}/oauth2/v2.0/token\",\"armAudience\":\"https://a/\","       \
    "\"hisEndpoint\":\"https://cp.example:8443/his\",\"serviceAudience\":\"https://a/service\","   \
    "\"hostSuffixes\":[\"cp.example\"]}"

static void cloud_decides_where_tokens_go(void)
{
    static const struct {
        const char *url;
        bool allowed;
    } cases[] = {
        { "https://cp.example:8443/x", true },
        { "https://a.cp.example:9", true },
        { "https://cp.example.evil:8443", false },
        { "https://evilcp.example", false },
        { "http://cp.example:8443", false },
        { "https://cp.example:8443@evil", false },
        { "cp.example", false },
    };
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    struct moor_cloud c;
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK_INT(moor_cloud_parse(MOOR_SPAN_LIT(CLOUD), &c, &arena, &err), MOOR_OK);
    CHECK_STR(err.msg, "");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (!CHECK_INT(moor_cloud_allows_url(&c, cases[i].url), cases[i].allowed))
            printf("# %s\n", cases[i].url);
}

static void tenant_is_put_into_the_token_endpoint(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    MOOR_AUTO(moor_buf) b = MOOR_BUF(1024);
    struct moor_cloud c;
    CHECK_INT(moor_cloud_load("azurecloud", &c, &arena, NULL), MOOR_OK);
    CHECK(c.built_in && !c.his_endpoint && !c.ca_file);
    moor_cloud_token_url(&b, &c, UUID);
    CHECK_STR(moor_buf_cstr(&b), "https://login.microsoftonline.com/" UUID "/oauth2/v2.0/token");
    CHECK_STR(moor_cloud_ingestion_audience(&c), "https://monitor.azure.com");
}

static void cloud_names_stay_file_names(void)
{
    CHECK_INT(moor_cloud_check_name("Lab-1.x_y", NULL), MOOR_OK);
    CHECK_INT(moor_cloud_check_name("..", NULL), MOOR_E_BADINPUT);
    CHECK_INT(moor_cloud_check_name("a/b", NULL), MOOR_E_BADINPUT);
    CHECK_INT(moor_cloud_check_name("", NULL), MOOR_E_BADINPUT);
}

CHECK_MAIN(CHECK_TEST(agentconfig_is_read), CHECK_TEST(documents_of_a_newer_schema_are_left_alone),
           CHECK_TEST(unknown_names_refuse_a_file), CHECK_TEST(settings_have_their_defaults),
           CHECK_TEST(lists_that_cannot_be_understood_fail_closed),
           CHECK_TEST(cloud_decides_where_tokens_go),
           CHECK_TEST(tenant_is_put_into_the_token_endpoint),
           CHECK_TEST(cloud_names_stay_file_names))
