/* SPDX-License-Identifier: Apache-2.0 */
/* The mirror of jsontab.c: structs as JSON text, one writer per kind. */
#include <inttypes.h>
#include <string.h>

#include "base/json_internal.h"
#include "base/jsontab.h"
#include "base/timefmt.h"

/* Appends the field at `at`; false, with nothing appended, when it is left out. The caller writes
 * the name first and takes it back then. */
typedef bool writer(struct moor_buf *b, const struct moor_json_field *f, const void *at);

static const char *load_text(const void *at)
{
    const char *s;
    memcpy(&s, at, sizeof s);
    return s;
}

static bool write_str(struct moor_buf *b, const struct moor_json_field *f, const void *at)
{
    (void)f;
    const char *s = load_text(at);
    if (s)
        moor_buf_json_str(b, moor_span_str(s));
    return s != NULL;
}

static bool write_bool(struct moor_buf *b, const struct moor_json_field *f, const void *at)
{
    (void)f;
    bool v;
    memcpy(&v, at, sizeof v);
    moor_buf_str(b, v ? "true" : "false");
    return true;
}

static bool write_u32(struct moor_buf *b, const struct moor_json_field *f, const void *at)
{
    (void)f;
    uint32_t v;
    memcpy(&v, at, sizeof v);
    moor_buf_fmt(b, "%" PRIu32, v);
    return true;
}

static bool write_u64(struct moor_buf *b, const struct moor_json_field *f, const void *at)
{
    (void)f;
    uint64_t v;
    memcpy(&v, at, sizeof v);
    moor_buf_fmt(b, "%" PRIu64, v);
    return true;
}

static bool write_i64(struct moor_buf *b, const struct moor_json_field *f, const void *at)
{
    (void)f;
    int64_t v;
    memcpy(&v, at, sizeof v);
    moor_buf_fmt(b, "%" PRId64, v);
    return true;
}

static bool write_double(struct moor_buf *b, const struct moor_json_field *f, const void *at)
{
    (void)f;
    double v;
    memcpy(&v, at, sizeof v);
    char text[MOOR_JSON_NUMBER_SIZE];
    moor_json_number_text(v, text);
    moor_buf_str(b, text);
    return true;
}

static bool write_object(struct moor_buf *b, const struct moor_json_field *f, const void *at)
{
    moor_json_encode(b, f->sub, at);
    return true;
}

static bool write_str_list(struct moor_buf *b, const struct moor_json_field *f, const void *at)
{
    (void)f;
    struct moor_str_list list;
    memcpy(&list, at, sizeof list);
    moor_buf_char(b, '[');
    for (size_t i = 0; i < list.count; i++) {
        if (i)
            moor_buf_char(b, ',');
        moor_buf_json_str(b, moor_span_str(list.items[i]));
    }
    moor_buf_char(b, ']');
    return true;
}

static bool write_obj_list(struct moor_buf *b, const struct moor_json_field *f, const void *at)
{
    const struct moor_json_shape *shape = f->sub;
    struct moor_obj_list list;
    memcpy(&list, at, sizeof list);
    moor_buf_char(b, '[');
    for (size_t i = 0; i < list.count; i++) {
        if (i)
            moor_buf_char(b, ',');
        moor_json_encode(b, shape, (const char *)list.items + i * shape->size);
    }
    moor_buf_char(b, ']');
    return true;
}

static bool write_json(struct moor_buf *b, const struct moor_json_field *f, const void *at)
{
    (void)f;
    const char *s = load_text(at);
    moor_buf_str(b, s);
    return s && *s;
}

static bool write_time(struct moor_buf *b, const struct moor_json_field *f, const void *at)
{
    (void)f;
    int64_t ms;
    memcpy(&ms, at, sizeof ms);
    if (ms == 0)
        return false;
    moor_buf_char(b, '"');
    moor_buf_rfc3339(b, ms);
    moor_buf_char(b, '"');
    return true;
}

static bool write_bytes(struct moor_buf *b, const struct moor_json_field *f, const void *at)
{
    (void)f;
    struct moor_span bytes;
    memcpy(&bytes, at, sizeof bytes);
    if (!bytes.p)
        return false;
    moor_buf_char(b, '"');
    moor_buf_base64(b, bytes);
    moor_buf_char(b, '"');
    return true;
}

static bool write_enum(struct moor_buf *b, const struct moor_json_field *f, const void *at)
{
    const char *const *names = f->sub;
    int index;
    memcpy(&index, at, sizeof index);
    int count = 0;
    while (names[count])
        count++;
    MOOR_ASSERT(index >= 0 && index < count);
    moor_buf_json_str(b, moor_span_str(names[index]));
    return true;
}

static writer *const writers[] = {
    [MOOR_F_STR] = write_str,           [MOOR_F_BOOL] = write_bool,
    [MOOR_F_U32] = write_u32,           [MOOR_F_U64] = write_u64,
    [MOOR_F_I64] = write_i64,           [MOOR_F_DOUBLE] = write_double,
    [MOOR_F_OBJ] = write_object,        [MOOR_F_STR_LIST] = write_str_list,
    [MOOR_F_OBJ_LIST] = write_obj_list, [MOOR_F_JSON] = write_json,
    [MOOR_F_OBJ_JSON] = write_json,     [MOOR_F_TIME] = write_time,
    [MOOR_F_UUID] = write_str,          [MOOR_F_BYTES] = write_bytes,
    [MOOR_F_ENUM] = write_enum,
};

void moor_json_encode(struct moor_buf *b, const struct moor_json_shape *shape, const void *in)
{
    bool first = true;
    moor_buf_char(b, '{');
    for (const struct moor_json_field *f = shape->fields; f->kind != MOOR_F_END; f++) {
        size_t before = b->len;
        if (!first)
            moor_buf_char(b, ',');
        moor_buf_json_str(b, moor_span_str(f->name));
        moor_buf_char(b, ':');
        if (writers[f->kind](b, f, (const char *)in + f->offset))
            first = false;
        else
            moor_buf_cut(b, before);
    }
    moor_buf_char(b, '}');
}
