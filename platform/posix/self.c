/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/self.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/span.h"
#include "platform/net.h"
#include "platform/oserr.h"

#define INHERITED  3
#define SECRET_MAX 1024

moor_code plat_program_path(char **out, struct moor_error *err)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path));
    if (n < 0)
        return plat_fail(err, errno, "/proc/self/exe");
    return moor_span_dup(moor_span(path, (size_t)n), out, err);
}

moor_code plat_absolute_path(const char *path, char **out, struct moor_error *err)
{
    char here[PATH_MAX];
    MOOR_AUTO(moor_buf) text = MOOR_BUF(2 * PATH_MAX);
    if (path[0] != '/') {
        if (!getcwd(here, sizeof(here)))
            return plat_fail(err, errno, "current folder");
        while (path[0] == '.' && path[1] == '/')
            path += 2;
        moor_buf_fmt(&text, "%s/", here);
    }
    moor_buf_str(&text, path);
    return moor_buf_take(&text, "path", out, err);
}

const char *plat_environment(const char *name)
{
    return secure_getenv(name);
}

unsigned plat_files_max(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur > INT_MAX)
        return INT_MAX;
    return (unsigned)r.rlim_cur;
}

moor_code plat_set_environment(const char *name, const char *value, struct moor_error *err)
{
    return setenv(name, value, 1) == 0 ? MOOR_OK : plat_fail(err, errno, "variable %s", name);
}

bool plat_on_terminal(void)
{
    return isatty(STDERR_FILENO) == 1;
}

static moor_code read_line(int fd, struct moor_secret *out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) line = MOOR_BUF_SECRET(SECRET_MAX);
    char c = 0;
    ssize_t n;
    while ((n = read(fd, &c, 1)) == 1 && c != '\n')
        moor_buf_char(&line, c);
    if (n < 0)
        return plat_fail(err, errno, "terminal");
    return moor_secret_take(out, &line, err);
}

moor_code plat_ask_secret(const char *prompt, struct moor_secret *out, struct moor_error *err)
{
    struct termios shown, hidden;
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (fd < 0 || tcgetattr(fd, &shown) != 0) {
        plat_net_close(fd);
        return moor_fail(err, MOOR_E_NOTFOUND, "there is no terminal to ask at");
    }
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    hidden.c_lflag |= ECHONL;
    /* First, so that what is typed after the prompt is neither shown nor flushed. */
    (void)tcsetattr(fd, TCSAFLUSH, &hidden);
    (void)dprintf(fd, "%s: ", prompt);
    moor_code c = read_line(fd, out, err);
    (void)tcsetattr(fd, TCSAFLUSH, &shown);
    (void)close(fd);
    return c;
}

moor_code plat_inherited(struct plat_file *out, struct moor_error *err)
{
    static bool taken;
    int type = 0;
    socklen_t n = sizeof(type);
    if (taken || getsockopt(INHERITED, SOL_SOCKET, SO_TYPE, &type, &n) != 0 ||
        type != SOCK_SEQPACKET)
        return moor_fail(err, MOOR_E_BADINPUT, "descriptor %d: want the parent's socket",
                         INHERITED);
    if (fcntl(INHERITED, F_SETFD, FD_CLOEXEC) != 0)
        return plat_fail(err, errno, "descriptor %d", INHERITED);
    taken = true;
    plat_file_drop(out);
    out->fd_ = INHERITED;
    return MOOR_OK;
}

void plat_share_heap(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_ARENA_MAX, 1);
#endif
}

void plat_release_memory(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}

moor_code plat_keep_orphans(struct moor_error *err)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
               ? MOOR_OK
               : plat_fail(err, errno, "cannot keep orphans");
}

moor_code plat_become_user(const char *name, struct moor_error *err)
{
    char room[16384];
    struct passwd entry, *who = NULL;
    int e = getpwnam_r(name, &entry, room, sizeof(room), &who);
    if (e)
        return plat_fail(err, e, "user %s", name);
    if (!who)
        return moor_fail(err, MOOR_E_NOTFOUND, "user %s: does not exist", name);
    if (who->pw_uid == 0)
        return moor_fail(err, MOOR_E_BADINPUT, "user %s: is root", name);
    /* Capabilities go with the last uid 0; no set-uid program gives anything back. */
    if (initgroups(name, who->pw_gid) != 0 || setgid(who->pw_gid) != 0 ||
        setuid(who->pw_uid) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return plat_fail(err, errno, "user %s: cannot become it", name);
    if (setuid(0) == 0)
        return moor_fail(err, MOOR_E_BUG, "user %s: root came back", name);
    return MOOR_OK;
}
