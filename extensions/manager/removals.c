/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/removals.h"

#include <string.h>

#include "manager/requests.h"

static bool is_here(const struct moor_item *i)
{
    return i->phase != MOOR_PHASE_ABSENT && i->phase != MOOR_PHASE_UNINSTALLED;
}

static struct moor_desired_extension *named(struct moor_desired *d, const char *name)
{
    for (size_t n = 0; n < d->extension_count; n++)
        if (moor_strcasecmp(d->extensions[n].name, name) == 0)
            return &d->extensions[n];
    return NULL;
}

/* The item as a document would ask for its end; its texts outlive the document: they are copied. */
static bool as_goal(const struct moor_item *i, struct moor_desired_extension *out,
                    struct moor_arena *arena)
{
    *out = (struct moor_desired_extension){
        .name = moor_arena_str(arena, moor_span_str(i->name)),
        .publisher = moor_arena_str(arena, moor_span_str(i->publisher)),
        .type = moor_arena_str(arena, moor_span_str(i->type)),
        .version = moor_arena_str(arena, moor_span_str(i->version)),
        .state = MOOR_DESIRED_UNINSTALL,
        .settings_seq_no = i->service_seq,
    };
    return out->name && out->publisher && out->type && out->version;
}

moor_code moor_removals_apply(struct moor_desired *d, const struct moor_items *items,
                              struct moor_arena *arena, struct moor_error *err)
{
    size_t room = d->extension_count + items->count;
    struct moor_desired_extension *all = moor_arena_array(arena, room ? room : 1, sizeof(*all));
    if (!all)
        return moor_fail(err, MOOR_E_NOMEM, "removals: out of memory");
    if (d->extension_count > 0)
        memcpy(all, d->extensions, d->extension_count * sizeof(*all));
    d->extensions = all;
    for (size_t n = 0; n < items->count; n++) {
        const struct moor_item *i = items->list[n];
        if (!is_here(i) || !moor_request_asked(MOOR_REQUEST_REMOVAL, i->name))
            continue;
        struct moor_desired_extension *goal = named(d, i->name);
        if (!goal)
            goal = &all[d->extension_count++];
        if (!as_goal(i, goal, arena))
            return moor_fail(err, MOOR_E_NOMEM, "removals: out of memory");
    }
    return MOOR_OK;
}

bool moor_removals_any(const struct moor_items *items)
{
    for (size_t n = 0; n < items->count; n++)
        if (is_here(items->list[n]) &&
            moor_request_asked(MOOR_REQUEST_REMOVAL, items->list[n]->name))
            return true;
    return false;
}

bool moor_removals_settle(const struct moor_items *items)
{
    bool any = false;
    for (size_t n = 0; n < items->count; n++)
        if (!is_here(items->list[n]))
            any = moor_request_drop(MOOR_REQUEST_REMOVAL, items->list[n]->name) || any;
    return any;
}
