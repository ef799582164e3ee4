/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/watchset.h"

#include <stdlib.h>
#include <string.h>

#include "base/span.h"

moor_code moor_watchset_init(struct moor_watchset *w, struct moor_error *err)
{
    *w = (struct moor_watchset){ .watch = NULL };
    return plat_watch_new(&w->watch, err);
}

void moor_watchset_drop(struct moor_watchset *w)
{
    for (size_t i = 0; i < w->count; i++)
        free(w->items[i].folder);
    free(w->items);
    plat_watch_free(w->watch);
    *w = (struct moor_watchset){ .watch = NULL };
}

/* Where id is or belongs. */
static size_t place_of(const struct moor_watchset *w, int32_t id)
{
    size_t low = 0, high = w->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (w->items[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct moor_watch_item *find(const struct moor_watchset *w, int32_t id)
{
    size_t at = place_of(w, id);
    return at < w->count && w->items[at].id == id ? &w->items[at] : NULL;
}

static struct moor_watch_item *find_or_add(struct moor_watchset *w, int32_t id)
{
    size_t at = place_of(w, id);
    if (at < w->count && w->items[at].id == id)
        return &w->items[at];
    if (w->count == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 16;
        struct moor_watch_item *more = realloc(w->items, cap * sizeof(*more));
        if (!more)
            return NULL;
        w->items = more;
        w->cap = cap;
    }
    memmove(&w->items[at + 1], &w->items[at], (w->count - at) * sizeof(*w->items));
    w->items[at] = (struct moor_watch_item){ .id = id };
    w->count++;
    return &w->items[at];
}

static void remove_if_unused(struct moor_watchset *w, struct moor_watch_item *item)
{
    if (item->refs > 0 || item->wanted || item->lasting)
        return;
    size_t at = (size_t)(item - w->items);
    plat_watch_remove(w->watch, item->id);
    free(item->folder);
    memmove(item, item + 1, (w->count - at - 1) * sizeof(*w->items));
    w->count--;
}

moor_code moor_watchset_take(struct moor_watchset *w, const char *path, int32_t *id,
                             struct moor_error *err)
{
    int32_t found = 0;
    moor_code c = plat_watch_add(w->watch, path, &found, err);
    if (c != MOOR_OK)
        return c;
    struct moor_watch_item *item = find_or_add(w, found);
    if (!item)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", path);
    item->refs++;
    *id = found;
    return MOOR_OK;
}

void moor_watchset_release(struct moor_watchset *w, int32_t id)
{
    struct moor_watch_item *item = find(w, id);
    if (!item || item->refs == 0)
        return;
    item->refs--;
    remove_if_unused(w, item);
}

void moor_watchset_begin(struct moor_watchset *w)
{
    for (size_t i = 0; i < w->count; i++)
        w->items[i].wanted = false;
}

moor_code moor_watchset_want(struct moor_watchset *w, const char *folder, bool lasting,
                             struct moor_error *err)
{
    int32_t id = 0;
    moor_code c = plat_watch_add(w->watch, folder, &id, err);
    if (c != MOOR_OK)
        return c;
    struct moor_watch_item *item = find_or_add(w, id);
    if (!item)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", folder);
    if (!item->folder || !moor_streq(item->folder, folder)) {
        free(item->folder);
        item->folder = moor_strdup(folder);
    }
    item->wanted = true;
    item->lasting = item->lasting || lasting;
    return MOOR_OK;
}

void moor_watchset_end(struct moor_watchset *w)
{
    for (size_t i = w->count; i > 0; i--)
        remove_if_unused(w, &w->items[i - 1]);
}

const char *moor_watchset_folder(const struct moor_watchset *w, int32_t id)
{
    const struct moor_watch_item *item = find(w, id);
    return item ? item->folder : NULL;
}
