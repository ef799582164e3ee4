/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/bundle.h"

#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "base/arena.h"
#include "base/jsontab.h"
#include "platform/file.h"

#define NAMES_MAX    2000
#define NAMES_BYTES  (1024 * 1024)
#define MANIFEST_MAX (1024 * 1024)
#define PATH_LIMIT   4096

struct moor_bundle {
    const struct moor_redactor *redactor;
    struct moor_bundle_limits limits;
    zip_source_t *memory; /* kept through zip_close() */
    zip_t *zip;
    size_t bytes, files;
    struct moor_buf manifest;
    struct moor_error failed; /* memory */
};

moor_code moor_bundle_new(const struct moor_redactor *r, const struct moor_bundle_limits *limits,
                          struct moor_bundle **out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_bundle) b = calloc(1, sizeof(*b));
    if (!b)
        return moor_fail(err, MOOR_E_NOMEM, "bundle: out of memory");
    b->redactor = r;
    b->limits = *limits;
    b->manifest = (struct moor_buf)MOOR_BUF(MANIFEST_MAX);
    b->memory = zip_source_buffer_create(NULL, 0, 0, NULL);
    if (b->memory)
        b->zip = zip_open_from_source(b->memory, ZIP_TRUNCATE, NULL);
    if (!b->zip)
        return moor_fail(err, MOOR_E_NOMEM, "bundle: out of memory");
    zip_source_keep(b->memory);
    *out = MOOR_TAKE(b);
    return MOOR_OK;
}

void moor_bundle_free(struct moor_bundle *b)
{
    if (!b)
        return;
    if (b->zip)
        zip_discard(b->zip);
    if (b->memory)
        zip_source_free(b->memory);
    moor_buf_drop(&b->manifest);
    free(b);
}

static void note(struct moor_bundle *b, const char *name, const char *what)
{
    moor_buf_fmt(&b->manifest, "%s: %s\n", name, what);
}

/* The zip owns a copy until it is written; it would not free one of no bytes. */
static moor_code add_entry(struct moor_bundle *b, const char *name, struct moor_span text,
                           struct moor_error *err)
{
    char *copy = text.n > 0 ? malloc(text.n) : NULL;
    if (copy)
        memcpy(copy, text.p, text.n);
    const bool ready = copy || text.n == 0;
    zip_source_t *source = ready ? zip_source_buffer(b->zip, copy, text.n, 1) : NULL;
    if (!source) {
        free(copy);
        return moor_fail(err, MOOR_E_NOMEM, "bundle: out of memory");
    }
    if (zip_file_add(b->zip, name, source, ZIP_FL_ENC_UTF_8) < 0) {
        zip_source_free(source);
        return moor_fail(err, MOOR_E_NOMEM, "%s: cannot be added to the bundle", name);
    }
    b->files++;
    return MOOR_OK;
}

static void add(struct moor_bundle *b, const char *name, struct moor_span text)
{
    MOOR_AUTO(moor_buf) clean = MOOR_BUF(4 * text.n + 4096);
    moor_code c = moor_redact(b->redactor, text, &clean, &b->failed);
    if (c == MOOR_OK)
        c = add_entry(b, name, moor_buf_view(&clean), &b->failed);
    if (c != MOOR_OK)
        note(b, name, b->failed.msg);
    else
        moor_buf_fmt(&b->manifest, "%s: %zu bytes\n", name, text.n);
    b->bytes += text.n;
}

void moor_bundle_text(struct moor_bundle *b, const char *name, struct moor_span text)
{
    add(b, name, text);
}

/* The end of the file, from the start of a line. */
static moor_code read_end(const struct plat_file *f, uint64_t size, size_t max,
                          struct moor_buf *out, struct moor_error *err)
{
    uint64_t from = size > max ? size - max : 0;
    size_t want = (size_t)(size - from), got = 0;
    char *room = moor_buf_room(out, want);
    if (!room)
        return moor_buf_ok(out, "file", err);
    moor_code c = plat_read_at(f, from, room, want, &got, err);
    if (c != MOOR_OK)
        return c;
    moor_buf_grew(out, got);
    const char *line = from > 0 && got > 0 ? memchr(out->data, '\n', got) : NULL;
    if (line)
        moor_buf_eat(out, (size_t)(line - out->data) + 1);
    return MOOR_OK;
}

static moor_code read_file(struct moor_bundle *b, const char *path, struct moor_buf *text,
                           struct moor_error *err)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    struct plat_stat st;
    moor_code c = plat_open(path, PLAT_READ, &f, err);
    if (c == MOOR_OK)
        c = plat_fstat(&f, &st, err);
    if (c == MOOR_OK && st.links != 1)
        c = moor_fail(err, MOOR_E_DENIED, "%s: has another name", path);
    if (c == MOOR_OK && b->bytes + st.size > b->limits.total_max &&
        b->bytes + b->limits.file_max > b->limits.total_max)
        c = moor_fail(err, MOOR_E_NOMEM, "the bundle is full");
    return c == MOOR_OK ? read_end(&f, st.size, b->limits.file_max, text, err) : c;
}

void moor_bundle_file(struct moor_bundle *b, const char *path, const char *name)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(b->limits.file_max);
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code c = read_file(b, path, &text, &err);
    if (c == MOOR_OK)
        add(b, name, moor_buf_view(&text));
    else if (c != MOOR_E_NOTFOUND)
        note(b, name, err.msg);
}

