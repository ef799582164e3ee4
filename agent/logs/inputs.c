/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/inputs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logs/glob.h"
#include "logs/kin.h"
#include "logs/rules.h"
#include "platform/clock.h"
#include "run/log.h"

#define OPEN_MAX       256 /* descriptors kept for files that have nothing to read */
#define PATH_MAX_BYTES 4096
#define UNCHANGED_MS                                                                               \
    ((int64_t)1000) /* so long before a position's last word was the last write                    \
                     */
#define KNOWN_KEEP_MS ((int64_t)7 * 24 * 3600 * 1000)

static size_t bucket_of(const struct moor_file_key *k)
{
    return (size_t)((k->inode * UINT64_C(0x9e3779b97f4a7c15)) >> 48) % MOOR_INPUTS_BUCKETS;
}

static bool same_key(const struct moor_file_key *a, const struct moor_file_key *b)
{
    return a->device == b->device && a->inode == b->inode;
}

static struct moor_input *find(const struct moor_inputs *in, const struct moor_file_key *k)
{
    struct moor_input *f = in->buckets[bucket_of(k)];
    while (f && !same_key(&f->key, k))
        f = f->hash_next;
    return f;
}

void moor_inputs_init(struct moor_inputs *in, struct moor_watchset *files,
                      struct moor_watchset *folders, const char *key)
{
    *in = (struct moor_inputs){ .file_watches = files, .folder_watches = folders, .key = key };
    in->folder.max = in->real_folder.max = PATH_MAX_BYTES;
    in->end = &in->first;
    in->known_end = &in->known;
}

static void free_known(struct moor_known *k)
{
    free(k->path);
    free(k);
}

static void close_file(struct moor_inputs *in, struct moor_input *f)
{
    if (plat_file_is_open(&f->file))
        in->open_files--;
    plat_file_drop(&f->file);
}

static void free_input(struct moor_inputs *in, struct moor_input *f)
{
    close_file(in, f);
    if (f->watch >= 0)
        moor_watchset_release(in->file_watches, f->watch);
    free(f->path);
    free(f);
}

void moor_inputs_drop(struct moor_inputs *in)
{
    while (in->first) {
        struct moor_input *f = in->first;
        in->first = f->next;
        free_input(in, f);
    }
    while (in->known) {
        struct moor_known *k = in->known;
        in->known = k->next;
        free_known(k);
    }
    moor_buf_drop(&in->folder);
    moor_buf_drop(&in->real_folder);
    moor_inputs_init(in, in->file_watches, in->folder_watches, in->key);
}

void moor_inputs_changed(struct moor_inputs *in, struct moor_input *f)
{
    if (f->unsaved)
        return;
    f->unsaved = true;
    f->unsaved_next = in->unsaved;
    in->unsaved = f;
}

static void forget_unsaved(struct moor_inputs *in, struct moor_input *f)
{
    struct moor_input **at = &in->unsaved;
    while (*at != f)
        at = &(*at)->unsaved_next;
    *at = f->unsaved_next;
}

static void let_go(struct moor_inputs *in, struct moor_input *f)
{
    if (f->unsaved)
        forget_unsaved(in, f);
    struct moor_input **at = &in->first, **in_bucket = &in->buckets[bucket_of(&f->key)];
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    if (!f->next)
        in->end = at;
    while (*in_bucket != f)
        in_bucket = &(*in_bucket)->hash_next;
    *in_bucket = f->hash_next;
    free_input(in, f);
}

void moor_inputs_spare(struct moor_inputs *in, struct moor_input *f)
{
    if (in->open_files > OPEN_MAX && !f->gone)
        close_file(in, f);
}

static struct moor_known *find_known(const struct moor_inputs *in, const struct moor_file_key *key)
{
    struct moor_known *k = in->known_buckets[bucket_of(key)];
    while (k && (k->found || !same_key(&k->key, key)))
        k = k->hash_next;
    return k;
}

