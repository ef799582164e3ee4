/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pairs.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"

void moor_pairs_drop(struct moor_pairs *p)
{
    for (size_t i = 0; i < p->count; i++)
        moor_secret_drop(&p->items[i].value);
    p->count = 0;
}

moor_code moor_pairs_add(struct moor_pairs *p, struct moor_span name, struct moor_pair **out,
                         struct moor_error *err)
{
    if (name.n == 0 || name.n > MOOR_PAIR_NAME_MAX || memchr(name.p, '\0', name.n))
        return moor_fail(err, MOOR_E_BADINPUT, "want names of 1 to %d characters",
                         MOOR_PAIR_NAME_MAX);
    for (size_t i = 0; i < p->count; i++)
        if (moor_span_eq_str(name, p->items[i].name))
            return moor_fail(err, MOOR_E_BADINPUT, "%s: given twice", p->items[i].name);
    if (p->count == MOOR_PAIRS_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "more than %d names", MOOR_PAIRS_MAX);
    *out = &p->items[p->count++];
    **out = (struct moor_pair){ .value = MOOR_SECRET_INIT };
    memcpy((*out)->name, name.p, name.n);
    return MOOR_OK;
}

/* A scalar's text, appended; what was read of it is wiped. */
static moor_code add_scalar(const struct moor_json *v, struct moor_buf *out)
{
    const char *text = moor_json_str(v);
    switch (moor_json_typeof(v)) {
    case MOOR_JSON_STRING:
        moor_buf_str(out, text);
        moor_wipe((char *)(uintptr_t)text, strlen(text));
        return MOOR_OK;
    case MOOR_JSON_BOOLEAN:
    case MOOR_JSON_NUMBER:
        moor_buf_json(out, v);
        return MOOR_OK;
    case MOOR_JSON_NULL:
        return MOOR_OK;
    case MOOR_JSON_ARRAY:
    case MOOR_JSON_OBJECT:
    default:
        return MOOR_E_BADINPUT;
    }
}

static moor_code read_value(const struct moor_json *v, struct moor_pair *pair,
                            struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(MOOR_PAIR_VALUE_MAX);
    moor_code c = MOOR_OK;
    if (moor_json_typeof(v) == MOOR_JSON_ARRAY) {
        MOOR_JSON_EACH(item, v)
        {
            moor_buf_str(&text, text.len > 0 ? "," : "");
            c = c == MOOR_OK ? add_scalar(item, &text) : c;
        }
    } else {
        c = add_scalar(v, &text);
    }
    if (c != MOOR_OK)
        return moor_fail(err, c, "%s: want a scalar, or a list of scalars", pair->name);
    c = moor_buf_ok(&text, pair->name, err);
    return c == MOOR_OK ? moor_secret_take(&pair->value, &text, err) : c;
}

static moor_code read_json(struct moor_span text, struct moor_pairs *out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) v = NULL;
    moor_code c = moor_json_parse(text, &v, err);
    MOOR_JSON_EACH(member, v)
    {
        struct moor_pair *pair = NULL;
        if (c == MOOR_OK)
            c = moor_pairs_add(out, moor_span_str(moor_json_name(member)), &pair, err);
        if (c == MOOR_OK)
            c = read_value(member, pair, err);
    }
    return c;
}

moor_code moor_pairs_read(struct moor_span text, struct moor_pairs *out, struct moor_error *err)
{
    struct moor_span body = moor_span_trim(text);
    return moor_span_starts(body, "{") ? read_json(body, out, err)
                                       : moor_pairs_read_yaml(text, out, err);
}
