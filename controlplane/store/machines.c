/* SPDX-License-Identifier: Apache-2.0 */
#include "store/machines.h"

#include "base/buf.h"
#include "store/db.h"
#include "store/principals.h"

#define AT(kind, type, member)                                                                     \
    {                                                                                              \
        kind, offsetof(struct type, member), 0                                                     \
    }
static const struct moor_col cols[] = {
    AT(MOOR_COL_TEXT, moor_machine, vm_id),          AT(MOOR_COL_TEXT, moor_machine, resource_id),
    AT(MOOR_COL_TEXT, moor_machine, tenant_id),      AT(MOOR_COL_TEXT, moor_machine, client_id),
    AT(MOOR_COL_TEXT, moor_machine, principal_id),   AT(MOOR_COL_BOOL, moor_machine, disabled),
    AT(MOOR_COL_I64, moor_machine, created_ms),      AT(MOOR_COL_I64, moor_machine, deleted_ms),
    AT(MOOR_COL_U64, moor_machine, desired_counter), AT(MOOR_COL_TEXT, moor_machine, settings_cert),
};
static const struct moor_shape shape = { cols, MOOR_COUNTOF(cols), sizeof(struct moor_machine),
                                         "machine" };
#define COLUMNS                                                                                    \
    "vm_id, resource_id, tenant_id, client_id, principal_id, disabled, created_ms, deleted_ms,"    \
    " desired_counter, settings_cert"

moor_code moor_machine_add(struct moor_store *s, const struct moor_machine *m,
                           struct moor_error *err)
{
    struct moor_key_text key;
    struct moor_val vals[MOOR_COUNTOF(cols) + 1];
    moor_code c = moor_db_key(m->resource_id, &key, err);
    if (c)
        return c;
    moor_db_vals(&shape, m, vals);
    vals[MOOR_COUNTOF(cols)] = moor_val_text(key.s);
    return moor_db_run(s,
                       "INSERT INTO machines (" COLUMNS ", resource_key)"
                       " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                       vals, MOOR_COUNTOF(vals), NULL, err);
}

moor_code moor_machine_by_vm_id(struct moor_store *s, const char *vm_id, struct moor_arena *arena,
                                struct moor_machine *out, struct moor_error *err)
{
    return moor_db_one(
        s, MOOR_QUERY("SELECT " COLUMNS " FROM machines WHERE vm_id = $1", moor_val_text(vm_id)),
        &shape, vm_id, arena, out, err);
}

moor_code moor_machine_by_resource(struct moor_store *s, const char *resource_id,
                                   struct moor_arena *arena, struct moor_machine *out,
                                   struct moor_error *err)
{
    struct moor_key_text key;
    moor_code c = moor_db_key(resource_id, &key, err);
    if (c)
        return c;
    return moor_db_one(s,
                       MOOR_QUERY("SELECT " COLUMNS
                                  " FROM machines WHERE resource_key = $1 AND deleted_ms = 0",
                                  moor_val_text(key.s)),
                       &shape, resource_id, arena, out, err);
}

moor_code moor_machine_delete(struct moor_store *s, const char *vm_id, int64_t now_ms,
                              struct moor_error *err)
{
    static const char *const statements[] = {
        "DELETE FROM machine_keys WHERE vm_id = $1",
        "DELETE FROM machine_docs WHERE vm_id = $1",
        "DELETE FROM extensions WHERE vm_id = $1",
        "DELETE FROM run_commands WHERE vm_id = $1",
    };
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1u << 20);
    struct moor_machine m = { 0 };
    moor_code c = moor_machine_by_vm_id(s, vm_id, &arena, &m, err);
    for (size_t i = 0; !c && i < MOOR_COUNTOF(statements); i++)
        c = moor_db_run(s, statements[i], MOOR_VALS(moor_val_text(vm_id)), NULL, err);
    if (!c)
        c = moor_principal_delete(s, m.principal_id, err);
    if (!c)
        c = moor_db_run(s,
                        "UPDATE machines SET deleted_ms = $1, settings_cert = '' WHERE vm_id = $2",
                        MOOR_VALS(moor_val_int(now_ms), moor_val_text(vm_id)), NULL, err);
    return c;
}

