/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <stdlib.h>

#include "check.h"
#include "platform/file.h"
#include "platform/random.h"
#include "store/extensions.h"
#include "store/logs.h"
#include "store/machines.h"
#include "store/operations.h"
#include "store/packages.h"
#include "store/principals.h"
#include "store/resources.h"

#define SUB "/subscriptions/11111111-1111-4111-8111-111111111111"
#define VM  "22222222-2222-4222-8222-222222222222"

static struct moor_store *fresh(void)
{
    struct moor_store *s = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    if (!CHECK(moor_store_open(":memory:", &s, &err) == MOOR_OK)) {
        printf("# %s\n", err.msg);
        exit(1);
    }
    return s;
}

static void put(struct moor_store *s, const char *id, const char *type, const char *group,
                const char *name, const char *tags)
{
    struct moor_resource r = { .id = id,
                               .type = type,
                               .subscription = "11111111-1111-4111-8111-111111111111",
                               .group = group,
                               .name = name,
                               .location = "local",
                               .tags = tags };
    CHECK(moor_resource_put(s, &r, NULL) == MOOR_OK);
}

static void resources_are_found_without_case_and_keep_their_casing(void)
{
    MOOR_AUTOPTR(moor_store) s = fresh();
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
    struct moor_resource r;
    put(s, SUB "/resourceGroups/RG", "Microsoft.Resources/resourceGroups", "RG", "RG", NULL);
    put(s, SUB "/resourcegroups/rg", "Microsoft.Resources/resourceGroups", "rg", "rg", "{\"a\":1}");
    CHECK(moor_resource_get(s, SUB "/RESOURCEGROUPS/rG", &a, &r, NULL) == MOOR_OK);
    CHECK_STR(r.id, SUB "/resourceGroups/RG");
    CHECK_STR(r.name, "RG");
    CHECK_STR(r.tags, "{\"a\":1}");
    CHECK_INT(r.version, 2);
    CHECK(moor_resource_get(s, SUB "/resourceGroups/R", &a, &r, NULL) == MOOR_E_NOTFOUND);
}

static void children_go_with_their_parent_and_neighbours_stay(void)
{
    MOOR_AUTOPTR(moor_store) s = fresh();
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
    struct moor_resource_list list;
    uint64_t removed = 0;
    put(s, SUB "/g/m", "NS/m", "g", "m", NULL);
    put(s, SUB "/g/M/e/x", "NS/m/e", "g", "x", NULL);
    put(s, SUB "/g/m-1", "NS/m", "g", "m-1", NULL);
    put(s, SUB "/g/m0", "NS/m", "g", "m0", NULL);
    CHECK(moor_resource_delete(s, SUB "/G/M", &removed, NULL) == MOOR_OK);
    CHECK_INT(removed, 2);
    struct moor_resource_filter f = { .under = SUB };
    CHECK(moor_resource_list(s, &f, &a, &list, NULL) == MOOR_OK);
    CHECK_INT(list.count, 2);
}

static void lists_narrow_by_group_type_and_tag_and_come_in_pages(void)
{
    MOOR_AUTOPTR(moor_store) s = fresh();
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
    struct moor_resource_list list;
    put(s, SUB "/resourceGroups/a/providers/N/T/1", "N/T", "a", "1", "{\"Env\":\"x\"}");
    put(s, SUB "/resourceGroups/a/providers/N/T/2", "N/T", "a", "2", "{\"env\":\"y\"}");
    put(s, SUB "/resourceGroups/ab/providers/N/U/3", "N/U", "ab", "3", NULL);
    struct moor_resource_filter by_group = { .subscription = "11111111-1111-4111-8111-111111111111",
                                             .group = "A" };
    CHECK(moor_resource_list(s, &by_group, &a, &list, NULL) == MOOR_OK);
    CHECK_INT(list.count, 2);
    struct moor_resource_filter by_type = { .under = SUB, .type = "n/u" };
    CHECK(moor_resource_list(s, &by_type, &a, &list, NULL) == MOOR_OK);
    CHECK_INT(list.count, 1);
    struct moor_resource_filter by_tag = { .under = SUB, .tag_name = "ENV", .tag_value = "y" };
    CHECK(moor_resource_list(s, &by_tag, &a, &list, NULL) == MOOR_OK);
    CHECK_INT(list.count, 1);
    CHECK_STR(list.items[0].name, "2");
    struct moor_resource_filter page = { .under = SUB, .limit = 2 };
    CHECK(moor_resource_list(s, &page, &a, &list, NULL) == MOOR_OK);
    CHECK(list.more && list.count == 2);
    page.after = list.items[1].id;
    CHECK(moor_resource_list(s, &page, &a, &list, NULL) == MOOR_OK);
    CHECK(!list.more && list.count == 1);
}

