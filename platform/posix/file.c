/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/secret.h"
#include "path.h"
#include "platform/net.h"
#include "platform/oserr.h"
#include "platform/random.h"

void plat_file_drop(struct plat_file *f)
{
    if (f->fd_ >= 0)
        (void)close(f->fd_);
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

moor_code plat_file_dup(const struct plat_file *f, struct plat_file *out, struct moor_error *err)
{
    int fd = fcntl(f->fd_, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return plat_fail(err, errno, "duplicate of a descriptor");
    plat_file_drop(out);
    out->fd_ = fd;
    return MOOR_OK;
}

/*
 * Opens name in folder at, which must be a regular file. The type is looked at before, since
 * opening a device or a pipe can have effects, and again afterwards, since the name may have been
 * given to something else in between. O_NONBLOCK is for that case and is taken off again.
 */
static int open_regular(int at, const char *name, int flags, mode_t *wrong)
{
    struct stat st;
    if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        *wrong = st.st_mode;
        if (!S_ISREG(st.st_mode))
            return -1;
    } else if (errno != ENOENT || !(flags & O_CREAT)) {
        return -1;
    }
    struct plat_file f = PLAT_FILE_INIT;
    f.fd_ = openat(at, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    if (f.fd_ < 0)
        return -1;
    int e = fstat(f.fd_, &st) != 0 || fcntl(f.fd_, F_SETFL, flags & O_APPEND) != 0 ? errno : 0;
    if (e == 0 && S_ISREG(st.st_mode))
        return f.fd_;
    if (e == 0)
        *wrong = st.st_mode;
    plat_file_drop(&f);
    errno = e ? e : EACCES;
    return -1;
}

/* Who may make links in a folder, but not write in it, could have chosen what we write to. */
static bool has_other_name(int fd)
{
    struct stat st;
    return fstat(fd, &st) != 0 || st.st_nlink > 1;
}

moor_code plat_open(const char *path, plat_open_mode mode, struct plat_file *out,
                    struct moor_error *err)
{
    static const int flags[] = {
        [PLAT_READ] = O_RDONLY,
        [PLAT_WRITE] = O_WRONLY,
        [PLAT_APPEND] = O_WRONLY | O_APPEND | O_CREAT,
        [PLAT_READ_WRITE] = O_RDWR | O_CREAT,
    };
    MOOR_AUTO(plat_file) parent = PLAT_FILE_INIT;
    char leaf[NAME_MAX + 1];
    moor_code c = posix_parent(path, &parent, leaf, err);
    if (c != MOOR_OK)
        return c;
    mode_t found = S_IFREG;
    int fd = open_regular(parent.fd_, leaf, flags[mode], &found);
    int e = errno;
    if (fd < 0 && !S_ISREG(found))
        return moor_fail(err, MOOR_E_DENIED, "%s: is %s, want a file", path, posix_kind(found));
    if (fd < 0)
        return plat_fail(err, e, "%s", path);
    struct plat_file f = { fd };
    if (mode != PLAT_READ && has_other_name(fd)) {
        plat_file_drop(&f);
        return moor_fail(err, MOOR_E_DENIED, "%s: has another name, too: not written to", path);
    }
    plat_file_move(out, &f);
    return MOOR_OK;
}

moor_code plat_create_new(const char *path, plat_access access, struct plat_file *out,
                          struct moor_error *err)
{
    MOOR_AUTO(plat_file) parent = PLAT_FILE_INIT;
    char leaf[NAME_MAX + 1];
    moor_code c = posix_parent(path, &parent, leaf, err);
    if (c != MOOR_OK)
        return c;
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    f.fd_ = openat(parent.fd_, leaf, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (f.fd_ < 0)
        return plat_fail(err, errno, "%s", path);
    if (fchmod(f.fd_, posix_file_mode(access)) != 0) {
        c = plat_fail(err, errno, "%s", path);
        (void)unlinkat(parent.fd_, leaf, 0);
        return c;
    }
    plat_file_move(out, &f);
    return MOOR_OK;
}

/* 0 or an errno. offset -1 writes where the file stands. */
static int write_all(int fd, off_t offset, struct moor_span bytes)
{
    while (bytes.n > 0) {
        ssize_t n = offset < 0 ? write(fd, bytes.p, bytes.n) : pwrite(fd, bytes.p, bytes.n, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        bytes.p += n;
        bytes.n -= (size_t)n;
        if (offset >= 0)
            offset += n;
    }
    return 0;
}

static moor_code fd_fail(const struct plat_file *f, int e, const char *verb, struct moor_error *err)
{
    char self[64], path[PATH_MAX];
    (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", f->fd_);
    ssize_t n = readlink(self, path, sizeof(path) - 1);
    path[n > 0 ? n : 0] = '\0';
    return plat_fail(err, e, "%s: cannot %s", n > 0 ? path : "file", verb);
}

/* The same for a name in a held folder. */
static moor_code entry_fail(const struct plat_file *folder, int e, const char *verb,
                            const char *name, struct moor_error *err)
{
    char what[NAME_MAX + 16];
    (void)snprintf(what, sizeof(what), "%s %s", verb, name);
    return fd_fail(folder, e, what, err);
}

moor_code plat_read_at(const struct plat_file *f, uint64_t offset, void *p, size_t n, size_t *got,
                       struct moor_error *err)
{
    size_t sum = 0;
    while (sum < n) {
        ssize_t r = pread(f->fd_, (char *)p + sum, n - sum, (off_t)(offset + sum));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return fd_fail(f, errno, "read", err);
        if (r == 0)
            break;
        sum += (size_t)r;
    }
    *got = sum;
    return MOOR_OK;
}

moor_code plat_write_at(const struct plat_file *f, uint64_t offset, struct moor_span bytes,
                        struct moor_error *err)
{
    int e = write_all(f->fd_, (off_t)offset, bytes);
    return e ? fd_fail(f, e, "write", err) : MOOR_OK;
}

moor_code plat_append(const struct plat_file *f, struct moor_span bytes, struct moor_error *err)
{
    int e = lseek(f->fd_, 0, SEEK_END) < 0 ? errno : write_all(f->fd_, -1, bytes);
    return e ? fd_fail(f, e, "append", err) : MOOR_OK;
}

moor_code plat_truncate(const struct plat_file *f, uint64_t size, struct moor_error *err)
{
    return ftruncate(f->fd_, (off_t)size) == 0 ? MOOR_OK : fd_fail(f, errno, "truncate", err);
}

moor_code plat_sync(const struct plat_file *f, struct moor_error *err)
{
    return fsync(f->fd_) == 0 ? MOOR_OK : fd_fail(f, errno, "flush", err);
}

moor_code plat_fstat(const struct plat_file *f, struct plat_stat *out, struct moor_error *err)
{
    struct stat st;
    if (fstat(f->fd_, &st) != 0)
        return fd_fail(f, errno, "stat", err);
    posix_stat_from(&st, out);
    return MOOR_OK;
}

moor_code plat_read_all(const char *path, size_t max, struct moor_buf *out, struct moor_error *err)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    moor_code c = plat_open(path, PLAT_READ, &f, err);
    if (c != MOOR_OK)
        return c;
    size_t sum = 0;
    for (;;) {
        /* One byte over the limit tells a file that is too long from one that just fits. */
        char chunk[8192];
        size_t want = max - sum < sizeof(chunk) ? max - sum + 1 : sizeof(chunk), got = 0;
        c = plat_read_at(&f, sum, chunk, want, &got, err);
        if (c == MOOR_OK && got <= max - sum)
            moor_buf_add(out, chunk, got);
        if (out->wipe)
            moor_wipe(chunk, sizeof(chunk));
        if (c != MOOR_OK)
            return c;
        if (got > max - sum)
            return moor_fail(err, MOOR_E_NOMEM, "%s: is longer than %zu bytes", path, max);
        if (got == 0)
            return moor_buf_ok(out, path, err);
        sum += got;
    }
}

moor_code plat_link_in(const struct plat_file *from, const char *name, const struct plat_file *to,
                       const char *second, struct moor_error *err)
{
    MOOR_ASSERT(*name && !strchr(name, '/') && *second && !strchr(second, '/'));
    if (linkat(from->fd_, name, to->fd_, second, 0) == 0)
        return MOOR_OK;
    return entry_fail(to, errno, "link", second, err);
}

static moor_code sync_parent(const struct plat_file *parent, const char *path,
                             struct moor_error *err)
{
    MOOR_AUTO(plat_file) dir = PLAT_FILE_INIT;
    dir.fd_ = openat(parent->fd_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir.fd_ < 0 || fsync(dir.fd_) != 0)
        return plat_fail(err, errno, "%s: cannot flush its folder", path);
    return MOOR_OK;
}

/* What the umask took away is given back; fewer rights than mode are no danger meanwhile. */
static int give_mode(int fd, mode_t mode)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && (st.st_mode & 07777) == mode)
        return 0;
    return fchmod(fd, mode) == 0 ? 0 : errno;
}

/* A new file; 0 or an errno, and then there is none. */
static int write_new(int at, const char *name, struct moor_span bytes, mode_t mode, bool durable)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    f.fd_ = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (f.fd_ < 0)
        return errno;
    int e = give_mode(f.fd_, mode);
    if (e == 0)
        e = write_all(f.fd_, -1, bytes);
    if (e == 0 && durable && fsync(f.fd_) != 0)
        e = errno;
    if (e)
        (void)unlinkat(at, name, 0);
    return e;
}

moor_code plat_hold_folder(const char *path, struct plat_file *out, struct moor_error *err)
{
    return posix_folder(path, out, err);
}

moor_code plat_create_in(const struct plat_file *folder, const char *name, plat_access access,
                         struct moor_span bytes, struct moor_error *err)
{
    MOOR_ASSERT(*name && !strchr(name, '/'));
    int e = write_new(folder->fd_, name, bytes, posix_file_mode(access), false);
    return e ? entry_fail(folder, e, "create", name, err) : MOOR_OK;
}

moor_code plat_remove_in(const struct plat_file *folder, const char *name, struct moor_error *err)
{
    MOOR_ASSERT(*name && !strchr(name, '/'));
    if (unlinkat(folder->fd_, name, 0) == 0 || errno == ENOENT)
        return MOOR_OK;
    return entry_fail(folder, errno, "remove", name, err);
}

moor_code plat_write_atomic(const char *path, struct moor_span bytes, plat_access access,
                            struct moor_error *err)
{
    MOOR_AUTO(plat_file) parent = PLAT_FILE_INIT;
    char leaf[NAME_MAX + 1], temporary[32];
    moor_code c = posix_parent(path, &parent, leaf, err);
    if (c != MOOR_OK)
        return c;
    struct stat st;
    if (fstatat(parent.fd_, leaf, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
        return moor_fail(err, MOOR_E_DENIED, "%s: is a folder, want a file", path);

    uint64_t tag;
    plat_random(&tag, sizeof(tag));
    (void)snprintf(temporary, sizeof(temporary), ".new-%016llx", (unsigned long long)tag);
    int e = write_new(parent.fd_, temporary, bytes, posix_file_mode(access), true);
    if (e == 0 && renameat(parent.fd_, temporary, parent.fd_, leaf) != 0) {
        e = errno;
        (void)unlinkat(parent.fd_, temporary, 0);
    }
    return e ? plat_fail(err, e, "%s: cannot write", path) : sync_parent(&parent, path, err);
}

static moor_code lock_file(const char *path, int how, struct plat_file *out, struct moor_error *err)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    moor_code c = plat_open(path, PLAT_READ_WRITE, &f, err);
    if (c != MOOR_OK)
        return c;
    int got;
    while ((got = flock(f.fd_, how)) != 0 && errno == EINTR)
        ;
    if (got != 0 && errno == EWOULDBLOCK)
        return moor_fail(err, MOOR_E_EXISTS, "%s: is locked by another process", path);
    if (got != 0)
        return plat_fail(err, errno, "%s: cannot lock", path);
    plat_file_move(out, &f);
    return MOOR_OK;
}

moor_code plat_lock_file(const char *path, struct plat_file *out, struct moor_error *err)
{
    return lock_file(path, LOCK_EX | LOCK_NB, out, err);
}

moor_code plat_lock_file_wait(const char *path, struct plat_file *out, struct moor_error *err)
{
    return lock_file(path, LOCK_EX, out, err);
}

int plat_file_fd(const struct plat_file *f)
{
    return f->fd_;
}
