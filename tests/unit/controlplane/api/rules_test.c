/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts of the ARM routes: ids, filters, what a PUT may change. */
#include "api/arm.h"
#include "api/extension_rules.h"
#include "api/filter.h"
#include "api/machine_rules.h"
#include "check.h"

#define VM_A "aaaaaaaa-1111-4111-8111-111111111111"
#define VM_B "bbbbbbbb-1111-4111-8111-111111111111"

static void ids_are_taken_apart_whatever_their_casing(void)
{
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
    struct moor_arm_id id;
    CHECK(moor_arm_parse("/SUBSCRIPTIONS/S/resourcegroups/Rg//providers/Microsoft.HybridCompute/"
                         "machines/M1/extensions/E1/",
                         &a, &id));
    CHECK_STR(id.id, "/subscriptions/S/resourceGroups/Rg/providers/Microsoft.HybridCompute/"
                     "machines/M1/extensions/E1");
    CHECK_STR(id.type, "Microsoft.HybridCompute/machines/extensions");
    CHECK_STR(id.name, "E1");
    CHECK_STR(id.group, "Rg");
    CHECK_STR(id.parent, "/subscriptions/S/resourceGroups/Rg/providers/Microsoft.HybridCompute/"
                         "machines/M1");
}

static void an_extension_resource_belongs_to_what_it_extends(void)
{
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
    struct moor_arm_id id;
    CHECK(moor_arm_parse("/subscriptions/S/resourceGroups/G/providers/N/T/n/providers/"
                         "Microsoft.Resources/tags/default",
                         &a, &id));
    CHECK_STR(id.type, "Microsoft.Resources/tags");
    CHECK_STR(id.parent, "/subscriptions/S/resourceGroups/G/providers/N/T/n");
    CHECK(moor_arm_parse("/subscriptions/S/resourceGroups/G", &a, &id));
    CHECK_STR(id.type, "Microsoft.Resources/resourceGroups");
    CHECK_STR(id.name, "G");
}

static void what_is_no_id_is_refused(void)
{
    static const char *const bad[] = { "",
                                       "/",
                                       "/x",
                                       "/subscriptions/S/x/y",
                                       "/subscriptions/S/providers/N",
                                       "/subscriptions/S/providers/N/T",
                                       "/subscriptions/S/resourceGroups/G/providers/N/T/n/T2" };
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
    struct moor_arm_id id;
    for (size_t i = 0; i < MOOR_COUNTOF(bad); i++)
        if (!CHECK(!moor_arm_parse(bad[i], &a, &id)))
            printf("# %s\n", bad[i]);
}

static void names_follow_their_rule(void)
{
    CHECK(moor_arm_name_ok("web-01_a.b", 54, "-_."));
    CHECK(!moor_arm_name_ok("web.", 54, "-_."));
    CHECK(!moor_arm_name_ok("", 54, "-_."));
    CHECK(!moor_arm_name_ok("a/b", 54, "-_."));
    CHECK(!moor_arm_name_ok("abc", 2, ""));
}

static void filters_are_read_and_others_refused(void)
{
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
    struct moor_resource_filter f = { 0 };
    const char *location = NULL;
    CHECK(!moor_filter_parse("", &a, &f, &location, NULL));
    CHECK(!moor_filter_parse(NULL, &a, &f, &location, NULL));
    CHECK(!moor_filter_parse("tagname eq 'it''s' and tagvalue eq 'x y'", &a, &f, &location, NULL));
    CHECK_STR(f.tag_name, "it's");
    CHECK_STR(f.tag_value, "x y");
    CHECK(!moor_filter_parse("ResourceType EQ 'N/T' and resourceGroup eq 'g'", &a, &f, &location,
                             NULL));
    CHECK_STR(f.type, "N/T");
    static const char *const bad[] = { "name",         "name eq",
                                       "name eq x",    "name ne 'x'",
                                       "color eq 'x'", "name eq 'x' or name eq 'y'",
                                       "name eq 'x",   "name eq 'x' and" };
    for (size_t i = 0; i < MOOR_COUNTOF(bad); i++)
        if (!CHECK(moor_filter_parse(bad[i], &a, &f, &location, NULL) == MOOR_E_BADINPUT))
            printf("# %s\n", bad[i]);
}

