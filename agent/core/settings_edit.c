/* SPDX-License-Identifier: Apache-2.0 */
#include "core/settings_edit.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "core/document.h"
#include "core/trail.h"
#include "platform/dirs.h"
#include "platform/file.h"

#define LOCK_NAME "localconfig.lock"

static struct moor_json *new_text(struct moor_span word)
{
    MOOR_AUTOSTR copy = NULL;
    return moor_span_dup(word, &copy, NULL) == MOOR_OK ? moor_json_new_str(copy) : NULL;
}

static struct moor_json *read_bool(const struct moor_json_field *f, struct moor_span word)
{
    bool yes = moor_span_eq_nocase(word, MOOR_SPAN_LIT("true"));
    (void)f;
    return yes || moor_span_eq_nocase(word, MOOR_SPAN_LIT("false")) ? moor_json_new_bool(yes)
                                                                    : NULL;
}

static struct moor_json *read_number(const struct moor_json_field *f, struct moor_span word)
{
    int64_t n = 0;
    return moor_parse_i64(word, f->min, f->max, &n, NULL) == MOOR_OK ? moor_json_new_int(n) : NULL;
}

static struct moor_json *read_choice(const struct moor_json_field *f, struct moor_span word)
{
    for (const char *const *name = f->sub; *name; name++)
        if (moor_span_eq_nocase(word, moor_span_str(*name)))
            return moor_json_new_str(*name);
    return NULL;
}

static struct moor_json *read_list(const struct moor_json_field *f, struct moor_span rest)
{
    struct moor_json *list = moor_json_new_array();
    (void)f;
    while (rest.p) {
        struct moor_span item = moor_span_trim(moor_span_cut(&rest, ','));
        if (item.n > 0)
            moor_json_push(list, new_text(item));
    }
    return list;
}

static struct moor_json *read_text(const struct moor_json_field *f, struct moor_span word)
{
    (void)f;
    return new_text(word);
}

static moor_code read_value(const struct moor_setting *s, const char *text, struct moor_json **out,
                            struct moor_error *err)
{
    static const struct {
        moor_json_kind kind;
        struct moor_json *(*read)(const struct moor_json_field *f, struct moor_span word);
    } readers[] = {
        { MOOR_F_BOOL, read_bool },     { MOOR_F_U32, read_number }, { MOOR_F_ENUM, read_choice },
        { MOOR_F_STR_LIST, read_list }, { MOOR_F_STR, read_text },
    };
    struct moor_span word = moor_span_trim(moor_span_str(text));
    MOOR_AUTO(moor_buf) type = MOOR_BUF(256);
    for (size_t i = 0; i < MOOR_COUNTOF(readers); i++)
        if (readers[i].kind == s->field.kind)
            *out = readers[i].read(&s->field, word);
    if (*out)
        return MOOR_OK;
    moor_setting_type(s, &type);
    return moor_fail(err, MOOR_E_BADINPUT, "%s: want %s", s->field.name, moor_buf_cstr(&type));
}

static bool holds(const struct moor_json *list, const char *item)
{
    MOOR_JSON_EACH(i, list)
    {
        if (moor_strcasecmp(moor_json_str(i), item) == 0)
            return true;
    }
    return false;
}

/* Those of items that others holds, or does not hold, behind what is in out already. */
static void append(struct moor_json *out, const struct moor_json *items,
                   const struct moor_json *others, bool held)
{
    MOOR_JSON_EACH(i, items)
    {
        const char *text = moor_json_str(i);
        if (text && holds(others, text) == held)
            moor_json_push(out, moor_json_new_str(text));
    }
}

static moor_code combine(const struct moor_setting *s, moor_edit how, const struct moor_json *now,
                         struct moor_json **value, struct moor_error *err)
{
    struct moor_json *out = moor_json_new_array();
    if (how == MOOR_EDIT_ADD) {
        append(out, now, NULL, false);
        append(out, *value, now, false);
    } else {
        append(out, now, *value, false);
    }
    moor_json_free(*value);
    *value = out;
    return out ? MOOR_OK : moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", s->field.name);
}

/* In monitor mode the lists stand as they are, for the way back. */
static moor_code check_mode(const struct moor_json *document, const struct moor_setting *s,
                            struct moor_error *err)
{
    bool list = moor_streq(s->field.name, "extensions.allowlist") ||
                moor_streq(s->field.name, "extensions.blocklist");
    if (!list || !moor_streq(moor_json_get_str(document, "config.mode"), "monitor"))
        return MOOR_OK;
    return moor_fail(err, MOOR_E_EXISTS, "%s: cannot be changed in monitor mode", s->field.name);
}

static moor_code initial_value(const struct moor_setting *s, struct moor_json **out,
                               struct moor_error *err)
{
    return moor_json_parse(moor_span_str(s->initial), out, err);
}

moor_code moor_settings_apply(struct moor_json *document, const struct moor_setting *s,
                              moor_edit how, const char *text, bool *changed,
                              struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) initial = NULL;
    MOOR_AUTOPTR(moor_json) value = NULL;
    const char *name = s->field.name;
    const struct moor_json *now = moor_json_get(document, name);
    bool part = how == MOOR_EDIT_ADD || how == MOOR_EDIT_REMOVE;
    if (part && s->field.kind != MOOR_F_STR_LIST)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: is no list", name);
    moor_code c = check_mode(document, s, err);
    if (c == MOOR_OK)
        c = initial_value(s, &initial, err);
    if (c == MOOR_OK && how == MOOR_EDIT_CLEAR)
        value = moor_json_copy(initial);
    else if (c == MOOR_OK)
        c = read_value(s, text, &value, err);
    if (c == MOOR_OK && part)
        c = combine(s, how, now ? now : initial, &value, err);
    if (c != MOOR_OK)
        return c;
    *changed = !moor_json_equal(value, now ? now : initial);
    if (moor_json_equal(value, initial))
        moor_json_remove(document, name);
    else if (*changed)
        moor_json_set(document, name, MOOR_TAKE(value));
    return MOOR_OK;
}