/* Those that were found go; the others are hashed anew. */
static void sweep_known(struct moor_inputs *in)
{
    struct moor_known *k = in->known, *next = NULL;
    memset(in->known_buckets, 0, sizeof(in->known_buckets));
    in->known = NULL;
    in->known_end = &in->known;
    for (; k; k = next) {
        next = k->next;
        if (k->found) {
            free_known(k);
            continue;
        }
        size_t bucket = bucket_of(&k->key);
        k->next = NULL;
        k->hash_next = in->known_buckets[bucket];
        in->known_buckets[bucket] = k;
        *in->known_end = k;
        in->known_end = &k->next;
    }
}

moor_code moor_inputs_remember(struct moor_inputs *in, const struct moor_position *p,
                               struct moor_error *err)
{
    struct moor_known *k = calloc(1, sizeof(*k));
    if (k)
        k->path = moor_strdup(p->path);
    if (!k || !k->path) {
        free(k);
        return moor_fail(err, MOOR_E_NOMEM, "positions: out of memory");
    }
    if (!moor_position_read(p, &k->key, &k->mark)) {
        free_known(k);
        return moor_fail(err, MOOR_E_BADINPUT, "positions: %s: cannot be", p->path);
    }
    k->seen_ms = p->seen_ms;
    /* A later word on the same file replaces an earlier one. */
    struct moor_known *old = find_known(in, &k->key);
    if (old)
        old->found = true;
    size_t bucket = bucket_of(&k->key);
    k->hash_next = in->known_buckets[bucket];
    in->known_buckets[bucket] = k;
    *in->known_end = k;
    in->known_end = &k->next;
    return MOOR_OK;
}

static size_t count_positions(const struct moor_inputs *in, bool all)
{
    size_t count = 0;
    for (const struct moor_input *f = all ? in->first : in->unsaved; f;
         f = all ? f->next : f->unsaved_next)
        count++;
    for (const struct moor_known *k = all ? in->known : NULL; k; k = k->next)
        count++;
    return count;
}

moor_code moor_inputs_positions(struct moor_inputs *in, bool all, struct moor_obj_list *out,
                                int64_t now_ms, struct moor_arena *arena, struct moor_error *err)
{
    size_t n = 0;
    struct moor_position *p = moor_arena_array(arena, count_positions(in, all), sizeof(*p));
    bool ok = p;
    for (const struct moor_known *k = all ? in->known : NULL; ok && k; k = k->next)
        if (!k->found && now_ms - k->seen_ms < KNOWN_KEEP_MS)
            ok = moor_position_write(&p[n++], arena, k->path, &k->key, &k->mark, k->seen_ms);
    /* Behind the known ones: the later word on a file counts. */
    for (const struct moor_input *f = all ? in->first : in->unsaved; ok && f;
         f = all ? f->next : f->unsaved_next)
        if (f->done.head_len > 0 && f->key.inode != 0)
            ok = moor_position_write(&p[n++], arena, f->path, &f->key, &f->done, now_ms);
    if (!ok)
        return moor_fail(err, MOOR_E_NOMEM, "positions: out of memory");
    for (struct moor_input *f = in->unsaved; f; f = f->unsaved_next)
        f->unsaved = false;
    in->unsaved = NULL;
    *out = (struct moor_obj_list){ p, n };
    return MOOR_OK;
}

static bool allowed(const struct moor_inputs *in, const char *path)
{
    const struct moor_inputs_policy *p = in->policy;
    return (p->allow.count == 0 || moor_path_within(path, &p->allow)) &&
           !moor_path_within(path, &p->deny);
}

