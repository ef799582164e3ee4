/* SPDX-License-Identifier: Apache-2.0 */
#include "core/document.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "platform/file.h"

moor_code moor_document_decode(struct moor_span text, const char *what,
                               const struct moor_json_shape *shape, uint32_t newest, void *out,
                               struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) v = NULL;
    if (moor_json_parse(text, &v, err) != MOOR_OK)
        return moor_context(err, "%s", what);
    int64_t schema = 0;
    if (moor_json_int(moor_json_get(v, "schema"), &schema) && schema > (int64_t)newest)
        return moor_fail(err, MOOR_E_UNSUPPORTED,
                         "%s: schema %lld was written by a newer version than this one", what,
                         (long long)schema);
    return moor_json_decode_value(v, what, shape, out, arena, err);
}

moor_code moor_document_make_parent(const char *path, struct moor_error *err)
{
    const char *slash = strrchr(path, '/');
    MOOR_AUTOSTR folder = NULL;
    moor_code c = moor_span_dup(moor_span(path, slash ? (size_t)(slash - path) : 0), &folder, err);
    return c == MOOR_OK && slash != path ? plat_make_dirs(folder, PLAT_WORLD_READ, err) : c;
}

moor_code moor_document_save(const char *path, const struct moor_json_shape *shape, const void *in,
                             size_t max, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) compact = MOOR_BUF(max);
    moor_json_encode(&compact, shape, in);
    moor_code c = moor_buf_ok(&compact, path, err);
    if (c != MOOR_OK)
        return c;
    MOOR_AUTOPTR(moor_json) v = NULL;
    c = moor_json_parse(moor_buf_view(&compact), &v, err);
    if (c != MOOR_OK)
        return moor_context(err, "%s", path);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(2 * max);
    moor_buf_json_pretty(&text, v);
    moor_buf_char(&text, '\n');
    c = moor_buf_ok(&text, path, err);
    if (c == MOOR_OK)
        c = moor_document_make_parent(path, err);
    return c == MOOR_OK ? plat_write_atomic(path, moor_buf_view(&text), PLAT_WORLD_READ, err) : c;
}
