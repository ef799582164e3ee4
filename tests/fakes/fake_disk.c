/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_disk.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "platform/clock.h"
#include "platform/file.h"

#define HANDLES    512
#define FIRST_FD   100000 /* lower ones are the system's own */
#define NAME_LIMIT 256
#define TEMP_NAME  ".new-0"

struct node;

struct entry {
    char *name;
    struct node *node;
};
struct entries {
    struct entry *list;
    size_t count;
};
struct bytes {
    char *p;
    size_t n;
};

/* A file or folder; it lives until the reset, since handles and folders may still hold it. */
struct node {
    struct node *all;
    bool is_dir;
    uint64_t id;
    uint32_t mode;
    int64_t mtime_ms;
    struct bytes now, synced;     /* of a file */
    struct entries names, stable; /* of a folder: as seen, and as a power cut leaves them */
};

static struct {
    struct node *all, *root;
    struct node *handles[HANDLES];
    uint64_t ids, steps, die_before, refuse;
    bool dead, spare, uncounted;
} disk;

/* Memory: tests that run out of it end. */
static void *must(void *p)
{
    MOOR_ASSERT(p);
    return p;
}

static void set_bytes(struct bytes *to, const char *p, size_t n)
{
    char *mine = must(malloc(n + 1));
    if (n)
        memcpy(mine, p, n);
    free(to->p);
    *to = (struct bytes){ mine, n };
}

static void clear_names(struct entries *e)
{
    for (size_t i = 0; i < e->count; i++)
        free(e->list[i].name);
    free(e->list);
    *e = (struct entries){ NULL, 0 };
}

static void copy_names(struct entries *to, const struct entries *from)
{
    clear_names(to);
    to->list = must(calloc(from->count + 1, sizeof(*to->list)));
    for (size_t i = 0; i < from->count; i++)
        to->list[to->count++] =
            (struct entry){ must(moor_strdup(from->list[i].name)), from->list[i].node };
}

static struct entry *find(const struct entries *e, const char *name)
{
    for (size_t i = 0; i < e->count; i++)
        if (strcmp(e->list[i].name, name) == 0)
            return &e->list[i];
    return NULL;
}

static void put(struct entries *e, const char *name, struct node *node)
{
    struct entry *old = find(e, name);
    if (old) {
        old->node = node;
        return;
    }
    e->list = must(realloc(e->list, (e->count + 1) * sizeof(*e->list)));
    e->list[e->count++] = (struct entry){ must(moor_strdup(name)), node };
}

static void take_away(struct entries *e, const char *name)
{
    struct entry *old = find(e, name);
    if (!old)
        return;
    free(old->name);
    *old = e->list[--e->count];
}

static struct node *new_node(bool is_dir, uint32_t mode)
{
    struct node *n = must(calloc(1, sizeof(*n)));
    n->all = disk.all;
    n->is_dir = is_dir;
    n->mode = mode;
    n->id = ++disk.ids;
    n->mtime_ms = plat_utc_ms();
    disk.all = n;
    return n;
}

void fake_disk_reset(void)
{
    while (disk.all) {
        struct node *n = disk.all;
        disk.all = n->all;
        clear_names(&n->names);
        clear_names(&n->stable);
        free(n->now.p);
        free(n->synced.p);
        free(n);
    }
    memset(&disk, 0, sizeof(disk));
    disk.root = new_node(true, 0755);
}

void fake_disk_die_before(uint64_t step)
{
    disk.die_before = step;
}

void fake_disk_refuse(uint64_t step)
{
    disk.refuse = step;
}

void fake_disk_uncounted(bool on)
{
    disk.uncounted = on;
}

void fake_disk_spare(bool on)
{
    disk.spare = on;
}

uint64_t fake_disk_steps(void)
{
    return disk.steps;
}

bool fake_disk_dead(void)
{
    return disk.dead;
}

static void settle_nodes(void)
{
    for (struct node *n = disk.all; n; n = n->all) {
        if (n->is_dir)
            copy_names(&n->stable, &n->names);
        else
            set_bytes(&n->synced, n->now.p, n->now.n);
    }
}

void fake_disk_settle(void)
{
    settle_nodes();
    disk.steps = 0;
}

void fake_disk_cut(fake_disk_loss loss)
{
    for (struct node *n = disk.all; n; n = n->all) {
        if (n->is_dir && loss == FAKE_DISK_KEEPS_SYNCED)
            copy_names(&n->names, &n->stable);
        if (!n->is_dir && loss != FAKE_DISK_KEEPS_ALL)
            set_bytes(&n->now, n->synced.p, n->synced.n);
    }
    memset(disk.handles, 0, sizeof(disk.handles));
    disk.dead = false;
    disk.die_before = disk.refuse = 0;
}