/* The watch is on an inode, but is set by a name: look whether it was still the same file. */
static void watch_file(struct moor_inputs *in, struct moor_input *f, const char *real)
{
    struct moor_error e = MOOR_ERROR_INIT;
    struct plat_stat st;
    int32_t id = -1;
    if (moor_watchset_take(in->file_watches, real, &id, &e) != MOOR_OK) {
        if (e.code != MOOR_E_NOTFOUND)
            moor_log_error(MOOR_LOG_WARNING, "logs.input_unwatched", &e, "flow", in->key, NULL);
        in->again = in->again || e.code == MOOR_E_NOTFOUND;
        return;
    }
    if (plat_stat_path(real, &st, NULL) == MOOR_OK && st.inode == f->key.inode &&
        st.device == f->key.device) {
        f->watch = id;
        return;
    }
    moor_watchset_release(in->file_watches, id);
    in->again = true;
}

/* Takes the open file in, beginning at mark. NULL when out of memory: the next scan tries again. */
static struct moor_input *add_input(struct moor_inputs *in, struct plat_file *file,
                                    const char *path, const struct plat_stat *st,
                                    const struct moor_mark *mark)
{
    struct moor_input *f = calloc(1, sizeof(*f));
    if (f)
        f->path = moor_strdup(path);
    if (!f || !f->path) {
        free(f);
        return NULL;
    }
    f->file = (struct plat_file)PLAT_FILE_INIT;
    plat_file_move(&f->file, file);
    in->open_files += plat_file_is_open(&f->file);
    f->key = (struct moor_file_key){ st->device, st->inode };
    f->watch = -1;
    f->size = st->size;
    f->done = f->read = *mark;
    f->fields_at = UINT64_MAX;
    in->advanced = in->advanced || mark->offset > 0;
    f->dirty = f->seen = true;
    f->changed_ms = plat_mono_ms();
    f->hash_next = in->buckets[bucket_of(&f->key)];
    in->buckets[bucket_of(&f->key)] = f;
    *in->end = f;
    in->end = &f->next;
    in->grew = true;
    moor_inputs_changed(in, f);
    return f;
}

static void unpack_whole(const struct moor_inputs *in, struct moor_candidate *c)
{
    struct moor_error e = MOOR_ERROR_INIT;
    plat_file_drop(&c->file);
    if (moor_unpack(&c->packed, 0, &c->file, &e) != MOOR_OK)
        moor_log_error(MOOR_LOG_WARNING, "logs.packed_unreadable", &e, "flow", in->key, "path",
                       c->path, NULL);
}

/* Where to begin with a file that turned up: at the position of the one it is, or a copy of. */
static struct moor_mark begin_at(struct moor_inputs *in, struct moor_candidate *c)
{
    const struct moor_file_key key = { c->st.device, c->st.inode };
    struct moor_mark start = { .offset = 0 };
    struct moor_known *same = find_known(in, &key);
    if (same && moor_candidate_kin(c, same->path, &same->key, &same->mark) == MOOR_KIN_SAME) {
        same->found = true;
        return same->mark;
    }
    for (struct moor_known *k = in->known; k; k = k->next) {
        if (k->found || moor_candidate_kin(c, k->path, &k->key, &k->mark) != MOOR_KIN_COPY)
            continue;
        k->found = true;
        return k->mark;
    }
    for (struct moor_input *f = in->advanced ? in->first : NULL; f; f = f->next)
        if (f->done.offset > 0 &&
            moor_candidate_kin(c, f->path, &f->key, &f->done) == MOOR_KIN_COPY)
            return f->done;
    if (c->packing == MOOR_PACKING_GZIP)
        unpack_whole(in, c);
    if (!plat_file_is_open(&c->file) || moor_mark_start(&c->file, &start, NULL) != MOOR_OK)
        start = (struct moor_mark){ .offset = 0 };
    return start;
}

static void touch(struct moor_inputs *in, struct moor_input *f, const char *path, uint64_t size)
{
    if (!moor_streq(f->path, path)) {
        char *copy = moor_strdup(path);
        if (copy && !f->seen) {
            free(f->path);
            f->path = copy;
            moor_inputs_changed(in, f);
        } else {
            free(copy);
        }
    }
    f->seen = true;
    f->gone = f->last = false;
    if (f->size != size) {
        f->dirty = true;
        f->settled = false;
        f->changed_ms = plat_mono_ms();
    }
    f->size = size;
}

