/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "engine/desired.h"

#define MACHINE "/subscriptions/S/resourceGroups/g/providers/Microsoft.HybridCompute/machines/m"
#define RULE    "/subscriptions/S/resourceGroups/g/providers/Microsoft.Insights/dataCollectionRules/d"

static const char vm[] = "11111111-2222-4333-8444-555555555555";
static const struct moor_desired_site site = {
    "https://cp/packages", "/nowhere", "https://cp", { NULL, 0 }
};
static struct moor_error err;

static struct moor_extension extension(const char *version)
{
    return (struct moor_extension){ .resource_id = MACHINE "/extensions/e",
                                    .vm_id = vm,
                                    .name = "e",
                                    .publisher = "P",
                                    .type = "T",
                                    .version = version,
                                    .settings_seq = 3,
                                    .settings = "{\"a\":1}",
                                    .force_tag = "",
                                    .guarded.thumbprint = "",
                                    .reported = "",
                                    .chosen = "" };
}

static moor_code publish(struct moor_store *s, const char *version, char digit)
{
    char sha[65];
    memset(sha, digit, 64);
    sha[64] = 0;
    struct moor_package p = { "P", "T", version, sha, 10, false, 1, false };
    return moor_package_add(s, &p, &err);
}

static void an_item_that_waits_for_a_certificate_is_left_out(void)
{
    struct moor_extension e = extension("1.0");
    struct moor_desired_package none = { NULL, NULL, NULL };
    e.guarded.protect = MOOR_PROTECT_SEALED;
    CHECK(moor_desired_extension(&e, &none, &site) == NULL);
    e.uninstall = true;
    MOOR_AUTOPTR(moor_json) j = moor_desired_extension(&e, &none, &site);
    CHECK_STR(moor_json_get_str(j, "state"), "uninstall");
}

static void what_is_to_go_has_the_version_that_was_chosen(void)
{
    struct moor_extension e = extension("");
    struct moor_desired_package none = { NULL, NULL, NULL };
    e.uninstall = true;
    MOOR_AUTOPTR(moor_json) never = moor_desired_extension(&e, &none, &site);
    CHECK_STR(moor_json_get_str(never, "version"), "");
    e.chosen = "1.0.2";
    MOOR_AUTOPTR(moor_json) given = moor_desired_extension(&e, &none, &site);
    CHECK_STR(moor_json_get_str(given, "version"), "1.0.2");
}

static void protected_settings_are_base64_with_their_thumbprint(void)
{
    struct moor_extension e = extension("1.0");
    struct moor_package p = { "P", "T", "1.0.2", "ab", 10, false, 1, false };
    struct moor_desired_package package = { &p, "c2ln", NULL };
    e.guarded.protect = MOOR_PROTECT_CMS;
    e.guarded.blob = MOOR_SPAN_LIT("blob");
    e.guarded.thumbprint = "AABB";
    MOOR_AUTOPTR(moor_json) j = moor_desired_extension(&e, &package, &site);
    CHECK_STR(moor_json_get_str(j, "protectedSettings"), "YmxvYg==");
    CHECK_STR(moor_json_get_str(j, "protectedSettingsCertThumbprint"), "AABB");
    CHECK_STR(moor_json_get_str(j, "version"), "1.0.2");
    CHECK_STR(moor_json_str(moor_json_path(j, "package.signature")), "c2ln");
    CHECK_STR(moor_json_str(moor_json_first(moor_json_path(j, "package.uris"))),
              "https://cp/packages/ab.zip");
}

struct state {
    struct moor_store *store;
    struct moor_arena arena;
};

static bool prepare(struct state *st)
{
    struct moor_machine m = { .vm_id = vm,
                              .resource_id = MACHINE,
                              .tenant_id = "t",
                              .client_id = "c",
                              .principal_id = "o",
                              .settings_cert = "" };
    struct moor_resource r = { .id = MACHINE,
                               .type = "Microsoft.HybridCompute/machines",
                               .name = "m",
                               .tags = "{\"env\":\"test\"}" };
    st->arena = (struct moor_arena)MOOR_ARENA(1 << 22);
    return !moor_store_open(":memory:", &st->store, &err) &&
           !moor_machine_add(st->store, &m, &err) && !moor_resource_put(st->store, &r, &err);
}

static void finish(struct state *st)
{
    moor_arena_drop(&st->arena);
    moor_store_free(st->store);
}

static struct moor_json *document(struct state *st)
{
    MOOR_AUTO(moor_buf) out = MOOR_BUF(MOOR_DESIRED_MAX);
    struct moor_machine m;
    struct moor_json *j = NULL;
    if (moor_machine_by_vm_id(st->store, vm, &st->arena, &m, &err) ||
        moor_desired_document(st->store, &m, &site, &st->arena, &out, &err) ||
        moor_json_parse(moor_buf_view(&out), &j, &err))
        printf("# %s\n", err.msg);
    return j;
}

static const char *version_in(const struct moor_json *doc)
{
    return moor_json_get_str(moor_json_first(moor_json_get(doc, "extensions")), "version");
}

