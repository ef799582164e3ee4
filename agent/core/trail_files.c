/* SPDX-License-Identifier: Apache-2.0 */
#include "core/trail_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "platform/dirs.h"

#define HEAD_MAX  1024
#define LOCK_NAME "lock"
#define SUFFIX    ".log"

moor_code moor_trail_path(const char *name, char **out, struct moor_error *err)
{
    return plat_path(PLAT_DIR_LIB, out, err, "audit/%s", name);
}

moor_code moor_trail_folder(char **out, struct moor_error *err)
{
    return plat_path(PLAT_DIR_LIB, out, err, "audit");
}

moor_code moor_trail_lock(struct plat_file *out, struct moor_error *err)
{
    MOOR_AUTOSTR folder = NULL;
    MOOR_AUTOSTR lock = NULL;
    moor_code c = moor_trail_folder(&folder, err);
    if (c == MOOR_OK)
        c = moor_trail_path(LOCK_NAME, &lock, err);
    if (c == MOOR_OK)
        c = plat_make_dirs(plat_dir_path(PLAT_DIR_LIB), PLAT_WORLD_READ, err);
    if (c == MOOR_OK)
        c = plat_make_dirs(folder, PLAT_OWNER_ONLY, err);
    return c == MOOR_OK ? plat_lock_file_wait(lock, out, err) : c;
}

void moor_trail_name(uint64_t first, char out[MOOR_TRAIL_NAME_MAX])
{
    (void)snprintf(out, MOOR_TRAIL_NAME_MAX, "%012" PRIu64 SUFFIX, first);
}

/* Files with other names are nobody's. */
static bool add_file(void *ctx, const char *name, const struct plat_stat *st)
{
    struct moor_trail_list *l = ctx;
    struct moor_span s = moor_span_str(name);
    uint64_t first = 0;
    char proper[MOOR_TRAIL_NAME_MAX];
    (void)st;
    if (!moor_span_ends(s, SUFFIX) || s.n >= sizeof(proper) ||
        moor_parse_u64(moor_span(s.p, s.n - strlen(SUFFIX)), 1, INT64_MAX, &first, NULL) != MOOR_OK)
        return true;
    moor_trail_name(first, proper);
    if (strcmp(name, proper) != 0)
        return true;
    if (l->count == MOOR_TRAIL_LISTED)
        return false;
    size_t at = l->count++;
    for (; at > 0 && l->first[at - 1] > first; at--)
        l->first[at] = l->first[at - 1];
    l->first[at] = first;
    return true;
}

moor_code moor_trail_list(struct moor_trail_list *out, struct moor_error *err)
{
    MOOR_AUTOSTR folder = NULL;
    struct moor_trail_list l = { .count = 0 };
    moor_code c = moor_trail_folder(&folder, err);
    if (c == MOOR_OK)
        c = plat_list_dir(folder, add_file, &l, err);
    if (c == MOOR_OK || c == MOOR_E_NOTFOUND)
        *out = l;
    return c == MOOR_E_NOTFOUND ? MOOR_OK : c;
}

moor_code moor_trail_head_load(struct moor_trail_head *out, struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(HEAD_MAX);
    moor_code c = moor_trail_path(MOOR_TRAIL_HEAD_NAME, &path, err);
    if (c == MOOR_OK)
        c = plat_read_all(path, HEAD_MAX, &text, err);
    if (c == MOOR_E_NOMEM)
        return moor_fail(err, MOOR_E_BADINPUT, MOOR_TRAIL_HEAD_NAME ": it is too long");
    if (c == MOOR_OK && moor_trail_head_parse(moor_buf_view(&text), out, err) != MOOR_OK)
        return moor_context(err, MOOR_TRAIL_HEAD_NAME);
    return c;
}

moor_code moor_trail_head_save(const struct moor_trail_head *h, struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(HEAD_MAX);
    moor_trail_head_print(&text, h);
    moor_code c = moor_buf_ok(&text, MOOR_TRAIL_HEAD_NAME, err);
    if (c == MOOR_OK)
        c = moor_trail_path(MOOR_TRAIL_HEAD_NAME, &path, err);
    return c == MOOR_OK ? plat_write_atomic(path, moor_buf_view(&text), PLAT_OWNER_ONLY, err) : c;
}

moor_code moor_trail_bytes(uint64_t file, uint64_t offset, size_t max, struct moor_buf *out,
                           struct moor_error *err)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    MOOR_AUTOSTR path = NULL;
    char name[MOOR_TRAIL_NAME_MAX];
    struct plat_stat st;
    size_t got = 0;
    moor_trail_name(file, name);
    moor_code c = moor_trail_path(name, &path, err);
    if (c == MOOR_OK)
        c = plat_open(path, PLAT_READ, &f, err);
    if (c == MOOR_OK)
        c = plat_fstat(&f, &st, err);
    if (c != MOOR_OK || st.size <= offset)
        return c;
    if (st.size - offset > max)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: it is longer than it can be", name);
    char *room = moor_buf_room(out, (size_t)(st.size - offset));
    if (!room)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", name);
    c = plat_read_at(&f, offset, room, (size_t)(st.size - offset), &got, err);
    moor_buf_grew(out, got);
    return c;
}