static void an_alias_is_unique_within_its_type(void)
{
    MOOR_AUTOPTR(moor_store) s = fresh();
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
    struct moor_resource r = { .id = SUB "/a", .type = "N/T", .alias = "dcr-1" }, found;
    CHECK(moor_resource_put(s, &r, NULL) == MOOR_OK);
    r.id = SUB "/b";
    CHECK(moor_resource_put(s, &r, NULL) == MOOR_E_EXISTS);
    CHECK(moor_resource_by_alias(s, "n/t", "dcr-1", &a, &found, NULL) == MOOR_OK);
    CHECK_STR(found.id, SUB "/a");
    CHECK(moor_resource_by_alias(s, "N/T", "", &a, &found, NULL) == MOOR_E_NOTFOUND);
}

static void a_transaction_without_commit_leaves_nothing(void)
{
    MOOR_AUTOPTR(moor_store) s = fresh();
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
    const char *value = NULL;
    {
        MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
        struct moor_store_tx second = MOOR_STORE_TX_INIT;
        CHECK(moor_store_begin(s, &tx, NULL) == MOOR_OK);
        CHECK(moor_store_begin(s, &second, NULL) == MOOR_E_BUG);
        CHECK(moor_store_meta_set(s, "x", "1", NULL) == MOOR_OK);
    }
    CHECK(moor_store_meta_get(s, "x", &a, &value, NULL) == MOOR_E_NOTFOUND);
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    CHECK(moor_store_begin(s, &tx, NULL) == MOOR_OK);
    CHECK(moor_store_meta_set(s, "x", "2", NULL) == MOOR_OK);
    CHECK(moor_store_commit(&tx, NULL) == MOOR_OK);
    CHECK(moor_store_meta_get(s, "x", &a, &value, NULL) == MOOR_OK);
    CHECK_STR(value, "2");
}

static void a_file_is_the_owners_alone_and_is_read_again(void)
{
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
    char id[37];
    const char *value = NULL;
    struct plat_stat st;
    plat_random_uuid(id);
    const char *dir = moor_arena_fmt(&a, "/tmp/moor-store-%s", id);
    const char *path = moor_arena_fmt(&a, "%s/db", dir);
    CHECK(plat_make_dirs(dir, PLAT_OWNER_ONLY, NULL) == MOOR_OK);
    for (int round = 0; round < 2; round++) {
        MOOR_AUTOPTR(moor_store) s = NULL;
        CHECK(moor_store_open(path, &s, NULL) == MOOR_OK);
        if (round == 0)
            CHECK(moor_store_meta_set(s, "kept", "yes", NULL) == MOOR_OK);
        else
            CHECK(moor_store_meta_get(s, "kept", &a, &value, NULL) == MOOR_OK);
    }
    CHECK_STR(value, "yes");
    CHECK(plat_stat_path(path, &st, NULL) == MOOR_OK);
    CHECK_INT(st.mode & 0777, 0600);
    CHECK(plat_remove_tree(dir, NULL) == MOOR_OK);
}

static void add_machine(struct moor_store *s)
{
    struct moor_principal_row p = { .kind = MOOR_PRINCIPAL_MACHINE,
                                    .object_id = "o",
                                    .client_id = "c",
                                    .tenant_id = "t",
                                    .vm_id = VM };
    struct moor_machine m = { .vm_id = VM,
                              .resource_id = SUB "/m",
                              .tenant_id = "t",
                              .client_id = "c",
                              .principal_id = "o",
                              .desired_counter = 1 };
    CHECK(moor_principal_add(s, &p, NULL) == MOOR_OK);
    CHECK(moor_machine_add(s, &m, NULL) == MOOR_OK);
    CHECK(moor_machine_add(s, &m, NULL) == MOOR_E_EXISTS);
}

static void a_deleted_machine_keeps_its_id_and_nothing_else(void)
{
    MOOR_AUTOPTR(moor_store) s = fresh();
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
    struct moor_machine m;
    struct moor_machine_keys keys;
    struct moor_principal_row p;
    const char *json = NULL;
    add_machine(s);
    CHECK(moor_machine_key_set(s, VM, "k", MOOR_KEY_CURRENT, 1, NULL) == MOOR_OK);
    CHECK(moor_machine_doc_put(s, VM, "report", "{}", 1, NULL) == MOOR_OK);
    CHECK(moor_machine_delete(s, VM, 99, NULL) == MOOR_OK);
    CHECK(moor_machine_by_vm_id(s, VM, &a, &m, NULL) == MOOR_OK);
    CHECK_INT(m.deleted_ms, 99);
    CHECK(moor_machine_by_resource(s, SUB "/m", &a, &m, NULL) == MOOR_E_NOTFOUND);
    CHECK(moor_machine_keys_get(s, VM, &a, &keys, NULL) == MOOR_OK && keys.count == 0);
    CHECK(moor_machine_doc_get(s, VM, "report", &a, &json, NULL, NULL) == MOOR_E_NOTFOUND);
    CHECK(moor_principal_by_object(s, "o", &a, &p, NULL) == MOOR_E_NOTFOUND);
}

