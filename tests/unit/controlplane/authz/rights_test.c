/* SPDX-License-Identifier: Apache-2.0 */
#include "authz/rights.h"

#include "authz/authz.h"
#include "check.h"

#define MACHINES "Microsoft.HybridCompute/machines/"
#define SCOPE    "/subscriptions/S/resourceGroups/G"

static bool role_may(const char *role, const char *action)
{
    return moor_role_allows(moor_role_find(role), action, false);
}

static void every_role_is_found_by_id_and_by_name(void)
{
    const struct moor_role *r;
    size_t n = 0;
    for (; (r = moor_role_at(n)); n++)
        CHECK(moor_role_find(r->id) == r && moor_role_find(r->name) == r);
    CHECK_INT(n, 6);
    CHECK(!moor_role_find("none"));
}

static void the_onboarding_role_registers_and_nothing_else(void)
{
    const char *role = "Azure Connected Machine Onboarding";
    CHECK(role_may(role, MACHINES "read"));
    CHECK(role_may(role, "microsoft.hybridcompute/MACHINES/write"));
    CHECK(!role_may(role, MACHINES "delete"));
    CHECK(!role_may(role, MACHINES "reconnect/action"));
    CHECK(!role_may(role, MACHINES "extensions/write"));
    CHECK(!role_may(role, "Microsoft.Resources/subscriptions/resourceGroups/read"));
}

static void a_contributor_gives_no_rights(void)
{
    CHECK(role_may("Contributor", MACHINES "extensions/write"));
    CHECK(!role_may("Contributor", "Microsoft.Authorization/roleAssignments/write"));
    CHECK(role_may("Contributor", "Microsoft.Authorization/roleAssignments/read"));
    CHECK(role_may("Owner", "Microsoft.Authorization/roleAssignments/write"));
}

static void a_reader_reads(void)
{
    CHECK(role_may("Reader", MACHINES "read"));
    CHECK(!role_may("Reader", MACHINES "write"));
    CHECK(!role_may("Reader", "readwrite"));
    CHECK(!role_may("Reader", ""));
}

static void data_actions_are_another_list(void)
{
    const struct moor_role *publisher = moor_role_find("Monitoring Metrics Publisher");
    CHECK(moor_role_allows(publisher, "Microsoft.Insights/Telemetry/Write", true));
    CHECK(!moor_role_allows(publisher, "Microsoft.Insights/Telemetry/Write", false));
    CHECK(!moor_role_allows(moor_role_find("Owner"), "Microsoft.Insights/Telemetry/Write", true));
}

static void a_scope_covers_whole_segments_at_and_below(void)
{
    CHECK(moor_scope_covers(SCOPE, SCOPE));
    CHECK(moor_scope_covers(SCOPE "/", "/Subscriptions/s/RESOURCEGROUPS/g/providers/x"));
    CHECK(!moor_scope_covers(SCOPE, SCOPE "2"));
    CHECK(!moor_scope_covers(SCOPE "/a", SCOPE));
    CHECK(moor_scope_covers("/", "/anything"));
    CHECK(!moor_scope_covers("", "/anything"));
}

static void rights_add_up_and_unknown_roles_give_none(void)
{
    struct moor_role_assignment items[] = {
        { "1", "no-such-role", "p", "/", 0 },
        { "2", "acdd72a7-3385-48ef-bd42-f606fba81ae7", "p", "/subscriptions/S", 0 },
        { "3", "b24988ac-6180-42a0-ab88-20f7382dd24c", "p", SCOPE, 0 },
    };
    const struct moor_role_assignments all = { items, 3 }, none = { NULL, 0 };
    CHECK(moor_rights_allow(&all, MACHINES "write", SCOPE "/x", false));
    CHECK(moor_rights_allow(&all, MACHINES "read", "/subscriptions/S/resourceGroups/H", false));
    CHECK(!moor_rights_allow(&all, MACHINES "write", "/subscriptions/S/resourceGroups/H", false));
    CHECK(!moor_rights_allow(&none, MACHINES "read", SCOPE, false));
}

CHECK_MAIN(CHECK_TEST(every_role_is_found_by_id_and_by_name),
           CHECK_TEST(the_onboarding_role_registers_and_nothing_else),
           CHECK_TEST(a_contributor_gives_no_rights), CHECK_TEST(a_reader_reads),
           CHECK_TEST(data_actions_are_another_list),
           CHECK_TEST(a_scope_covers_whole_segments_at_and_below),
           CHECK_TEST(rights_add_up_and_unknown_roles_give_none))