static void the_revision_keeps_its_epoch(void)
{
    struct state st;
    CHECK(prepare(&st));
    const char *a = NULL, *b = NULL;
    CHECK_INT(moor_desired_revision(st.store, 1, &st.arena, &a, &err), MOOR_OK);
    CHECK_INT(moor_desired_revision(st.store, 12, &st.arena, &b, &err), MOOR_OK);
    CHECK(a && b && strncmp(a, b, 17) == 0);
    CHECK_STR(a + 16, ".1");
    CHECK_STR(b + 16, ".12");
    finish(&st);
}

static void a_chosen_version_stays_until_the_settings_change(void)
{
    struct state st;
    CHECK(prepare(&st));
    struct moor_extension e = extension("1.0");
    CHECK_INT(publish(st.store, "1.0.1", '1'), MOOR_OK);
    CHECK_INT(moor_extension_put(st.store, &e, &err), MOOR_OK);
    MOOR_AUTOPTR(moor_json) first = document(&st);
    CHECK_STR(version_in(first), "1.0.1");
    CHECK_INT(publish(st.store, "1.0.2", '2'), MOOR_OK);
    MOOR_AUTOPTR(moor_json) same = document(&st);
    CHECK_STR(version_in(same), "1.0.1");
    CHECK_INT(moor_extension_get(st.store, e.resource_id, &st.arena, &e, &err), MOOR_OK);
    e.settings_seq++;
    CHECK_INT(moor_extension_put(st.store, &e, &err), MOOR_OK);
    MOOR_AUTOPTR(moor_json) next = document(&st);
    CHECK_STR(version_in(next), "1.0.2");
    finish(&st);
}

static void automatic_upgrade_follows_publications(void)
{
    struct state st;
    struct moor_machine m;
    CHECK(prepare(&st));
    struct moor_extension e = extension("1.0");
    e.automatic_upgrade = true;
    CHECK_INT(publish(st.store, "1.0.1", '1'), MOOR_OK);
    CHECK_INT(moor_extension_put(st.store, &e, &err), MOOR_OK);
    MOOR_AUTOPTR(moor_json) first = document(&st);
    CHECK_STR(version_in(first), "1.0.1");
    CHECK_INT(publish(st.store, "1.0.2", '2'), MOOR_OK);
    CHECK_INT(moor_extension_published(st.store, "p", "t", &err), MOOR_OK);
    CHECK_INT(moor_machine_by_vm_id(st.store, vm, &st.arena, &m, &err), MOOR_OK);
    CHECK_INT(m.desired_counter, 1);
    MOOR_AUTOPTR(moor_json) next = document(&st);
    CHECK_STR(version_in(next), "1.0.2");
    finish(&st);
}

static void associated_rules_and_tags_are_in_the_document(void)
{
    struct state st;
    CHECK(prepare(&st));
    struct moor_resource rule = { .id = RULE,
                                  .type = "Microsoft.Insights/dataCollectionRules",
                                  .name = "d",
                                  .alias = "dcr-0123456789abcdef0123456789abcdef",
                                  .properties = "{\"description\":\"no\",\"dataFlows\":[{}]}" };
    struct moor_resource link = { .id = MACHINE
                                  "/providers/Microsoft.Insights/dataCollectionRuleAssociations/a",
                                  .type = "Microsoft.Insights/dataCollectionRuleAssociations",
                                  .name = "a",
                                  .properties = "{\"dataCollectionRuleId\":\"" RULE "\"}" };
    CHECK_INT(moor_resource_put(st.store, &rule, &err), MOOR_OK);
    CHECK_INT(moor_resource_put(st.store, &link, &err), MOOR_OK);
    MOOR_AUTOPTR(moor_json) j = document(&st);
    const struct moor_json *item = moor_json_first(moor_json_get(j, "dataCollectionRules"));
    CHECK_STR(moor_json_get_str(item, "immutableId"), "dcr-0123456789abcdef0123456789abcdef");
    CHECK_STR(moor_json_get_str(item, "endpoint"), "https://cp");
    CHECK_INT(moor_json_size(moor_json_path(item, "properties.dataFlows")), 1);
    CHECK(moor_json_path(item, "properties.description") == NULL);
    CHECK_STR(moor_json_str(moor_json_path(j, "tags.env")), "test");
    CHECK(moor_json_get(j, "settingsCertThumbprint") != NULL);
    finish(&st);
}

CHECK_MAIN(CHECK_TEST(an_item_that_waits_for_a_certificate_is_left_out),
           CHECK_TEST(what_is_to_go_has_the_version_that_was_chosen),
           CHECK_TEST(protected_settings_are_base64_with_their_thumbprint),
           CHECK_TEST(the_revision_keeps_its_epoch),
           CHECK_TEST(a_chosen_version_stays_until_the_settings_change),
           CHECK_TEST(automatic_upgrade_follows_publications),
           CHECK_TEST(associated_rules_and_tags_are_in_the_document))