moor_code moor_machine_forget(struct moor_store *s, const char *vm_id, struct moor_error *err)
{
    return moor_db_run(s, "DELETE FROM machines WHERE vm_id = $1 AND deleted_ms <> 0",
                       MOOR_VALS(moor_val_text(vm_id)), NULL, err);
}

moor_code moor_machine_disable(struct moor_store *s, const char *vm_id, bool disabled,
                               struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1u << 20);
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    struct moor_machine m = { 0 };
    moor_code c = moor_store_begin(s, &tx, err);
    if (!c)
        c = moor_machine_by_vm_id(s, vm_id, &arena, &m, err);
    if (!c)
        c = moor_principal_disable(s, m.principal_id, disabled, err);
    if (!c)
        c = moor_db_run(s, "UPDATE machines SET disabled = $1 WHERE vm_id = $2",
                        MOOR_VALS(moor_val_int(disabled), moor_val_text(vm_id)), NULL, err);
    return c ? c : moor_store_commit(&tx, err);
}

moor_code moor_machine_set_settings_cert(struct moor_store *s, const char *vm_id, const char *pem,
                                         struct moor_error *err)
{
    return moor_db_run(s, "UPDATE machines SET settings_cert = $1 WHERE vm_id = $2",
                       MOOR_VALS(moor_val_text(pem), moor_val_text(vm_id)), NULL, err);
}

moor_code moor_machine_touch_desired(struct moor_store *s, const char *vm_id, uint64_t *counter,
                                     struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1u << 20);
    struct moor_machine m = { 0 };
    moor_code c =
        moor_db_run(s, "UPDATE machines SET desired_counter = desired_counter + 1 WHERE vm_id = $1",
                    MOOR_VALS(moor_val_text(vm_id)), NULL, err);
    if (!c)
        c = moor_machine_by_vm_id(s, vm_id, &arena, &m, err);
    if (!c && counter)
        *counter = m.desired_counter;
    return c;
}

moor_code moor_machine_each(struct moor_store *s, moor_machine_fn fn, void *ctx,
                            struct moor_error *err)
{
    MOOR_AUTO(moor_rows) rows = MOOR_ROWS_INIT;
    moor_code c =
        moor_db_start(s, "SELECT " COLUMNS " FROM machines WHERE deleted_ms = 0 ORDER BY vm_id",
                      NULL, 0, &rows, err);
    while (!c) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1u << 20);
        struct moor_machine m = { 0 };
        bool got = false;
        c = moor_db_next(&rows, &got, err);
        if (c || !got)
            break;
        c = moor_db_row(&rows, 0, &shape, &arena, &m, err);
        if (!c && !fn(ctx, &m))
            break;
    }
    return c;
}

moor_code moor_machine_each_counter(struct moor_store *s, moor_machine_counter_fn fn, void *ctx,
                                    struct moor_error *err)
{
    MOOR_AUTO(moor_rows) rows = MOOR_ROWS_INIT;
    bool got = true;
    moor_code c = moor_db_start(
        s, "SELECT desired_counter, vm_id FROM machines WHERE deleted_ms = 0", NULL, 0, &rows, err);
    while (!c && (c = moor_db_next(&rows, &got, err)) == MOOR_OK && got) {
        MOOR_AUTO(moor_buf) vm_id = MOOR_BUF(64);
        moor_buf_span(&vm_id, moor_db_bytes(&rows, 1));
        fn(ctx, moor_buf_cstr(&vm_id), (uint64_t)moor_db_int(&rows, 0));
    }
    return c;
}

static const struct moor_col key_cols[] = {
    AT(MOOR_COL_TEXT, moor_machine_key, public_key),
    AT(MOOR_COL_INT, moor_machine_key, state),
    AT(MOOR_COL_I64, moor_machine_key, since_ms),
};
static const struct moor_shape key_shape = { key_cols, MOOR_COUNTOF(key_cols),
                                             sizeof(struct moor_machine_key), "key" };

moor_code moor_machine_keys_get(struct moor_store *s, const char *vm_id, struct moor_arena *arena,
                                struct moor_machine_keys *out, struct moor_error *err)
{
    struct moor_db_array all = { NULL, 0 };
    moor_code c = moor_db_all(s,
                              MOOR_QUERY("SELECT public_key, state, since_ms FROM machine_keys"
                                         " WHERE vm_id = $1 ORDER BY state, since_ms DESC",
                                         moor_val_text(vm_id)),
                              &key_shape, arena, &all, err);
    if (!c)
        *out = (struct moor_machine_keys){ all.items, all.count };
    return c;
}

