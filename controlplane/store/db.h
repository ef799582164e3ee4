/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db.h: the border between our rows and a database: statements, values, columns. For store/ only.
 *
 * SQL is the part that SQLite and PostgreSQL share ($1 parameters, ON CONFLICT, RETURNING not
 * used); what differs (schema, locking) belongs to the implementation: sqlite.c. SQL texts are
 * literals: a prepared statement is kept for each, found by the literal's address.
 */
#ifndef MOOR_STORE_DB_H
#define MOOR_STORE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/error.h"
#include "base/span.h"
#include "store/store.h"

#define MOOR_ID_MAX 2048

/* A parameter; text and bytes are borrowed until the statement ends. */
struct moor_val {
    enum { MOOR_VAL_INT, MOOR_VAL_TEXT, MOOR_VAL_BYTES } kind;
    int64_t n;
    struct moor_span s;
};
struct moor_val moor_val_int(int64_t n);
struct moor_val moor_val_text(const char *s); /* NULL is "" */
struct moor_val moor_val_bytes(struct moor_span s);

#define MOOR_VALS(...)                                                                             \
    (const struct moor_val[]){ __VA_ARGS__ },                                                      \
        sizeof((const struct moor_val[]){ __VA_ARGS__ }) / sizeof(struct moor_val)

/* Runs a statement without rows. changed may be NULL. EXISTS when a unique key is taken. */
MOOR_NODISCARD moor_code moor_db_run(struct moor_store *s, const char *sql,
                                     const struct moor_val *vals, size_t count, uint64_t *changed,
                                     struct moor_error *err);

/* A statement with rows: start, next until *got is false, drop. */
struct moor_rows {
    struct moor_store *store;
    void *stmt;
    size_t slot;
};
#define MOOR_ROWS_INIT                                                                             \
    {                                                                                              \
        NULL, NULL, 0                                                                              \
    }
MOOR_NODISCARD moor_code moor_db_start(struct moor_store *s, const char *sql,
                                       const struct moor_val *vals, size_t count,
                                       struct moor_rows *rows, struct moor_error *err);
MOOR_NODISCARD moor_code moor_db_next(struct moor_rows *rows, bool *got, struct moor_error *err);
void moor_rows_drop(struct moor_rows *rows);
MOOR_DEFINE_AUTO(moor_rows)

int64_t moor_db_int(const struct moor_rows *rows, int col);
struct moor_span moor_db_bytes(const struct moor_rows *rows, int col); /* until the next row */

/* Rows as structs: one table says which column goes where, in both directions. */
typedef enum moor_col_kind {
    MOOR_COL_TEXT,  /* const char * */
    MOOR_COL_JSON,  /* const char *, an object: NULL is stored as {} */
    MOOR_COL_I64,   /* int64_t */
    MOOR_COL_U64,   /* uint64_t */
    MOOR_COL_INT,   /* int, enums */
    MOOR_COL_BOOL,  /* bool */
    MOOR_COL_BYTES, /* struct moor_span */
    MOOR_COL_FIXED  /* unsigned char[size] */
} moor_col_kind;
struct moor_col {
    moor_col_kind kind;
    size_t offset;
    size_t size; /* FIXED */
};

struct moor_shape {
    const struct moor_col *cols;
    size_t count;
    size_t size;      /* of the struct */
    const char *what; /* names a row in errors: "machine" */
};

/* The columns from first on into *out, texts and bytes copied to the arena. */
MOOR_NODISCARD moor_code moor_db_row(const struct moor_rows *rows, int first,
                                     const struct moor_shape *shape, struct moor_arena *arena,
                                     void *out, struct moor_error *err);
/* The struct as parameters, in the table's order. */
void moor_db_vals(const struct moor_shape *shape, const void *in, struct moor_val *out);

struct moor_query {
    const char *sql;
    const struct moor_val *vals;
    size_t count;
};
#define MOOR_QUERY(sql, ...) (&(const struct moor_query){ sql, MOOR_VALS(__VA_ARGS__) })

/* One row, or NOTFOUND "what name: not found". */
MOOR_NODISCARD moor_code moor_db_one(struct moor_store *s, const struct moor_query *q,
                                     const struct moor_shape *shape, const char *name,
                                     struct moor_arena *arena, void *out, struct moor_error *err);

/* All rows as an array in the arena; NOMEM when it is full. */
struct moor_db_array {
    void *items;
    size_t count;
};
MOOR_NODISCARD moor_code moor_db_all(struct moor_store *s, const struct moor_query *q,
                                     const struct moor_shape *shape, struct moor_arena *arena,
                                     struct moor_db_array *out, struct moor_error *err);

bool moor_db_in_transaction(const struct moor_store *s);

/* An id or name as its key: ASCII letters in lower case. BADINPUT when it is too long. */
struct moor_key_text {
    char s[MOOR_ID_MAX + 1];
};
MOOR_NODISCARD moor_code moor_db_key(const char *id, struct moor_key_text *out,
                                     struct moor_error *err);

#endif
