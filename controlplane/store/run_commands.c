/* SPDX-License-Identifier: Apache-2.0 */
#include "store/run_commands.h"

#include "store/db.h"

#define AT(kind, member)                                                                           \
    {                                                                                              \
        kind, offsetof(struct moor_run_command, member), 0                                         \
    }
static const struct moor_col cols[] = {
    AT(MOOR_COL_TEXT, resource_id),
    AT(MOOR_COL_TEXT, vm_id),
    AT(MOOR_COL_TEXT, name),
    AT(MOOR_COL_TEXT, execution_id),
    AT(MOOR_COL_JSON, spec),
    AT(MOOR_COL_INT, guarded.protect),
    AT(MOOR_COL_BYTES, guarded.blob),
    AT(MOOR_COL_TEXT, guarded.thumbprint),
    { MOOR_COL_FIXED, offsetof(struct moor_run_command, guarded.clear_mac), 32 },
    AT(MOOR_COL_I64, expires_ms),
    AT(MOOR_COL_BOOL, finished),
    AT(MOOR_COL_BOOL, removed),
    AT(MOOR_COL_JSON, reported),
    AT(MOOR_COL_I64, updated_ms),
};
static const struct moor_shape shape = { cols, MOOR_COUNTOF(cols), sizeof(struct moor_run_command),
                                         "run command" };
#define COLUMNS                                                                                    \
    "resource_id, vm_id, name, execution_id, spec, protect, blob, thumbprint, clear_mac,"          \
    " expires_ms, finished, removed, reported, updated_ms"

moor_code moor_run_command_put(struct moor_store *s, const struct moor_run_command *r,
                               struct moor_error *err)
{
    static const char sql[] =
        "INSERT INTO run_commands (" COLUMNS ", resource_key)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
        " ON CONFLICT (resource_key) DO UPDATE SET execution_id = excluded.execution_id,"
        " spec = excluded.spec, protect = excluded.protect, blob = excluded.blob,"
        " thumbprint = excluded.thumbprint, clear_mac = excluded.clear_mac,"
        " expires_ms = excluded.expires_ms, finished = excluded.finished,"
        " removed = excluded.removed, reported = excluded.reported,"
        " updated_ms = excluded.updated_ms";
    struct moor_key_text key;
    struct moor_val vals[MOOR_COUNTOF(cols) + 1];
    moor_code c = moor_db_key(r->resource_id, &key, err);
    if (c)
        return c;
    moor_db_vals(&shape, r, vals);
    vals[MOOR_COUNTOF(cols)] = moor_val_text(key.s);
    return moor_db_run(s, sql, vals, MOOR_COUNTOF(vals), NULL, err);
}

moor_code moor_run_command_get(struct moor_store *s, const char *resource_id,
                               struct moor_arena *arena, struct moor_run_command *out,
                               struct moor_error *err)
{
    struct moor_key_text key;
    moor_code c = moor_db_key(resource_id, &key, err);
    if (c)
        return c;
    return moor_db_one(s,
                       MOOR_QUERY("SELECT " COLUMNS " FROM run_commands WHERE resource_key = $1",
                                  moor_val_text(key.s)),
                       &shape, resource_id, arena, out, err);
}

moor_code moor_run_command_delete(struct moor_store *s, const char *resource_id,
                                  struct moor_error *err)
{
    struct moor_key_text key;
    moor_code c = moor_db_key(resource_id, &key, err);
    if (c)
        return c;
    return moor_db_run(s, "DELETE FROM run_commands WHERE resource_key = $1",
                       MOOR_VALS(moor_val_text(key.s)), NULL, err);
}

static moor_code list(struct moor_store *s, const struct moor_query *q, struct moor_arena *arena,
                      struct moor_run_command_list *out, struct moor_error *err)
{
    struct moor_db_array all = { NULL, 0 };
    moor_code c = moor_db_all(s, q, &shape, arena, &all, err);
    if (!c)
        *out = (struct moor_run_command_list){ all.items, all.count };
    return c;
}

moor_code moor_run_command_list(struct moor_store *s, const char *vm_id, struct moor_arena *arena,
                                struct moor_run_command_list *out, struct moor_error *err)
{
    return list(s,
                MOOR_QUERY("SELECT " COLUMNS
                           " FROM run_commands WHERE vm_id = $1 ORDER BY resource_key",
                           moor_val_text(vm_id)),
                arena, out, err);
}

moor_code moor_run_command_list_open(struct moor_store *s, struct moor_arena *arena,
                                     struct moor_run_command_list *out, struct moor_error *err)
{
    return list(s,
                MOOR_QUERY("SELECT " COLUMNS
                           " FROM run_commands WHERE finished = $1 ORDER BY resource_key",
                           moor_val_int(0)),
                arena, out, err);
}
