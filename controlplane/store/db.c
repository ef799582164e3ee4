/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as structs, and what every table needs: nothing here knows the database behind. */
#include "store/db.h"

#include <string.h>

struct moor_val moor_val_int(int64_t n)
{
    return (struct moor_val){ .kind = MOOR_VAL_INT, .n = n };
}

struct moor_val moor_val_text(const char *s)
{
    return (struct moor_val){ .kind = MOOR_VAL_TEXT, .s = moor_span_str(s) };
}

struct moor_val moor_val_bytes(struct moor_span s)
{
    return (struct moor_val){ .kind = MOOR_VAL_BYTES, .s = s };
}

/* The address of a member as the type its column's kind says. */
#define MEMBER(type, base, col) ((type *)(void *)((char *)(base) + (col)->offset))
#define MEMBER_IN(type, base, col)                                                                 \
    ((const type *)(const void *)((const char *)(base) + (col)->offset))

static bool read_text(const struct moor_rows *rows, int index, struct moor_arena *arena,
                      const char **out)
{
    *out = moor_arena_str(arena, moor_db_bytes(rows, index));
    return *out != NULL;
}

static bool read_bytes(const struct moor_rows *rows, int index, struct moor_arena *arena,
                       struct moor_span *out)
{
    const char *copy = NULL;
    if (!read_text(rows, index, arena, &copy))
        return false;
    *out = moor_span(copy, moor_db_bytes(rows, index).n);
    return true;
}

static bool read_fixed(const struct moor_rows *rows, int index, size_t size, unsigned char *out)
{
    struct moor_span s = moor_db_bytes(rows, index);
    memset(out, 0, size);
    memcpy(out, s.n ? s.p : "", s.n < size ? s.n : size);
    return true;
}

static bool read_column(const struct moor_rows *rows, int index, const struct moor_col *col,
                        struct moor_arena *arena, void *out)
{
    switch (col->kind) {
    case MOOR_COL_TEXT:
    case MOOR_COL_JSON:
        return read_text(rows, index, arena, MEMBER(const char *, out, col));
    case MOOR_COL_I64:
        *MEMBER(int64_t, out, col) = moor_db_int(rows, index);
        return true;
    case MOOR_COL_U64:
        *MEMBER(uint64_t, out, col) = (uint64_t)moor_db_int(rows, index);
        return true;
    case MOOR_COL_INT:
        *MEMBER(int, out, col) = (int)moor_db_int(rows, index);
        return true;
    case MOOR_COL_BOOL:
        *MEMBER(bool, out, col) = moor_db_int(rows, index) != 0;
        return true;
    case MOOR_COL_BYTES:
        return read_bytes(rows, index, arena, MEMBER(struct moor_span, out, col));
    case MOOR_COL_FIXED:
    default:
        return read_fixed(rows, index, col->size, MEMBER(unsigned char, out, col));
    }
}

moor_code moor_db_row(const struct moor_rows *rows, int first, const struct moor_shape *shape,
                      struct moor_arena *arena, void *out, struct moor_error *err)
{
    for (size_t i = 0; i < shape->count; i++)
        if (!read_column(rows, first + (int)i, &shape->cols[i], arena, out))
            return moor_fail(err, MOOR_E_NOMEM, "database row: over the limit on memory");
    return MOOR_OK;
}

static struct moor_val value_of(const struct moor_col *col, const void *in)
{
    switch (col->kind) {
    case MOOR_COL_TEXT:
        return moor_val_text(*MEMBER_IN(char *const, in, col));
    case MOOR_COL_JSON: {
        const char *json = *MEMBER_IN(char *const, in, col);
        return moor_val_text(json && *json ? json : "{}");
    }
    case MOOR_COL_I64:
        return moor_val_int(*MEMBER_IN(int64_t, in, col));
    case MOOR_COL_U64:
        return moor_val_int((int64_t)*MEMBER_IN(uint64_t, in, col));
    case MOOR_COL_INT:
        return moor_val_int(*MEMBER_IN(int, in, col));
    case MOOR_COL_BOOL:
        return moor_val_int(*MEMBER_IN(bool, in, col));
    case MOOR_COL_BYTES:
        return moor_val_bytes(*MEMBER_IN(struct moor_span, in, col));
    case MOOR_COL_FIXED:
    default:
        return moor_val_bytes(moor_span(MEMBER_IN(unsigned char, in, col), col->size));
    }
}

