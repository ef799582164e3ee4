/* SPDX-License-Identifier: Apache-2.0 */
#include "core/arm.h"

#include <string.h>

#include "base/text.h"

#define SEGMENTS_MAX 10
#define MACHINE_MAX  54
#define GROUP_MAX    90

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Splits "/a/b/c" into segments; 0 when it does not start with '/', has an empty segment, or more
 * than SEGMENTS_MAX. */
static size_t split(struct moor_span text, struct moor_span *out)
{
    if (text.n == 0 || text.p[0] != '/')
        return 0;
    struct moor_span rest = moor_span(text.p + 1, text.n - 1);
    size_t n = 0;
    while (rest.p) {
        struct moor_span part = moor_span_cut(&rest, '/');
        if (part.n == 0 || n == SEGMENTS_MAX)
            return 0;
        out[n++] = part;
    }
    return n;
}

moor_code moor_arm_id_parse(struct moor_span text, struct moor_arm_id *out,
                            struct moor_arena *arena, struct moor_error *err)
{
    struct moor_span s[SEGMENTS_MAX];
    size_t n = split(text, s);
    if ((n != 8 && n != 10) || !moor_span_eq_nocase(s[0], MOOR_SPAN_LIT("subscriptions")) ||
        !moor_span_eq_nocase(s[2], MOOR_SPAN_LIT("resourceGroups")) ||
        !moor_span_eq_nocase(s[4], MOOR_SPAN_LIT("providers")) || !moor_uuid_valid(s[1]))
        return moor_fail(err, MOOR_E_BADINPUT,
                         "want a resource id /subscriptions/ID/resourceGroups/NAME/providers/...");
    struct moor_arm_id id = { .parent_name = NULL };
    char *subscription = moor_arena_str(arena, s[1]);
    MOOR_AUTO(moor_buf) type = MOOR_BUF(1024);
    moor_buf_span(&type, s[5]);
    moor_buf_char(&type, '/');
    moor_buf_span(&type, s[6]);
    if (n == 10) {
        moor_buf_char(&type, '/');
        moor_buf_span(&type, s[8]);
        id.parent_name = moor_arena_str(arena, s[7]);
    }
    id.subscription = subscription;
    id.group = moor_arena_str(arena, s[3]);
    id.type = moor_arena_str(arena, moor_buf_view(&type));
    id.name = moor_arena_str(arena, s[n - 1]);
    if (!subscription || !id.group || !id.type || !id.name || (n == 10 && !id.parent_name))
        return moor_fail(err, MOOR_E_NOMEM, "resource id: out of memory");
    moor_uuid_lower(subscription);
    *out = id;
    return MOOR_OK;
}

void moor_arm_group_id(struct moor_buf *b, const char *subscription, const char *group)
{
    moor_buf_fmt(b, "/subscriptions/%s/resourceGroups/%s", subscription, group);
}

void moor_arm_machine_id(struct moor_buf *b, const char *subscription, const char *group,
                         const char *name)
{
    moor_arm_group_id(b, subscription, group);
    moor_buf_fmt(b, "/providers/Microsoft.HybridCompute/machines/%s", name);
}

void moor_arm_url(struct moor_buf *b, const char *base, const char *id, const char *api_version)
{
    moor_buf_str(b, base);
    struct moor_span rest = moor_span_str(id + 1);
    while (rest.p) {
        moor_buf_char(b, '/');
        moor_buf_url_part(b, moor_span_cut(&rest, '/'));
    }
    moor_buf_fmt(b, "?api-version=%s", api_version);
}

static bool all_of(const char *s, const char *more)
{
    for (; *s; s++)
        if (!is_alnum(*s) && !strchr(more, *s))
            return false;
    return true;
}

moor_code moor_arm_check_machine_name(const char *name, struct moor_error *err)
{
    size_t n = strlen(name);
    if (n == 0 || n > MACHINE_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "resource name: want 1 to %d characters",
                         MACHINE_MAX);
    if (!all_of(name, "-_."))
        return moor_fail(err, MOOR_E_BADINPUT,
                         "resource name: want letters, digits, '-', '_' and '.'");
    if (strchr("-_.", name[n - 1]))
        return moor_fail(err, MOOR_E_BADINPUT, "resource name: must not end in '-', '_' or '.'");
    return MOOR_OK;
}

moor_code moor_arm_check_group_name(const char *name, struct moor_error *err)
{
    size_t n = strlen(name);
    if (n == 0 || n > GROUP_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "resource group: want 1 to %d characters",
                         GROUP_MAX);
    if (!all_of(name, "-_.()") || name[n - 1] == '.')
        return moor_fail(err, MOOR_E_BADINPUT,
                         "resource group: want letters, digits and '-_.()', no '.' at the end");
    return MOOR_OK;
}

moor_code moor_arm_check_location(const char *location, struct moor_error *err)
{
    size_t n = strlen(location);
    if (n == 0 || n > 64 || !all_of(location, " -"))
        return moor_fail(err, MOOR_E_BADINPUT, "location: want a name such as westeurope");
    return MOOR_OK;
}

void moor_arm_normal_location(struct moor_buf *b, const char *location)
{
    for (const char *p = location; *p; p++)
        if (*p != ' ')
            moor_buf_char(b, *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p);
}

moor_code moor_arm_name_from_host(const char *hostname, struct moor_buf *b, struct moor_error *err)
{
    struct moor_span rest = moor_span_str(hostname);
    struct moor_span label = moor_span_cut(&rest, '.');
    if (label.n > MACHINE_MAX)
        label.n = MACHINE_MAX;
    while (label.n > 0 && !is_alnum(label.p[label.n - 1]))
        label.n--;
    if (label.n == 0)
        return moor_fail(err, MOOR_E_BADINPUT, "the host name \"%s\" has no usable first label",
                         hostname);
    for (size_t i = 0; i < label.n; i++)
        moor_buf_char(b, is_alnum(label.p[i]) || label.p[i] == '_' ? label.p[i] : '-');
    return MOOR_OK;
}
