/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/policy.h"

#include "base/span.h"

#include <string.h>

/* "Publisher/Type" */
static bool names(const char *entry, const struct moor_desired_extension *goal)
{
    size_t publisher = strlen(goal->publisher);
    return strlen(entry) == publisher + 1 + strlen(goal->type) && entry[publisher] == '/' &&
           moor_span_eq_nocase(moor_span(entry, publisher), moor_span_str(goal->publisher)) &&
           moor_strcasecmp(entry + publisher + 1, goal->type) == 0;
}

static bool listed(const struct moor_str_list *list, const struct moor_desired_extension *goal)
{
    for (size_t i = 0; i < list->count; i++) {
        if (names(list->items[i], goal))
            return true;
    }
    return false;
}

bool moor_policy_allows(const struct moor_settings *s, const struct moor_desired_extension *goal,
                        struct moor_policy_denial *out)
{
    if (goal->state == MOOR_DESIRED_UNINSTALL)
        return true;
    bool allow_list = s->extensions_allowlist.count > 0;
    const struct {
        bool refused;
        const char *rule, *why;
    } rules[] = {
        { !s->extensions_enabled, "extensions.enabled", "extensions are switched off" },
        { s->config_mode == MOOR_MODE_MONITOR && !allow_list, "config.mode",
          "the machine is in monitor mode" },
        { listed(&s->extensions_blocklist, goal), "extensions.blocklist", "it is blocked" },
        { allow_list && !listed(&s->extensions_allowlist, goal), "extensions.allowlist",
          "it is not on the allow list" },
    };
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i].refused) {
            *out = (struct moor_policy_denial){ rules[i].rule, rules[i].why };
            return false;
        }
    }
    return true;
}