void moor_db_vals(const struct moor_shape *shape, const void *in, struct moor_val *out)
{
    for (size_t i = 0; i < shape->count; i++)
        out[i] = value_of(&shape->cols[i], in);
}

moor_code moor_db_one(struct moor_store *s, const struct moor_query *q,
                      const struct moor_shape *shape, const char *name, struct moor_arena *arena,
                      void *out, struct moor_error *err)
{
    MOOR_AUTO(moor_rows) rows = MOOR_ROWS_INIT;
    bool got = false;
    moor_code c = moor_db_start(s, q->sql, q->vals, q->count, &rows, err);
    if (!c)
        c = moor_db_next(&rows, &got, err);
    if (c)
        return c;
    if (!got)
        return moor_fail(err, MOOR_E_NOTFOUND, "%s %s: not found", shape->what, name);
    return moor_db_row(&rows, 0, shape, arena, out, err);
}

static moor_code grow(struct moor_db_array *a, size_t *cap, size_t size, struct moor_arena *arena,
                      struct moor_error *err)
{
    if (a->count < *cap)
        return MOOR_OK;
    size_t more = *cap ? *cap * 2 : 16;
    void *items = moor_arena_array(arena, more, size);
    if (!items)
        return moor_fail(err, MOOR_E_NOMEM, "database rows: over the limit on memory");
    if (a->count)
        memcpy(items, a->items, a->count * size);
    a->items = items;
    *cap = more;
    return MOOR_OK;
}

moor_code moor_db_all(struct moor_store *s, const struct moor_query *q,
                      const struct moor_shape *shape, struct moor_arena *arena,
                      struct moor_db_array *out, struct moor_error *err)
{
    MOOR_AUTO(moor_rows) rows = MOOR_ROWS_INIT;
    struct moor_db_array a = { NULL, 0 };
    size_t cap = 0;
    moor_code c = moor_db_start(s, q->sql, q->vals, q->count, &rows, err);
    while (!c) {
        bool got = false;
        c = moor_db_next(&rows, &got, err);
        if (c || !got)
            break;
        c = grow(&a, &cap, shape->size, arena, err);
        if (!c)
            c = moor_db_row(&rows, 0, shape, arena, (char *)a.items + a.count * shape->size, err);
        a.count += !c;
    }
    if (!c)
        *out = a;
    return c;
}

moor_code moor_db_key(const char *id, struct moor_key_text *out, struct moor_error *err)
{
    size_t n = id ? strlen(id) : 0;
    if (n > MOOR_ID_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "id: longer than %d bytes", MOOR_ID_MAX);
    for (size_t i = 0; i < n; i++)
        out->s[i] = (char)(id[i] >= 'A' && id[i] <= 'Z' ? id[i] + ('a' - 'A') : id[i]);
    out->s[n] = '\0';
    return MOOR_OK;
}

moor_code moor_store_meta_get(struct moor_store *s, const char *name, struct moor_arena *arena,
                              const char **value, struct moor_error *err)
{
    static const struct moor_col cols[] = { { MOOR_COL_TEXT, 0, 0 } };
    static const struct moor_shape shape = { cols, 1, sizeof(*value), "setting" };
    return moor_db_one(s, MOOR_QUERY("SELECT value FROM meta WHERE name = $1", moor_val_text(name)),
                       &shape, name, arena, (void *)value, err);
}

moor_code moor_store_meta_set(struct moor_store *s, const char *name, const char *value,
                              struct moor_error *err)
{
    return moor_db_run(s,
                       "INSERT INTO meta (name, value) VALUES ($1, $2)"
                       " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                       MOOR_VALS(moor_val_text(name), moor_val_text(value)), NULL, err);
}
