/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/requests.h"

#include "contract/names.h"
#include "platform/dirs.h"
#include "platform/file.h"

static const char *const folders[] = {
    [MOOR_REQUEST_REMOVAL] = "removals", [MOOR_REQUEST_REPAIR] = "repairs"
};

static moor_code path_of(moor_request kind, const char *name, char **out, struct moor_error *err)
{
    moor_code c = moor_handler_check_part("name", name, err);
    if (c != MOOR_OK)
        return c;
    return plat_path(PLAT_DIR_GUESTCONFIG, out, err, "manager/%s/%s", folders[kind], name);
}

moor_code moor_request_folder(moor_request kind, char **out, struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    moor_code c = plat_path(PLAT_DIR_GUESTCONFIG, &path, err, "manager/%s", folders[kind]);
    if (c == MOOR_OK)
        c = plat_make_dirs(path, PLAT_OWNER_ONLY, err);
    if (c == MOOR_OK)
        *out = MOOR_TAKE(path);
    return c;
}

moor_code moor_request_answer(moor_request kind, const char *name, struct moor_span text,
                              struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    moor_code c = path_of(kind, name, &path, err);
    return c == MOOR_OK ? plat_write_atomic(path, text, PLAT_OWNER_ONLY, err) : c;
}

moor_code moor_request_ask(moor_request kind, const char *name, struct moor_error *err)
{
    MOOR_AUTOSTR folder = NULL;
    moor_code c = moor_request_folder(kind, &folder, err);
    return c == MOOR_OK ? moor_request_answer(kind, name, MOOR_SPAN_NONE, err) : c;
}

bool moor_request_asked(moor_request kind, const char *name)
{
    MOOR_AUTOSTR path = NULL;
    struct plat_stat st;
    return path_of(kind, name, &path, NULL) == MOOR_OK &&
           plat_stat_path(path, &st, NULL) == MOOR_OK && st.size == 0;
}

bool moor_request_drop(moor_request kind, const char *name)
{
    MOOR_AUTOSTR path = NULL;
    return path_of(kind, name, &path, NULL) == MOOR_OK && plat_exists(path) &&
           plat_remove(path, NULL) == MOOR_OK;
}

moor_code moor_request_answered(moor_request kind, const char *name, struct moor_buf *out,
                                struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    moor_code c = path_of(kind, name, &path, err);
    if (c == MOOR_OK)
        c = plat_read_all(path, MOOR_REQUEST_ANSWER_MAX, out, err);
    if (c == MOOR_OK && out->len == 0)
        c = moor_fail(err, MOOR_E_NOTFOUND, "%s: not answered yet", name);
    return c;
}
