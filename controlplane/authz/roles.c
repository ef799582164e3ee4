/* SPDX-License-Identifier: Apache-2.0 */
/* Built-in roles, as Azure names and numbers them, as lists of actions with wildcards. */
#include <stddef.h>

#include "authz/authz.h"
#include "base/span.h"

#define LIST(...)                                                                                  \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define NONE ((const char *const[]){ NULL })

#define HYBRID "Microsoft.HybridCompute/"

static const struct moor_role roles[] = {
    { "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner", LIST("*"), NONE, NONE },
    { "b24988ac-6180-42a0-ab88-20f7382dd24c", "Contributor", LIST("*"),
      LIST("Microsoft.Authorization/*/delete", "Microsoft.Authorization/*/write",
           "Microsoft.Authorization/elevateAccess/action", "Microsoft.Blueprint/*/write",
           "Microsoft.Blueprint/*/delete"),
      NONE },
    { "acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader", LIST("*/read"), NONE, NONE },
    { "b64e21ea-ac4e-4cdf-9dc9-5b892992bee7", "Azure Connected Machine Onboarding",
      LIST(HYBRID "machines/read", HYBRID "machines/write", HYBRID "privateLinkScopes/read",
           "Microsoft.GuestConfiguration/guestConfigurationAssignments/read"),
      NONE, NONE },
    { "cd570a14-e51a-42ad-bac8-bafd67325302", "Azure Connected Machine Resource Administrator",
      LIST(HYBRID "machines/*", HYBRID "privateLinkScopes/*", HYBRID "licenses/*",
           HYBRID "locations/*", "*/read", "Microsoft.Resources/deployments/*"),
      NONE, NONE },
    { "3913510d-42f4-4e42-8a64-420c390055eb", "Monitoring Metrics Publisher",
      LIST("Microsoft.Insights/register/action", "Microsoft.Support/*",
           "Microsoft.Resources/subscriptions/resourceGroups/read"),
      NONE, LIST("Microsoft.Insights/Metrics/Write", "Microsoft.Insights/Telemetry/Write") },
};

const struct moor_role *moor_role_find(const char *id_or_name)
{
    for (size_t i = 0; i < MOOR_COUNTOF(roles); i++)
        if (moor_strcasecmp(roles[i].id, id_or_name) == 0 ||
            moor_strcasecmp(roles[i].name, id_or_name) == 0)
            return &roles[i];
    return NULL;
}

const struct moor_role *moor_role_at(size_t i)
{
    return i < MOOR_COUNTOF(roles) ? &roles[i] : NULL;
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* '*' stands for any run of characters, slashes too. Linear: on a mismatch only the last star
 * moves on. */
static bool matches(const char *pattern, const char *text)
{
    const char *star = NULL, *resume = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = ++pattern;
            resume = text;
        } else if (lower(*pattern) == lower(*text)) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

static bool any_matches(const char *const *patterns, const char *action)
{
    for (; *patterns; patterns++)
        if (matches(*patterns, action))
            return true;
    return false;
}

bool moor_role_allows(const struct moor_role *r, const char *action, bool data)
{
    if (!action || !*action)
        return false;
    if (data)
        return any_matches(r->data_actions, action);
    return any_matches(r->actions, action) && !any_matches(r->not_actions, action);
}
