/* SPDX-License-Identifier: Apache-2.0 */
#include "store/packages.h"

#include "store/db.h"

#define AT(kind, member)                                                                           \
    {                                                                                              \
        kind, offsetof(struct moor_package, member), 0                                             \
    }
static const struct moor_col cols[] = {
    AT(MOOR_COL_TEXT, publisher),   AT(MOOR_COL_TEXT, type),
    AT(MOOR_COL_TEXT, version),     AT(MOOR_COL_TEXT, sha256),
    AT(MOOR_COL_U64, size),         AT(MOOR_COL_BOOL, publisher_signature),
    AT(MOOR_COL_I64, published_ms), AT(MOOR_COL_BOOL, multi_config),
};
static const struct moor_shape shape = { cols, MOOR_COUNTOF(cols), sizeof(struct moor_package),
                                         "package" };
#define COLUMNS                                                                                    \
    "publisher, type, version, sha256, size, publisher_signature, published_ms, multi_config"

static moor_code find_named(struct moor_store *s, const struct moor_package *p,
                            struct moor_arena *arena, struct moor_package *out,
                            struct moor_error *err)
{
    return moor_db_one(
        s,
        MOOR_QUERY("SELECT " COLUMNS " FROM packages WHERE lower(publisher) = lower($1)"
                   " AND lower(type) = lower($2) AND version = $3",
                   moor_val_text(p->publisher), moor_val_text(p->type), moor_val_text(p->version)),
        &shape, p->type, arena, out, err);
}

moor_code moor_package_add(struct moor_store *s, const struct moor_package *p,
                           struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(64u << 10);
    struct moor_package old = { 0 };
    struct moor_val vals[MOOR_COUNTOF(cols)];
    moor_code c = find_named(s, p, &arena, &old, NULL);
    if (!c && !moor_streq(old.sha256, p->sha256))
        return moor_fail(err, MOOR_E_EXISTS,
                         "%s.%s %s: published already with other content (sha256 %s)", p->publisher,
                         p->type, p->version, old.sha256);
    moor_db_vals(&shape, p, vals);
    return moor_db_run(
        s,
        "INSERT INTO packages (" COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        " ON CONFLICT (lower(publisher), lower(type), version) DO UPDATE SET"
        " publisher_signature = max(packages.publisher_signature, excluded.publisher_signature)",
        vals, MOOR_COUNTOF(vals), NULL, err);
}

moor_code moor_package_list(struct moor_store *s, const char *publisher, const char *type,
                            struct moor_arena *arena, struct moor_package_list *out,
                            struct moor_error *err)
{
    struct moor_db_array all = { NULL, 0 };
    moor_code c = moor_db_all(s,
                              MOOR_QUERY("SELECT " COLUMNS " FROM packages WHERE"
                                         " ($1 = '' OR lower(publisher) = lower($1))"
                                         " AND ($2 = '' OR lower(type) = lower($2))"
                                         " ORDER BY lower(publisher), lower(type), published_ms",
                                         moor_val_text(publisher), moor_val_text(type)),
                              &shape, arena, &all, err);
    if (!c)
        *out = (struct moor_package_list){ all.items, all.count };
    return c;
}

moor_code moor_package_by_sha256(struct moor_store *s, const char *sha256, struct moor_arena *arena,
                                 struct moor_package *out, struct moor_error *err)
{
    return moor_db_one(s,
                       MOOR_QUERY("SELECT " COLUMNS " FROM packages WHERE sha256 = $1 LIMIT 1",
                                  moor_val_text(sha256)),
                       &shape, sha256, arena, out, err);
}
