/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/journal.h"

#include <string.h>

#include "base/timefmt.h"
#include "platform/account.h"
#include "platform/dirs.h"

/* As Go quotes: the scripts' patterns were written against that. */
static void quoted(struct moor_buf *b, const char *text)
{
    moor_buf_char(b, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            moor_buf_char(b, '\\');
        if (*text == '\n')
            moor_buf_str(b, "\\n");
        else if ((unsigned char)*text < 0x20 || *text == 0x7f)
            moor_buf_fmt(b, "\\x%02x", (unsigned)(unsigned char)*text);
        else
            moor_buf_char(b, *text);
    }
    moor_buf_char(b, '"');
}

void moor_journal_line(struct moor_buf *b, int64_t now_ms, const char *level, const char *text,
                       const char *command)
{
    char time[MOOR_RFC3339_LEN + 1];
    moor_rfc3339_format(now_ms - now_ms % 1000, time);
    const char *dot = strchr(time, '.');
    moor_buf_fmt(b, "time=\"%.*sZ\" level=%s msg=", dot ? (int)(dot - time) : 0, time, level);
    quoted(b, text);
    moor_buf_str(b, " Command=");
    if (strpbrk(command, " \""))
        quoted(b, command);
    else
        moor_buf_str(b, command);
    moor_buf_char(b, '\n');
}

static moor_code check_ours(const struct plat_file *f, const char *path, uint64_t *size,
                            struct moor_error *err)
{
    struct plat_stat st;
    moor_code c = plat_fstat(f, &st, err);
    if (c == MOOR_OK && (st.uid != plat_user_id() || (st.mode & 022)))
        c = moor_fail(err, MOOR_E_DENIED, "%s: is not this user's alone", path);
    if (c == MOOR_OK)
        *size = st.size;
    return c;
}

static moor_code open_once(const char *path, uint64_t *size, struct plat_file *out,
                           struct moor_error *err)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    moor_code c = plat_open(path, PLAT_APPEND, &f, err);
    if (c == MOOR_OK)
        c = check_ours(&f, path, size, err);
    if (c == MOOR_OK)
        plat_file_move(out, &f);
    return c;
}

moor_code moor_journal_open(struct plat_file *out, struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTO(moor_buf) old = MOOR_BUF(4096);
    uint64_t size = 0;
    moor_code c = plat_path(PLAT_DIR_LOG, &path, err, MOOR_JOURNAL_NAME);
    if (c == MOOR_OK)
        c = plat_make_dirs(plat_dir_path(PLAT_DIR_LOG), PLAT_GROUP_READ, err);
    if (c == MOOR_OK)
        c = open_once(path, &size, out, err);
    if (c != MOOR_OK || size < MOOR_JOURNAL_MAX)
        return c;
    plat_file_drop(out);
    moor_buf_fmt(&old, "%s.1", path);
    c = plat_rename(path, moor_buf_cstr(&old), err);
    return c == MOOR_OK ? open_once(path, &size, out, err) : c;
}
