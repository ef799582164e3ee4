/* SPDX-License-Identifier: Apache-2.0 */
#include "store/operations.h"

#include "platform/random.h"
#include "store/db.h"

#define AT(kind, member)                                                                           \
    {                                                                                              \
        kind, offsetof(struct moor_operation, member), 0                                           \
    }
static const struct moor_col cols[] = {
    AT(MOOR_COL_TEXT, id),          AT(MOOR_COL_INT, kind),        AT(MOOR_COL_INT, status),
    AT(MOOR_COL_TEXT, resource_id), AT(MOOR_COL_TEXT, caller),     AT(MOOR_COL_I64, started_ms),
    AT(MOOR_COL_I64, ended_ms),     AT(MOOR_COL_TEXT, error_code), AT(MOOR_COL_TEXT, error_message),
};
static const struct moor_shape shape = { cols, MOOR_COUNTOF(cols), sizeof(struct moor_operation),
                                         "operation" };
#define COLUMNS                                                                                    \
    "id, kind, status, resource_id, caller, started_ms, ended_ms, error_code, error_message"

moor_code moor_operation_start(struct moor_store *s, moor_op_kind kind, const char *resource_id,
                               const char *caller, int64_t now_ms, char id[37],
                               struct moor_error *err)
{
    struct moor_key_text key;
    moor_code c = moor_db_key(resource_id, &key, err);
    if (c)
        return c;
    plat_random_uuid(id);
    return moor_db_run(s,
                       "INSERT INTO operations (" COLUMNS ", resource_key)"
                       " VALUES ($1, $2, 0, $3, $4, $5, 0, '', '', $6)",
                       MOOR_VALS(moor_val_text(id), moor_val_int(kind), moor_val_text(resource_id),
                                 moor_val_text(caller), moor_val_int(now_ms), moor_val_text(key.s)),
                       NULL, err);
}

moor_code moor_operation_get(struct moor_store *s, const char *id, struct moor_arena *arena,
                             struct moor_operation *out, struct moor_error *err)
{
    return moor_db_one(
        s, MOOR_QUERY("SELECT " COLUMNS " FROM operations WHERE id = lower($1)", moor_val_text(id)),
        &shape, id, arena, out, err);
}

moor_code moor_operation_open(struct moor_store *s, const char *resource_id,
                              struct moor_arena *arena, struct moor_operation *out,
                              struct moor_error *err)
{
    struct moor_key_text key;
    moor_code c = moor_db_key(resource_id, &key, err);
    if (c)
        return c;
    return moor_db_one(s,
                       MOOR_QUERY("SELECT " COLUMNS
                                  " FROM operations WHERE resource_key = $1 AND status = 0 LIMIT 1",
                                  moor_val_text(key.s)),
                       &shape, resource_id, arena, out, err);
}

moor_code moor_operation_end(struct moor_store *s, const char *resource_id, moor_op_status status,
                             const char *code, const char *message, int64_t now_ms,
                             struct moor_error *err)
{
    struct moor_key_text key;
    moor_code c = moor_db_key(resource_id, &key, err);
    if (c)
        return c;
    return moor_db_run(s,
                       "UPDATE operations SET status = $1, error_code = $2, error_message = $3,"
                       " ended_ms = $4 WHERE resource_key = $5 AND status = 0",
                       MOOR_VALS(moor_val_int(status), moor_val_text(code), moor_val_text(message),
                                 moor_val_int(now_ms), moor_val_text(key.s)),
                       NULL, err);
}

moor_code moor_operation_expire(struct moor_store *s, int64_t started_before_ms, int64_t now_ms,
                                uint64_t *ended, struct moor_error *err)
{
    return moor_db_run(
        s,
        "UPDATE operations SET status = 2, error_code = 'OperationTimedOut',"
        " error_message = 'The machine did not report in time. What was asked for still holds: it"
        " is done when the machine is back.', ended_ms = $1"
        " WHERE status = 0 AND started_ms < $2",
        MOOR_VALS(moor_val_int(now_ms), moor_val_int(started_before_ms)), ended, err);
}

moor_code moor_operation_purge(struct moor_store *s, int64_t ended_before_ms,
                               struct moor_error *err)
{
    return moor_db_run(s, "DELETE FROM operations WHERE status <> 0 AND ended_ms < $1",
                       MOOR_VALS(moor_val_int(ended_before_ms)), NULL, err);
}