static moor_code step(const char *what, struct moor_error *err)
{
    if (disk.uncounted && !disk.dead)
        return MOOR_OK;
    disk.steps++;
    if (disk.die_before && disk.steps >= disk.die_before)
        disk.dead = true;
    if (disk.dead || (disk.steps == disk.refuse && !disk.spare))
        return moor_fail(err, MOOR_E_IO, "%s: no space left on device", what);
    return MOOR_OK;
}

/* The node of a path; with leaf, that of the folder it is in, and its last part. */
static struct node *walk(const char *path, char leaf[NAME_LIMIT])
{
    struct moor_span rest = moor_span_str(path);
    struct node *at = disk.root;
    MOOR_ASSERT(path[0] == '/');
    (void)moor_span_cut(&rest, '/');
    while (at && rest.p) {
        char name[NAME_LIMIT];
        struct moor_span part = moor_span_cut(&rest, '/');
        MOOR_ASSERT(part.n > 0 && part.n < sizeof(name));
        memcpy(name, part.p, part.n);
        name[part.n] = '\0';
        if (!rest.p && leaf) {
            memcpy(leaf, name, part.n + 1);
            return at->is_dir ? at : NULL;
        }
        const struct entry *e = find(&at->names, name);
        at = e ? e->node : NULL;
    }
    return at;
}

static moor_code not_found(const char *path, struct moor_error *err)
{
    return moor_fail(err, MOOR_E_NOTFOUND, "%s: is not there", path);
}

static uint32_t mode_of(plat_access access, bool is_dir)
{
    static const uint32_t files[] = { 0600, 0640, 0644 }, folders[] = { 0700, 0750, 0755 };
    return is_dir ? folders[access] : files[access];
}

/* Handles. */
static struct node *node_of(const struct plat_file *f)
{
    MOOR_ASSERT(f->fd_ >= FIRST_FD && f->fd_ < FIRST_FD + HANDLES);
    return must(disk.handles[f->fd_ - FIRST_FD]);
}

static void open_node(struct node *n, struct plat_file *out)
{
    for (int i = 0; i < HANDLES; i++) {
        if (disk.handles[i])
            continue;
        disk.handles[i] = n;
        out->fd_ = FIRST_FD + i;
        return;
    }
    MOOR_ASSERT(!"handles left");
}

void plat_file_drop(struct plat_file *f)
{
    if (f->fd_ >= FIRST_FD)
        disk.handles[f->fd_ - FIRST_FD] = NULL;
    f->fd_ = -1;
}

bool plat_file_is_open(const struct plat_file *f)
{
    return f->fd_ >= 0;
}

void plat_file_move(struct plat_file *to, struct plat_file *from)
{
    plat_file_drop(to);
    to->fd_ = from->fd_;
    from->fd_ = -1;
}

moor_code plat_open(const char *path, plat_open_mode mode, struct plat_file *out,
                    struct moor_error *err)
{
    char leaf[NAME_LIMIT];
    struct node *at = walk(path, leaf);
    const struct entry *e = at ? find(&at->names, leaf) : NULL;
    if (e && e->node->is_dir)
        return moor_fail(err, MOOR_E_DENIED, "%s: is a folder", path);
    if (!e && (!at || mode == PLAT_READ || mode == PLAT_WRITE))
        return not_found(path, err);
    if (!e)
        return plat_create_new(path, PLAT_OWNER_ONLY, out, err);
    open_node(e->node, out);
    return MOOR_OK;
}

moor_code plat_create_new(const char *path, plat_access access, struct plat_file *out,
                          struct moor_error *err)
{
    char leaf[NAME_LIMIT];
    struct node *at = walk(path, leaf);
    if (!at)
        return not_found(path, err);
    if (find(&at->names, leaf))
        return moor_fail(err, MOOR_E_EXISTS, "%s: is there already", path);
    moor_code c = step(path, err);
    if (c != MOOR_OK)
        return c;
    struct node *n = new_node(false, mode_of(access, false));
    put(&at->names, leaf, n);
    open_node(n, out);
    return MOOR_OK;
}

moor_code plat_open_followed(const char *path, struct plat_file *out, struct moor_buf *real,
                             struct moor_error *err)
{
    moor_code c = plat_open(path, PLAT_READ, out, err);
    if (c == MOOR_OK && real)
        moor_buf_str(real, path);
    return c;
}

moor_code plat_file_dup(const struct plat_file *f, struct plat_file *out, struct moor_error *err)
{
    (void)err;
    open_node(node_of(f), out);
    return MOOR_OK;
}

