/* SPDX-License-Identifier: Apache-2.0 */
/* mooring extension logs: what a handler wrote, and what its commands said. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "cli/extension.h"
#include "manager/folder.h"
#include "platform/dirs.h"
#include "platform/watch.h"
#include "run/loop.h"

#define FILES_MAX   64
#define FOLDERS_MAX 2
#define WHOLE_MAX   ((size_t)4 * 1024 * 1024) /* of one file, with --all */
#define END_MAX     ((size_t)256 * 1024)
#define LINES       50

struct log_file {
    char *path;
    int64_t mtime_ms;
    uint64_t told; /* bytes that were printed or passed over */
};

struct logs {
    char *folders[FOLDERS_MAX];
    size_t folder_count;
    struct log_file files[FILES_MAX];
    size_t count;
    bool whole;
    uint32_t lines;
    size_t last; /* whose name was printed last; FILES_MAX: nobody's */
    struct moor_loop *loop;
    struct plat_watch *watch;
};

static void drop_logs(struct logs *l)
{
    for (size_t n = 0; n < l->count; n++)
        free(l->files[n].path);
    for (size_t n = 0; n < l->folder_count; n++)
        free(l->folders[n]);
}

static struct log_file *known(struct logs *l, const char *path)
{
    for (size_t n = 0; n < l->count; n++)
        if (strcmp(l->files[n].path, path) == 0)
            return &l->files[n];
    return NULL;
}

struct listing {
    struct logs *logs;
    const char *folder;
};

static bool see_file(void *ctx, const char *name, const struct plat_stat *st)
{
    const struct listing *in = ctx;
    struct logs *l = in->logs;
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    moor_buf_fmt(&path, "%s/%s", in->folder, name);
    if (!st->is_file || l->count == FILES_MAX || known(l, moor_buf_cstr(&path)))
        return true;
    struct log_file f = { .mtime_ms = st->mtime_ms };
    if (moor_buf_take(&path, "path", &f.path, NULL) == MOOR_OK)
        l->files[l->count++] = f;
    return true;
}

static void list_files(struct logs *l)
{
    for (size_t n = 0; n < l->folder_count; n++) {
        struct listing in = { l, l->folders[n] };
        moor_code c = plat_list_dir(l->folders[n], see_file, &in, NULL);
        (void)c; /* not there: nothing was written yet */
    }
}

static int by_age(const void *a, const void *b)
{
    const struct log_file *x = a, *y = b;
    return (x->mtime_ms > y->mtime_ms) - (x->mtime_ms < y->mtime_ms);
}

/* The handler's log folder, where its command log is, too, and the outputs of its commands. */
static moor_code find_logs(struct logs *l, const struct moor_item *i, struct moor_error *err)
{
    MOOR_AUTOSTR folder = NULL;
    moor_code c =
        plat_path(PLAT_DIR_HANDLER_LOGS, &l->folders[0], err, "%s.%s", i->publisher, i->type);
    if (c != MOOR_OK)
        return c;
    l->folder_count = 1;
    if (*i->version && moor_folder_path(i, false, &folder, NULL) == MOOR_OK &&
        plat_path(PLAT_DIR_GUESTCONFIG, &l->folders[1], NULL, "extension_logs/%s",
                  strrchr(folder, '/') + 1) == MOOR_OK)
        l->folder_count = 2;
    list_files(l);
    qsort(l->files, l->count, sizeof(l->files[0]), by_age);
    return MOOR_OK;
}

/* The last lines of text. */
static struct moor_span last_lines(struct moor_span text, uint32_t lines)
{
    size_t at = text.n;
    if (at > 0 && text.p[at - 1] == '\n')
        at--;
    for (; at > 0; at--)
        if (text.p[at - 1] == '\n' && --lines == 0)
            break;
    return moor_span(text.p + at, text.n - at);
}

/* What a terminal would act on is no text. */
static void add_clean(struct moor_buf *b, struct moor_span raw)
{
    size_t from = b->len;
    moor_utf8_repair(b, raw);
    for (size_t n = from; n < b->len; n++) {
        unsigned char ch = (unsigned char)b->data[n];
        if ((ch < ' ' && ch != '\n' && ch != '\t') || ch == 0x7F)
            b->data[n] = ch == '\r' ? ' ' : '?';
    }
}

