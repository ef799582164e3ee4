/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding by table. One setter per kind; the encoder is in jsontab_encode.c. */
#include "base/jsontab.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "base/timefmt.h"

/* Where in the document we are: a chain of frames on the stack, the document's root last. */
struct place {
    const struct place *up;
    const char *name; /* NULL for an item of a list */
    size_t index;
};

struct decoder {
    const char *what;
    struct moor_arena *arena;
    struct moor_error *err;
};

/* Sets the field at `at` from v, which is neither absent nor null. */
typedef moor_code setter(const struct decoder *d, const struct place *place,
                         const struct moor_json_field *f, const struct moor_json *v, void *at);

static moor_code decode_object(const struct decoder *d, const struct place *place,
                               const struct moor_json_shape *shape, const struct moor_json *v,
                               void *out);

/* A name may come from the document: nothing in it may forge a line of a log. */
static void add_name(struct moor_buf *b, const char *name)
{
    for (; *name; name++)
        moor_buf_char(b, (unsigned char)*name < 0x20 || *name == 0x7f ? '?' : *name);
}

static void add_path(struct moor_buf *b, const struct place *place)
{
    if (!place)
        return;
    add_path(b, place->up);
    if (!place->name) {
        moor_buf_fmt(b, "[%zu]", place->index);
        return;
    }
    if (place->up)
        moor_buf_char(b, '.');
    add_name(b, place->name);
}

/* "what: path: want" */
static moor_code refuse(const struct decoder *d, const struct place *place, const char *want)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(256);
    add_path(&path, place);
    const char *text = path.failed ? "..." : moor_buf_cstr(&path);
    if (!place)
        return moor_fail(d->err, MOOR_E_BADINPUT, "%s: %s", d->what, want);
    return moor_fail(d->err, MOOR_E_BADINPUT, "%s: %s: %s", d->what, text, want);
}

static moor_code no_memory(const struct decoder *d)
{
    return moor_fail(d->err, MOOR_E_NOMEM, "%s: over the limit of %zu bytes, or out of memory",
                     d->what, d->arena->max);
}

/* See jsontab.h: a maximum of 0 is none, unless the minimum is below it. */
static bool has_max(const struct moor_json_field *f)
{
    return f->max != 0 || f->min < 0;
}

static bool in_range(const struct moor_json_field *f, size_t n)
{
    return (f->min <= 0 || n >= (uint64_t)f->min) && (!has_max(f) || n <= (uint64_t)f->max);
}

/* Refuses with "want <thing> of min..max <units>", or "want <thing>" without a range. */
static moor_code refuse_range(const struct decoder *d, const struct place *place,
                              const struct moor_json_field *f, const char *thing, const char *units)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(128);
    moor_buf_fmt(&b, "want %s", thing);
    if (has_max(f))
        moor_buf_fmt(&b, " of %" PRId64 "..%" PRId64 " %s", f->min, f->max, units);
    else if (f->min > 0)
        moor_buf_fmt(&b, " of at least %" PRId64 " %s", f->min, units);
    return refuse(d, place, moor_buf_cstr(&b));
}

static moor_code set_str(const struct decoder *d, const struct place *place,
                         const struct moor_json_field *f, const struct moor_json *v, void *at)
{
    const char *s = moor_json_str(v);
    if (!s || !in_range(f, strlen(s)))
        return refuse_range(d, place, f, "a text", "bytes");
    const char *copy = moor_arena_str(d->arena, moor_span_str(s));
    if (!copy)
        return no_memory(d);
    memcpy(at, &copy, sizeof copy);
    return MOOR_OK;
}

static moor_code set_bool(const struct decoder *d, const struct place *place,
                          const struct moor_json_field *f, const struct moor_json *v, void *at)
{
    (void)f;
    bool b = false;
    if (!moor_json_bool(v, &b))
        return refuse(d, place, "want true or false");
    memcpy(at, &b, sizeof b);
    return MOOR_OK;
}

/* A whole number within the field's range and that of its type. */
static moor_code whole(const struct decoder *d, const struct place *place,
                       const struct moor_json_field *f, const struct moor_json *v, int64_t low,
                       int64_t high, int64_t *out)
{
    int64_t min = (f->min != 0 || has_max(f)) && f->min > low ? f->min : low;
    int64_t max = has_max(f) && f->max < high ? f->max : high;
    int64_t n = 0;
    if (moor_json_int(v, &n) && n >= min && n <= max) {
        *out = n;
        return MOOR_OK;
    }
    MOOR_AUTO(moor_buf) b = MOOR_BUF(80);
    moor_buf_fmt(&b, "want a whole number %" PRId64 "..%" PRId64, min, max);
    return refuse(d, place, moor_buf_cstr(&b));
}

static moor_code set_u32(const struct decoder *d, const struct place *place,
                         const struct moor_json_field *f, const struct moor_json *v, void *at)
{
    int64_t n = 0;
    moor_code c = whole(d, place, f, v, 0, UINT32_MAX, &n);
    uint32_t value = (uint32_t)n;
    if (c == MOOR_OK)
        memcpy(at, &value, sizeof value);
    return c;
}

