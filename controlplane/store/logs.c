/* SPDX-License-Identifier: Apache-2.0 */
#include "store/logs.h"

#include "store/db.h"

static moor_code append_all(struct moor_store *s, const char *workspace_id, const char *table,
                            const struct moor_log_row *rows, size_t count, int64_t received_ms,
                            struct moor_error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct moor_val json = { .kind = MOOR_VAL_TEXT, .s = rows[i].json };
        moor_code c =
            moor_db_run(s,
                        "INSERT INTO log_rows (workspace, tbl, time_ms, received_ms, json)"
                        " VALUES ($1, lower($2), $3, $4, $5)",
                        MOOR_VALS(moor_val_text(workspace_id), moor_val_text(table),
                                  moor_val_int(rows[i].time_ms), moor_val_int(received_ms), json),
                        NULL, err);
        if (c)
            return c;
    }
    return MOOR_OK;
}

moor_code moor_log_append(struct moor_store *s, const char *workspace_id, const char *table,
                          const struct moor_log_row *rows, size_t count, int64_t received_ms,
                          struct moor_error *err)
{
    if (moor_db_in_transaction(s))
        return append_all(s, workspace_id, table, rows, count, received_ms, err);
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    moor_code c = moor_store_begin(s, &tx, err);
    if (!c)
        c = append_all(s, workspace_id, table, rows, count, received_ms, err);
    return c ? c : moor_store_commit(&tx, err);
}

moor_code moor_log_scan(struct moor_store *s, const struct moor_log_scan *scan, moor_log_fn fn,
                        void *ctx, struct moor_error *err)
{
    static const char oldest_first[] =
        "SELECT time_ms, json FROM log_rows WHERE workspace = $1 AND tbl = lower($2)"
        " AND time_ms >= $3 AND time_ms < $4 ORDER BY time_ms, id";
    static const char newest_first[] =
        "SELECT time_ms, json FROM log_rows WHERE workspace = $1 AND tbl = lower($2)"
        " AND time_ms >= $3 AND time_ms < $4 ORDER BY time_ms DESC, id DESC";
    bool all = scan->from_ms == 0 && scan->to_ms == 0;
    MOOR_AUTO(moor_rows) rows = MOOR_ROWS_INIT;
    moor_code c =
        moor_db_start(s, scan->newest_first ? newest_first : oldest_first,
                      MOOR_VALS(moor_val_text(scan->workspace_id), moor_val_text(scan->table),
                                moor_val_int(all ? INT64_MIN : scan->from_ms),
                                moor_val_int(all ? INT64_MAX : scan->to_ms)),
                      &rows, err);
    while (!c) {
        bool got = false;
        c = moor_db_next(&rows, &got, err);
        if (c || !got || !fn(ctx, moor_db_int(&rows, 0), moor_db_bytes(&rows, 1)))
            break;
    }
    return c;
}

moor_code moor_log_count(struct moor_store *s, const char *workspace_id, const char *table,
                         uint64_t *out, struct moor_error *err)
{
    MOOR_AUTO(moor_rows) rows = MOOR_ROWS_INIT;
    bool got = false;
    moor_code c =
        moor_db_start(s, "SELECT count(*) FROM log_rows WHERE workspace = $1 AND tbl = lower($2)",
                      MOOR_VALS(moor_val_text(workspace_id), moor_val_text(table)), &rows, err);
    if (!c)
        c = moor_db_next(&rows, &got, err);
    if (!c)
        *out = got ? (uint64_t)moor_db_int(&rows, 0) : 0;
    return c;
}

moor_code moor_log_purge(struct moor_store *s, const char *workspace_id, int64_t before_ms,
                         struct moor_error *err)
{
    return moor_db_run(s, "DELETE FROM log_rows WHERE workspace = $1 AND time_ms < $2",
                       MOOR_VALS(moor_val_text(workspace_id), moor_val_int(before_ms)), NULL, err);
}