/* Up to max bytes of the file's end, from where it was told last. */
static moor_code read_more(struct log_file *f, size_t max, struct moor_buf *out)
{
    MOOR_AUTO(plat_file) file = PLAT_FILE_INIT;
    struct plat_stat st;
    size_t got = 0;
    if (plat_open(f->path, PLAT_READ, &file, NULL) != MOOR_OK ||
        plat_fstat(&file, &st, NULL) != MOOR_OK)
        return MOOR_E_NOTFOUND;
    if (st.size < f->told) /* begun anew */
        f->told = 0;
    uint64_t from = st.size - f->told > max ? st.size - max : f->told;
    size_t want = (size_t)(st.size - from);
    char *room = moor_buf_room(out, want ? want : 1);
    if (!room)
        return MOOR_E_NOMEM;
    moor_code c = plat_read_at(&file, from, room, want, &got, NULL);
    if (c != MOOR_OK)
        return c;
    moor_buf_grew(out, got);
    f->told = from + got;
    return MOOR_OK;
}

/* The file's part of the answer: its end, or all of it within the limit. */
static moor_code text_of(struct logs *l, struct log_file *f, struct moor_buf *out)
{
    size_t max = l->whole ? WHOLE_MAX : END_MAX;
    MOOR_AUTO(moor_buf) raw = MOOR_BUF(WHOLE_MAX + 1);
    moor_code c = read_more(f, max, &raw);
    if (c != MOOR_OK)
        return c;
    struct moor_span text = moor_buf_view(&raw);
    add_clean(out, l->whole ? text : last_lines(text, l->lines));
    return moor_buf_ok(out, "log", NULL);
}

static void say_part(struct logs *l, size_t n, struct moor_span text)
{
    if (text.n == 0)
        return;
    if (l->last != n)
        moor_say("%s==> %s <==\n", l->last == FILES_MAX ? "" : "\n", l->files[n].path);
    l->last = n;
    moor_say("%.*s", (int)text.n, text.p);
    if (text.p[text.n - 1] != '\n')
        moor_say("\n");
}

static void say_all(struct logs *l)
{
    for (size_t n = 0; n < l->count; n++) {
        MOOR_AUTO(moor_buf) text = MOOR_BUF(3 * WHOLE_MAX);
        if (text_of(l, &l->files[n], &text) == MOOR_OK)
            say_part(l, n, moor_buf_view(&text));
    }
}

static void say_json(struct logs *l)
{
    MOOR_AUTOPTR(moor_json) list = moor_json_new_array();
    for (size_t n = 0; n < l->count; n++) {
        MOOR_AUTO(moor_buf) text = MOOR_BUF(3 * WHOLE_MAX);
        if (text_of(l, &l->files[n], &text) != MOOR_OK)
            continue;
        struct moor_json *file = moor_json_push(list, moor_json_new_object());
        moor_json_set_str(file, "file", l->files[n].path);
        moor_json_set_str(file, "text", moor_buf_cstr(&text));
    }
    moor_say_json(list);
}

static void skip(void *ctx, int32_t id, const char *name)
{
    (void)ctx;
    (void)id;
    (void)name;
}

/* What came since the last look; files that are new from their beginning. */
static void on_notice(void *ctx)
{
    struct logs *l = ctx;
    size_t before = l->count;
    int32_t id;
    plat_watch_read(l->watch, skip, NULL);
    list_files(l);
    for (size_t n = before; n < l->count; n++) {
        moor_code c = plat_watch_add(l->watch, l->files[n].path, &id, NULL);
        (void)c; /* its folder tells when it is closed */
    }
    for (size_t n = 0; n < l->count; n++) {
        MOOR_AUTO(moor_buf) raw = MOOR_BUF(END_MAX + 1);
        MOOR_AUTO(moor_buf) text = MOOR_BUF(3 * END_MAX);
        if (read_more(&l->files[n], END_MAX, &raw) == MOOR_OK)
            add_clean(&text, moor_buf_view(&raw));
        say_part(l, n, moor_buf_view(&text));
    }
    (void)fflush(stdout);
}

