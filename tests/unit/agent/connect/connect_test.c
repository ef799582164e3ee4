/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts of connecting. The conversation itself: tests/blackbox/test_connect.py. */
#include "check.h"
#include "connect/check.h"
#include "connect/mend.h"
#include "connect/register.h"
#include "connect/signin.h"
#include "connect/steps.h"

static void private_addresses_are_told_from_public_ones(void)
{
    static const struct {
        const char *address;
        bool is_private;
    } cases[] = {
        { "10.0.0.1", true },     { "127.0.0.1", true },
        { "172.16.0.1", true },   { "172.31.255.255", true },
        { "172.32.0.1", false },  { "192.168.1.1", true },
        { "192.169.1.1", false }, { "169.254.1.1", true },
        { "100.64.0.1", true },   { "100.128.0.1", false },
        { "8.8.8.8", false },     { "::1", true },
        { "fd00::1", true },      { "fe80::1", true },
        { "2001:db8::1", false }, { "", false },
        { "1.2.3", false },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++)
        if (!CHECK_INT(moor_address_is_private(cases[i].address), cases[i].is_private))
            printf("# %s\n", cases[i].address);
}

#define META(login, more)                                                                          \
    "{\"name\":\"X\",\"resourceManager\":\"https://h:1/\",\"authentication\":{\"loginEndpoint\":"  \
    "\"" login "\",\"audiences\":[\"https://a/\",\"https://b\"]}" more "}"

static void metadata_becomes_a_cloud(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    struct moor_cloud c;
    struct moor_str_list gallery;
    CHECK_INT(moor_register_read(
                  MOOR_SPAN_LIT(META("https://h:1/", ",\"mooring\":{\"hisEndpoint\":"
                                                     "\"https://h:1/his/\",\"audience\":\"s\","
                                                     "\"hostSuffixes\":[\"h\"],"
                                                     "\"galleryCertificates\":[\"MIIC\"]}")),
                  "Lab", &c, &gallery, &arena, NULL),
              MOOR_OK);
    CHECK_STR(c.name, "Lab");
    CHECK_STR(c.resource_manager, "https://h:1");
    CHECK_STR(c.token_endpoint, "https://h:1/{tenant}/oauth2/v2.0/token");
    CHECK_STR(c.arm_audience, "https://a/");
    CHECK_STR(c.his_endpoint, "https://h:1/his");
    CHECK_INT(gallery.count, 1);
}

static void adfs_has_one_token_endpoint_and_azure_no_service(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    struct moor_cloud c;
    struct moor_str_list gallery;
    CHECK_INT(moor_register_read(MOOR_SPAN_LIT(META("https://h:1/adfs/", "")), "Lab", &c, &gallery,
                                 &arena, NULL),
              MOOR_OK);
    CHECK_STR(c.token_endpoint, "https://h:1/adfs/oauth2/token");
    CHECK(!c.his_endpoint && !c.service_audience && gallery.count == 0);
}

static void claims_are_read_from_a_token_and_nothing_else(void)
{
    /* {"tid":"0f0f2c44-0a3b-4a0e-9d8e-7b7a5f3c2d10","exp":100} */
    static const char jwt[] = "e30.eyJ0aWQiOiIwZjBmMmM0NC0wYTNiLTRhMGUtOWQ4ZS03YjdhNWYzYzJkMTAiLC"
                              "JleHAiOjEwMH0.c2ln";
    static const char *const opaque[] = { "opaque", "a.b.c", "a.e30", "" };
    MOOR_AUTO(moor_secret) token = MOOR_SECRET_INIT;
    struct moor_claims claims;
    CHECK_INT(moor_secret_set(&token, moor_span_str(jwt), NULL), MOOR_OK);
    moor_token_claims(&token, &claims);
    CHECK_STR(claims.tenant_id, "0f0f2c44-0a3b-4a0e-9d8e-7b7a5f3c2d10");
    CHECK_INT(claims.expires_ms, 100000);
    for (size_t i = 0; i < MOOR_COUNTOF(opaque); i++) {
        CHECK_INT(moor_secret_set(&token, moor_span_str(opaque[i]), NULL), MOOR_OK);
        moor_token_claims(&token, &claims);
        CHECK_STR(claims.tenant_id, "");
        CHECK_INT(claims.expires_ms, 0);
    }
}

