/* SPDX-License-Identifier: Apache-2.0 */
#include "store/principals.h"

#include "store/db.h"

#define AT(kind, type, member, size)                                                               \
    {                                                                                              \
        kind, offsetof(struct type, member), size                                                  \
    }
static const struct moor_col principal_cols[] = {
    AT(MOOR_COL_INT, moor_principal_row, kind, 0),
    AT(MOOR_COL_TEXT, moor_principal_row, object_id, 0),
    AT(MOOR_COL_TEXT, moor_principal_row, client_id, 0),
    AT(MOOR_COL_TEXT, moor_principal_row, tenant_id, 0),
    AT(MOOR_COL_TEXT, moor_principal_row, name, 0),
    AT(MOOR_COL_TEXT, moor_principal_row, vm_id, 0),
    AT(MOOR_COL_TEXT, moor_principal_row, resource_id, 0),
    AT(MOOR_COL_BOOL, moor_principal_row, disabled, 0),
    AT(MOOR_COL_I64, moor_principal_row, created_ms, 0),
};
static const struct moor_shape principal_shape = { principal_cols, MOOR_COUNTOF(principal_cols),
                                                   sizeof(struct moor_principal_row), "principal" };
#define PRINCIPAL_COLUMNS                                                                          \
    "kind, object_id, client_id, tenant_id, name, vm_id, resource_id, disabled, created_ms"

