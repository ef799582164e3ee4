/* SPDX-License-Identifier: Apache-2.0 */
/* The store on SQLite: WAL, prepared statements, one writer at a time. */
#include <sqlite3.h>
#include <stdlib.h>

#include "base/text.h"
#include "platform/file.h"
#include "store/db.h"
#include "store/schema.h"

#define STATEMENTS_MAX 128
#define NO_SLOT        STATEMENTS_MAX
#define LOCK_WAIT_MS   5000

struct statement {
    const char *sql; /* NULL = free */
    sqlite3_stmt *stmt;
    bool busy;
};

struct moor_store {
    sqlite3 *db;
    bool in_tx;
    struct statement statements[STATEMENTS_MAX];
};

static moor_code code_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return MOOR_E_NOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return MOOR_E_TRANSIENT;
    case SQLITE_CONSTRAINT:
        return rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY ? MOOR_E_EXISTS
                                                                                    : MOOR_E_BUG;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return MOOR_E_DENIED;
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
        return MOOR_E_BUG;
    default:
        return MOOR_E_IO;
    }
}

static MOOR_NODISCARD moor_code db_fail(struct moor_store *s, int rc, const char *doing,
                                        struct moor_error *err)
{
    return moor_fail(err, code_of(rc), "database: %s: %s", doing, sqlite3_errmsg(s->db));
}

static moor_code exec(struct moor_store *s, const char *sql, const char *doing,
                      struct moor_error *err)
{
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? MOOR_OK : db_fail(s, rc, doing, err);
}

static moor_code schema_version(struct moor_store *s, size_t *version, struct moor_error *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return db_fail(s, rc, "read schema version", err);
    rc = sqlite3_step(stmt);
    *version = rc == SQLITE_ROW ? (size_t)sqlite3_column_int(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW ? MOOR_OK : db_fail(s, rc, "read schema version", err);
}

static moor_code migrate_one(struct moor_store *s, size_t from, struct moor_error *err)
{
    char *pragma = sqlite3_mprintf("PRAGMA user_version = %d", (int)from + 1);
    if (!pragma)
        return moor_fail(err, MOOR_E_NOMEM, "database: out of memory");
    moor_code c = exec(s, moor_sqlite_steps[from], "migrate schema", err);
    if (!c)
        c = exec(s, pragma, "write schema version", err);
    sqlite3_free(pragma);
    return c;
}

/* Two processes may start at once: the version is read again under the write lock. */
static moor_code migrate(struct moor_store *s, struct moor_error *err)
{
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    size_t version = 0;
    if (moor_store_begin(s, &tx, err) || schema_version(s, &version, err))
        return err ? err->code : MOOR_E_IO;
    if (version > moor_sqlite_step_count)
        return moor_fail(err, MOOR_E_UNSUPPORTED,
                         "database: schema version %zu is newer than this program's %zu", version,
                         moor_sqlite_step_count);
    while (version < moor_sqlite_step_count) {
        moor_code c = migrate_one(s, version++, err);
        if (c)
            return c;
    }
    return moor_store_commit(&tx, err);
}

static moor_code setup(struct moor_store *s, struct moor_error *err)
{
    static const char *const settings[] = {
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL", /* a commit is on the disk when it returns */
        "PRAGMA foreign_keys = ON",
        "PRAGMA trusted_schema = OFF",
        "PRAGMA secure_delete = ON", /* wiped sealed settings leave no copy in free pages */
    };
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, LOCK_WAIT_MS);
    for (size_t i = 0; i < MOOR_COUNTOF(settings); i++) {
        moor_code c = exec(s, settings[i], settings[i], err);
        if (c)
            return c;
    }
    return migrate(s, err);
}

/* The file exists before SQLite opens it, so that it and its journals are the owner's alone. */
static moor_code ensure_private(const char *path, struct moor_error *err)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    if (moor_streq(path, ":memory:") || plat_exists(path))
        return MOOR_OK;
    moor_code c = plat_create_new(path, PLAT_OWNER_ONLY, &f, err);
    return c == MOOR_E_EXISTS ? MOOR_OK : c;
}

moor_code moor_store_open(const char *path, struct moor_store **out, struct moor_error *err)
{
    moor_code c = ensure_private(path, err);
    if (c)
        return c;
    MOOR_AUTOPTR(moor_store) s = calloc(1, sizeof(*s));
    if (!s)
        return moor_fail(err, MOOR_E_NOMEM, "database: out of memory");
    int rc = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (rc != SQLITE_OK)
        return moor_fail(err, code_of(rc), "%s: %s", path, sqlite3_errstr(rc));
    c = setup(s, err);
    if (c)
        return moor_context(err, "%s", path);
    *out = MOOR_TAKE(s);
    return MOOR_OK;
}

moor_code moor_store_open_reader(const char *path, struct moor_store **out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_store) s = calloc(1, sizeof(*s));
    if (!s)
        return moor_fail(err, MOOR_E_NOMEM, "database: out of memory");
    int rc = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READONLY, NULL);
    if (rc != SQLITE_OK)
        return moor_fail(err, code_of(rc), "%s: %s", path, sqlite3_errstr(rc));
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, LOCK_WAIT_MS);
    *out = MOOR_TAKE(s);
    return MOOR_OK;
}

void moor_store_free(struct moor_store *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < STATEMENTS_MAX; i++)
        sqlite3_finalize(s->statements[i].stmt);
    sqlite3_close_v2(s->db);
    free(s);
}