static size_t folder_length(const char *path)
{
    return (size_t)(strrchr(path, '/') - path);
}

/* What is at path is at real: so are the entries beside it that are no links. */
static void remember_folder(struct moor_inputs *in, const char *path, const char *real)
{
    moor_buf_reset(&in->folder);
    moor_buf_reset(&in->real_folder);
    moor_buf_add(&in->folder, path, folder_length(path));
    moor_buf_add(&in->real_folder, real, folder_length(real));
}

static bool is_in_folder(const struct moor_inputs *in, const char *path)
{
    size_t n = folder_length(path);
    return !in->real_folder.failed && n == in->folder.len && n > 0 &&
           memcmp(path, in->folder.data, n) == 0;
}

/* Where to begin with an entry that needs no look into it: one that did not change since all of it
 * was delivered, or, while nothing is known that it may be a copy of, a new one. False: look. */
static bool begin_without(struct moor_inputs *in, const struct plat_stat *st,
                          struct moor_mark *mark)
{
    const struct moor_file_key key = { st->device, st->inode };
    struct moor_known *same = find_known(in, &key);
    *mark = (struct moor_mark){ .offset = 0 };
    if (!same)
        return !in->known && !in->advanced;
    if (same->mark.offset != st->size || same->mark.offset == 0 ||
        st->mtime_ms + UNCHANGED_MS > same->seen_ms)
        return false;
    *mark = same->mark;
    same->found = true;
    return true;
}

/* An entry of a folder that was looked into before; false: look into this one, too. */
static bool add_unopened(struct moor_inputs *in, const char *path, const struct plat_stat *st)
{
    MOOR_AUTO(moor_buf) real = MOOR_BUF(4096);
    struct plat_file none = PLAT_FILE_INIT;
    struct moor_mark mark;
    if (!is_in_folder(in, path))
        return false;
    moor_buf_span(&real, moor_buf_view(&in->real_folder));
    moor_buf_str(&real, path + folder_length(path));
    if (real.failed || !allowed(in, moor_buf_cstr(&real)) || !begin_without(in, st, &mark))
        return false;
    struct moor_input *f = add_input(in, &none, path, st, &mark);
    if (!f)
        return true;
    f->dirty = mark.offset != st->size;
    watch_file(in, f, moor_buf_cstr(&real));
    return true;
}

/* A file that the entry alone does not tell about: a link, a name without a star, a new one.
 * plain: the entry itself is a file. */
static void look_into(struct moor_inputs *in, const char *path, bool plain)
{
    MOOR_AUTO(moor_buf) real = MOOR_BUF(4096);
    struct moor_candidate c;
    struct moor_error e = MOOR_ERROR_INIT;
    moor_code code = moor_candidate_open(&c, path, &real, &e);
    if (code == MOOR_OK && !allowed(in, moor_buf_cstr(&real)))
        code = moor_fail(&e, MOOR_E_DENIED, "%s: logs.allowPaths or logs.denyPaths", path);
    if (code != MOOR_OK) {
        if (code != MOOR_E_NOTFOUND)
            moor_log_error(MOOR_LOG_WARNING, "logs.input_refused", &e, "flow", in->key, NULL);
        moor_candidate_drop(&c);
        return;
    }
    const struct moor_file_key key = { c.st.device, c.st.inode };
    struct moor_input *f = find(in, &key);
    if (f) {
        touch(in, f, path, c.st.size);
        if (f->watch < 0)
            watch_file(in, f, moor_buf_cstr(&real));
    } else if (c.packing == MOOR_PACKING_NONE) {
        const struct moor_mark mark = begin_at(in, &c);
        f = add_input(in, &c.file, path, &c.st, &mark);
        if (f)
            watch_file(in, f, moor_buf_cstr(&real));
        if (f)
            moor_inputs_spare(in, f);
    }
    if (plain && !is_in_folder(in, path))
        remember_folder(in, path, moor_buf_cstr(&real));
    moor_candidate_drop(&c);
}

