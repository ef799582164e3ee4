/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/oserr.h"

/* IN_ATTRIB: a file that is still open tells of its deletion by its count of links only. */
#define FILE_EVENTS (IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF)
#define FOLDER_EVENTS                                                                              \
    (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_MOVE_SELF |         \
     IN_DELETE_SELF | IN_ONLYDIR)

struct plat_watch {
    int fd;
};

moor_code plat_watch_new(struct plat_watch **out, struct moor_error *err)
{
    struct plat_watch *w = calloc(1, sizeof(*w));
    if (!w)
        return moor_fail(err, MOOR_E_NOMEM, "file watch: out of memory");
    w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (w->fd < 0) {
        free(w);
        return plat_fail(err, errno, "file watch");
    }
    *out = w;
    return MOOR_OK;
}

void plat_watch_free(struct plat_watch *w)
{
    if (!w)
        return;
    (void)close(w->fd);
    free(w);
}

int plat_watch_fd(const struct plat_watch *w)
{
    return w->fd;
}

moor_code plat_watch_add(struct plat_watch *w, const char *path, int32_t *id,
                         struct moor_error *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return plat_fail(err, errno, "%s", path);
    int wd = inotify_add_watch(w->fd, path, S_ISDIR(st.st_mode) ? FOLDER_EVENTS : FILE_EVENTS);
    if (wd < 0)
        return plat_fail(err, errno, "%s: cannot watch", path);
    *id = wd;
    return MOOR_OK;
}

void plat_watch_remove(struct plat_watch *w, int32_t id)
{
    (void)inotify_rm_watch(w->fd, id);
}

void plat_watch_read(struct plat_watch *w, plat_watch_fn fn, void *ctx)
{
    union {
        struct inotify_event align;
        char bytes[4096];
    } room;
    for (;;) {
        ssize_t n = read(w->fd, room.bytes, sizeof(room.bytes));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        size_t at = 0;
        while (at < (size_t)n) {
            const struct inotify_event *e = (const void *)(room.bytes + at);
            at += sizeof(*e) + e->len;
            if (e->mask & IN_Q_OVERFLOW)
                fn(ctx, -1, "");
            else if (!(e->mask & IN_IGNORED))
                fn(ctx, e->wd, e->len ? e->name : "");
        }
    }
}
