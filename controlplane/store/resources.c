/* SPDX-License-Identifier: Apache-2.0 */
#include "store/resources.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "store/db.h"

#define AT(kind, member)                                                                           \
    {                                                                                              \
        kind, offsetof(struct moor_resource, member), 0                                            \
    }
static const struct moor_col cols[] = {
    AT(MOOR_COL_TEXT, id),           AT(MOOR_COL_TEXT, type),
    AT(MOOR_COL_TEXT, subscription), AT(MOOR_COL_TEXT, group),
    AT(MOOR_COL_TEXT, name),         AT(MOOR_COL_TEXT, location),
    AT(MOOR_COL_TEXT, alias),        AT(MOOR_COL_JSON, tags),
    AT(MOOR_COL_JSON, properties),   AT(MOOR_COL_JSON, envelope),
    AT(MOOR_COL_I64, created_ms),    AT(MOOR_COL_I64, updated_ms),
    AT(MOOR_COL_TEXT, created_by),   AT(MOOR_COL_TEXT, created_by_type),
    AT(MOOR_COL_TEXT, updated_by),   AT(MOOR_COL_TEXT, updated_by_type),
    AT(MOOR_COL_U64, version),
};
static const struct moor_shape shape = { cols, MOOR_COUNTOF(cols), sizeof(struct moor_resource),
                                         "resource" };
#define COLUMNS                                                                                    \
    "id, type, subscription, grp, name, location, alias, tags, properties, envelope, created_ms,"  \
    " updated_ms, created_by, created_by_type, updated_by, updated_by_type, version"

moor_code moor_resource_get(struct moor_store *s, const char *id, struct moor_arena *arena,
                            struct moor_resource *out, struct moor_error *err)
{
    struct moor_key_text key;
    moor_code c = moor_db_key(id, &key, err);
    if (c)
        return c;
    return moor_db_one(
        s, MOOR_QUERY("SELECT " COLUMNS " FROM resources WHERE key = $1", moor_val_text(key.s)),
        &shape, id, arena, out, err);
}

moor_code moor_resource_by_alias(struct moor_store *s, const char *type, const char *alias,
                                 struct moor_arena *arena, struct moor_resource *out,
                                 struct moor_error *err)
{
    if (!alias || !*alias)
        return moor_fail(err, MOOR_E_NOTFOUND, "%s: no name given", type);
    return moor_db_one(s,
                       MOOR_QUERY("SELECT " COLUMNS
                                  " FROM resources WHERE lower(type) = lower($1) AND alias = $2"
                                  " AND alias <> ''",
                                  moor_val_text(type), moor_val_text(alias)),
                       &shape, alias, arena, out, err);
}

moor_code moor_resource_put(struct moor_store *s, const struct moor_resource *r,
                            struct moor_error *err)
{
    static const char sql[] =
        "INSERT INTO resources (" COLUMNS ", key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,"
        " $11, $12, $13, $14, $15, $16, $17, $18)"
        " ON CONFLICT (key) DO UPDATE SET location = excluded.location, alias = excluded.alias,"
        " tags = excluded.tags, properties = excluded.properties, envelope = excluded.envelope,"
        " updated_ms = excluded.updated_ms, updated_by = excluded.updated_by,"
        " updated_by_type = excluded.updated_by_type, version = resources.version + 1";
    struct moor_key_text key;
    struct moor_val vals[MOOR_COUNTOF(cols) + 1];
    moor_code c = moor_db_key(r->id, &key, err);
    if (c)
        return c;
    moor_db_vals(&shape, r, vals);
    vals[MOOR_COUNTOF(cols) - 1] = moor_val_int(1);
    vals[MOOR_COUNTOF(cols)] = moor_val_text(key.s);
    return moor_db_run(s, sql, vals, MOOR_COUNTOF(vals), NULL, err);
}

/* Keys below an id are one range: from "id/" up to, not including, "id0" ('0' follows '/'). */
struct range {
    struct moor_key_text from, to;
};

static moor_code range_below(const char *id, struct range *out, struct moor_error *err)
{
    struct moor_key_text key;
    moor_code c = moor_db_key(id, &key, err);
    if (c)
        return c;
    size_t n = strlen(key.s);
    if (n + 1 > MOOR_ID_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "id: longer than %d bytes", MOOR_ID_MAX);
    memcpy(out->from.s, key.s, n);
    memcpy(out->to.s, key.s, n);
    memcpy(out->from.s + n, "/", 2);
    memcpy(out->to.s + n, "0", 2);
    return MOOR_OK;
}