moor_code moor_principal_add(struct moor_store *s, const struct moor_principal_row *p,
                             struct moor_error *err)
{
    struct moor_val vals[MOOR_COUNTOF(principal_cols)];
    moor_db_vals(&principal_shape, p, vals);
    return moor_db_run(s,
                       "INSERT INTO principals (" PRINCIPAL_COLUMNS ")"
                       " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                       vals, MOOR_COUNTOF(vals), NULL, err);
}

moor_code moor_principal_by_client(struct moor_store *s, const char *client_id,
                                   struct moor_arena *arena, struct moor_principal_row *out,
                                   struct moor_error *err)
{
    return moor_db_one(s,
                       MOOR_QUERY("SELECT " PRINCIPAL_COLUMNS
                                  " FROM principals WHERE client_id = lower($1)",
                                  moor_val_text(client_id)),
                       &principal_shape, client_id, arena, out, err);
}

moor_code moor_principal_by_object(struct moor_store *s, const char *object_id,
                                   struct moor_arena *arena, struct moor_principal_row *out,
                                   struct moor_error *err)
{
    return moor_db_one(s,
                       MOOR_QUERY("SELECT " PRINCIPAL_COLUMNS
                                  " FROM principals WHERE object_id = lower($1)",
                                  moor_val_text(object_id)),
                       &principal_shape, object_id, arena, out, err);
}

moor_code moor_principal_delete(struct moor_store *s, const char *object_id, struct moor_error *err)
{
    static const char *const statements[] = {
        "DELETE FROM secrets WHERE object_id = $1",
        "DELETE FROM credentials WHERE object_id = $1",
        "DELETE FROM role_assignments WHERE principal_id = $1",
        "DELETE FROM principals WHERE object_id = $1",
    };
    for (size_t i = 0; i < MOOR_COUNTOF(statements); i++) {
        moor_code c = moor_db_run(s, statements[i], MOOR_VALS(moor_val_text(object_id)), NULL, err);
        if (c)
            return c;
    }
    return MOOR_OK;
}

moor_code moor_principal_disable(struct moor_store *s, const char *object_id, bool disabled,
                                 struct moor_error *err)
{
    return moor_db_run(s, "UPDATE principals SET disabled = $1 WHERE object_id = $2",
                       MOOR_VALS(moor_val_int(disabled), moor_val_text(object_id)), NULL, err);
}

moor_code moor_principal_each(struct moor_store *s, moor_principal_kind kind, moor_principal_fn fn,
                              void *ctx, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(64u << 20);
    struct moor_db_array all = { NULL, 0 };
    moor_code c = moor_db_all(s,
                              MOOR_QUERY("SELECT " PRINCIPAL_COLUMNS
                                         " FROM principals WHERE kind = $1 ORDER BY name",
                                         moor_val_int(kind)),
                              &principal_shape, &arena, &all, err);
    const struct moor_principal_row *rows = all.items;
    for (size_t i = 0; !c && i < all.count; i++)
        fn(ctx, &rows[i]);
    return c;
}

static const struct moor_col secret_cols[] = {
    AT(MOOR_COL_FIXED, moor_secret_row, salt, 16),
    AT(MOOR_COL_FIXED, moor_secret_row, hash, 32),
    AT(MOOR_COL_I64, moor_secret_row, expires_ms, 0),
};
static const struct moor_shape secret_shape = { secret_cols, MOOR_COUNTOF(secret_cols),
                                                sizeof(struct moor_secret_row), "secret" };

moor_code moor_secret_row_add(struct moor_store *s, const char *object_id,
                              const struct moor_secret_row *row, struct moor_error *err)
{
    struct moor_val vals[MOOR_COUNTOF(secret_cols) + 1];
    moor_db_vals(&secret_shape, row, vals);
    vals[MOOR_COUNTOF(secret_cols)] = moor_val_text(object_id);
    return moor_db_run(s,
                       "INSERT INTO secrets (salt, hash, expires_ms, object_id)"
                       " VALUES ($1, $2, $3, $4)",
                       vals, MOOR_COUNTOF(vals), NULL, err);
}

moor_code moor_secret_row_delete_all(struct moor_store *s, const char *object_id,
                                     struct moor_error *err)
{
    return moor_db_run(s, "DELETE FROM secrets WHERE object_id = $1",
                       MOOR_VALS(moor_val_text(object_id)), NULL, err);
}

moor_code moor_secret_row_list(struct moor_store *s, const char *object_id,
                               struct moor_arena *arena, struct moor_secret_rows *out,
                               struct moor_error *err)
{
    struct moor_db_array all = { NULL, 0 };
    moor_code c =
        moor_db_all(s,
                    MOOR_QUERY("SELECT salt, hash, expires_ms FROM secrets WHERE object_id = $1",
                               moor_val_text(object_id)),
                    &secret_shape, arena, &all, err);
    if (!c)
        *out = (struct moor_secret_rows){ all.items, all.count };
    return c;
}

static const struct moor_col credential_cols[] = {
    AT(MOOR_COL_FIXED, moor_credential_row, sha256, 32),
    AT(MOOR_COL_FIXED, moor_credential_row, sha1, 20),
    AT(MOOR_COL_TEXT, moor_credential_row, object_id, 0),
    AT(MOOR_COL_BYTES, moor_credential_row, der, 0),
    AT(MOOR_COL_I64, moor_credential_row, not_before_ms, 0),
    AT(MOOR_COL_I64, moor_credential_row, not_after_ms, 0),
    AT(MOOR_COL_I64, moor_credential_row, first_used_ms, 0),
};
static const struct moor_shape credential_shape = { credential_cols, MOOR_COUNTOF(credential_cols),
                                                    sizeof(struct moor_credential_row),
                                                    "certificate" };
#define CREDENTIAL_COLUMNS                                                                         \
    "sha256, sha1, object_id, der, not_before_ms, not_after_ms, first_used_ms"

moor_code moor_credential_add(struct moor_store *s, const struct moor_credential_row *row,
                              struct moor_error *err)
{
    struct moor_val vals[MOOR_COUNTOF(credential_cols)];
    moor_db_vals(&credential_shape, row, vals);
    return moor_db_run(s,
                       "INSERT INTO credentials (" CREDENTIAL_COLUMNS ")"
                       " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (sha256) DO NOTHING",
                       vals, MOOR_COUNTOF(vals), NULL, err);
}

moor_code moor_credential_find(struct moor_store *s, struct moor_span digest,
                               struct moor_arena *arena, struct moor_credential_row *out,
                               struct moor_error *err)
{
    const char *sql = digest.n == 32
                          ? "SELECT " CREDENTIAL_COLUMNS " FROM credentials WHERE sha256 = $1"
                          : "SELECT " CREDENTIAL_COLUMNS " FROM credentials WHERE sha1 = $1";
    return moor_db_one(s, MOOR_QUERY(sql, moor_val_bytes(digest)), &credential_shape,
                       "with this digest", arena, out, err);
}

moor_code moor_credential_used(struct moor_store *s, const unsigned char sha256[32], int64_t now_ms,
                               struct moor_error *err)
{
    return moor_db_run(
        s, "UPDATE credentials SET first_used_ms = $1 WHERE sha256 = $2 AND first_used_ms = 0",
        MOOR_VALS(moor_val_int(now_ms), moor_val_bytes(moor_span(sha256, 32))), NULL, err);
}

moor_code moor_credential_any(struct moor_store *s, const char *object_id, bool *any,
                              struct moor_error *err)
{
    MOOR_AUTO(moor_rows) rows = MOOR_ROWS_INIT;
    moor_code c = moor_db_start(s, "SELECT 1 FROM credentials WHERE object_id = $1 LIMIT 1",
                                MOOR_VALS(moor_val_text(object_id)), &rows, err);
    return c ? c : moor_db_next(&rows, any, err);
}

moor_code moor_credential_delete_all(struct moor_store *s, const char *object_id,
                                     struct moor_error *err)
{
    return moor_db_run(s, "DELETE FROM credentials WHERE object_id = $1",
                       MOOR_VALS(moor_val_text(object_id)), NULL, err);
}

moor_code moor_credential_delete_others(struct moor_store *s, const char *object_id,
                                        const unsigned char sha256[32], struct moor_error *err)
{
    return moor_db_run(s, "DELETE FROM credentials WHERE object_id = $1 AND sha256 <> $2",
                       MOOR_VALS(moor_val_text(object_id), moor_val_bytes(moor_span(sha256, 32))),
                       NULL, err);
}

static const struct moor_col assignment_cols[] = {
    AT(MOOR_COL_TEXT, moor_role_assignment, id, 0),
    AT(MOOR_COL_TEXT, moor_role_assignment, role_id, 0),
    AT(MOOR_COL_TEXT, moor_role_assignment, principal_id, 0),
    AT(MOOR_COL_TEXT, moor_role_assignment, scope, 0),
    AT(MOOR_COL_I64, moor_role_assignment, created_ms, 0),
};
static const struct moor_shape assignment_shape = { assignment_cols, MOOR_COUNTOF(assignment_cols),
                                                    sizeof(struct moor_role_assignment),
                                                    "role assignment" };
#define ASSIGNMENT_COLUMNS "id, role_id, principal_id, scope, created_ms"

moor_code moor_role_assign(struct moor_store *s, const struct moor_role_assignment *a,
                           struct moor_error *err)
{
    struct moor_val vals[MOOR_COUNTOF(assignment_cols)];
    moor_db_vals(&assignment_shape, a, vals);
    return moor_db_run(s,
                       "INSERT INTO role_assignments (" ASSIGNMENT_COLUMNS ")"
                       " VALUES ($1, $2, $3, $4, $5)",
                       vals, MOOR_COUNTOF(vals), NULL, err);
}

moor_code moor_role_assignments_of(struct moor_store *s, const char *principal_id,
                                   struct moor_arena *arena, struct moor_role_assignments *out,
                                   struct moor_error *err)
{
    struct moor_db_array all = { NULL, 0 };
    moor_code c = moor_db_all(s,
                              MOOR_QUERY("SELECT " ASSIGNMENT_COLUMNS
                                         " FROM role_assignments WHERE principal_id = $1",
                                         moor_val_text(principal_id)),
                              &assignment_shape, arena, &all, err);
    if (!c)
        *out = (struct moor_role_assignments){ all.items, all.count };
    return c;
}

moor_code moor_role_unassign_below(struct moor_store *s, const char *scope, struct moor_error *err)
{
    struct moor_key_text key;
    moor_code c = moor_db_key(scope, &key, err);
    if (c)
        return c;
    return moor_db_run(s,
                       "DELETE FROM role_assignments WHERE lower(scope) = $1"
                       " OR (lower(scope) >= $1 || '/' AND lower(scope) < $1 || '0')",
                       MOOR_VALS(moor_val_text(key.s)), NULL, err);
}