static void a_new_current_key_makes_the_old_one_previous(void)
{
    MOOR_AUTOPTR(moor_store) s = fresh();
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
    struct moor_machine_keys keys;
    add_machine(s);
    CHECK(moor_machine_key_set(s, VM, "one", MOOR_KEY_CURRENT, 1, NULL) == MOOR_OK);
    CHECK(moor_machine_key_set(s, VM, "two", MOOR_KEY_NEXT, 2, NULL) == MOOR_OK);
    CHECK(moor_machine_key_set(s, VM, "two", MOOR_KEY_CURRENT, 3, NULL) == MOOR_OK);
    CHECK(moor_machine_keys_get(s, VM, &a, &keys, NULL) == MOOR_OK);
    CHECK_INT(keys.count, 2);
    CHECK_STR(keys.items[0].public_key, "two");
    CHECK_INT(keys.items[0].state, MOOR_KEY_CURRENT);
    CHECK_STR(keys.items[1].public_key, "one");
    CHECK_INT(keys.items[1].state, MOOR_KEY_PREVIOUS);
}

static void the_desired_counter_rises_by_one(void)
{
    MOOR_AUTOPTR(moor_store) s = fresh();
    uint64_t n = 0;
    add_machine(s);
    CHECK(moor_machine_touch_desired(s, VM, &n, NULL) == MOOR_OK);
    CHECK_INT(n, 2);
    CHECK(moor_machine_touch_desired(s, "nobody", &n, NULL) == MOOR_E_NOTFOUND);
}

static void an_operation_is_open_until_it_ends(void)
{
    MOOR_AUTOPTR(moor_store) s = fresh();
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
    struct moor_operation op;
    char id[37];
    CHECK(moor_operation_start(s, MOOR_OP_PUT, SUB "/E", "caller", 5, id, NULL) == MOOR_OK);
    CHECK(moor_operation_open(s, SUB "/e", &a, &op, NULL) == MOOR_OK);
    CHECK_STR(op.id, id);
    CHECK(moor_operation_end(s, SUB "/e", MOOR_OP_FAILED, "Code", "why", 9, NULL) == MOOR_OK);
    CHECK(moor_operation_open(s, SUB "/e", &a, &op, NULL) == MOOR_E_NOTFOUND);
    CHECK(moor_operation_get(s, id, &a, &op, NULL) == MOOR_OK);
    CHECK_INT(op.status, MOOR_OP_FAILED);
    CHECK_STR(op.error_message, "why");
    CHECK(moor_operation_purge(s, 10, NULL) == MOOR_OK);
    CHECK(moor_operation_get(s, id, &a, &op, NULL) == MOOR_E_NOTFOUND);
}

static void an_operation_nobody_hears_of_fails(void)
{
    MOOR_AUTOPTR(moor_store) s = fresh();
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
    struct moor_operation op;
    char old[37], young[37];
    uint64_t ended = 0;
    CHECK(moor_operation_start(s, MOOR_OP_PUT, SUB "/a", "c", 5, old, NULL) == MOOR_OK);
    CHECK(moor_operation_start(s, MOOR_OP_PUT, SUB "/b", "c", 50, young, NULL) == MOOR_OK);
    CHECK(moor_operation_expire(s, 20, 60, &ended, NULL) == MOOR_OK);
    CHECK_INT(ended, 1);
    CHECK(moor_operation_get(s, old, &a, &op, NULL) == MOOR_OK);
    CHECK_INT(op.status, MOOR_OP_FAILED);
    CHECK_STR(op.error_code, "OperationTimedOut");
    CHECK(moor_operation_get(s, young, &a, &op, NULL) == MOOR_OK);
    CHECK_INT(op.status, MOOR_OP_IN_PROGRESS);
}

static void extension_blobs_come_back_byte_for_byte(void)
{
    MOOR_AUTOPTR(moor_store) s = fresh();
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
    struct moor_extension e = { .resource_id = SUB "/m/extensions/e",
                                .vm_id = VM,
                                .name = "e",
                                .settings_seq = 3,
                                .guarded.protect = MOOR_PROTECT_CMS,
                                .guarded.blob = moor_span("a\0b", 3),
                                .guarded.clear_mac = { 7 } };
    struct moor_extension back;
    struct moor_extension_list list;
    CHECK(moor_extension_put(s, &e, NULL) == MOOR_OK);
    e.settings_seq = 4;
    CHECK(moor_extension_put(s, &e, NULL) == MOOR_OK);
    CHECK(moor_extension_get(s, SUB "/M/extensions/E", &a, &back, NULL) == MOOR_OK);
    CHECK(moor_span_eq(back.guarded.blob, moor_span("a\0b", 3)));
    CHECK_INT(back.guarded.clear_mac[0], 7);
    CHECK_STR(back.settings, "{}");
    CHECK(moor_extension_list(s, VM, &a, &list, NULL) == MOOR_OK && list.count == 1);
    CHECK_INT(list.items[0].settings_seq, 4);
}

