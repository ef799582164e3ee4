/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"

#define NAME_MAX_BYTES  512
#define VALUE_MAX_BYTES 256
#define TAGS_MAX        50

/* Reads up to an unquoted stop character or the end; quotes and backslashes are undone. */
static moor_code read_part(const char **at, const char *stops, struct moor_buf *out,
                           struct moor_error *err)
{
    char quote = 0;
    const char *p = *at;
    for (; *p && (quote || !strchr(stops, *p)); p++) {
        if (*p == '\\' && p[1])
            moor_buf_char(out, *++p);
        else if (quote ? *p == quote : *p == '\'' || *p == '"')
            quote = quote ? 0 : *p;
        else
            moor_buf_char(out, *p);
    }
    if (quote)
        return moor_fail(err, MOOR_E_BADINPUT, "--tags: a quote is not closed");
    *at = p;
    return MOOR_OK;
}

static moor_code read_tag(const char **at, struct moor_json *tags, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) name = MOOR_BUF(NAME_MAX_BYTES);
    MOOR_AUTO(moor_buf) value = MOOR_BUF(VALUE_MAX_BYTES);
    moor_code c = read_part(at, "=,", &name, err);
    if (c == MOOR_OK && **at == '=') {
        ++*at;
        c = read_part(at, ",", &value, err);
    }
    if (c != MOOR_OK)
        return c;
    if (**at == ',')
        ++*at;
    if (name.failed || value.failed)
        return moor_fail(err, MOOR_E_BADINPUT, "--tags: a name has at most %d, a value %d bytes",
                         NAME_MAX_BYTES, VALUE_MAX_BYTES);
    if (name.len == 0)
        return moor_fail(err, MOOR_E_BADINPUT, "--tags: want NAME=VALUE,...");
    if (!moor_utf8_valid(moor_buf_view(&name)) || !moor_utf8_valid(moor_buf_view(&value)))
        return moor_fail(err, MOOR_E_BADINPUT, "--tags: want UTF-8");
    if (moor_json_get_nocase(tags, moor_buf_cstr(&name)))
        return moor_fail(err, MOOR_E_BADINPUT, "--tags: %s: given twice", moor_buf_cstr(&name));
    moor_json_set_str(tags, moor_buf_cstr(&name), moor_buf_cstr(&value));
    return MOOR_OK;
}

moor_code moor_tags_parse(const char *text, struct moor_buf *out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) tags = moor_json_new_object();
    while (*text) {
        moor_code c = read_tag(&text, tags, err);
        if (c != MOOR_OK)
            return c;
    }
    if (moor_json_size(tags) > TAGS_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "--tags: more than %d tags", TAGS_MAX);
    moor_buf_json(out, tags);
    return moor_buf_ok(out, "--tags", err);
}
