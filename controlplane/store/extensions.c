/* SPDX-License-Identifier: Apache-2.0 */
#include "store/extensions.h"

#include "store/db.h"

#define AT(kind, member)                                                                           \
    {                                                                                              \
        kind, offsetof(struct moor_extension, member), 0                                           \
    }
static const struct moor_col cols[] = {
    AT(MOOR_COL_TEXT, resource_id),
    AT(MOOR_COL_TEXT, vm_id),
    AT(MOOR_COL_TEXT, name),
    AT(MOOR_COL_TEXT, publisher),
    AT(MOOR_COL_TEXT, type),
    AT(MOOR_COL_TEXT, version),
    AT(MOOR_COL_BOOL, uninstall),
    AT(MOOR_COL_U64, settings_seq),
    AT(MOOR_COL_JSON, settings),
    AT(MOOR_COL_TEXT, force_tag),
    AT(MOOR_COL_BOOL, auto_upgrade_minor),
    AT(MOOR_COL_BOOL, automatic_upgrade),
    AT(MOOR_COL_INT, guarded.protect),
    AT(MOOR_COL_BYTES, guarded.blob),
    AT(MOOR_COL_TEXT, guarded.thumbprint),
    { MOOR_COL_FIXED, offsetof(struct moor_extension, guarded.clear_mac), 32 },
    AT(MOOR_COL_TEXT, reported),
    AT(MOOR_COL_I64, updated_ms),
    AT(MOOR_COL_TEXT, chosen),
    AT(MOOR_COL_U64, chosen_seq),
    AT(MOOR_COL_TEXT, after),
};
static const struct moor_shape shape = { cols, MOOR_COUNTOF(cols), sizeof(struct moor_extension),
                                         "extension" };
#define COLUMNS                                                                                    \
    "resource_id, vm_id, name, publisher, type, version, uninstall, settings_seq, settings,"       \
    " force_tag, auto_upgrade_minor, automatic_upgrade, protect, blob, thumbprint, clear_mac,"     \
    " reported, updated_ms, chosen, chosen_seq, provision_after"

moor_code moor_extension_put(struct moor_store *s, const struct moor_extension *e,
                             struct moor_error *err)
{
    static const char sql[] =
        "INSERT INTO extensions (" COLUMNS ", resource_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8,"
        " $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)"
        " ON CONFLICT (resource_key) DO UPDATE SET publisher = excluded.publisher,"
        " type = excluded.type, version = excluded.version, uninstall = excluded.uninstall,"
        " settings_seq = excluded.settings_seq, settings = excluded.settings,"
        " force_tag = excluded.force_tag, auto_upgrade_minor = excluded.auto_upgrade_minor,"
        " automatic_upgrade = excluded.automatic_upgrade, protect = excluded.protect,"
        " blob = excluded.blob, thumbprint = excluded.thumbprint, clear_mac = excluded.clear_mac,"
        " reported = excluded.reported, updated_ms = excluded.updated_ms,"
        " chosen = excluded.chosen, chosen_seq = excluded.chosen_seq,"
        " provision_after = excluded.provision_after";
    struct moor_key_text key;
    struct moor_val vals[MOOR_COUNTOF(cols) + 1];
    moor_code c = moor_db_key(e->resource_id, &key, err);
    if (c)
        return c;
    moor_db_vals(&shape, e, vals);
    vals[MOOR_COUNTOF(cols)] = moor_val_text(key.s);
    return moor_db_run(s, sql, vals, MOOR_COUNTOF(vals), NULL, err);
}

moor_code moor_extension_get(struct moor_store *s, const char *resource_id,
                             struct moor_arena *arena, struct moor_extension *out,
                             struct moor_error *err)
{
    struct moor_key_text key;
    moor_code c = moor_db_key(resource_id, &key, err);
    if (c)
        return c;
    return moor_db_one(s,
                       MOOR_QUERY("SELECT " COLUMNS " FROM extensions WHERE resource_key = $1",
                                  moor_val_text(key.s)),
                       &shape, resource_id, arena, out, err);
}

moor_code moor_extension_delete(struct moor_store *s, const char *resource_id,
                                struct moor_error *err)
{
    struct moor_key_text key;
    moor_code c = moor_db_key(resource_id, &key, err);
    if (c)
        return c;
    return moor_db_run(s, "DELETE FROM extensions WHERE resource_key = $1",
                       MOOR_VALS(moor_val_text(key.s)), NULL, err);
}

moor_code moor_extension_list(struct moor_store *s, const char *vm_id, struct moor_arena *arena,
                              struct moor_extension_list *out, struct moor_error *err)
{
    struct moor_db_array all = { NULL, 0 };
    moor_code c = moor_db_all(s,
                              MOOR_QUERY("SELECT " COLUMNS
                                         " FROM extensions WHERE vm_id = $1 ORDER BY resource_key",
                                         moor_val_text(vm_id)),
                              &shape, arena, &all, err);
    if (!c)
        *out = (struct moor_extension_list){ all.items, all.count };
    return c;
}

moor_code moor_extension_choose(struct moor_store *s, const char *resource_id, const char *version,
                                uint64_t settings_seq, struct moor_error *err)
{
    struct moor_key_text key;
    moor_code c = moor_db_key(resource_id, &key, err);
    if (c)
        return c;
    return moor_db_run(s,
                       "UPDATE extensions SET chosen = $1, chosen_seq = $2 WHERE resource_key = $3",
                       MOOR_VALS(moor_val_text(version), moor_val_int((int64_t)settings_seq),
                                 moor_val_text(key.s)),
                       NULL, err);
}

moor_code moor_extension_published(struct moor_store *s, const char *publisher, const char *type,
                                   struct moor_error *err)
{
    return moor_db_run(
        s,
        "UPDATE machines SET desired_counter = desired_counter + 1 WHERE vm_id IN"
        " (SELECT vm_id FROM extensions WHERE automatic_upgrade = 1 AND uninstall = 0"
        " AND lower(publisher) = lower($1) AND lower(type) = lower($2))",
        MOOR_VALS(moor_val_text(publisher), moor_val_text(type)), NULL, err);
}