/* A step that fails as it is told. */
struct script {
    struct moor_error fail[3];
    unsigned ran;
};
static moor_code run(void *work, struct moor_error *err)
{
    struct script *s = work;
    *err = s->fail[s->ran++];
    return err->code;
}
static void count(void *ctx, const char *step, const char *text, size_t at, size_t of)
{
    (void)step;
    (void)text;
    (void)of;
    *(size_t *)ctx = at;
}
static void nothing(void *ctx, const char *step, bool failed, uint64_t ms)
{
    (void)ctx;
    (void)step;
    (void)failed;
    (void)ms;
}

static void the_failing_step_decides_the_number(void)
{
    static const struct moor_step table[] = {
        { "a", "A", AZCM_NO_HIMDS, run },
        { "b", "B", AZCM_NO_TOKEN, run },
        { "c", "C", AZCM_CREATE_RESOURCE, run },
    };
    static const struct {
        moor_code code;
        int32_t http;
        unsigned at;
        moor_azcm number;
    } cases[] = {
        { MOOR_E_DENIED, 401, 1, AZCM_NO_TOKEN },
        { MOOR_E_TRANSIENT, 0, 1, AZCM_NETWORK },
        { MOOR_E_TRANSIENT, 503, 2, AZCM_CREATE_RESOURCE },
        { MOOR_E_TRANSIENT, 0, 0, AZCM_NO_HIMDS },
        { MOOR_E_CANCELED, 0, 2, AZCM_INTERRUPTED },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++) {
        size_t reached = 0;
        const struct moor_progress progress = { .begin = count, .end = nothing, .ctx = &reached };
        struct script s = { .ran = 0 };
        struct moor_error err = MOOR_ERROR_INIT;
        moor_azcm number = AZCM_OK;
        s.fail[cases[i].at] = (struct moor_error){ .code = cases[i].code, .http = cases[i].http };
        CHECK_INT(moor_steps_run(table, 3, &s, &progress, &number, &err), cases[i].code);
        CHECK_INT(number, cases[i].number);
        CHECK_INT(reached, cases[i].at + 1);
    }
}

static void what_is_wanted_differs_is_so_or_is_unknown(void)
{
    static const struct {
        const char *tags, *scope, *is, *differs, *unknown;
    } cases[] = {
        { NULL, NULL, NULL, "", "" },
        { "{\"a\":\"1\"}", NULL, "{\"A\":\"1\",\"b\":\"2\"}", "", "" },
        { "{\"a\":\"1\"}", NULL, "{\"a\":\"2\"}", "tag a is 2, not 1", "" },
        { "{\"a\":\"\"}", NULL, "{}", "tag a is not there, wanted: ", "" },
        { "{\"a\":\"X\"}", NULL, "{\"a\":\"x\"}", "tag a is x, not X", "" },
        { "{\"a\":\"1\"}", NULL, NULL, "", "--tags" },
        { "{}", NULL, NULL, "", "" },
        { "{\"a\":\"1\"}", "/s", NULL, "", "--private-link-scope, --tags" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++) {
        const struct moor_connect_params want = { .tags = cases[i].tags,
                                                  .private_link_scope = cases[i].scope };
        MOOR_AUTO(moor_buf) differs = MOOR_BUF(256);
        MOOR_AUTO(moor_buf) unknown = MOOR_BUF(256);
        MOOR_AUTOPTR(moor_json) is = NULL;
        if (cases[i].is)
            CHECK_INT(moor_json_parse(moor_span_str(cases[i].is), &is, NULL), MOOR_OK);
        moor_mend_compare(&want, is, &differs, &unknown);
        CHECK_STR(moor_buf_cstr(&differs), cases[i].differs);
        CHECK_STR(moor_buf_cstr(&unknown), cases[i].unknown);
    }
}

CHECK_MAIN(CHECK_TEST(private_addresses_are_told_from_public_ones),
           CHECK_TEST(metadata_becomes_a_cloud),
           CHECK_TEST(adfs_has_one_token_endpoint_and_azure_no_service),
           CHECK_TEST(claims_are_read_from_a_token_and_nothing_else),
           CHECK_TEST(the_failing_step_decides_the_number),
           CHECK_TEST(what_is_wanted_differs_is_so_or_is_unknown))
