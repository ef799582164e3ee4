/* SPDX-License-Identifier: Apache-2.0 */
#include "core/trail.h"

#include <inttypes.h>
#include <string.h>

#include "core/trail_files.h"
#include "platform/clock.h"
#include "platform/dirs.h"

#define LINE_ARENA ((size_t)64 * 1024)
#define TAIL_MAX   ((size_t)2 * MOOR_TRAIL_FILE_MAX) /* of a file, more than it can have */

/* The writer's view: the head, and what is to be said before the next line. */
struct chain {
    struct moor_trail_head head;
    struct moor_buf torn;   /* what an unfinished line left behind the last one */
    struct moor_buf damage; /* what else is wrong; empty = nothing */
};

static void chain_drop(struct chain *c)
{
    moor_buf_drop(&c->torn);
    moor_buf_drop(&c->damage);
}
MOOR_DEFINE_AUTO(chain)

static void set_tail(struct chain *c, uint64_t number, const char *hash)
{
    memcpy(c->head.tail, hash, sizeof(c->head.tail));
    c->head.last = number;
}

/* Whether it is a line, which then is the last one. only_next: and the one that has its turn. */
static bool take_line(struct chain *c, struct moor_span text, bool only_next)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(LINE_ARENA);
    struct moor_trail_line line;
    if (moor_trail_parse(text, &line, &arena, NULL) != MOOR_OK)
        return false;
    if (only_next && (line.number != c->head.last + 1 || strcmp(line.previous, c->head.tail) != 0))
        return false;
    set_tail(c, line.number, line.hash);
    return true;
}

/* Takes in the lines behind the ones the head knows: a crash came between line and head. */
static void take_lines(struct chain *c, struct moor_span rest)
{
    while (rest.n > 0) {
        const char *end = memchr(rest.p, '\n', rest.n);
        struct moor_span text = moor_span(rest.p, end ? (size_t)(end - rest.p) : rest.n);
        if (!end) {
            moor_buf_span(&c->torn, text);
            return;
        }
        if (!take_line(c, text, true)) {
            moor_buf_fmt(&c->damage, "line %" PRIu64 " is not one", c->head.last + 1);
            return;
        }
        rest = moor_span(end + 1, rest.n - text.n - 1);
    }
}

/* Without a head: what the newest file says, which need not be the truth. */
static moor_code rebuild(struct chain *c, const struct moor_error *why, struct moor_error *err)
{
    struct moor_trail_list l;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(TAIL_MAX);
    moor_code code = moor_trail_list(&l, err);
    set_tail(c, 0, MOOR_TRAIL_NOTHING);
    c->head.first = c->head.file = 1;
    if (code != MOOR_OK || l.count == 0)
        return code;
    moor_buf_str(&c->damage, why->code == MOOR_E_NOTFOUND ? MOOR_TRAIL_HEAD_NAME " was gone"
                                                          : MOOR_TRAIL_HEAD_NAME " was changed");
    c->head.first = l.first[0];
    c->head.file = l.first[l.count - 1];
    c->head.last = c->head.file - 1;
    if (moor_trail_bytes(c->head.file, 0, TAIL_MAX, &text, NULL) != MOOR_OK)
        return MOOR_OK;
    struct moor_span rest = moor_buf_view(&text);
    c->head.size = rest.n;
    while (rest.p && rest.n > 0)
        (void)take_line(c, moor_span_cut(&rest, '\n'), false);
    return MOOR_OK;
}

/* Compares the newest file with the head. */
static moor_code catch_up(struct chain *c, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) rest = MOOR_BUF(TAIL_MAX);
    MOOR_AUTOSTR path = NULL;
    char name[MOOR_TRAIL_NAME_MAX];
    struct plat_stat st = { .size = 0 };
    moor_trail_name(c->head.file, name);
    moor_code code = moor_trail_path(name, &path, err);
    if (code == MOOR_OK && plat_exists(path))
        code = plat_stat_path(path, &st, err);
    if (code != MOOR_OK)
        return code;
    if (st.size < c->head.size) {
        moor_buf_fmt(&c->damage, "%s had lost %" PRIu64 " bytes", name, c->head.size - st.size);
        c->head.size = st.size;
    }
    if (st.size == c->head.size)
        return MOOR_OK;
    code = moor_trail_bytes(c->head.file, c->head.size, TAIL_MAX, &rest, err);
    if (code == MOOR_OK)
        take_lines(c, moor_buf_view(&rest));
    else if (code == MOOR_E_BADINPUT)
        moor_buf_fmt(&c->damage, "%s was longer than it can be", name);
    c->head.size = st.size;
    return code == MOOR_E_BADINPUT ? MOOR_OK : code;
}

