/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/disk.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "contract/names.h"
#include "contract/settings.h"
#include "manager/folder.h"
#include "manager/plan.h"
#include "platform/file.h"
#include "run/log.h"

#define PATH_LIMIT     4096
#define SETTINGS_ARENA (4 * (size_t)MOOR_SETTINGS_MAX)

/* A handler's folder by its name: everything before the last dot is the publisher. */
struct found {
    char publisher[129], type[129], version[65];
};

static bool take_name(const char *name, struct found *out)
{
    struct moor_span full, version;
    if (!moor_handler_folder_split(name, &full, &version))
        return false;
    size_t dot = full.n;
    while (dot > 0 && full.p[dot - 1] != '.')
        dot--;
    if (dot < 2 || dot - 1 >= sizeof(out->publisher) || full.n - dot >= sizeof(out->type) ||
        version.n >= sizeof(out->version))
        return false;
    (void)snprintf(out->publisher, sizeof(out->publisher), "%.*s", (int)dot - 1, full.p);
    (void)snprintf(out->type, sizeof(out->type), "%.*s", (int)(full.n - dot), full.p + dot);
    (void)snprintf(out->version, sizeof(out->version), "%.*s", (int)version.n, version.p);
    return true;
}

static bool is_handler(const struct moor_item *i, const struct found *f)
{
    return moor_strcasecmp(i->publisher, f->publisher) == 0 &&
           moor_strcasecmp(i->type, f->type) == 0;
}

struct numbers {
    const char *prefix; /* "name." of an instance, "" for the usual one */
    int64_t highest;
};

static bool see_number(void *ctx, const char *name, const struct plat_stat *st)
{
    struct numbers *n = ctx;
    uint32_t seq;
    struct moor_span s = moor_span_str(name);
    bool single = !*n->prefix && s.n > 0 && s.p[0] >= '0' && s.p[0] <= '9';
    if (st->is_file && moor_settings_name_seq(name, &seq) &&
        (single || (*n->prefix && moor_span_starts(s, n->prefix))) && (int64_t)seq > n->highest)
        n->highest = seq;
    return true;
}

/* The highest number that was used; -1 for none. */
static int64_t last_number(const struct moor_item *i)
{
    static const char *const parts[] = { "config", "status" };
    MOOR_AUTOSTR folder = NULL;
    MOOR_AUTO(moor_buf) prefix = MOOR_BUF(MOOR_INSTANCE_MAX + 1);
    struct numbers n = { "", -1 };
    if (moor_folder_path(i, false, &folder, NULL) != MOOR_OK)
        return -1;
    moor_buf_folder_instance(&prefix, i);
    if (prefix.len)
        moor_buf_char(&prefix, '.');
    n.prefix = moor_buf_cstr(&prefix);
    for (size_t k = 0; k < MOOR_COUNTOF(parts); k++) {
        MOOR_AUTO(moor_buf) path = MOOR_BUF(PATH_LIMIT);
        moor_buf_fmt(&path, "%s/%s", folder, parts[k]);
        moor_code c = plat_list_dir(moor_buf_cstr(&path), see_number, &n, NULL);
        (void)c; /* not there: no number was used */
    }
    return n.highest;
}

static bool same_json(const char *a, const char *b)
{
    MOOR_AUTOPTR(moor_json) x = NULL;
    MOOR_AUTOPTR(moor_json) y = NULL;
    if (moor_json_parse_lenient(moor_span_str(a ? a : "{}"), &x, NULL) != MOOR_OK ||
        moor_json_parse_lenient(moor_span_str(b ? b : "{}"), &y, NULL) != MOOR_OK)
        return false;
    return moor_json_equal(x, y);
}

/* Whether the settings file of that number holds something else than is wanted. Handlers empty
 * these files and put stars for secrets: what cannot be told is taken for the same. */
static bool differs(const struct moor_item *i, const struct moor_desired_extension *goal)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(SETTINGS_ARENA);
    struct moor_handler_settings s;
    if (moor_folder_settings(i, &s, &arena, NULL) != MOOR_OK ||
        (!s.public_settings && !s.protected_settings))
        return false;
    if (!same_json(s.public_settings, goal->public_settings))
        return true;
    return s.protected_settings && !strchr(s.protected_settings, '*') &&
           !moor_streq(s.protected_settings, goal->protected_settings);
}

