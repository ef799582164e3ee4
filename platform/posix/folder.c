/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "path.h"
#include "platform/file.h"
#include "platform/oserr.h"

moor_code plat_stat_path(const char *path, struct plat_stat *out, struct moor_error *err)
{
    MOOR_AUTO(plat_file) parent = PLAT_FILE_INIT;
    char leaf[NAME_MAX + 1];
    moor_code c = posix_parent(path, &parent, leaf, err);
    if (c != MOOR_OK)
        return c;
    struct stat st;
    if (fstatat(parent.fd_, leaf, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return plat_fail(err, errno, "%s", path);
    posix_stat_from(&st, out);
    return MOOR_OK;
}

bool plat_exists(const char *path)
{
    struct plat_stat st;
    return plat_stat_path(path, &st, NULL) == MOOR_OK;
}

static mode_t folder_mode(plat_access access)
{
    /* Who may read a folder may enter it. */
    mode_t file = posix_file_mode(access);
    return file | ((file & 0444) >> 2);
}

/* Creates name in folder at unless it is there; 0 or an errno. */
static int make_one(int at, const char *name, mode_t mode)
{
    if (mkdirat(at, name, 0700) != 0)
        return errno == EEXIST ? 0 : errno;
    MOOR_AUTO(plat_file) made = PLAT_FILE_INIT;
    made.fd_ = posix_step(at, name);
    return made.fd_ < 0 ? errno : posix_chmod_fd(made.fd_, mode);
}

moor_code plat_make_dirs(const char *path, plat_access access, struct moor_error *err)
{
    MOOR_AUTO(plat_file) there = PLAT_FILE_INIT;
    moor_code c = posix_folder(path, &there, NULL);
    if (c == MOOR_OK)
        return MOOR_OK;
    if (c != MOOR_E_NOTFOUND)
        return posix_folder(path, &there, err);

    /* Each prefix in turn, so that a link planted meanwhile is met by the careful walk. */
    size_t n = strlen(path);
    MOOR_AUTOSTR prefix = moor_strdup(path);
    if (!prefix)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", path);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        prefix[i] = '\0';
        MOOR_AUTO(plat_file) parent = PLAT_FILE_INIT;
        char leaf[NAME_MAX + 1];
        c = posix_parent(prefix, &parent, leaf, err);
        if (c != MOOR_OK)
            return c;
        int e = make_one(parent.fd_, leaf, folder_mode(access));
        if (e)
            return plat_fail(err, e, "%s: cannot create", prefix);
        prefix[i] = path[i];
    }
    return posix_folder(path, &there, err);
}

/* A stream over the folder at stands for, at itself staying open. */
static DIR *open_stream(int at)
{
    int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    DIR *d = fdopendir(fd);
    if (!d)
        (void)close(fd);
    return d;
}

moor_code plat_list_dir(const char *path, plat_dir_fn fn, void *ctx, struct moor_error *err)
{
    MOOR_AUTO(plat_file) folder = PLAT_FILE_INIT;
    moor_code c = posix_folder(path, &folder, err);
    if (c != MOOR_OK)
        return c;
    DIR *d = open_stream(folder.fd_);
    if (!d)
        return plat_fail(err, errno, "%s", path);
    const struct dirent *e;
    bool more = true;
    while (more && (e = posix_next_entry(d))) {
        struct stat st;
        if (fstatat(folder.fd_, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue; /* gone since */
        struct plat_stat ps;
        posix_stat_from(&st, &ps);
        more = fn(ctx, e->d_name, &ps);
    }
    int e_read = more ? errno : 0;
    (void)closedir(d);
    return e_read ? plat_fail(err, e_read, "%s", path) : MOOR_OK;
}

moor_code plat_remove(const char *path, struct moor_error *err)
{
    MOOR_AUTO(plat_file) parent = PLAT_FILE_INIT;
    char leaf[NAME_MAX + 1];
    moor_code c = posix_parent(path, &parent, leaf, err);
    if (c == MOOR_E_NOTFOUND)
        return MOOR_OK;
    if (c != MOOR_OK)
        return c;
    int e = unlinkat(parent.fd_, leaf, 0) == 0 ? 0 : errno;
    if (e == EISDIR)
        e = unlinkat(parent.fd_, leaf, AT_REMOVEDIR) == 0 ? 0 : errno;
    return e && e != ENOENT ? plat_fail(err, e, "%s: cannot remove", path) : MOOR_OK;
}

/*
 * Removing a tree keeps one descriptor open however deep it goes: the way back is "..", compared
 * with the folder that was come from, so that moving a folder about meanwhile leads nowhere.
 */
struct level {
    dev_t dev;
    ino_t ino;
    char *name; /* of the folder below, in this one */
};
struct descent {
    struct plat_file at;
    struct level *levels;
    size_t depth, cap;
    dev_t dev; /* the file system it started on */
};

static void descent_drop(struct descent *d)
{
    plat_file_drop(&d->at);
    for (size_t i = 0; i < d->depth; i++)
        free(d->levels[i].name);
    free(d->levels);
}

static int go_down(struct descent *d, const char *name)
{
    if (d->depth == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 16;
        struct level *more = reallocarray(d->levels, cap, sizeof(*more));
        if (!more)
            return ENOMEM;
        d->levels = more;
        d->cap = cap;
    }
    struct stat here, below;
    MOOR_AUTO(plat_file) next = PLAT_FILE_INIT;
    next.fd_ = posix_step(d->at.fd_, name);
    if (next.fd_ < 0 || fstat(d->at.fd_, &here) != 0 || fstat(next.fd_, &below) != 0)
        return errno;
    if (below.st_dev != d->dev)
        return EBUSY; /* a mount point */
    struct level l = { here.st_dev, here.st_ino, moor_strdup(name) };
    if (!l.name)
        return ENOMEM;
    d->levels[d->depth++] = l;
    plat_file_move(&d->at, &next);
    return 0;
}

/* Back to the folder above, removing the empty one come from. */
static int go_up(struct descent *d)
{
    struct level *l = &d->levels[d->depth - 1];
    struct stat st;
    MOOR_AUTO(plat_file) above = PLAT_FILE_INIT;
    above.fd_ = openat(d->at.fd_, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (above.fd_ < 0 || fstat(above.fd_, &st) != 0)
        return errno;
    if (st.st_dev != l->dev || st.st_ino != l->ino)
        return ESTALE;
    if (unlinkat(above.fd_, l->name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        return errno;
    free(l->name);
    d->depth--;
    plat_file_move(&d->at, &above);
    return 0;
}

/* Removes entries until a folder is met, whose name is then in below ("" = none left). */
static int clear_until_folder(struct descent *d, char below[NAME_MAX + 1])
{
    below[0] = '\0';
    DIR *stream = open_stream(d->at.fd_);
    if (!stream)
        return errno;
    const struct dirent *e;
    int failed = 0;
    while (!failed && (e = posix_next_entry(stream))) {
        if (unlinkat(d->at.fd_, e->d_name, 0) == 0 || errno == ENOENT)
            continue;
        failed = errno;
        if (failed == EISDIR) {
            (void)snprintf(below, NAME_MAX + 1, "%s", e->d_name);
            (void)closedir(stream);
            return 0;
        }
    }
    if (!failed)
        failed = errno;
    (void)closedir(stream);
    return failed;
}

static int remove_below(struct descent *d)
{
    for (;;) {
        char below[NAME_MAX + 1];
        int e = clear_until_folder(d, below);
        if (e)
            return e;
        if (below[0] == '\0' && d->depth == 0)
            return 0;
        e = below[0] ? go_down(d, below) : go_up(d);
        if (e)
            return e;
    }
}

moor_code plat_remove_tree(const char *path, struct moor_error *err)
{
    MOOR_AUTO(plat_file) parent = PLAT_FILE_INIT;
    char leaf[NAME_MAX + 1];
    moor_code c = posix_parent(path, &parent, leaf, err);
    if (c == MOOR_E_NOTFOUND)
        return MOOR_OK;
    if (c != MOOR_OK)
        return c;
    if (unlinkat(parent.fd_, leaf, 0) == 0 || errno == ENOENT)
        return MOOR_OK;
    if (errno != EISDIR)
        return plat_fail(err, errno, "%s: cannot remove", path);

    struct descent d = { .at = PLAT_FILE_INIT };
    struct stat st = { 0 };
    d.at.fd_ = posix_step(parent.fd_, leaf);
    int e = d.at.fd_ < 0 || fstat(d.at.fd_, &st) != 0 ? errno : 0;
    d.dev = st.st_dev;
    if (!e)
        e = remove_below(&d);
    if (!e && unlinkat(parent.fd_, leaf, AT_REMOVEDIR) != 0 && errno != ENOENT)
        e = errno;
    if (e)
        c = plat_fail(err, e, "%s: cannot remove %s", path,
                      d.depth ? d.levels[d.depth - 1].name : "it");
    descent_drop(&d);
    return c;
}

moor_code plat_rename(const char *from, const char *to, struct moor_error *err)
{
    MOOR_AUTO(plat_file) from_at = PLAT_FILE_INIT;
    MOOR_AUTO(plat_file) to_at = PLAT_FILE_INIT;
    char from_leaf[NAME_MAX + 1], to_leaf[NAME_MAX + 1];
    moor_code c = posix_parent(from, &from_at, from_leaf, err);
    if (c == MOOR_OK)
        c = posix_parent(to, &to_at, to_leaf, err);
    if (c == MOOR_OK && renameat(from_at.fd_, from_leaf, to_at.fd_, to_leaf) != 0)
        c = plat_fail(err, errno, "%s: cannot rename to %s", from, to);
    return c;
}

/* A folder held for reading, as flushing wants it. */
static moor_code open_to_flush(const char *path, struct plat_file *out, struct moor_error *err)
{
    MOOR_AUTO(plat_file) folder = PLAT_FILE_INIT;
    moor_code c = posix_folder(path, &folder, err);
    if (c != MOOR_OK)
        return c;
    out->fd_ = openat(folder.fd_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return out->fd_ >= 0 ? MOOR_OK : plat_fail(err, errno, "%s: cannot open", path);
}

moor_code plat_sync_dir(const char *path, struct moor_error *err)
{
    MOOR_AUTO(plat_file) at = PLAT_FILE_INIT;
    moor_code c = open_to_flush(path, &at, err);
    if (c != MOOR_OK)
        return c;
    return fsync(at.fd_) == 0 ? MOOR_OK : plat_fail(err, errno, "%s: cannot flush", path);
}

moor_code plat_sync_all(const char *path, struct moor_error *err)
{
    MOOR_AUTO(plat_file) at = PLAT_FILE_INIT;
    moor_code c = open_to_flush(path, &at, err);
    if (c != MOOR_OK)
        return c;
    return syncfs(at.fd_) == 0 ? MOOR_OK : plat_fail(err, errno, "%s: cannot flush", path);
}

/* What path names, not followed, as an O_PATH descriptor. */
static moor_code open_any(const char *path, struct plat_file *out, struct moor_error *err)
{
    MOOR_AUTO(plat_file) parent = PLAT_FILE_INIT;
    char leaf[NAME_MAX + 1];
    moor_code c = posix_parent(path, &parent, leaf, err);
    if (c != MOOR_OK)
        return c;
    int fd = openat(parent.fd_, leaf, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return plat_fail(err, errno, "%s", path);
    plat_file_drop(out);
    out->fd_ = fd;
    return MOOR_OK;
}

moor_code plat_set_mode(const char *path, uint32_t mode, struct moor_error *err)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    moor_code c = open_any(path, &f, err);
    if (c != MOOR_OK)
        return c;
    struct stat st;
    if (fstat(f.fd_, &st) != 0)
        return plat_fail(err, errno, "%s", path);
    if (S_ISLNK(st.st_mode))
        return moor_fail(err, MOOR_E_DENIED, "%s: is a link, links are not followed", path);
    int e = posix_chmod_fd(f.fd_, mode & 07777);
    return e ? plat_fail(err, e, "%s: cannot set the mode", path) : MOOR_OK;
}

moor_code plat_set_group(const char *path, uint32_t gid, struct moor_error *err)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    moor_code c = open_any(path, &f, err);
    if (c == MOOR_OK && fchownat(f.fd_, "", (uid_t)-1, gid, AT_EMPTY_PATH) != 0)
        c = plat_fail(err, errno, "%s: cannot set the group", path);
    return c;
}

moor_code plat_set_owner(const char *path, uint32_t uid, uint32_t gid, struct moor_error *err)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    moor_code c = open_any(path, &f, err);
    if (c == MOOR_OK && fchownat(f.fd_, "", uid, gid, AT_EMPTY_PATH) != 0)
        c = plat_fail(err, errno, "%s: cannot set the owner", path);
    return c;
}

static moor_code file_system_of(const char *path, struct statvfs *out, struct moor_error *err)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    moor_code c = strcmp(path, "/") == 0 ? posix_folder(path, &f, err) : open_any(path, &f, err);
    if (c == MOOR_OK && fstatvfs(f.fd_, out) != 0)
        c = plat_fail(err, errno, "%s", path);
    return c;
}

moor_code plat_free_space(const char *path, uint64_t *bytes, struct moor_error *err)
{
    struct statvfs fs;
    moor_code c = file_system_of(path, &fs, err);
    if (c == MOOR_OK)
        *bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    return c;
}

bool plat_noexec(const char *path)
{
    struct statvfs fs;
    return file_system_of(path, &fs, NULL) == MOOR_OK && (fs.f_flag & ST_NOEXEC) != 0;
}