struct names {
    struct moor_arena arena;
    struct {
        const char *name;
        bool folder;
    } items[NAMES_MAX];
    size_t count;
};

static bool on_name(void *ctx, const char *name, const struct plat_stat *st)
{
    struct names *n = ctx;
    if (n->count == NAMES_MAX)
        return false;
    n->items[n->count].name = moor_arena_str(&n->arena, moor_span_str(name));
    n->items[n->count].folder = st->is_dir;
    if (n->items[n->count].name)
        n->count++;
    return true;
}

static bool has_ending(const char *name, const char *const *endings)
{
    for (size_t i = 0; endings && endings[i]; i++)
        if (moor_span_ends(moor_span_str(name), endings[i]))
            return true;
    return false;
}

/* NULL: it is taken; else why not, or "" when it is no matter. */
static const char *left_out(const struct moor_bundle *b, const char *name,
                            const char *const *endings)
{
    static const char *const packed[] = { ".gz", ".xz", ".zst", ".zip", ".bz2", NULL };
    const char *dot = strrchr(name, '.');
    bool rotated = dot && dot[1] && strspn(dot + 1, "0123456789") == strlen(dot + 1);
    if (endings && !has_ending(name, endings))
        return "";
    if (has_ending(name, packed))
        return "left out: compressed";
    return rotated && !b->limits.rotated ? "left out: older; --full takes it" : NULL;
}

void moor_bundle_tree(struct moor_bundle *b, const char *path, // NOLINT(misc-no-recursion)
                      const char *name, const char *const *endings, unsigned depth)
{
    struct moor_error err = MOOR_ERROR_INIT;
    struct names *names = calloc(1, sizeof(*names));
    if (!names)
        return;
    names->arena = (struct moor_arena)MOOR_ARENA(NAMES_BYTES);
    moor_code c = plat_list_dir(path, on_name, names, &err);
    if (c != MOOR_OK && c != MOOR_E_NOTFOUND)
        note(b, name, err.msg);
    for (size_t i = 0; c == MOOR_OK && i < names->count; i++) {
        MOOR_AUTO(moor_buf) below = MOOR_BUF(PATH_LIMIT);
        MOOR_AUTO(moor_buf) inside = MOOR_BUF(PATH_LIMIT);
        moor_buf_fmt(&below, "%s/%s", path, names->items[i].name);
        moor_buf_fmt(&inside, "%s/%s", name, names->items[i].name);
        if (below.failed || inside.failed)
            continue;
        const char *why = left_out(b, names->items[i].name, endings);
        if (names->items[i].folder && depth > 0)
            moor_bundle_tree(b, moor_buf_cstr(&below), moor_buf_cstr(&inside), endings, depth - 1);
        else if (!names->items[i].folder && !why)
            moor_bundle_file(b, moor_buf_cstr(&below), moor_buf_cstr(&inside));
        else if (!names->items[i].folder && *why)
            note(b, moor_buf_cstr(&inside), why);
    }
    moor_arena_drop(&names->arena);
    free(names);
}

/* The finished zip, from the memory it was made in. */
static moor_code finish(struct moor_bundle *b, struct moor_buf *out, struct moor_error *err)
{
    zip_stat_t st;
    if (zip_close(b->zip) != 0)
        return moor_fail(err, MOOR_E_NOMEM, "bundle: %s", zip_strerror(b->zip));
    b->zip = NULL;
    if (zip_source_stat(b->memory, &st) != 0 || zip_source_open(b->memory) != 0)
        return moor_fail(err, MOOR_E_NOMEM, "bundle: cannot be read back");
    char *room = moor_buf_room(out, (size_t)st.size);
    zip_int64_t got = room ? zip_source_read(b->memory, room, st.size) : -1;
    (void)zip_source_close(b->memory);
    if (got < 0 || (zip_uint64_t)got != st.size)
        return moor_fail(err, MOOR_E_NOMEM, "bundle: cannot be read back");
    moor_buf_grew(out, (size_t)got);
    return MOOR_OK;
}

moor_code moor_bundle_write(struct moor_bundle *b, const char *path, size_t *files,
                            struct moor_error *err)
{
    MOOR_AUTO(moor_buf) zip = MOOR_BUF(b->limits.total_max + MANIFEST_MAX * 4UL);
    MOOR_AUTO(moor_buf) manifest = MOOR_BUF(MANIFEST_MAX);
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    moor_buf_span(&manifest, moor_buf_view(&b->manifest));
    moor_code c = moor_buf_ok(&manifest, "manifest", err);
    if (c == MOOR_OK)
        add(b, "manifest.txt", moor_buf_view(&manifest));
    if (c == MOOR_OK && b->failed.code)
        c = moor_fail(err, b->failed.code, "%s", b->failed.msg);
    if (c == MOOR_OK)
        c = finish(b, &zip, err);
    if (c == MOOR_OK)
        c = plat_create_new(path, PLAT_OWNER_ONLY, &f, err);
    if (c == MOOR_OK)
        c = plat_append(&f, moor_buf_view(&zip), err);
    if (c == MOOR_OK)
        c = plat_sync(&f, err);
    *files = b->files;
    return c;
}
