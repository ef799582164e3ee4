/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/command_log.h"

#include <string.h>

#include "base/buf.h"
#include "base/timefmt.h"
#include "contract/names.h"
#include "manager/folder.h"
#include "platform/clock.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "run/log.h"

#define ENTRY_MAX (256 * 1024)

moor_code moor_command_log_path(const struct moor_item *i, char **out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) instance = MOOR_BUF(MOOR_INSTANCE_MAX + 1);
    if (i->multi)
        moor_buf_char(&instance, '_');
    moor_buf_folder_instance(&instance, i);
    return plat_path(PLAT_DIR_HANDLER_LOGS, out, err, "%s.%s/CommandExecution%s.log", i->publisher,
                     i->type, moor_buf_cstr(&instance));
}

/* Keeps the end, from the beginning of a line on. */
static moor_code shorten(const char *path, struct plat_file *f, uint64_t size,
                         struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_COMMAND_LOG_KEEP);
    size_t got = 0;
    char *room = moor_buf_room(&text, MOOR_COMMAND_LOG_KEEP);
    if (!room)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", path);
    moor_code c =
        plat_read_at(f, size - MOOR_COMMAND_LOG_KEEP, room, MOOR_COMMAND_LOG_KEEP, &got, err);
    if (c != MOOR_OK)
        return c;
    struct moor_span rest = moor_span(room, got);
    (void)moor_span_cut(&rest, '\n');
    c = plat_write_atomic(path, rest, PLAT_OWNER_ONLY, err);
    plat_file_drop(f);
    return c == MOOR_OK ? plat_open(path, PLAT_APPEND, f, err) : c;
}

static moor_code open_log(const char *path, struct plat_file *out, struct moor_error *err)
{
    MOOR_AUTO(plat_file) whole = PLAT_FILE_INIT;
    struct plat_stat st;
    moor_code c = plat_stat_path(path, &st, NULL);
    if (c == MOOR_OK && st.size > MOOR_COMMAND_LOG_MAX &&
        plat_open(path, PLAT_READ, &whole, err) == MOOR_OK &&
        shorten(path, &whole, st.size, err) == MOOR_OK) {
        plat_file_move(out, &whole);
        return MOOR_OK;
    }
    return plat_open(path, PLAT_APPEND, out, err);
}

static moor_code add(const struct moor_item *i, struct moor_span text, struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    MOOR_AUTO(moor_buf) folder = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) entry = MOOR_BUF(ENTRY_MAX);
    moor_buf_rfc3339(&entry, plat_utc_ms());
    moor_buf_char(&entry, ' ');
    moor_buf_span(&entry, text);
    moor_code c = moor_buf_ok(&entry, "entry", err);
    if (c == MOOR_OK)
        c = moor_command_log_path(i, &path, err);
    if (c != MOOR_OK)
        return c;
    moor_buf_add(&folder, path, (size_t)(strrchr(path, '/') - path));
    c = plat_make_dirs(moor_buf_cstr(&folder), PLAT_WORLD_READ, err);
    if (c == MOOR_OK)
        c = open_log(path, &f, err);
    return c == MOOR_OK ? plat_append(&f, moor_buf_view(&entry), err) : c;
}

void moor_command_log_add(const struct moor_item *i, struct moor_span text)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (add(i, text, &err) != MOOR_OK)
        moor_log_error(MOOR_LOG_WARNING, "handler.log", &err, "name", i->name, NULL);
}
