/* SPDX-License-Identifier: Apache-2.0 */
/* plat_open_followed(): a path walked by hand, so that the maker of every link on it is known. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "path.h"
#include "platform/file.h"
#include "platform/oserr.h"

#define LINKS_MAX 40

struct trail {
    const char *path;        /* as given, for messages */
    char rest[2 * PATH_MAX]; /* what is still to go */
    char real[PATH_MAX];     /* where we are, without links */
    struct plat_file at;
    uid_t makers[LINKS_MAX]; /* of the links followed; root's are not kept */
    unsigned maker_count, link_count;
};

static moor_code to_root(struct trail *t, struct moor_error *err)
{
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return plat_fail(err, errno, "/");
    plat_file_drop(&t->at);
    t->at.fd_ = fd;
    t->real[0] = '\0';
    return MOOR_OK;
}

/* Cuts the next component off rest into name; an empty name is the end. */
static moor_code next_part(struct trail *t, char name[NAME_MAX + 1], struct moor_error *err)
{
    size_t skip = strspn(t->rest, "/");
    size_t n = strcspn(t->rest + skip, "/");
    if (n > NAME_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: a component is too long", t->path);
    memcpy(name, t->rest + skip, n);
    name[n] = '\0';
    memmove(t->rest, t->rest + skip + n, strlen(t->rest + skip + n) + 1);
    return MOOR_OK;
}

/* The link's text comes before what is still to go. */
static moor_code follow(struct trail *t, int link, const struct stat *st, struct moor_error *err)
{
    char target[PATH_MAX], rest[sizeof(t->rest)];
    ssize_t n = readlinkat(link, "", target, sizeof(target) - 1);
    if (n < 0)
        return plat_fail(err, errno, "%s", t->path);
    target[n] = '\0';
    if (t->link_count++ >= LINKS_MAX)
        return moor_fail(err, MOOR_E_DENIED, "%s: too many links", t->path);
    if (st->st_uid != 0)
        t->makers[t->maker_count++] = st->st_uid;
    int len = snprintf(rest, sizeof(rest), "%s/%s", target, t->rest);
    if (len < 0 || (size_t)len >= sizeof(rest))
        return moor_fail(err, MOOR_E_BADINPUT, "%s: a link is too long", t->path);
    memcpy(t->rest, rest, (size_t)len + 1);
    return target[0] == '/' ? to_root(t, err) : MOOR_OK;
}

static moor_code add_real(struct trail *t, const char *name, struct moor_error *err)
{
    size_t used = strlen(t->real);
    int n = snprintf(t->real + used, sizeof(t->real) - used, "/%s", name);
    if (n < 0 || (size_t)n >= sizeof(t->real) - used)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: path is too long", t->path);
    return MOOR_OK;
}

static moor_code step_up(struct trail *t, struct moor_error *err)
{
    int fd = openat(t->at.fd_, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return plat_fail(err, errno, "%s", t->path);
    plat_file_drop(&t->at);
    t->at.fd_ = fd;
    char *slash = strrchr(t->real, '/');
    if (slash)
        *slash = '\0';
    return MOOR_OK;
}

/* Into one component; *end when it is the file itself, which t->at then stands for. */
static moor_code step(struct trail *t, const char *name, bool *end, struct moor_error *err)
{
    if (strcmp(name, ".") == 0)
        return MOOR_OK;
    if (strcmp(name, "..") == 0)
        return step_up(t, err);
    MOOR_AUTO(plat_file) next = PLAT_FILE_INIT;
    struct stat st;
    next.fd_ = openat(t->at.fd_, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (next.fd_ < 0 || fstat(next.fd_, &st) != 0)
        return plat_fail(err, errno, "%s", t->path);
    if (S_ISLNK(st.st_mode))
        return follow(t, next.fd_, &st, err);
    bool last = t->rest[strspn(t->rest, "/")] == '\0';
    if (last && !S_ISREG(st.st_mode))
        return moor_fail(err, MOOR_E_DENIED, "%s: is %s, want a file", t->path,
                         posix_kind(st.st_mode));
    if (!last && !S_ISDIR(st.st_mode))
        return plat_fail(err, ENOTDIR, "%s", t->path);
    plat_file_move(&t->at, &next);
    *end = last;
    return add_real(t, name, err);
}

/* A link shows what its maker could have read anyway, or what root chose to show. */
static moor_code check_makers(const struct trail *t, const struct stat *st, struct moor_error *err)
{
    for (unsigned i = 0; i < t->maker_count; i++)
        if (t->makers[i] != st->st_uid)
            return moor_fail(err, MOOR_E_DENIED,
                             "%s: a link on the way was made by uid %u, the file is uid %u's",
                             t->path, (unsigned)t->makers[i], (unsigned)st->st_uid);
    return MOOR_OK;
}

/* From the O_PATH descriptor of a regular file to one that reads, by the kernel's own link to it,
 * which nobody can move. */
static moor_code reopen(const struct trail *t, struct plat_file *out, struct moor_error *err)
{
    char self[64];
    struct stat st;
    if (fstat(t->at.fd_, &st) != 0)
        return plat_fail(err, errno, "%s", t->path);
    moor_code c = check_makers(t, &st, err);
    if (c != MOOR_OK)
        return c;
    (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", t->at.fd_);
    int fd = open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return plat_fail(err, errno, "%s", t->path);
    plat_file_drop(out);
    out->fd_ = fd;
    return MOOR_OK;
}

moor_code plat_open_followed(const char *path, struct plat_file *out, struct moor_buf *real,
                             struct moor_error *err)
{
    struct trail t = { .path = path, .at = PLAT_FILE_INIT };
    char name[NAME_MAX + 1];
    bool end = false;
    if (path[0] != '/' || strlen(path) >= PATH_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "%.64s: want an absolute path", path);
    memcpy(t.rest, path, strlen(path) + 1);
    moor_code c = to_root(&t, err);
    while (c == MOOR_OK && !end) {
        c = next_part(&t, name, err);
        if (c == MOOR_OK && !*name)
            c = moor_fail(err, MOOR_E_DENIED, "%s: is a folder, want a file", path);
        if (c == MOOR_OK)
            c = step(&t, name, &end, err);
    }
    if (c == MOOR_OK)
        c = reopen(&t, out, err);
    if (c == MOOR_OK && real)
        moor_buf_str(real, t.real);
    plat_file_drop(&t.at);
    return c;
}