/* What the file is to hold must be readable by every role before it is there. */
static moor_code replace(const char *path, struct moor_span old, const struct moor_json *document,
                         struct moor_error *err)
{
    MOOR_AUTO(moor_buf) backup = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_LOCALCONFIG_MAX);
    moor_buf_fmt(&backup, "%s.backup", path);
    moor_buf_json_pretty(&text, document);
    moor_buf_char(&text, '\n');
    moor_code c = moor_buf_ok(&text, MOOR_LOCALCONFIG_NAME, err);
    if (c == MOOR_OK && old.n > 0)
        c = plat_write_atomic(moor_buf_cstr(&backup), old, PLAT_WORLD_READ, err);
    return c == MOOR_OK ? plat_write_atomic(path, moor_buf_view(&text), PLAT_WORLD_READ, err) : c;
}

/* The document as the roles read it. */
static moor_code check_document(const struct moor_json *document, struct moor_json **values,
                                struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(2 * MOOR_LOCALCONFIG_MAX);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_LOCALCONFIG_MAX);
    struct moor_settings s;
    moor_buf_json(&text, document);
    moor_code c = moor_buf_ok(&text, MOOR_LOCALCONFIG_NAME, err);
    if (c == MOOR_OK)
        c = moor_settings_parse(moor_buf_view(&text), &s, &arena, err);
    if (c == MOOR_OK && values && !(*values = moor_settings_values(&s)))
        c = moor_fail(err, MOOR_E_NOMEM, MOOR_LOCALCONFIG_NAME ": out of memory");
    return c;
}

/* The file as it is; a broken one is PROTOCOL, to be told from a bad argument. */
static moor_code read_document(const char *path, struct moor_buf *text, struct moor_json **out,
                               struct moor_error *err)
{
    moor_code c = plat_read_all(path, MOOR_LOCALCONFIG_MAX, text, err);
    if (c == MOOR_E_NOTFOUND)
        return moor_json_parse(MOOR_SPAN_LIT("{\"schema\":1}"), out, err);
    if (c == MOOR_OK && moor_json_parse(moor_buf_view(text), out, err) != MOOR_OK)
        c = moor_context(err, MOOR_LOCALCONFIG_NAME);
    if (c == MOOR_OK)
        c = check_document(*out, NULL, err);
    return c == MOOR_E_BADINPUT ? moor_fail(err, MOOR_E_PROTOCOL, "%s", err->msg) : c;
}

/* In the audit log before it is done. */
static moor_code record(const struct moor_setting *s, const char *value, const char *refused_by,
                        struct moor_error *err)
{
    const struct moor_trail_entry e = {
        .by = MOOR_TRAIL_BY_LOCAL,
        .verb = "config",
        .object = s->field.name,
        .detail = value,
        .verdict = refused_by ? MOOR_TRAIL_REFUSED : MOOR_TRAIL_PERMITTED,
        .rule = refused_by,
    };
    return moor_trail_add(&e, err);
}

static moor_code record_change(const struct moor_setting *s, const struct moor_json *document,
                               struct moor_error *err)
{
    const struct moor_json *value = moor_json_get(document, s->field.name);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_LOCALCONFIG_MAX);
    if (value)
        moor_buf_json(&text, value);
    return record(s, value ? moor_buf_cstr(&text) : s->initial, NULL, err);
}

static moor_code edit_locked(const char *path, const struct moor_setting *s, moor_edit how,
                             const char *text, struct moor_json **values, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) old = MOOR_BUF(MOOR_LOCALCONFIG_MAX);
    MOOR_AUTOPTR(moor_json) document = NULL;
    struct moor_error unrecorded = MOOR_ERROR_INIT;
    bool changed = false;
    moor_code c = read_document(path, &old, &document, err);
    if (c == MOOR_OK)
        c = moor_settings_apply(document, s, how, text, &changed, err);
    if (c == MOOR_E_EXISTS && record(s, text, "config.mode", &unrecorded) != MOOR_OK)
        return moor_context(err, "%s, and", unrecorded.msg);
    if (c == MOOR_OK)
        c = check_document(document, values, err);
    if (c == MOOR_OK && changed)
        c = record_change(s, document, err);
    return c == MOOR_OK && changed ? replace(path, moor_buf_view(&old), document, err) : c;
}

moor_code moor_settings_edit(const struct moor_setting *s, moor_edit how, const char *text,
                             struct moor_json **values, struct moor_error *err)
{
    MOOR_AUTO(plat_file) turn = PLAT_FILE_INIT;
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTOSTR lock = NULL;
    moor_code c = plat_path(PLAT_DIR_STATE, &path, err, "%s", MOOR_LOCALCONFIG_NAME);
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_STATE, &lock, err, LOCK_NAME);
    if (c == MOOR_OK)
        c = moor_document_make_parent(path, err);
    if (c == MOOR_OK)
        c = plat_lock_file_wait(lock, &turn, err);
    return c == MOOR_OK ? edit_locked(path, s, how, text, values, err) : c;
}