static void on_file(void *ctx, const char *path, const struct plat_stat *st)
{
    struct moor_inputs *in = ctx;
    if (!allowed(in, path))
        return;
    if (st && st->is_file) {
        const struct moor_file_key key = { st->device, st->inode };
        struct moor_input *f = find(in, &key);
        if (f && f->watch >= 0) {
            touch(in, f, path, st->size);
            return;
        }
        if (!f && add_unopened(in, path, st))
            return;
    } else if (st && !st->is_link) {
        return;
    }
    look_into(in, path, st && st->is_file);
}

static void on_folder(void *ctx, const char *path)
{
    struct moor_inputs *in = ctx;
    struct moor_error e = MOOR_ERROR_INIT;
    if (moor_watchset_want(in->folder_watches, path, false, &e) == MOOR_OK)
        return;
    if (e.code == MOOR_E_NOTFOUND)
        in->again = true;
    else
        moor_log_error(MOOR_LOG_WARNING, "logs.folder_unwatched", &e, "flow", in->key, NULL);
}

/* Adds a file found beside another, to be read to its end. */
static void add_gone(struct moor_inputs *in, struct moor_candidate *c, const char *path,
                     const struct moor_mark *mark)
{
    const struct moor_file_key key = { c->st.device, c->st.inode };
    if (find(in, &key))
        return;
    struct moor_input *f = add_input(in, &c->file, path, &c->st, mark);
    if (!f)
        return;
    f->gone = true;
    watch_file(in, f, c->path);
    moor_log(MOOR_LOG_INFO, "logs.rotated_file_found", "flow", in->key, "path", c->path, NULL);
}

static bool is_packed_rotation(void *ctx, const char *name, const struct plat_stat *st)
{
    (void)st;
    return moor_packed_name(name) && moor_rotation_name(ctx, name);
}

/* It may be what is missing, but nobody here can tell. */
static void name_unreadable(void *ctx, const char *path)
{
    struct moor_candidate c;
    (void)ctx;
    if (moor_candidate_open(&c, path, NULL, NULL) != MOOR_OK)
        return;
    if (c.packing == MOOR_PACKING_OTHER)
        moor_log(MOOR_LOG_WARNING, "logs.packed_unreadable", "path", path, "reason",
                 "it is packed, not with gzip", NULL);
    moor_candidate_drop(&c);
}

/* What was found may have a position of its own, later than that of the file it is a copy of. */
static struct moor_mark own_mark(struct moor_inputs *in, struct moor_candidate *c,
                                 const struct moor_known *k)
{
    const struct moor_file_key key = { c->st.device, c->st.inode };
    struct moor_known *own = find_known(in, &key);
    if (!own || own == k || own->mark.offset < k->mark.offset ||
        moor_candidate_kin(c, own->path, &own->key, &own->mark) != MOOR_KIN_SAME)
        return k->mark;
    own->found = true;
    return own->mark;
}

/* Where a known file went that is not there any more. */
static void recover_one(struct moor_inputs *in, struct moor_known *k)
{
    struct moor_candidate c = { .file = PLAT_FILE_INIT, .packed = PLAT_FILE_INIT };
    /* Its own file may be there, emptied: what it held is in a copy. */
    if (allowed(in, k->path) && moor_candidate_search(k->path, &k->key, &k->mark, &c)) {
        const struct moor_mark mark = own_mark(in, &c, k);
        add_gone(in, &c, k->path, &mark);
        k->found = true;
    } else {
        k->found = find(in, &k->key);
        moor_rotations_in(k->path, k->seen_ms - MOOR_INPUT_UNSEEN_MS, is_packed_rotation,
                          name_unreadable, strrchr(k->path, '/') + 1);
    }
    moor_candidate_drop(&c);
}

/* Files that were rotated away while we were not running. */
static void recover(struct moor_inputs *in)
{
    for (struct moor_known *k = in->known; k; k = k->next)
        if (!k->found)
            recover_one(in, k);
}