/* Bytes. */
/* Nobody else is there to wait for. */
moor_code plat_lock_file(const char *path, struct plat_file *out, struct moor_error *err)
{
    return plat_open(path, PLAT_READ_WRITE, out, err); /* there is one process */
}

moor_code plat_lock_file_wait(const char *path, struct plat_file *out, struct moor_error *err)
{
    return plat_open(path, PLAT_READ_WRITE, out, err);
}

moor_code plat_read_at(const struct plat_file *f, uint64_t offset, void *p, size_t n, size_t *got,
                       struct moor_error *err)
{
    const struct bytes *b = &node_of(f)->now;
    (void)err;
    *got = offset < b->n ? b->n - (size_t)offset : 0;
    if (*got > n)
        *got = n;
    if (*got)
        memcpy(p, b->p + offset, *got);
    return MOOR_OK;
}

moor_code plat_write_at(const struct plat_file *f, uint64_t offset, struct moor_span bytes,
                        struct moor_error *err)
{
    struct node *n = node_of(f);
    moor_code c = step("write", err);
    if (c != MOOR_OK)
        return c;
    size_t end = (size_t)offset + bytes.n;
    if (end > n->now.n) {
        n->now.p = must(realloc(n->now.p, end + 1));
        memset(n->now.p + n->now.n, 0, end - n->now.n);
        n->now.n = end;
    }
    if (bytes.n)
        memcpy(n->now.p + offset, bytes.p, bytes.n);
    n->mtime_ms = plat_utc_ms();
    return MOOR_OK;
}

moor_code plat_append(const struct plat_file *f, struct moor_span bytes, struct moor_error *err)
{
    return plat_write_at(f, node_of(f)->now.n, bytes, err);
}

moor_code plat_truncate(const struct plat_file *f, uint64_t size, struct moor_error *err)
{
    struct node *n = node_of(f);
    moor_code c = step("truncate", err);
    if (c == MOOR_OK && size < n->now.n)
        n->now.n = (size_t)size;
    return c;
}

moor_code plat_sync(const struct plat_file *f, struct moor_error *err)
{
    struct node *n = node_of(f);
    moor_code c = step("sync", err);
    if (c == MOOR_OK)
        set_bytes(&n->synced, n->now.p, n->now.n);
    return c;
}

static void describe(const struct node *n, struct plat_stat *out)
{
    *out = (struct plat_stat){
        .size = n->now.n,
        .mtime_ms = n->mtime_ms,
        .device = 1,
        .inode = n->id,
        .mode = n->mode,
        .links = 1,
        .is_file = !n->is_dir,
        .is_dir = n->is_dir,
    };
}

moor_code plat_fstat(const struct plat_file *f, struct plat_stat *out, struct moor_error *err)
{
    (void)err;
    describe(node_of(f), out);
    return MOOR_OK;
}

moor_code plat_stat_path(const char *path, struct plat_stat *out, struct moor_error *err)
{
    const struct node *n = walk(path, NULL);
    if (!n)
        return not_found(path, err);
    describe(n, out);
    return MOOR_OK;
}

bool plat_exists(const char *path)
{
    return walk(path, NULL) != NULL;
}

moor_code plat_read_all(const char *path, size_t max, struct moor_buf *out, struct moor_error *err)
{
    const struct node *n = walk(path, NULL);
    if (!n || n->is_dir)
        return not_found(path, err);
    if (n->now.n > max)
        return moor_fail(err, MOOR_E_NOMEM, "%s: longer than %zu bytes", path, max);
    moor_buf_add(out, n->now.p ? n->now.p : "", n->now.n);
    return moor_buf_ok(out, path, err);
}

moor_code plat_write_atomic(const char *path, struct moor_span bytes, plat_access access,
                            struct moor_error *err)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    MOOR_AUTO(moor_buf) folder = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) temp = MOOR_BUF(4096);
    moor_buf_add(&folder, path, (size_t)(strrchr(path, '/') - path));
    moor_buf_fmt(&temp, "%s/" TEMP_NAME, moor_buf_cstr(&folder));
    moor_code c = plat_remove(moor_buf_cstr(&temp), NULL);
    c = plat_create_new(moor_buf_cstr(&temp), access, &f, err);
    if (c == MOOR_OK)
        c = plat_append(&f, bytes, err);
    if (c == MOOR_OK)
        c = plat_sync(&f, err);
    if (c == MOOR_OK)
        c = plat_rename(moor_buf_cstr(&temp), path, err);
    return c == MOOR_OK ? plat_sync_dir(moor_buf_cstr(&folder), err) : c;
}