moor_code moor_store_begin(struct moor_store *s, struct moor_store_tx *tx, struct moor_error *err)
{
    if (s->in_tx)
        return moor_fail(err, MOOR_E_BUG, "database: transaction inside a transaction");
    moor_code c = exec(s, "BEGIN IMMEDIATE", "begin", err);
    if (c)
        return c;
    s->in_tx = true;
    tx->store = s;
    return MOOR_OK;
}

moor_code moor_store_commit(struct moor_store_tx *tx, struct moor_error *err)
{
    struct moor_store *s = tx->store;
    if (!s)
        return moor_fail(err, MOOR_E_BUG, "database: commit without a transaction");
    moor_code c = exec(s, "COMMIT", "commit", err);
    if (c)
        return c; /* still open: the drop rolls back */
    s->in_tx = false;
    tx->store = NULL;
    return MOOR_OK;
}

void moor_store_tx_drop(struct moor_store_tx *tx)
{
    struct moor_store *s = tx->store;
    if (!s)
        return;
    if (!sqlite3_get_autocommit(s->db))
        (void)exec(s, "ROLLBACK", "roll back", NULL);
    s->in_tx = false;
    tx->store = NULL;
}

bool moor_db_in_transaction(const struct moor_store *s)
{
    return s->in_tx;
}

/* The kept statement of this literal; a fresh one when that is in use by an outer call, or there
 * is no slot left: *slot is then NO_SLOT and the statement is finalised by the drop. */
static moor_code take_statement(struct moor_store *s, const char *sql, sqlite3_stmt **out,
                                size_t *slot, struct moor_error *err)
{
    size_t found = NO_SLOT;
    *slot = NO_SLOT;
    for (size_t i = 0; i < STATEMENTS_MAX && found == NO_SLOT; i++)
        if (s->statements[i].sql == sql || !s->statements[i].sql)
            found = i;
    if (found != NO_SLOT && !s->statements[found].busy)
        *slot = found;
    struct statement *kept = *slot == NO_SLOT ? NULL : &s->statements[*slot];
    if (kept && kept->sql) {
        kept->busy = true;
        *out = kept->stmt;
        return MOOR_OK;
    }
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v3(s->db, sql, -1, kept ? SQLITE_PREPARE_PERSISTENT : 0, &stmt, NULL);
    if (rc != SQLITE_OK)
        return db_fail(s, rc, sql, err);
    if (kept)
        *kept = (struct statement){ sql, stmt, true };
    *out = stmt;
    return MOOR_OK;
}

static int bind(sqlite3_stmt *stmt, int index, const struct moor_val *v)
{
    const char *p = v->s.p ? v->s.p : "";
    switch (v->kind) {
    case MOOR_VAL_TEXT:
        return sqlite3_bind_text64(stmt, index, p, v->s.n, SQLITE_STATIC, SQLITE_UTF8);
    case MOOR_VAL_BYTES:
        return sqlite3_bind_blob64(stmt, index, p, v->s.n, SQLITE_STATIC);
    case MOOR_VAL_INT:
    default:
        return sqlite3_bind_int64(stmt, index, v->n);
    }
}

moor_code moor_db_start(struct moor_store *s, const char *sql, const struct moor_val *vals,
                        size_t count, struct moor_rows *rows, struct moor_error *err)
{
    sqlite3_stmt *stmt = NULL;
    size_t slot = NO_SLOT;
    moor_code c = take_statement(s, sql, &stmt, &slot, err);
    if (c)
        return c;
    *rows = (struct moor_rows){ s, stmt, slot };
    for (size_t i = 0; i < count; i++) {
        int rc = bind(stmt, (int)i + 1, &vals[i]);
        if (rc != SQLITE_OK)
            return db_fail(s, rc, sql, err);
    }
    return MOOR_OK;
}

moor_code moor_db_next(struct moor_rows *rows, bool *got, struct moor_error *err)
{
    int rc = sqlite3_step(rows->stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return db_fail(rows->store, rc, sqlite3_sql(rows->stmt), err);
    *got = rc == SQLITE_ROW;
    return MOOR_OK;
}

void moor_rows_drop(struct moor_rows *rows)
{
    if (!rows->stmt)
        return;
    if (rows->slot == NO_SLOT) {
        sqlite3_finalize(rows->stmt);
    } else {
        sqlite3_reset(rows->stmt);
        sqlite3_clear_bindings(rows->stmt);
        rows->store->statements[rows->slot].busy = false;
    }
    *rows = (struct moor_rows)MOOR_ROWS_INIT;
}

moor_code moor_db_run(struct moor_store *s, const char *sql, const struct moor_val *vals,
                      size_t count, uint64_t *changed, struct moor_error *err)
{
    MOOR_AUTO(moor_rows) rows = MOOR_ROWS_INIT;
    bool got = false;
    moor_code c = moor_db_start(s, sql, vals, count, &rows, err);
    if (!c)
        c = moor_db_next(&rows, &got, err);
    if (!c && changed)
        *changed = (uint64_t)sqlite3_changes64(s->db);
    return c;
}

int64_t moor_db_int(const struct moor_rows *rows, int col)
{
    return sqlite3_column_int64(rows->stmt, col);
}

struct moor_span moor_db_bytes(const struct moor_rows *rows, int col)
{
    const void *p = sqlite3_column_blob(rows->stmt, col);
    return moor_span(p, p ? (size_t)sqlite3_column_bytes(rows->stmt, col) : 0);
}