static moor_code set_u64(const struct decoder *d, const struct place *place,
                         const struct moor_json_field *f, const struct moor_json *v, void *at)
{
    int64_t n = 0;
    moor_code c = whole(d, place, f, v, 0, (INT64_C(1) << 53) - 1, &n);
    uint64_t value = (uint64_t)n;
    if (c == MOOR_OK)
        memcpy(at, &value, sizeof value);
    return c;
}

static moor_code set_i64(const struct decoder *d, const struct place *place,
                         const struct moor_json_field *f, const struct moor_json *v, void *at)
{
    int64_t n = 0;
    int64_t limit = (INT64_C(1) << 53) - 1;
    moor_code c = whole(d, place, f, v, -limit, limit, &n);
    if (c == MOOR_OK)
        memcpy(at, &n, sizeof n);
    return c;
}

static moor_code set_double(const struct decoder *d, const struct place *place,
                            const struct moor_json_field *f, const struct moor_json *v, void *at)
{
    (void)f;
    double n = 0;
    if (!moor_json_number(v, &n))
        return refuse(d, place, "want a number");
    memcpy(at, &n, sizeof n);
    return MOOR_OK;
}

static moor_code set_object(const struct decoder *d, const struct place *place,
                            const struct moor_json_field *f, const struct moor_json *v, void *at)
{
    return decode_object(d, place, f->sub, v, at);
}

static moor_code set_str_list(const struct decoder *d, const struct place *place,
                              const struct moor_json_field *f, const struct moor_json *v, void *at)
{
    size_t count = moor_json_size(v);
    if (moor_json_typeof(v) != MOOR_JSON_ARRAY || !in_range(f, count))
        return refuse_range(d, place, f, "a list", "texts");
    const char **items = moor_arena_array(d->arena, count, sizeof *items);
    if (!items)
        return no_memory(d);
    static const struct moor_json_field any_text = { .kind = MOOR_F_STR };
    size_t i = 0;
    MOOR_JSON_EACH(item, v)
    {
        struct place here = { .up = place, .index = i };
        moor_code c = set_str(d, &here, &any_text, item, &items[i]);
        if (c != MOOR_OK)
            return c;
        i++;
    }
    struct moor_str_list list = { items, count };
    memcpy(at, &list, sizeof list);
    return MOOR_OK;
}

static moor_code set_obj_list(const struct decoder *d, const struct place *place,
                              const struct moor_json_field *f, const struct moor_json *v, void *at)
{
    const struct moor_json_shape *shape = f->sub;
    size_t count = moor_json_size(v);
    if (moor_json_typeof(v) != MOOR_JSON_ARRAY || !in_range(f, count))
        return refuse_range(d, place, f, "a list", "objects");
    char *items = moor_arena_array(d->arena, count, shape->size);
    if (!items)
        return no_memory(d);
    size_t i = 0;
    MOOR_JSON_EACH(item, v)
    {
        struct place here = { .up = place, .index = i };
        moor_code c = decode_object(d, &here, shape, item, items + i * shape->size);
        if (c != MOOR_OK)
            return c;
        i++;
    }
    struct moor_obj_list list = { items, count };
    memcpy(at, &list, sizeof list);
    return MOOR_OK;
}

static moor_code set_json(const struct decoder *d, const struct place *place,
                          const struct moor_json_field *f, const struct moor_json *v, void *at)
{
    (void)place;
    (void)f;
    MOOR_AUTO(moor_buf) b = MOOR_BUF(d->arena->max);
    moor_buf_json(&b, v);
    const char *copy = b.failed ? NULL : moor_arena_str(d->arena, moor_buf_view(&b));
    if (!copy)
        return no_memory(d);
    memcpy(at, &copy, sizeof copy);
    return MOOR_OK;
}

static moor_code set_obj_json(const struct decoder *d, const struct place *place,
                              const struct moor_json_field *f, const struct moor_json *v, void *at)
{
    if (moor_json_typeof(v) != MOOR_JSON_OBJECT)
        return refuse(d, place, "want an object");
    return set_json(d, place, f, v, at);
}

static moor_code set_time(const struct decoder *d, const struct place *place,
                          const struct moor_json_field *f, const struct moor_json *v, void *at)
{
    (void)f;
    int64_t ms = 0;
    struct moor_error reason = MOOR_ERROR_INIT;
    if (moor_rfc3339_parse(moor_span_str(moor_json_str(v)), &ms, &reason) != MOOR_OK)
        return refuse(d, place, reason.msg);
    memcpy(at, &ms, sizeof ms);
    return MOOR_OK;
}

static moor_code set_uuid(const struct decoder *d, const struct place *place,
                          const struct moor_json_field *f, const struct moor_json *v, void *at)
{
    (void)f;
    struct moor_span text = moor_span_str(moor_json_str(v));
    if (!moor_uuid_valid(text))
        return refuse(d, place, "want a UUID");
    char *copy = moor_arena_str(d->arena, text);
    if (!copy)
        return no_memory(d);
    moor_uuid_lower(copy);
    memcpy(at, &copy, sizeof copy);
    return MOOR_OK;
}