/* What was packed of a file that we still hold is read from that. */
static bool is_held(const struct moor_inputs *in, const struct moor_candidate *c)
{
    for (const struct moor_input *f = in->first; f; f = f->next)
        if (plat_file_is_open(&f->file) && moor_unpack_is_of(&c->packed, &f->file))
            return true;
    return false;
}

static bool can_be_read(const struct moor_inputs *in, const struct moor_candidate *c)
{
    return c->packing == MOOR_PACKING_NONE || (c->packing == MOOR_PACKING_GZIP && !is_held(in, c));
}

static void on_rotation(void *ctx, const char *path)
{
    struct moor_inputs *in = ctx;
    MOOR_AUTO(moor_buf) real = MOOR_BUF(4096);
    struct moor_candidate c;
    if (moor_candidate_open(&c, path, &real, NULL) != MOOR_OK)
        return;
    const struct moor_file_key key = { c.st.device, c.st.inode };
    if (allowed(in, moor_buf_cstr(&real)) && !find(in, &key) && can_be_read(in, &c)) {
        const struct moor_mark start = begin_at(in, &c);
        if (plat_file_is_open(&c.file))
            add_gone(in, &c, path, &start);
    }
    moor_candidate_drop(&c);
}

/* What recover_unseen() and the like look for: generations of one name, or of all of ours. */
struct seeking {
    struct moor_inputs *in;
    const char *leaf; /* NULL: of any file that is followed */
};

static const char *leaf_of(const char *path)
{
    return strrchr(path, '/') + 1;
}

static bool is_unseen(void *ctx, const char *name, const struct plat_stat *st)
{
    const struct seeking *s = ctx;
    const struct moor_file_key key = { st->device, st->inode };
    if (find(s->in, &key))
        return false;
    if (s->leaf)
        return moor_rotation_name_strict(s->leaf, name);
    for (const struct moor_input *f = s->in->first; f; f = f->next)
        if (!f->gone && moor_rotation_name_strict(leaf_of(f->path), name))
            return true;
    return false;
}

static void on_unseen(void *ctx, const char *path)
{
    on_rotation(((struct seeking *)ctx)->in, path);
}

static void seek_rotations(struct moor_inputs *in, const char *path, bool of_all, int64_t since_ms)
{
    struct seeking s = { in, of_all ? NULL : leaf_of(path) };
    moor_rotations_in(path, since_ms, is_unseen, on_unseen, &s);
}

/* Generations that came and went while we were not running: no mark knows them. What an earlier
 * run finished with was last written to before its last word. */
static void recover_unseen(struct moor_inputs *in)
{
    const struct moor_input *before = NULL;
    if (in->since_ms == 0)
        return;
    for (size_t i = 0; i < in->patterns->count; i++)
        if (!strchr(in->patterns->items[i], '*'))
            seek_rotations(in, in->patterns->items[i], false, in->since_ms);
    for (struct moor_input *f = in->first; f; before = f, f = f->next)
        if (!f->gone && (!before || !moor_same_folder(before->path, f->path)))
            seek_rotations(in, f->path, true, in->since_ms);
}

static bool matches(const struct moor_inputs *in, const char *path)
{
    for (size_t i = 0; i < in->patterns->count; i++)
        if (moor_glob_match_path(in->patterns->items[i], path))
            return true;
    return false;
}