static moor_code same(const char *vm_id, const char *key, struct moor_error *err)
{
    struct moor_machine_key items[] = { { "current", MOOR_KEY_CURRENT, 0 },
                                        { "former", MOOR_KEY_PREVIOUS, 0 } };
    const struct moor_machine_keys keys = { items, 2 };
    const struct moor_enrolment given = { vm_id, key };
    return moor_machine_same(&given, VM_A, &keys, err);
}

static void a_machine_keeps_its_identity_whoever_writes(void)
{
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK(same("", "", &err) == MOOR_OK);
    CHECK(same(VM_A, "current", &err) == MOOR_OK);
    CHECK(same(VM_A, "former", &err) == MOOR_OK);
    CHECK(same(VM_B, "current", &err) == MOOR_E_EXISTS);
    CHECK_INT(err.http, 409);
    CHECK_STR(err.service_code, "MachineAlreadyRegistered");
    CHECK(same(VM_A, "another", &err) == MOOR_E_EXISTS);
}

#define DAY (INT64_C(24) * 3600 * 1000)

static void a_used_vm_id_is_free_again_after_its_time(void)
{
    MOOR_AUTOPTR(moor_key) key = NULL;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(4096);
    CHECK(moor_key_generate(MOOR_KEY_RSA_2048, &key, NULL) == MOOR_OK);
    CHECK(moor_key_public_pkcs1(key, &text, NULL) == MOOR_OK);
    const struct moor_enrolment e = { VM_A, moor_buf_cstr(&text) };
    struct moor_machine holder = { .vm_id = VM_A, .tenant_id = "t" };
    CHECK(moor_machine_may_take(&e, NULL, "t", 0, NULL) == MOOR_OK);
    CHECK(moor_machine_may_take(&e, &holder, "t", 0, NULL) == MOOR_E_EXISTS);
    holder.deleted_ms = 1;
    CHECK(moor_machine_may_take(&e, &holder, "t", 2, NULL) == MOOR_OK);
    CHECK(moor_machine_may_take(&e, &holder, "other", 89 * DAY, NULL) == MOOR_E_EXISTS);
    CHECK(moor_machine_may_take(&e, &holder, "other", 91 * DAY, NULL) == MOOR_OK);
    const struct moor_enrolment no_key = { VM_A, "" };
    CHECK(moor_machine_may_take(&no_key, NULL, "t", 0, NULL) == MOOR_E_BADINPUT);
}

static struct moor_json *parse(const char *text)
{
    struct moor_json *v = NULL;
    CHECK(moor_json_parse(moor_span_str(text), &v, NULL) == MOOR_OK);
    return v;
}

static void what_the_agent_owns_is_ignored(void)
{
    MOOR_AUTOPTR(moor_json) own = moor_json_new_object();
    MOOR_AUTOPTR(moor_json) given =
        parse("{\"osName\":\"x\",\"status\":\"Connected\",\"locationData\":{\"name\":\"lab\"},"
              "\"osProfile\":{\"computerName\":\"c\",\"linuxConfiguration\":{}}}");
    moor_machine_take_own(own, given);
    CHECK(moor_json_size(own) == 2);
    CHECK_STR(moor_json_str(moor_json_path(own, "locationData.name")), "lab");
    CHECK(!moor_json_path(own, "osProfile.computerName"));
    CHECK(moor_json_path(own, "osProfile.linuxConfiguration"));
}

