/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/kin.h"

#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/span.h"
#include "run/log.h"

#define COPIES_MAX 64 /* of a folder's entries that are opened in search of a copy */

moor_code moor_candidate_open(struct moor_candidate *c, const char *path, struct moor_buf *real,
                              struct moor_error *err)
{
    *c = (struct moor_candidate){ .path = path, .file = PLAT_FILE_INIT, .packed = PLAT_FILE_INIT };
    moor_code code = plat_open_followed(path, &c->file, real, err);
    if (code == MOOR_OK)
        code = plat_fstat(&c->file, &c->st, err);
    if (code != MOOR_OK) {
        moor_candidate_drop(c);
        return code;
    }
    c->packing = moor_packing_of(&c->file);
    if (c->packing != MOOR_PACKING_NONE)
        plat_file_move(&c->packed, &c->file);
    return MOOR_OK;
}

void moor_candidate_drop(struct moor_candidate *c)
{
    plat_file_drop(&c->packed);
    plat_file_drop(&c->file);
    free(c->own_path);
    c->own_path = NULL;
}

static const char *leaf_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool moor_same_folder(const char *a, const char *b)
{
    size_t n = (size_t)(leaf_of(a) - a);
    return n == (size_t)(leaf_of(b) - b) && memcmp(a, b, n) == 0;
}

bool moor_is_rotation_of(const char *path, const char *other)
{
    return moor_same_folder(other, path) && moor_rotation_name(leaf_of(path), leaf_of(other));
}

/* What stands at path is no longer what the mark is of. */
static bool lost(const char *path, const struct moor_file_key *key, const struct moor_mark *mark)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    struct plat_stat st;
    moor_mark_fit fit = MOOR_MARK_OTHER;
    if (plat_open_followed(path, &f, NULL, NULL) != MOOR_OK ||
        plat_fstat(&f, &st, NULL) != MOOR_OK || st.inode != key->inode || st.device != key->device)
        return true;
    return moor_mark_check(&f, mark, &fit, NULL) != MOOR_OK || fit != MOOR_MARK_FITS;
}

/* Whether it begins as the mark has it is seen before all of it is unpacked. */
static moor_mark_fit fit_packed(struct moor_candidate *c, const struct moor_mark *mark)
{
    char head[MOOR_MARK_HEAD];
    size_t got = 0;
    struct moor_error e = MOOR_ERROR_INIT;
    moor_mark_fit fit = MOOR_MARK_OTHER;
    plat_file_drop(&c->file);
    if (c->packing != MOOR_PACKING_GZIP ||
        moor_unpack_head(&c->packed, head, mark->head_len, &got, NULL) != MOOR_OK ||
        !moor_mark_begins(mark, moor_span(head, got)))
        return MOOR_MARK_OTHER;
    moor_code code = moor_unpack(&c->packed, mark->offset, &c->file, &e);
    if (code == MOOR_OK)
        code = moor_mark_check(&c->file, mark, &fit, &e);
    if (code != MOOR_OK)
        moor_log_error(MOOR_LOG_WARNING, "logs.packed_unreadable", &e, "path", c->path, NULL);
    return fit;
}

static moor_mark_fit fit_of(struct moor_candidate *c, const struct moor_mark *mark)
{
    moor_mark_fit fit = MOOR_MARK_SHORT;
    if (c->packing != MOOR_PACKING_NONE)
        return fit_packed(c, mark);
    if (c->st.size >= mark->offset && moor_mark_check(&c->file, mark, &fit, NULL) != MOOR_OK)
        return MOOR_MARK_OTHER;
    return fit;
}

moor_kinship moor_candidate_kin(struct moor_candidate *c, const char *path,
                                const struct moor_file_key *key, const struct moor_mark *mark)
{
    struct moor_kin_facts k = {
        .same_inode = c->st.inode == key->inode && c->st.device == key->device,
        .rotation_name =
            moor_same_folder(c->path, path) && moor_rotation_name(leaf_of(path), leaf_of(c->path)),
        .offset = mark->offset,
    };
    /* Neither number nor name speak for it: no need to look at its bytes. */
    if (!k.same_inode && !k.rotation_name)
        return MOOR_KIN_NONE;
    k.fit = fit_of(c, mark);
    if (!k.same_inode && k.fit == MOOR_MARK_FITS)
        k.known_lost_it = lost(path, key, mark);
    return moor_mark_kinship(&k);
}