void moor_inputs_scan(struct moor_inputs *in)
{
    const struct moor_glob_visitor v = { on_file, on_folder, in };
    in->again = false;
    moor_buf_reset(&in->folder);
    for (struct moor_input *f = in->first; f; f = f->next)
        f->seen = false;
    for (size_t i = 0; i < in->patterns->count; i++) {
        struct moor_error e = MOOR_ERROR_INIT;
        if (moor_glob_walk(in->patterns->items[i], &v, &e) != MOOR_OK)
            moor_log_error(MOOR_LOG_WARNING, "logs.folder_unreadable", &e, "flow", in->key, NULL);
    }
    for (struct moor_input *f = in->first; f; f = f->next) {
        if (f->seen || f->gone)
            continue;
        f->gone = f->dirty = true;
        f->changed_ms = plat_mono_ms();
        /* Its name may have been given to another, and taken again, before we looked. */
        seek_rotations(in, f->path, false, plat_utc_ms() - MOOR_INPUT_UNSEEN_MS);
    }
    if (!in->recovered) {
        recover(in);
        recover_unseen(in);
        sweep_known(in);
    }
    in->recovered = true;
}

void moor_inputs_notice(struct moor_inputs *in, int32_t id)
{
    for (struct moor_input *f = in->first; f; f = f->next) {
        if (id >= 0 && f->watch != id)
            continue;
        f->dirty = true;
        f->settled = false;
        f->changed_ms = plat_mono_ms();
    }
}

bool moor_inputs_cares(struct moor_inputs *in, const char *path)
{
    bool cares = false;
    for (size_t i = 0; !cares && i < in->patterns->count; i++)
        cares = moor_glob_match_start(in->patterns->items[i], path);
    for (struct moor_input *f = in->first; f; f = f->next) {
        if (f->gone || !moor_is_rotation_of(f->path, path))
            continue;
        f->dirty = cares = true;
    }
    return cares;
}

static void rehash(struct moor_inputs *in, struct moor_input *f, const struct moor_file_key *key)
{
    struct moor_input **at = &in->buckets[bucket_of(&f->key)];
    while (*at != f)
        at = &(*at)->hash_next;
    *at = f->hash_next;
    f->key = *key;
    f->hash_next = in->buckets[bucket_of(key)];
    in->buckets[bucket_of(key)] = f;
}

/* Somebody wrote another file over one that was rotated away: there is nothing more to read of
 * it. It stays until no batch refers to it. */
static void write_off(struct moor_inputs *in, struct moor_input *f)
{
    const struct moor_file_key nothing = { 0, 0 };
    rehash(in, f, &nothing);
    f->dirty = f->unfinished = f->last = false;
    f->read = f->done;
    f->life++;
    f->changed_ms = 0;
    close_file(in, f);
}

/* f goes on as the copy, with the batches that refer to it; the truncated file is a new one. */
static void become_copy(struct moor_inputs *in, struct moor_input *f, struct moor_candidate *c)
{
    const struct moor_file_key key = { c->st.device, c->st.inode };
    const struct moor_mark start = { .offset = 0 };
    const struct plat_stat st = { .device = f->key.device, .inode = f->key.inode };
    int32_t watch = f->watch;
    MOOR_AUTO(plat_file) file = PLAT_FILE_INIT;
    plat_file_move(&file, &f->file);
    plat_file_move(&f->file, &c->file);
    rehash(in, f, &key);
    f->gone = f->dirty = true;
    f->changed_ms = plat_mono_ms();
    f->watch = -1;
    moor_inputs_changed(in, f);
    watch_file(in, f, c->path);
    struct moor_input *anew = add_input(in, &file, f->path, &st, &start);
    if (anew)
        anew->watch = watch;
    else if (watch >= 0)
        moor_watchset_release(in->file_watches, watch);
}

void moor_inputs_restart(struct moor_inputs *in, struct moor_input *f)
{
    struct moor_candidate c = { .file = PLAT_FILE_INIT, .packed = PLAT_FILE_INIT };
    const struct moor_file_key none = { 0, 0 };
    if (f->gone) {
        write_off(in, f);
        return;
    }
    bool copy = f->read.offset > 0 && moor_candidate_search(f->path, &none, &f->read, &c);
    const struct moor_file_key key = { c.st.device, c.st.inode };
    struct moor_input *holder = copy ? find(in, &key) : NULL;
    if (holder && holder->gone) {
        write_off(in, holder);
        holder = NULL;
    }
    moor_log(MOOR_LOG_INFO, "logs.file_restarted", "flow", in->key, "path", f->path, "copy",
             copy ? c.path : "none", NULL);
    if (copy && !matches(in, c.path) && !holder) {
        become_copy(in, f, &c);
    } else {
        f->done = f->read = (struct moor_mark){ .offset = 0 };
        f->fields_at = UINT64_MAX;
        f->life++;
        f->dirty = true;
    }
    moor_candidate_drop(&c);
}