static void on_stop(void *ctx)
{
    const struct logs *l = ctx;
    moor_loop_stop(l->loop);
}

static moor_code watch_all(struct logs *l, struct moor_error *err)
{
    moor_code c = plat_watch_new(&l->watch, err);
    int32_t id;
    for (size_t n = 0; n < l->folder_count && c == MOOR_OK; n++)
        if (plat_exists(l->folders[n]))
            c = plat_watch_add(l->watch, l->folders[n], &id, err);
    for (size_t n = 0; n < l->count && c == MOOR_OK; n++)
        c = plat_watch_add(l->watch, l->files[n].path, &id, err);
    return c;
}

/* Until somebody ends it. */
static moor_code follow(struct logs *l, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_loop) loop = NULL;
    MOOR_AUTOPTR(moor_watch) event = NULL;
    moor_code c = moor_loop_new(&loop, err);
    if (c == MOOR_OK)
        c = watch_all(l, err);
    if (c == MOOR_OK)
        c = moor_watch_new(loop, plat_watch_fd(l->watch), on_notice, l, &event, err);
    l->loop = loop;
    if (c == MOOR_OK)
        c = moor_loop_on_stop(loop, on_stop, l, err);
    if (c == MOOR_OK) {
        on_notice(l); /* what came between */
        c = moor_loop_run(loop, err);
    }
    return c;
}

struct logs_options {
    const char *lines;
    bool all, follow;
};
static const struct moor_option logs_options[] = {
    { "lines", 'n', "N", offsetof(struct logs_options, lines), "of each file, 50 when not given" },
    { "all", 'a', NULL, offsetof(struct logs_options, all),
      "all of each file, the last 4 MiB at most" },
    { "follow", 'f', NULL, offsetof(struct logs_options, follow), "go on with what is written" },
    { NULL, 0, NULL, 0, NULL },
};

static moor_azcm run_logs(struct moor_cli *cli, const void *options, const struct moor_words *words)
{
    const struct logs_options *o = options;
    MOOR_AUTO(moor_items) items = { .count = 0 };
    struct moor_error err = MOOR_ERROR_INIT;
    const struct moor_item *i = NULL;
    struct logs l = { .whole = o->all, .lines = LINES, .last = FILES_MAX };
    if (o->follow && cli->json)
        return moor_cli_refuse(cli, AZCM_INVALID_ARGUMENT, "--follow and --json: give one of them");
    if (o->lines && moor_parse_u32(moor_span_str(o->lines), 1, 100000, &l.lines, &err) != MOOR_OK)
        return moor_cli_refuse(cli, AZCM_INVALID_ARGUMENT, "--lines: %s", err.msg);
    moor_azcm number = moor_cli_extension_named(cli, words, &items, &i);
    if (number != AZCM_OK)
        return number;
    moor_code c = find_logs(&l, i, &err);
    if (c == MOOR_OK && cli->json)
        say_json(&l);
    else if (c == MOOR_OK)
        say_all(&l);
    (void)fflush(stdout);
    if (c == MOOR_OK && o->follow)
        c = follow(&l, &err);
    plat_watch_free(l.watch);
    drop_logs(&l);
    return c == MOOR_OK ? AZCM_OK : moor_cli_fail(cli, AZCM_EXTENSION_TOOL, &err, NULL);
}

const struct moor_verb moor_verb_extension_logs = {
    .name = "extension logs",
    .words = "NAME",
    .summary = "print what an extension logged",
    .text =
        "NAME is the extension's, or Publisher.Type. The files of its log folder, among them\n"
        "CommandExecution.log, and the outputs of its last commands, the newest last. Handlers\n"
        "may have written secrets there.\n",
    .options = logs_options,
    .options_size = sizeof(struct logs_options),
    .words_min = 1,
    .words_max = 1,
    .admin = true,
    .run = run_logs,
};