static void one_version_of_a_package_has_one_content(void)
{
    MOOR_AUTOPTR(moor_store) s = fresh();
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
    struct moor_package p = { .publisher = "P", .type = "T", .version = "1.0", .sha256 = "aa" };
    struct moor_package_list list;
    CHECK(moor_package_add(s, &p, NULL) == MOOR_OK);
    CHECK(moor_package_add(s, &p, NULL) == MOOR_OK);
    p.sha256 = "bb";
    CHECK(moor_package_add(s, &p, NULL) == MOOR_E_EXISTS);
    CHECK(moor_package_list(s, "p", "t", &a, &list, NULL) == MOOR_OK && list.count == 1);
}

static bool collect(void *ctx, int64_t time_ms, struct moor_span json)
{
    struct moor_buf *b = ctx;
    (void)time_ms;
    moor_buf_span(b, json);
    return b->len < 100;
}

static void log_rows_come_in_the_order_of_their_time(void)
{
    MOOR_AUTOPTR(moor_store) s = fresh();
    MOOR_AUTO(moor_buf) b = MOOR_BUF(100);
    const struct moor_log_row rows[] = { { 20, MOOR_SPAN_LIT("2") },
                                         { 10, MOOR_SPAN_LIT("1") },
                                         { 30, MOOR_SPAN_LIT("3") } };
    uint64_t n = 0;
    CHECK(moor_log_append(s, "w", "Tbl_CL", rows, 3, 99, NULL) == MOOR_OK);
    struct moor_log_scan all = { "w", "tbl_cl", 0, 0, false };
    CHECK(moor_log_scan(s, &all, collect, &b, NULL) == MOOR_OK);
    CHECK_STR(moor_buf_cstr(&b), "123");
    moor_buf_reset(&b);
    struct moor_log_scan newest = { "w", "TBL_CL", 10, 30, true };
    CHECK(moor_log_scan(s, &newest, collect, &b, NULL) == MOOR_OK);
    CHECK_STR(moor_buf_cstr(&b), "21");
    CHECK(moor_log_count(s, "w", "tbl_cl", &n, NULL) == MOOR_OK && n == 3);
    CHECK(moor_log_count(s, "other", "tbl_cl", &n, NULL) == MOOR_OK && n == 0);
}

static void rights_below_a_deleted_scope_end(void)
{
    MOOR_AUTOPTR(moor_store) s = fresh();
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1u << 20);
    struct moor_role_assignments all;
    static const char *const scopes[] = { SUB "/resourceGroups/G", SUB "/resourcegroups/g/x",
                                          SUB "/resourceGroups/G2" };
    static const char *const ids[] = { "1", "2", "3" };
    for (size_t i = 0; i < MOOR_COUNTOF(scopes); i++) {
        const struct moor_role_assignment r = { ids[i], "role", "p", scopes[i], 0 };
        CHECK(moor_role_assign(s, &r, NULL) == MOOR_OK);
    }
    CHECK(moor_role_unassign_below(s, SUB "/resourceGroups/g", NULL) == MOOR_OK);
    CHECK(moor_role_assignments_of(s, "p", &a, &all, NULL) == MOOR_OK);
    CHECK_INT(all.count, 1);
    CHECK_STR(all.items[0].id, "3");
}

CHECK_MAIN(CHECK_TEST(resources_are_found_without_case_and_keep_their_casing),
           CHECK_TEST(children_go_with_their_parent_and_neighbours_stay),
           CHECK_TEST(lists_narrow_by_group_type_and_tag_and_come_in_pages),
           CHECK_TEST(an_alias_is_unique_within_its_type),
           CHECK_TEST(a_transaction_without_commit_leaves_nothing),
           CHECK_TEST(a_file_is_the_owners_alone_and_is_read_again),
           CHECK_TEST(a_deleted_machine_keeps_its_id_and_nothing_else),
           CHECK_TEST(a_new_current_key_makes_the_old_one_previous),
           CHECK_TEST(the_desired_counter_rises_by_one),
           CHECK_TEST(an_operation_is_open_until_it_ends),
           CHECK_TEST(an_operation_nobody_hears_of_fails),
           CHECK_TEST(extension_blobs_come_back_byte_for_byte),
           CHECK_TEST(one_version_of_a_package_has_one_content),
           CHECK_TEST(log_rows_come_in_the_order_of_their_time),
           CHECK_TEST(rights_below_a_deleted_scope_end))
