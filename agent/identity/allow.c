/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/allow.h"

#include "base/span.h"
#include "base/text.h"
#include "platform/account.h"

#define NAME_LEN 64

static struct moor_span without_slash(struct moor_span s)
{
    while (s.n && s.p[s.n - 1] == '/')
        s.n--;
    return s;
}

/* The number of a user or group; false when there is none of this name. */
static bool number_of(bool user, struct moor_span name, uint32_t *id)
{
    char text[NAME_LEN];
    if (moor_parse_u32(name, 0, UINT32_MAX - 1, id, NULL) == MOOR_OK)
        return true;
    if (name.n >= sizeof(text))
        return false;
    for (size_t i = 0; i < name.n; i++)
        text[i] = name.p[i];
    text[name.n] = '\0';
    return (user ? plat_find_user(text, id, NULL) : plat_find_group(text, id, NULL)) == MOOR_OK;
}

static bool names(struct moor_span subject, const struct plat_caller *who)
{
    uint32_t id = 0;
    struct moor_span kind = moor_span_cut(&subject, ':');
    bool user = moor_span_eq_str(kind, "user");
    if (!number_of(user, subject, &id))
        return false;
    return user ? id == who->uid : plat_user_in_group(who->uid, id);
}

static bool allows(const char *rule, const struct plat_caller *who, struct moor_span audience)
{
    struct moor_span rest = moor_span_str(rule);
    struct moor_span subject = moor_span_cut(&rest, ' ');
    if (!moor_span_eq_str(rest, "*") && !moor_span_eq_nocase(without_slash(rest), audience))
        return false;
    return names(subject, who);
}

bool moor_allow_audience(const struct moor_str_list *rules, const struct plat_caller *who,
                         const char *audience)
{
    if (rules->count == 0)
        return true;
    if (!who->known)
        return false;
    if (who->uid == 0)
        return true;
    for (size_t i = 0; i < rules->count; i++)
        if (allows(rules->items[i], who, without_slash(moor_span_str(audience))))
            return true;
    return false;
}
