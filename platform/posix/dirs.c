/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "path.h"
#include "platform/oserr.h"

#define ROOT_VARIABLE "MOORING_ROOT"
#define ROOT_MAX      1024

static const char *const places[PLAT_DIR_COUNT] = {
    [PLAT_DIR_STATE] = "/var/opt/azcmagent",
    [PLAT_DIR_CERTS] = "/var/opt/azcmagent/certs",
    [PLAT_DIR_TOKENS] = "/var/opt/azcmagent/tokens",
    [PLAT_DIR_SOCKS] = "/var/opt/azcmagent/socks",
    [PLAT_DIR_LOG] = "/var/opt/azcmagent/log",
    [PLAT_DIR_ETC] = "/etc/mooring",
    [PLAT_DIR_RUN] = "/run/mooring",
    [PLAT_DIR_LIB] = "/var/lib/mooring",
    [PLAT_DIR_HANDLERS] = "/var/lib/waagent",
    [PLAT_DIR_GUESTCONFIG] = "/var/lib/GuestConfig",
    [PLAT_DIR_HANDLER_LOGS] = "/var/log/azure",
    [PLAT_DIR_CP_ETC] = "/etc/mooring-controlplane",
    [PLAT_DIR_CP_LIB] = "/var/lib/mooring-controlplane",
};

/* Written once by plat_dirs_init(), before any thread. */
static char root[ROOT_MAX];
static char below_root[PLAT_DIR_COUNT][ROOT_MAX + 64];

static moor_code check_component(const char *what, const char *path, int fd, bool last,
                                 struct moor_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return plat_fail(err, errno, "%s: %s", what, path);
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return moor_fail(err, MOOR_E_DENIED,
                         "%s: %s belongs to user %u, neither root nor the caller", what, path,
                         (unsigned)st.st_uid);
    bool others_write = (st.st_mode & (S_IWGRP | S_IWOTH)) != 0;
    bool sticky_ancestor = !last && (st.st_mode & S_ISVTX);
    if (others_write && !sticky_ancestor)
        return moor_fail(err, MOOR_E_DENIED, "%s: %s can be written by others (mode %04o)", what,
                         path, (unsigned)(st.st_mode & 07777));
    return MOOR_OK;
}

/* Every prefix of path, "/" included. The careful walk refuses links on the way. */
static moor_code check_folder(const char *what, const char *path, struct moor_error *err)
{
    size_t n = strlen(path);
    char prefix[ROOT_MAX];
    for (size_t i = 0; i <= n; i++) {
        if (i > 0 && path[i] != '/' && path[i] != '\0')
            continue;
        (void)snprintf(prefix, sizeof(prefix), "%.*s", i == 0 ? 1 : (int)i, path);
        MOOR_AUTO(plat_file) folder = PLAT_FILE_INIT;
        moor_code c = posix_folder(prefix, &folder, err);
        if (c != MOOR_OK)
            return moor_context(err, "%s", what);
        c = check_component(what, prefix, folder.fd_, i == n, err);
        if (c != MOOR_OK)
            return c;
    }
    return MOOR_OK;
}

moor_code plat_dirs_init(bool ignore_env, struct moor_error *err)
{
    const char *value = ignore_env ? NULL : secure_getenv(ROOT_VARIABLE);
    if (!value)
        return MOOR_OK;
    char path[ROOT_MAX];
    size_t n = strlen(value);
    if (value[0] != '/' || n >= sizeof(path))
        return moor_fail(err, MOOR_E_BADINPUT,
                         ROOT_VARIABLE ": want an absolute path of at most %d bytes", ROOT_MAX - 1);
    while (n > 0 && value[n - 1] == '/')
        n--;
    if (n == 0)
        return MOOR_OK; /* "/" is where everything is anyway */
    memcpy(path, value, n);
    path[n] = '\0';
    moor_code c = check_folder(ROOT_VARIABLE, path, err);
    if (c != MOOR_OK)
        return c;
    memcpy(root, path, n + 1);
    for (size_t i = 0; i < PLAT_DIR_COUNT; i++)
        (void)snprintf(below_root[i], sizeof(below_root[i]), "%s%s", root, places[i]);
    return MOOR_OK;
}

moor_code plat_dirs_check(struct moor_error *err)
{
    static const plat_dir roots[] = { PLAT_DIR_STATE, PLAT_DIR_ETC, PLAT_DIR_RUN, PLAT_DIR_HANDLERS,
                                      PLAT_DIR_GUESTCONFIG };
    for (size_t i = 0; i < MOOR_COUNTOF(roots); i++) {
        moor_code c = check_folder("unsafe folder", plat_dir_path(roots[i]), err);
        if (c != MOOR_OK && c != MOOR_E_NOTFOUND)
            return c;
    }
    return MOOR_OK;
}

const char *plat_dirs_root(void)
{
    return root;
}

const char *plat_dir_path(plat_dir dir)
{
    MOOR_ASSERT((unsigned)dir < PLAT_DIR_COUNT);
    return root[0] ? below_root[dir] : places[dir];
}

moor_code plat_path(plat_dir dir, char **out, struct moor_error *err, const char *fmt, ...)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(PATH_MAX);
    moor_buf_str(&b, plat_dir_path(dir));
    moor_buf_char(&b, '/');
    va_list ap;
    va_start(ap, fmt);
    moor_buf_vfmt(&b, fmt, ap);
    va_end(ap);
    return moor_buf_take(&b, "path", out, err);
}