moor_code moor_resource_delete(struct moor_store *s, const char *id, uint64_t *removed,
                               struct moor_error *err)
{
    struct range r;
    struct moor_key_text key;
    moor_code c = range_below(id, &r, err);
    if (!c)
        c = moor_db_key(id, &key, err);
    if (c)
        return c;
    return moor_db_run(
        s, "DELETE FROM resources WHERE key = $1 OR (key >= $2 AND key < $3)",
        MOOR_VALS(moor_val_text(key.s), moor_val_text(r.from.s), moor_val_text(r.to.s)), removed,
        err);
}

/* The narrowest range of keys that holds everything the filter can match. */
static moor_code range_of(const struct moor_resource_filter *f, struct range *out,
                          struct moor_error *err)
{
    char root[MOOR_ID_MAX + 1] = "";
    int n = 0;
    if (f->under)
        return range_below(f->under, out, err);
    if (f->subscription && f->group)
        n = snprintf(root, sizeof(root), "/subscriptions/%s/resourcegroups/%s", f->subscription,
                     f->group);
    else if (f->subscription)
        n = snprintf(root, sizeof(root), "/subscriptions/%s", f->subscription);
    if (n < 0 || (size_t)n >= sizeof(root))
        return moor_fail(err, MOOR_E_BADINPUT, "filter: too long");
    return range_below(root, out, err);
}

static bool tag_matches(const struct moor_resource_filter *f, const struct moor_resource *r)
{
    if (!f->tag_name)
        return true;
    MOOR_AUTOPTR(moor_json) tags = NULL;
    if (moor_json_parse(moor_span_str(r->tags), &tags, NULL))
        return false;
    const struct moor_json *v = moor_json_get_nocase(tags, f->tag_name);
    const char *value = moor_json_str(v);
    return value && (!f->tag_value || moor_streq(value, f->tag_value));
}

#define LIST_MAX 1000

static moor_code collect(struct moor_rows *rows, const struct moor_resource_filter *f,
                         struct moor_arena *arena, struct moor_resource_list *out,
                         struct moor_error *err)
{
    size_t limit = f->limit && f->limit < LIST_MAX ? f->limit : LIST_MAX;
    size_t cap = 0;
    for (;;) {
        bool got = false;
        struct moor_resource r = { 0 };
        moor_code c = moor_db_next(rows, &got, err);
        if (c || !got)
            return c;
        c = moor_db_row(rows, 0, &shape, arena, &r, err);
        if (c)
            return c;
        if (!tag_matches(f, &r))
            continue;
        if (out->count == limit) {
            out->more = true;
            return MOOR_OK;
        }
        if (out->count == cap) {
            cap = cap ? cap * 2 : 16;
            struct moor_resource *items = moor_arena_array(arena, cap, sizeof(*items));
            if (!items)
                return moor_fail(err, MOOR_E_NOMEM, "resources: over the limit on memory");
            if (out->count)
                memcpy(items, out->items, out->count * sizeof(*items));
            out->items = items;
        }
        out->items[out->count++] = r;
    }
}

moor_code moor_resource_list(struct moor_store *s, const struct moor_resource_filter *f,
                             struct moor_arena *arena, struct moor_resource_list *out,
                             struct moor_error *err)
{
    static const char sql[] =
        "SELECT " COLUMNS " FROM resources WHERE key >= $1 AND key < $2 AND key > $3"
        " AND ($4 = '' OR lower(type) = $4) AND ($5 = '' OR lower(name) = $5)"
        " AND ($6 = '' OR lower(grp) = $6) ORDER BY key";
    struct range r;
    struct moor_key_text after, type, name, group;
    moor_code c = range_of(f, &r, err);
    if (!c)
        c = moor_db_key(f->after, &after, err);
    if (!c)
        c = moor_db_key(f->type, &type, err);
    if (!c)
        c = moor_db_key(f->name, &name, err);
    if (!c)
        c = moor_db_key(f->group, &group, err);
    if (c)
        return c;
    MOOR_AUTO(moor_rows) rows = MOOR_ROWS_INIT;
    c = moor_db_start(s, sql,
                      MOOR_VALS(moor_val_text(r.from.s), moor_val_text(r.to.s),
                                moor_val_text(after.s), moor_val_text(type.s),
                                moor_val_text(name.s), moor_val_text(group.s)),
                      &rows, err);
    if (c)
        return c;
    struct moor_resource_list list = { NULL, 0, false };
    c = collect(&rows, f, arena, &list, err);
    if (!c)
        *out = list;
    return c;
}
