/* SPDX-License-Identifier: Apache-2.0 */
#include "store/agents.h"

#include "store/db.h"

#define AT(kind, member)                                                                           \
    {                                                                                              \
        kind, offsetof(struct moor_agent_package, member), 0                                       \
    }
static const struct moor_col cols[] = {
    AT(MOOR_COL_TEXT, name),        AT(MOOR_COL_TEXT, format), AT(MOOR_COL_TEXT, arch),
    AT(MOOR_COL_TEXT, version),     AT(MOOR_COL_TEXT, sha256), AT(MOOR_COL_U64, size),
    AT(MOOR_COL_I64, published_ms),
};
static const struct moor_shape shape = { cols, MOOR_COUNTOF(cols),
                                         sizeof(struct moor_agent_package), "agent package" };
#define COLUMNS "name, format, arch, version, sha256, size, published_ms"

moor_code moor_agent_add(struct moor_store *s, const struct moor_agent_package *p,
                         struct moor_error *err)
{
    struct moor_val vals[MOOR_COUNTOF(cols)];
    moor_db_vals(&shape, p, vals);
    return moor_db_run(s,
                       "INSERT INTO agent_packages (" COLUMNS
                       ") VALUES ($1, $2, $3, $4, $5, $6, $7)"
                       " ON CONFLICT (name) DO UPDATE SET sha256 = excluded.sha256,"
                       " size = excluded.size, published_ms = excluded.published_ms",
                       vals, MOOR_COUNTOF(vals), NULL, err);
}

moor_code moor_agent_list(struct moor_store *s, struct moor_arena *arena,
                          struct moor_agent_list *out, struct moor_error *err)
{
    struct moor_db_array all = { NULL, 0 };
    const struct moor_query q = { "SELECT " COLUMNS " FROM agent_packages ORDER BY name", NULL, 0 };
    moor_code c = moor_db_all(s, &q, &shape, arena, &all, err);
    if (!c)
        *out = (struct moor_agent_list){ all.items, all.count };
    return c;
}

moor_code moor_agent_get(struct moor_store *s, const char *name, struct moor_arena *arena,
                         struct moor_agent_package *out, struct moor_error *err)
{
    return moor_db_one(
        s,
        MOOR_QUERY("SELECT " COLUMNS " FROM agent_packages WHERE name = $1", moor_val_text(name)),
        &shape, name, arena, out, err);
}