moor_code moor_machine_key_set(struct moor_store *s, const char *vm_id, const char *public_key,
                               moor_key_state state, int64_t now_ms, struct moor_error *err)
{
    moor_code c = MOOR_OK;
    if (state == MOOR_KEY_CURRENT)
        c = moor_db_run(
            s, "UPDATE machine_keys SET state = 3, since_ms = $1 WHERE vm_id = $2 AND state = 1",
            MOOR_VALS(moor_val_int(now_ms), moor_val_text(vm_id)), NULL, err);
    if (c)
        return c;
    return moor_db_run(
        s,
        "INSERT INTO machine_keys (vm_id, public_key, state, since_ms) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (vm_id, public_key) DO UPDATE SET state = excluded.state,"
        " since_ms = excluded.since_ms",
        MOOR_VALS(moor_val_text(vm_id), moor_val_text(public_key), moor_val_int(state),
                  moor_val_int(now_ms)),
        NULL, err);
}

moor_code moor_machine_keys_end(struct moor_store *s, const char *vm_id, struct moor_error *err)
{
    return moor_db_run(s, "DELETE FROM machine_keys WHERE vm_id = $1",
                       MOOR_VALS(moor_val_text(vm_id)), NULL, err);
}

moor_code moor_machine_doc_put(struct moor_store *s, const char *vm_id, const char *kind,
                               const char *json, int64_t now_ms, struct moor_error *err)
{
    return moor_db_run(
        s,
        "INSERT INTO machine_docs (vm_id, kind, json, written_ms) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (kind, vm_id) DO UPDATE SET json = excluded.json,"
        " written_ms = excluded.written_ms",
        MOOR_VALS(moor_val_text(vm_id), moor_val_text(kind), moor_val_text(json),
                  moor_val_int(now_ms)),
        NULL, err);
}

struct doc {
    const char *json;
    int64_t written_ms;
};
static const struct moor_col doc_cols[] = { AT(MOOR_COL_TEXT, doc, json),
                                            AT(MOOR_COL_I64, doc, written_ms) };
static const struct moor_shape doc_shape = { doc_cols, MOOR_COUNTOF(doc_cols), sizeof(struct doc),
                                             "document" };

moor_code moor_machine_doc_get(struct moor_store *s, const char *vm_id, const char *kind,
                               struct moor_arena *arena, const char **json, int64_t *written_ms,
                               struct moor_error *err)
{
    struct doc d = { NULL, 0 };
    moor_code c = moor_db_one(
        s,
        MOOR_QUERY("SELECT json, written_ms FROM machine_docs WHERE vm_id = $1 AND kind = $2",
                   moor_val_text(vm_id), moor_val_text(kind)),
        &doc_shape, vm_id, arena, &d, err);
    if (c)
        return c;
    *json = d.json;
    if (written_ms)
        *written_ms = d.written_ms;
    return MOOR_OK;
}

moor_code moor_machine_doc_each(struct moor_store *s, const char *kind, moor_machine_doc_fn fn,
                                void *ctx, struct moor_error *err)
{
    MOOR_AUTO(moor_rows) rows = MOOR_ROWS_INIT;
    moor_code c = moor_db_start(
        s, "SELECT vm_id, json, written_ms FROM machine_docs WHERE kind = $1 ORDER BY vm_id",
        MOOR_VALS(moor_val_text(kind)), &rows, err);
    while (!c) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(4u << 20);
        bool got = false;
        c = moor_db_next(&rows, &got, err);
        if (c || !got)
            break;
        const char *vm_id = moor_arena_str(&arena, moor_db_bytes(&rows, 0));
        const char *json = moor_arena_str(&arena, moor_db_bytes(&rows, 1));
        if (!vm_id || !json)
            return moor_fail(err, MOOR_E_NOMEM, "%s: over the limit on memory", kind);
        fn(ctx, vm_id, json, moor_db_int(&rows, 2));
    }
    return c;
}
