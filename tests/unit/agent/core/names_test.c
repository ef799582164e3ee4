/* SPDX-License-Identifier: Apache-2.0 */
/* ARM ids, names, and the table of error numbers. */
#include "check.h"
#include "core/arm.h"
#include "core/azcm.h"

#define SUB "11111111-2222-3333-4444-555555555555"
#define ID  "/subscriptions/" SUB "/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/m"

static void machine_id_is_taken_apart(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(8192);
    struct moor_arm_id id;
    CHECK_INT(moor_arm_id_parse(moor_span_str(ID), &id, &arena, NULL), MOOR_OK);
    CHECK_STR(id.subscription, SUB);
    CHECK_STR(id.group, "rg");
    CHECK_STR(id.type, "Microsoft.HybridCompute/machines");
    CHECK_STR(id.name, "m");
    CHECK(id.parent_name == NULL);
}

static void extension_id_names_its_machine(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(8192);
    struct moor_arm_id id;
    CHECK_INT(moor_arm_id_parse(moor_span_str(ID "/Extensions/e"), &id, &arena, NULL), MOOR_OK);
    CHECK_STR(id.type, "Microsoft.HybridCompute/machines/Extensions");
    CHECK_STR(id.name, "e");
    CHECK_STR(id.parent_name, "m");
}

static void broken_ids_are_refused(void)
{
    static const char *const bad[] = { "",
                                       "/",
                                       ID "/",
                                       ID "/extensions",
                                       "x" ID,
                                       "/subscriptions/s/resourceGroups/rg/providers/N/t/n",
                                       ID "/a/b/c/d",
                                       "/subscriptions//resourceGroups/rg" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(8192);
        struct moor_arm_id id;
        CHECK_INT(moor_arm_id_parse(moor_span_str(bad[i]), &id, &arena, NULL), MOOR_E_BADINPUT);
    }
}

static void url_of_an_id_is_percent_coded(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(1000);
    moor_arm_url(&b, "https://arm.example", "/subscriptions/s/resourceGroups/a(b)", "2021-04-01");
    CHECK_STR(moor_buf_cstr(&b),
              "https://arm.example/subscriptions/s/resourceGroups/a%28b%29?api-version=2021-04-01");
}

static void names_follow_the_service_rules(void)
{
    static const struct {
        const char *name;
        moor_code code;
    } cases[] = {
        { "web01", MOOR_OK },
        { "a.b-c_d", MOOR_OK },
        { "", MOOR_E_BADINPUT },
        { "web-", MOOR_E_BADINPUT },
        { "web_", MOOR_E_BADINPUT },
        { "we b", MOOR_E_BADINPUT },
        { "a/b", MOOR_E_BADINPUT },
        { "123456789012345678901234567890123456789012345678901234", MOOR_OK },
        { "1234567890123456789012345678901234567890123456789012345", MOOR_E_BADINPUT },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK_INT(moor_arm_check_machine_name(cases[i].name, NULL), cases[i].code);
    CHECK_INT(moor_arm_check_group_name("rg(1)", NULL), MOOR_OK);
    CHECK_INT(moor_arm_check_group_name("rg.", NULL), MOOR_E_BADINPUT);
    CHECK_INT(moor_arm_check_location("West Europe", NULL), MOOR_OK);
    CHECK_INT(moor_arm_check_location("a/b", NULL), MOOR_E_BADINPUT);
}

static void host_names_become_machine_names(void)
{
    static const struct {
        const char *host, *name;
    } cases[] = {
        { "web01.contoso.example", "web01" },
        { "web~01", "web-01" },
        { "web-", "web" },
        { "123456789012345678901234567890123456789012345678901234567890",
          "123456789012345678901234567890123456789012345678901234" },
        { ".x", NULL },
        { "--", NULL },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        MOOR_AUTO(moor_buf) b = MOOR_BUF(100);
        moor_code c = moor_arm_name_from_host(cases[i].host, &b, NULL);
        CHECK_INT(c, cases[i].name ? MOOR_OK : MOOR_E_BADINPUT);
        if (cases[i].name)
            CHECK_STR(moor_buf_cstr(&b), cases[i].name);
    }
}

static void locations_are_compared_in_one_form(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(100);
    moor_arm_normal_location(&b, "West Europe");
    CHECK_STR(moor_buf_cstr(&b), "westeurope");
}

static void error_numbers_ascend_and_have_texts(void)
{
    size_t n = 0;
    const struct moor_azcm_entry *rows = moor_azcm_table(&n);
    CHECK(n > 30);
    for (size_t i = 0; i < n; i++) {
        CHECK(i == 0 || rows[i - 1].number < rows[i].number);
        CHECK(rows[i].number < 256);
        CHECK(*rows[i].name && *rows[i].text);
        CHECK(moor_azcm_find((int)rows[i].number) == &rows[i]);
    }
    CHECK_INT(moor_azcm_find(9999)->number, AZCM_UNKNOWN);
}

static void errors_map_to_numbers(void)
{
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK_INT(moor_azcm_of(&err), AZCM_OK);
    err.code = moor_fail(&err, MOOR_E_TIMEOUT, "x");
    CHECK_INT(moor_azcm_of(&err), AZCM_NETWORK);
    err.code = moor_fail(&err, MOOR_E_DENIED, "x");
    CHECK_INT(moor_azcm_of(&err), AZCM_NOT_ADMIN);
    err.http = 403;
    CHECK_INT(moor_azcm_of(&err), AZCM_UNKNOWN);
}

CHECK_MAIN(CHECK_TEST(machine_id_is_taken_apart), CHECK_TEST(extension_id_names_its_machine),
           CHECK_TEST(broken_ids_are_refused), CHECK_TEST(url_of_an_id_is_percent_coded),
           CHECK_TEST(names_follow_the_service_rules), CHECK_TEST(host_names_become_machine_names),
           CHECK_TEST(locations_are_compared_in_one_form),
           CHECK_TEST(error_numbers_ascend_and_have_texts), CHECK_TEST(errors_map_to_numbers))