/* A descriptor that was given back to stay below the limit. */
static bool reopen(struct moor_inputs *in, struct moor_input *f)
{
    MOOR_AUTO(plat_file) file = PLAT_FILE_INIT;
    MOOR_AUTO(moor_buf) real = MOOR_BUF(PATH_MAX_BYTES);
    struct plat_stat st;
    if (plat_file_is_open(&f->file))
        return true;
    bool there = plat_open_followed(f->path, &file, &real, NULL) == MOOR_OK;
    if (there && !allowed(in, moor_buf_cstr(&real)))
        return false;
    if (!there || plat_fstat(&file, &st, NULL) != MOOR_OK || st.inode != f->key.inode ||
        st.device != f->key.device) {
        struct moor_candidate c = { .file = PLAT_FILE_INIT, .packed = PLAT_FILE_INIT };
        bool found = moor_candidate_search(f->path, &f->key, &f->done, &c);
        if (found)
            plat_file_move(&file, &c.file);
        moor_candidate_drop(&c);
        if (!found)
            return false;
    }
    plat_file_move(&f->file, &file);
    in->open_files++;
    return true;
}

struct moor_input *moor_inputs_next(struct moor_inputs *in, struct moor_input *after,
                                    bool gone_only)
{
    for (struct moor_input *f = after ? after->next : in->first; f; f = f->next) {
        if (!f->dirty || (gone_only && !f->gone))
            continue;
        if (reopen(in, f))
            return f;
        f->dirty = false;
        in->again = true;
    }
    return NULL;
}

void moor_inputs_rewind(struct moor_inputs *in)
{
    for (struct moor_input *f = in->first; f; f = f->next) {
        if (f->read.offset == f->done.offset)
            continue;
        f->read = f->done;
        f->dirty = true;
    }
}

/* When the file next wants something done, 0 = now: it can go. UINT64_MAX: nothing by itself. What
 * became dirty here is to be read at once. */
static uint64_t next_due(const struct moor_inputs *in, struct moor_input *f, uint64_t now)
{
    bool settles = in->joins && !f->gone && f->unfinished && !f->settled;
    if ((!f->gone && !settles) || f->dirty)
        return UINT64_MAX;
    if (settles) {
        if (now < f->changed_ms + MOOR_INPUT_TAIL_MS)
            return f->changed_ms + MOOR_INPUT_TAIL_MS;
        f->settled = f->dirty = true;
        return now;
    }
    if (f->unfinished && !f->last) {
        if (now < f->changed_ms + MOOR_INPUT_TAIL_MS)
            return f->changed_ms + MOOR_INPUT_TAIL_MS;
        f->last = f->dirty = true;
        return now;
    }
    return now < f->changed_ms + MOOR_INPUT_KEEP_MS ? f->changed_ms + MOOR_INPUT_KEEP_MS : 0;
}

void moor_inputs_tend(struct moor_inputs *in, bool idle, uint64_t *due_ms)
{
    uint64_t now = plat_mono_ms();
    struct moor_input *next = NULL;
    for (struct moor_input *f = in->first; f; f = next) {
        next = f->next;
        uint64_t due = next_due(in, f, now);
        bool delivered = f->read.offset == f->done.offset;
        if (due == 0 && idle && delivered)
            let_go(in, f);
        else if (due > 0 && due < *due_ms)
            *due_ms = due;
        else if (due != 0 && idle && delivered && !f->dirty && !f->gone &&
                 in->open_files > OPEN_MAX)
            close_file(in, f);
    }
}
