/* SPDX-License-Identifier: Apache-2.0 */
#include "store/devices.h"

#include "store/db.h"

#define AT(kind, member, size)                                                                     \
    {                                                                                              \
        kind, offsetof(struct moor_device_row, member), size                                       \
    }
static const struct moor_col cols[] = {
    AT(MOOR_COL_TEXT, user_code, 0), AT(MOOR_COL_FIXED, hash, 32),
    AT(MOOR_COL_TEXT, client_id, 0), AT(MOOR_COL_TEXT, resource, 0),
    AT(MOOR_COL_TEXT, peer, 0),      AT(MOOR_COL_TEXT, object_id, 0),
    AT(MOOR_COL_INT, state, 0),      AT(MOOR_COL_I64, created_ms, 0),
    AT(MOOR_COL_I64, expires_ms, 0), AT(MOOR_COL_I64, polled_ms, 0),
};
static const struct moor_shape shape = { cols, MOOR_COUNTOF(cols), sizeof(struct moor_device_row),
                                         "device code" };
#define COLUMNS                                                                                    \
    "user_code, hash, client_id, resource, peer, object_id, state, created_ms, expires_ms,"        \
    " polled_ms"

moor_code moor_device_add(struct moor_store *s, const struct moor_device_row *d,
                          struct moor_error *err)
{
    struct moor_val vals[MOOR_COUNTOF(cols)];
    moor_db_vals(&shape, d, vals);
    return moor_db_run(s,
                       "INSERT INTO device_codes (" COLUMNS ")"
                       " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                       vals, MOOR_COUNTOF(vals), NULL, err);
}

moor_code moor_device_find(struct moor_store *s, const unsigned char hash[32],
                           struct moor_arena *arena, struct moor_device_row *out,
                           struct moor_error *err)
{
    return moor_db_one(s,
                       MOOR_QUERY("SELECT " COLUMNS " FROM device_codes WHERE hash = $1",
                                  moor_val_bytes(moor_span(hash, 32))),
                       &shape, "", arena, out, err);
}

moor_code moor_device_list(struct moor_store *s, struct moor_arena *arena,
                           struct moor_device_rows *out, struct moor_error *err)
{
    struct moor_db_array all = { NULL, 0 };
    moor_code c = moor_db_all(s,
                              MOOR_QUERY("SELECT " COLUMNS
                                         " FROM device_codes WHERE state > $1 ORDER BY created_ms",
                                         moor_val_int(0)),
                              &shape, arena, &all, err);
    if (!c)
        *out = (struct moor_device_rows){ all.items, all.count };
    return c;
}

static moor_code found(moor_code c, uint64_t changed, const char *user_code, struct moor_error *err)
{
    if (!c && changed == 0)
        return moor_fail(err, MOOR_E_NOTFOUND, "device code %s: not found, or not pending",
                         user_code);
    return c;
}

moor_code moor_device_decide(struct moor_store *s, const char *user_code, moor_device_state state,
                             const char *object_id, int64_t now_ms, struct moor_error *err)
{
    uint64_t changed = 0;
    moor_code c = moor_db_run(s,
                              "UPDATE device_codes SET state = $1, object_id = $2"
                              " WHERE user_code = $3 AND state = $4 AND expires_ms > $5",
                              MOOR_VALS(moor_val_int(state), moor_val_text(object_id),
                                        moor_val_text(user_code), moor_val_int(MOOR_DEVICE_PENDING),
                                        moor_val_int(now_ms)),
                              &changed, err);
    return found(c, changed, user_code, err);
}

moor_code moor_device_polled(struct moor_store *s, const char *user_code, int64_t now_ms,
                             struct moor_error *err)
{
    return moor_db_run(s, "UPDATE device_codes SET polled_ms = $1 WHERE user_code = $2",
                       MOOR_VALS(moor_val_int(now_ms), moor_val_text(user_code)), NULL, err);
}

moor_code moor_device_remove(struct moor_store *s, const char *user_code, struct moor_error *err)
{
    uint64_t changed = 0;
    moor_code c = moor_db_run(s, "DELETE FROM device_codes WHERE user_code = $1",
                              MOOR_VALS(moor_val_text(user_code)), &changed, err);
    return found(c, changed, user_code, err);
}

moor_code moor_device_expire(struct moor_store *s, int64_t now_ms, struct moor_error *err)
{
    return moor_db_run(s, "DELETE FROM device_codes WHERE expires_ms <= $1",
                       MOOR_VALS(moor_val_int(now_ms)), NULL, err);
}