/* The change a body makes to the extension that an earlier body made. */
static struct moor_extension_change change(const char *text, const struct moor_extension *old,
                                           bool patch, struct moor_json **body,
                                           struct moor_arena *a)
{
    struct moor_extension_change out = { .differs = false };
    *body = parse(text);
    CHECK(moor_extension_change(*body, old, "1.0.3.0", patch, a, &out, NULL) == MOOR_OK);
    return out;
}

#define EXT(more) "{\"properties\":{\"publisher\":\"P\",\"type\":\"T\"" more "}}"

static void an_identical_put_changes_nothing(void)
{
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
    MOOR_AUTOPTR(moor_json) one = NULL;
    MOOR_AUTOPTR(moor_json) two = NULL;
    struct moor_extension_change first =
        change(EXT(",\"typeHandlerVersion\":\"1.0\",\"settings\":{\"a\":1,\"b\":2}"), NULL, false,
               &one, &a);
    CHECK(first.differs);
    CHECK(first.row.auto_upgrade_minor && !first.row.automatic_upgrade);
    /* az writes back what it read: the installed version, members in another order, no secrets. */
    struct moor_extension_change again =
        change(EXT(",\"typeHandlerVersion\":\"1.0.3.0\",\"settings\":{\"b\":2,\"a\":1}"),
               &first.row, false, &two, &a);
    CHECK(!again.differs);
    CHECK_STR(again.row.version, "1.0");
    CHECK_INT(again.protected_given, MOOR_PROTECTED_ABSENT);
}

static void a_patch_keeps_what_it_does_not_name(void)
{
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
    MOOR_AUTOPTR(moor_json) one = NULL;
    MOOR_AUTOPTR(moor_json) two = NULL;
    struct moor_extension_change first =
        change(EXT(",\"forceUpdateTag\":\"1\",\"settings\":{\"a\":1}"), NULL, false, &one, &a);
    struct moor_extension_change next =
        change("{\"properties\":{\"forceUpdateTag\":\"2\",\"protectedSettings\":{\"k\":\"s\"}}}",
               &first.row, true, &two, &a);
    CHECK(next.differs);
    CHECK_STR(next.row.settings, "{\"a\":1}");
    CHECK_STR(next.row.force_tag, "2");
    CHECK_INT(next.protected_given, MOOR_PROTECTED_SET);
}

static void wrong_extension_bodies_name_the_member(void)
{
    static const char *const bad[] = {
        "{}",
        "{\"properties\":{\"publisher\":\"P\"}}",
        EXT(",\"typeHandlerVersion\":\"x\""),
        EXT(",\"settings\":[]"),
        EXT(",\"protectedSettings\":\"s\""),
        EXT(",\"autoUpgradeMinorVersion\":\"yes\""),
    };
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
    for (size_t i = 0; i < MOOR_COUNTOF(bad); i++) {
        struct moor_extension_change out;
        struct moor_error err = MOOR_ERROR_INIT;
        MOOR_AUTOPTR(moor_json) body = parse(bad[i]);
        CHECK(moor_extension_change(body, NULL, "", false, &a, &out, &err) == MOOR_E_BADINPUT);
        CHECK(strstr(err.msg, "properties.") != NULL);
    }
}

CHECK_MAIN(CHECK_TEST(ids_are_taken_apart_whatever_their_casing),
           CHECK_TEST(an_extension_resource_belongs_to_what_it_extends),
           CHECK_TEST(what_is_no_id_is_refused), CHECK_TEST(names_follow_their_rule),
           CHECK_TEST(filters_are_read_and_others_refused),
           CHECK_TEST(a_machine_keeps_its_identity_whoever_writes),
           CHECK_TEST(a_used_vm_id_is_free_again_after_its_time),
           CHECK_TEST(what_the_agent_owns_is_ignored), CHECK_TEST(an_identical_put_changes_nothing),
           CHECK_TEST(a_patch_keeps_what_it_does_not_name),
           CHECK_TEST(wrong_extension_bodies_name_the_member))