static moor_code remember(struct moor_items *items, const struct found *f, const char *name,
                          bool multi, const struct moor_desired_extension *goal,
                          struct moor_error *err)
{
    MOOR_AUTOPTR(moor_item) i = NULL;
    bool changed;
    moor_code c = moor_item_new(name, f->publisher, f->type, &i, err);
    if (c == MOOR_OK)
        c = moor_item_set(&i->version, f->version, err);
    if (c == MOOR_OK && goal)
        c = moor_plan_take_goal(i, goal, &changed, err);
    if (c != MOOR_OK)
        return c;
    i->multi = multi;
    i->phase = MOOR_PHASE_INSTALLED;
    int64_t last = last_number(i);
    i->seq = last > 0 ? (uint32_t)last : 0;
    if (last >= 0 && goal && differs(i, goal))
        i->seq++;
    c = moor_items_add(items, i, err);
    if (c == MOOR_OK) {
        moor_log(MOOR_LOG_WARNING, "extension.rebuilt", "name", i->name, "publisher", f->publisher,
                 "type", f->type, "version", f->version, NULL);
        i = NULL;
    }
    return c;
}

struct rebuild {
    const struct moor_desired *wanted;
    struct moor_items *items;
    moor_code code;
    struct moor_error *err;
};

/* Every extension of the handler that the document names; multi-config handlers have several. */
static moor_code remember_all(struct rebuild *r, const struct found *f, bool multi)
{
    bool any = false;
    MOOR_AUTO(moor_buf) name = MOOR_BUF(300);
    for (size_t n = 0; n < r->wanted->extension_count; n++) {
        const struct moor_desired_extension *e = &r->wanted->extensions[n];
        if (e->bad || (any && !multi) || moor_strcasecmp(e->publisher, f->publisher) != 0 ||
            moor_strcasecmp(e->type, f->type) != 0)
            continue;
        any = true;
        moor_code c = remember(r->items, f, e->name, multi, e, r->err);
        if (c != MOOR_OK)
            return c;
    }
    moor_buf_fmt(&name, "%s.%s", f->publisher, f->type);
    return any ? MOOR_OK : remember(r->items, f, moor_buf_cstr(&name), false, NULL, r->err);
}

static bool see_folder(void *ctx, const char *name, const struct plat_stat *st)
{
    struct rebuild *r = ctx;
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(256 * 1024);
    struct moor_manifest manifest;
    struct found f;
    if (!st->is_dir || !take_name(name, &f))
        return true;
    struct moor_item probe = {
        .name = f.type, .publisher = f.publisher, .type = f.type, .version = f.version
    };
    if (moor_folder_manifest(&probe, false, &manifest, &arena, NULL) != MOOR_OK)
        return true; /* half a package: it is fetched again when it is wanted */
    for (size_t n = r->items->count; n-- > 0;) {
        struct moor_item *i = r->items->list[n];
        if (!is_handler(i, &f))
            continue;
        if (moor_version_cmp(moor_span_str(i->version), moor_span_str(f.version)) > 0)
            return true;
        moor_items_remove(r->items, i);
    }
    r->code = remember_all(r, &f, manifest.supports_multiple_extensions);
    return r->code == MOOR_OK;
}

moor_code moor_disk_rebuild(const char *handlers, const struct moor_desired *wanted,
                            struct moor_items *out, struct moor_error *err)
{
    struct rebuild r = { wanted, out, MOOR_OK, err };
    moor_code c = plat_list_dir(handlers, see_folder, &r, err);
    if (c == MOOR_E_NOTFOUND)
        return MOOR_OK;
    return c == MOOR_OK ? r.code : c;
}

struct clean {
    const char *handlers;
    const struct moor_items *items;
};

static bool clean_one(void *ctx, const char *name, const struct plat_stat *st)
{
    const struct clean *clean = ctx;
    struct found f;
    bool known = false, used = false;
    if (!st->is_dir || !take_name(name, &f))
        return true;
    for (size_t n = 0; n < clean->items->count; n++) {
        const struct moor_item *i = clean->items->list[n];
        if (!is_handler(i, &f))
            continue;
        known = true;
        used = used || moor_streq(i->version, f.version) || moor_streq(i->old_version, f.version);
    }
    if (!known || used)
        return true;
    MOOR_AUTO(moor_buf) path = MOOR_BUF(PATH_LIMIT);
    moor_buf_fmt(&path, "%s/%s", clean->handlers, name);
    moor_log(MOOR_LOG_INFO, "handler.orphan", "folder", name, NULL);
    moor_code c = plat_remove_tree(moor_buf_cstr(&path), NULL);
    (void)c; /* the next start tries again */
    return true;
}

moor_code moor_disk_clean(const char *handlers, const struct moor_items *items,
                          struct moor_error *err)
{
    struct clean clean = { handlers, items };
    moor_code c = plat_list_dir(handlers, clean_one, &clean, err);
    return c == MOOR_E_NOTFOUND ? MOOR_OK : c;
}