static moor_code load(struct chain *c, struct moor_error *err)
{
    struct moor_error why = MOOR_ERROR_INIT;
    moor_code code = moor_trail_head_load(&c->head, &why);
    if (code == MOOR_OK)
        return catch_up(c, err);
    if (code != MOOR_E_NOTFOUND && code != MOOR_E_BADINPUT) {
        if (err)
            *err = why;
        return code;
    }
    /* On the disk before the first line, as the folder: from then on a log without a head was
     * tampered with. */
    code = rebuild(c, &why, err);
    if (code == MOOR_OK)
        code = moor_trail_head_save(&c->head, err);
    return code == MOOR_OK ? plat_sync_dir(plat_dir_path(PLAT_DIR_LIB), err) : code;
}

/* The oldest file goes when there would be too many. The head says so first: what is then still
 * there of it does no harm. */
static moor_code begin_file(struct chain *c, struct moor_error *err)
{
    struct moor_trail_list l;
    moor_code code = moor_trail_list(&l, err);
    if (code != MOOR_OK)
        return code;
    size_t extra = l.count >= MOOR_TRAIL_FILES ? l.count - MOOR_TRAIL_FILES + 1 : 0;
    c->head.first = extra > 0 && extra < l.count ? l.first[extra] : c->head.first;
    c->head.file = c->head.last + 1;
    c->head.size = 0;
    code = moor_trail_head_save(&c->head, err);
    for (size_t n = 0; n < extra && code == MOOR_OK; n++) {
        MOOR_AUTOSTR path = NULL;
        char name[MOOR_TRAIL_NAME_MAX];
        moor_trail_name(l.first[n], name);
        code = moor_trail_path(name, &path, err);
        if (code == MOOR_OK)
            code = plat_remove(path, err);
    }
    return code;
}

/* The folder is flushed with a new file, whose name would else be lost with the power. */
static moor_code append(const struct chain *c, struct moor_span text, struct moor_error *err)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTOSTR folder = NULL;
    char name[MOOR_TRAIL_NAME_MAX];
    moor_trail_name(c->head.file, name);
    moor_code code = moor_trail_path(name, &path, err);
    if (code == MOOR_OK)
        code = plat_open(path, PLAT_APPEND, &f, err);
    if (code == MOOR_OK)
        code = plat_append(&f, text, err);
    if (code == MOOR_OK)
        code = plat_sync(&f, err);
    if (code != MOOR_OK || c->head.size > 0)
        return code;
    code = moor_trail_folder(&folder, err);
    return code == MOOR_OK ? plat_sync_dir(folder, err) : code;
}

/* A line into text, and the chain behind it. */
static void add_line(struct chain *c, struct moor_buf *text, const struct moor_trail_entry *e)
{
    char hash[MOOR_TRAIL_HASH + 1];
    moor_trail_print(text, c->head.last + 1, plat_utc_ms(), c->head.tail, e, hash);
    set_tail(c, c->head.last + 1, hash);
}

/* What the log has to say of itself. */
static void add_own(struct chain *c, struct moor_buf *text)
{
    MOOR_AUTO(moor_buf) torn = MOOR_BUF(256);
    const struct moor_trail_entry resume = { .by = MOOR_TRAIL_BY_LOCAL,
                                             .verb = MOOR_TRAIL_RESUME,
                                             .object = "audit log",
                                             .detail = moor_buf_cstr(&c->damage),
                                             .verdict = MOOR_TRAIL_NOTED };
    if (c->damage.len > 0) {
        add_line(c, text, &resume);
        return;
    }
    if (c->torn.len == 0)
        return;
    moor_trail_torn(&torn, moor_buf_view(&c->torn));
    const struct moor_trail_entry seal = { .by = MOOR_TRAIL_BY_LOCAL,
                                           .verb = MOOR_TRAIL_SEAL,
                                           .object = "audit log",
                                           .detail = moor_buf_cstr(&torn),
                                           .verdict = MOOR_TRAIL_NOTED };
    add_line(c, text, &seal);
}

static moor_code write_entry(struct chain *c, const struct moor_trail_entry *e,
                             struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF((size_t)2 * MOOR_TRAIL_LINE_MAX);
    moor_code code = MOOR_OK;
    add_own(c, &text); /* stands in the file that it is about */
    if (text.len == 0 && c->head.size >= MOOR_TRAIL_FILE_MAX)
        code = begin_file(c, err);
    add_line(c, &text, e);
    if (code == MOOR_OK)
        code = moor_buf_ok(&text, "line", err);
    if (code == MOOR_OK)
        code = append(c, moor_buf_view(&text), err);
    c->head.size += text.len;
    return code == MOOR_OK ? moor_trail_head_save(&c->head, err) : code;
}

moor_code moor_trail_add(const struct moor_trail_entry *e, struct moor_error *err)
{
    MOOR_AUTO(plat_file) turn = PLAT_FILE_INIT;
    MOOR_AUTO(chain) c = { .torn = MOOR_BUF(TAIL_MAX), .damage = MOOR_BUF(256) };
    moor_code code = moor_trail_lock(&turn, err);
    if (code == MOOR_OK)
        code = load(&c, err);
    if (code == MOOR_OK)
        code = write_entry(&c, e, err);
    return code == MOOR_OK ? code : moor_context(err, "audit log");
}