/* Folders. */
moor_code plat_make_dirs(const char *path, plat_access access, struct moor_error *err)
{
    struct moor_span rest = moor_span_str(path);
    struct node *at = disk.root;
    (void)moor_span_cut(&rest, '/');
    while (rest.p) {
        MOOR_AUTO(moor_buf) name = MOOR_BUF(NAME_LIMIT);
        moor_buf_span(&name, moor_span_cut(&rest, '/'));
        const struct entry *e = find(&at->names, moor_buf_cstr(&name));
        if (!e) {
            moor_code c = step(path, err);
            if (c != MOOR_OK)
                return c;
            struct node *made = new_node(true, mode_of(access, true));
            put(&at->names, moor_buf_cstr(&name), made);
            at = made;
            continue;
        }
        if (!e->node->is_dir)
            return moor_fail(err, MOOR_E_DENIED, "%s: is no folder", path);
        at = e->node;
    }
    return MOOR_OK;
}

moor_code plat_list_dir(const char *path, plat_dir_fn fn, void *ctx, struct moor_error *err)
{
    const struct node *n = walk(path, NULL);
    if (!n || !n->is_dir)
        return not_found(path, err);
    struct entries seen = { NULL, 0 };
    copy_names(&seen, &n->names);
    for (size_t i = 0; i < seen.count; i++) {
        struct plat_stat st;
        describe(seen.list[i].node, &st);
        if (!fn(ctx, seen.list[i].name, &st))
            break;
    }
    clear_names(&seen);
    return MOOR_OK;
}

moor_code plat_remove(const char *path, struct moor_error *err)
{
    char leaf[NAME_LIMIT];
    struct node *at = walk(path, leaf);
    if (!at || !find(&at->names, leaf))
        return MOOR_OK;
    moor_code c = step(path, err);
    if (c == MOOR_OK)
        take_away(&at->names, leaf);
    return c;
}

/* Below one another, so that a cut may leave half of it. */
static moor_code remove_below(struct node *n, struct moor_error *err)
{
    while (n->names.count) {
        struct entry *e = &n->names.list[0];
        moor_code c = e->node->is_dir ? remove_below(e->node, err) : MOOR_OK;
        if (c == MOOR_OK)
            c = step(e->name, err);
        if (c != MOOR_OK)
            return c;
        take_away(&n->names, e->name);
    }
    return MOOR_OK;
}

moor_code plat_remove_tree(const char *path, struct moor_error *err)
{
    struct node *n = walk(path, NULL);
    if (!n)
        return MOOR_OK;
    moor_code c = n->is_dir ? remove_below(n, err) : MOOR_OK;
    return c == MOOR_OK ? plat_remove(path, err) : c;
}

moor_code plat_rename(const char *from, const char *to, struct moor_error *err)
{
    char old_leaf[NAME_LIMIT], new_leaf[NAME_LIMIT];
    struct node *old_at = walk(from, old_leaf), *new_at = walk(to, new_leaf);
    const struct entry *e = old_at ? find(&old_at->names, old_leaf) : NULL;
    if (!e || !new_at)
        return not_found(e ? to : from, err);
    moor_code c = step(to, err);
    if (c != MOOR_OK)
        return c;
    struct node *n = e->node;
    take_away(&old_at->names, old_leaf);
    put(&new_at->names, new_leaf, n);
    return MOOR_OK;
}

moor_code plat_sync_dir(const char *path, struct moor_error *err)
{
    struct node *n = walk(path, NULL);
    if (!n)
        return not_found(path, err);
    moor_code c = step(path, err);
    if (c == MOOR_OK)
        copy_names(&n->stable, &n->names);
    return c;
}

moor_code plat_sync_all(const char *path, struct moor_error *err)
{
    moor_code c = step(path, err);
    if (c == MOOR_OK)
        settle_nodes();
    return c;
}

moor_code plat_set_mode(const char *path, uint32_t mode, struct moor_error *err)
{
    struct node *n = walk(path, NULL);
    if (!n)
        return not_found(path, err);
    n->mode = mode;
    return MOOR_OK;
}

moor_code plat_set_owner(const char *path, uint32_t uid, uint32_t gid, struct moor_error *err)
{
    (void)uid;
    (void)gid;
    return plat_exists(path) ? MOOR_OK : not_found(path, err);
}

moor_code plat_free_space(const char *path, uint64_t *bytes, struct moor_error *err)
{
    (void)path;
    (void)err;
    *bytes = UINT64_MAX / 2;
    return MOOR_OK;
}

bool plat_noexec(const char *path)
{
    (void)path;
    return false;
}
