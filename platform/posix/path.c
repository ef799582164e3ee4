/* SPDX-License-Identifier: Apache-2.0 */
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "platform/oserr.h"

/* Components of a path that may be links of the system itself. */
#define SYSTEM_DEPTH 3

struct walk {
    const char *path; /* as given, for messages */
    const char *rest; /* what is still to go, without a leading '/' */
    struct plat_file at;
    unsigned depth;
    bool trusted; /* root alone can write every folder so far */
};

static bool only_root_writes(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_uid == 0 && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static moor_code walk_begin(struct walk *w, const char *path, struct moor_error *err)
{
    if (!path || path[0] != '/')
        return moor_fail(err, MOOR_E_BADINPUT, "%s: want an absolute path", path ? path : "(none)");
    if (strlen(path) >= PATH_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "%.64s...: path is too long", path);
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return plat_fail(err, errno, "/");
    w->path = path;
    w->rest = path + 1;
    w->at.fd_ = fd;
    w->depth = 0;
    w->trusted = only_root_writes(fd);
    return MOOR_OK;
}

/* Cuts the next component off; more says whether one follows. */
static moor_code next_name(struct walk *w, char name[NAME_MAX + 1], bool *more,
                           struct moor_error *err)
{
    size_t n = strcspn(w->rest, "/");
    if (n > NAME_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: a component is too long", w->path);
    memcpy(name, w->rest, n);
    name[n] = '\0';
    if (n == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: empty, . and .. components are not allowed",
                         w->path);
    *more = w->rest[n] == '/' && w->rest[n + 1] != '\0';
    w->rest += w->rest[n] == '/' ? n + 1 : n;
    return MOOR_OK;
}

int posix_step(int at, const char *name)
{
    int fd = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 || errno != ENOTDIR)
        return fd;
    struct stat st;
    bool link = fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
    errno = link ? ELOOP : ENOTDIR;
    return -1;
}

/* Root's own link, in a place where nobody else can make one. */
static int step_over_system_link(const struct walk *w, const char *name)
{
    struct stat st;
    if (w->trusted && w->depth < SYSTEM_DEPTH &&
        fstatat(w->at.fd_, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid == 0)
        return openat(w->at.fd_, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    errno = ELOOP;
    return -1;
}

static moor_code walk_into(struct walk *w, const char *name, struct moor_error *err)
{
    int fd = posix_step(w->at.fd_, name);
    if (fd < 0 && errno == ELOOP)
        fd = step_over_system_link(w, name);
    if (fd < 0 && errno == ELOOP)
        return moor_fail(err, MOOR_E_DENIED, "%s: %s is a link, links are not followed", w->path,
                         name);
    if (fd < 0)
        return plat_fail(err, errno, "%s", w->path);
    plat_file_drop(&w->at);
    w->at.fd_ = fd;
    w->depth++;
    w->trusted = w->trusted && w->depth < SYSTEM_DEPTH && only_root_writes(fd);
    return MOOR_OK;
}

moor_code posix_parent(const char *path, struct plat_file *parent, char leaf[NAME_MAX + 1],
                       struct moor_error *err)
{
    struct walk w = { .rest = "", .at = PLAT_FILE_INIT };
    bool more = true;
    moor_code c = walk_begin(&w, path, err);
    while (c == MOOR_OK) {
        c = next_name(&w, leaf, &more, err);
        if (c != MOOR_OK || !more)
            break;
        c = walk_into(&w, leaf, err);
    }
    if (c == MOOR_OK)
        plat_file_move(parent, &w.at);
    plat_file_drop(&w.at);
    return c;
}

moor_code posix_folder(const char *path, struct plat_file *out, struct moor_error *err)
{
    struct walk w = { .rest = "", .at = PLAT_FILE_INIT };
    char name[NAME_MAX + 1];
    moor_code c = walk_begin(&w, path, err);
    bool more = c == MOOR_OK && *w.rest != '\0';
    while (c == MOOR_OK && more) {
        c = next_name(&w, name, &more, err);
        if (c == MOOR_OK)
            c = walk_into(&w, name, err);
    }
    if (c == MOOR_OK)
        plat_file_move(out, &w.at);
    plat_file_drop(&w.at);
    return c;
}

int posix_chmod_fd(int fd, mode_t mode)
{
    /* fchmod() refuses O_PATH descriptors; the kernel's link to the descriptor cannot be moved. */
    char self[64];
    (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    return chmod(self, mode) == 0 ? 0 : errno;
}

const char *posix_kind(mode_t mode)
{
    static const struct {
        mode_t type;
        const char *name;
    } kinds[] = {
        { S_IFREG, "a file" },   { S_IFDIR, "a folder" },  { S_IFLNK, "a link" },
        { S_IFIFO, "a pipe" },   { S_IFSOCK, "a socket" }, { S_IFCHR, "a device" },
        { S_IFBLK, "a device" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(kinds); i++)
        if ((mode & S_IFMT) == kinds[i].type)
            return kinds[i].name;
    return "of unknown type";
}

mode_t posix_file_mode(plat_access access)
{
    static const mode_t modes[] = {
        [PLAT_OWNER_ONLY] = 0600,
        [PLAT_GROUP_READ] = 0640,
        [PLAT_WORLD_READ] = 0644,
    };
    return modes[access];
}

void posix_stat_from(const struct stat *st, struct plat_stat *out)
{
    *out = (struct plat_stat){
        .size = (uint64_t)st->st_size,
        .mtime_ms = (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000,
        .device = st->st_dev,
        .inode = st->st_ino,
        .mode = st->st_mode & 07777,
        .uid = st->st_uid,
        .gid = st->st_gid,
        .links = (uint32_t)st->st_nlink,
        .is_file = S_ISREG(st->st_mode),
        .is_dir = S_ISDIR(st->st_mode),
        .is_link = S_ISLNK(st->st_mode),
    };
}