struct search {
    const char *path;
    size_t folder_len; /* of path, with the slash */
    const struct moor_file_key *key;
    const struct moor_mark *mark;
    bool copies; /* the second turn */
    unsigned opened;
    struct moor_candidate *out;
    bool found;
};

static bool try_entry(struct search *s, const char *name)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    struct moor_candidate c;
    moor_buf_add(&path, s->path, s->folder_len);
    moor_buf_str(&path, name);
    if (path.failed || moor_candidate_open(&c, moor_buf_cstr(&path), NULL, NULL) != MOOR_OK)
        return false;
    moor_kinship kin = moor_candidate_kin(&c, s->path, s->key, s->mark);
    if (kin != (s->copies ? MOOR_KIN_COPY : MOOR_KIN_SAME) ||
        moor_buf_take(&path, "path", &c.own_path, NULL) != MOOR_OK) {
        moor_candidate_drop(&c);
        return false;
    }
    c.path = c.own_path;
    *s->out = c;
    return true;
}

static bool on_entry(void *ctx, const char *name, const struct plat_stat *st)
{
    struct search *s = ctx;
    const char *leaf = s->path + s->folder_len;
    bool too_short = st->size < s->mark->offset && !moor_packed_name(name);
    if (!st->is_file || too_short)
        return true;
    /* A file found by its rotated name has kept it: its own name is looked at, too. */
    if (s->copies ? !moor_rotation_name(leaf, name) || s->opened++ >= COPIES_MAX
                  : st->inode != s->key->inode || st->device != s->key->device)
        return true;
    s->found = try_entry(s, name);
    return !s->found;
}

bool moor_candidate_search(const char *path, const struct moor_file_key *key,
                           const struct moor_mark *mark, struct moor_candidate *out)
{
    MOOR_AUTOSTR folder = NULL;
    struct search s = { .path = path,
                        .folder_len = (size_t)(leaf_of(path) - path),
                        .key = key,
                        .mark = mark,
                        .out = out };
    if (s.folder_len < 2 ||
        moor_span_dup(moor_span(path, s.folder_len - 1), &folder, NULL) != MOOR_OK)
        return false;
    for (int turn = 0; turn < 2 && !s.found; turn++) {
        s.copies = turn == 1;
        if (plat_list_dir(folder, on_entry, &s, NULL) != MOOR_OK)
            return false;
    }
    return s.found;
}

struct rotation {
    int64_t mtime_ms;
    char name[256];
};

struct rotations {
    moor_rotation_fn wanted;
    void *ctx;
    int64_t since_ms;
    struct rotation *items;
    size_t count;
};

static bool on_sibling(void *ctx, const char *name, const struct plat_stat *st)
{
    struct rotations *r = ctx;
    struct rotation *item = &r->items[r->count];
    size_t n = strlen(name);
    if (!st->is_file || st->mtime_ms < r->since_ms || st->size == 0 || n >= sizeof(item->name) ||
        !r->wanted(r->ctx, name, st))
        return true;
    item->mtime_ms = st->mtime_ms;
    memcpy(item->name, name, n + 1);
    r->count++;
    return r->count < COPIES_MAX;
}

static int by_time(const void *a, const void *b)
{
    const struct rotation *x = a, *y = b;
    return (x->mtime_ms > y->mtime_ms) - (x->mtime_ms < y->mtime_ms);
}

void moor_rotations_in(const char *path, int64_t since_ms, moor_rotation_fn wanted,
                       void (*fn)(void *ctx, const char *path), void *ctx)
{
    MOOR_AUTOSTR folder = NULL;
    size_t folder_len = (size_t)(leaf_of(path) - path);
    struct rotations r = { .wanted = wanted, .ctx = ctx, .since_ms = since_ms };
    if (folder_len < 2 || moor_span_dup(moor_span(path, folder_len - 1), &folder, NULL) != MOOR_OK)
        return;
    r.items = calloc(COPIES_MAX, sizeof(*r.items));
    if (r.items && plat_list_dir(folder, on_sibling, &r, NULL) == MOOR_OK)
        qsort(r.items, r.count, sizeof(*r.items), by_time);
    for (size_t i = 0; i < r.count; i++) {
        MOOR_AUTO(moor_buf) found = MOOR_BUF(4096);
        moor_buf_fmt(&found, "%s/%s", folder, r.items[i].name);
        if (!found.failed)
            fn(ctx, moor_buf_cstr(&found));
    }
    free(r.items);
}