static moor_code set_bytes(const struct decoder *d, const struct place *place,
                           const struct moor_json_field *f, const struct moor_json *v, void *at)
{
    const char *text = moor_json_str(v);
    MOOR_AUTO(moor_buf) b = MOOR_BUF(d->arena->max);
    moor_code c = text ? moor_base64_decode(moor_span_str(text), &b, NULL) : MOOR_E_BADINPUT;
    if (c == MOOR_E_BADINPUT || (c == MOOR_OK && !in_range(f, b.len)))
        return refuse_range(d, place, f, "base64 text", "bytes");
    struct moor_span bytes = { .n = b.len };
    bytes.p = c == MOOR_OK ? moor_arena_str(d->arena, moor_buf_view(&b)) : NULL;
    if (!bytes.p)
        return no_memory(d);
    memcpy(at, &bytes, sizeof bytes);
    return MOOR_OK;
}

static moor_code set_enum(const struct decoder *d, const struct place *place,
                          const struct moor_json_field *f, const struct moor_json *v, void *at)
{
    const char *const *names = f->sub;
    const char *text = moor_json_str(v);
    for (int i = 0; text && names[i]; i++) {
        if (moor_streq(names[i], text)) {
            memcpy(at, &i, sizeof i);
            return MOOR_OK;
        }
    }
    MOOR_AUTO(moor_buf) want = MOOR_BUF(256);
    moor_buf_str(&want, "want one of");
    for (int i = 0; names[i]; i++)
        moor_buf_fmt(&want, "%s %s", i ? "," : "", names[i]);
    return refuse(d, place, want.failed ? "want a known name" : moor_buf_cstr(&want));
}

static setter *const setters[] = {
    [MOOR_F_STR] = set_str,    [MOOR_F_BOOL] = set_bool,         [MOOR_F_U32] = set_u32,
    [MOOR_F_U64] = set_u64,    [MOOR_F_I64] = set_i64,           [MOOR_F_DOUBLE] = set_double,
    [MOOR_F_OBJ] = set_object, [MOOR_F_STR_LIST] = set_str_list, [MOOR_F_OBJ_LIST] = set_obj_list,
    [MOOR_F_JSON] = set_json,  [MOOR_F_OBJ_JSON] = set_obj_json, [MOOR_F_TIME] = set_time,
    [MOOR_F_UUID] = set_uuid,  [MOOR_F_BYTES] = set_bytes,       [MOOR_F_ENUM] = set_enum,
};

static moor_code decode_field(const struct decoder *d, const struct place *up,
                              const struct moor_json_field *f, const struct moor_json *obj,
                              char *out)
{
    struct place here = { .up = up, .name = f->name };
    const struct moor_json *v = moor_json_get(obj, f->name);
    if (moor_json_typeof(v) != MOOR_JSON_NULL)
        return setters[f->kind](d, &here, f, v, out + f->offset);
    return f->flags & MOOR_F_REQUIRED ? refuse(d, &here, "missing") : MOOR_OK;
}

static bool shape_knows(const struct moor_json_shape *shape, const char *name)
{
    for (const struct moor_json_field *f = shape->fields; f->kind != MOOR_F_END; f++) {
        if (moor_streq(f->name, name))
            return true;
    }
    return false;
}

static moor_code refuse_unknown_names(const struct decoder *d, const struct place *up,
                                      const struct moor_json_shape *shape,
                                      const struct moor_json *obj)
{
    MOOR_JSON_EACH(item, obj)
    {
        struct place here = { .up = up, .name = moor_json_name(item) };
        if (!shape_knows(shape, here.name))
            return refuse(d, &here, "unknown name");
    }
    return MOOR_OK;
}

static moor_code decode_object(const struct decoder *d, const struct place *place,
                               const struct moor_json_shape *shape, const struct moor_json *v,
                               void *out)
{
    if (moor_json_typeof(v) != MOOR_JSON_OBJECT)
        return refuse(d, place, "want an object");
    moor_code c = MOOR_OK;
    if (shape->flags & MOOR_F_STRICT)
        c = refuse_unknown_names(d, place, shape, v);
    for (const struct moor_json_field *f = shape->fields; c == MOOR_OK && f->kind; f++)
        c = decode_field(d, place, f, v, out);
    return c;
}

moor_code moor_json_decode_value(const struct moor_json *v, const char *what,
                                 const struct moor_json_shape *shape, void *out,
                                 struct moor_arena *arena, struct moor_error *err)
{
    struct decoder d = { .what = what, .arena = arena, .err = err };
    return decode_object(&d, NULL, shape, v, out);
}

moor_code moor_json_decode(struct moor_span text, const char *what,
                           const struct moor_json_shape *shape, void *out, struct moor_arena *arena,
                           struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) root = NULL;
    if (moor_json_parse(text, &root, err) != MOOR_OK)
        return moor_context(err, "%s", what);
    return moor_json_decode_value(root, what, shape, out, arena, err);
}
