/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/lifetime/fake_dirs.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "platform/dirs.h"

#define PATH_LIMIT 4096

static const char *const places[PLAT_DIR_COUNT] = {
    [PLAT_DIR_STATE] = "state",
    [PLAT_DIR_CERTS] = "state/certs",
    [PLAT_DIR_TOKENS] = "state/tokens",
    [PLAT_DIR_SOCKS] = "state/socks",
    [PLAT_DIR_LOG] = "state/log",
    [PLAT_DIR_ETC] = "etc",
    [PLAT_DIR_RUN] = "run",
    [PLAT_DIR_LIB] = "lib",
    [PLAT_DIR_HANDLERS] = "handlers",
    [PLAT_DIR_GUESTCONFIG] = "guestconfig",
    [PLAT_DIR_HANDLER_LOGS] = "handler-logs",
    [PLAT_DIR_CP_ETC] = "cp-etc",
    [PLAT_DIR_CP_LIB] = "cp-lib",
};
static char roots[FAKE_DIRS_MAX][256];
static char paths[FAKE_DIRS_MAX][PLAT_DIR_COUNT][320];
static unsigned count, present;

unsigned fake_dirs_add(const char *root)
{
    MOOR_ASSERT(count < FAKE_DIRS_MAX);
    (void)snprintf(roots[count], sizeof(roots[count]), "%s", root);
    for (size_t i = 0; i < PLAT_DIR_COUNT; i++)
        (void)snprintf(paths[count][i], sizeof(paths[count][i]), "%s/%s", root, places[i]);
    return count++;
}

void fake_dirs_use(unsigned root)
{
    MOOR_ASSERT(root < count);
    present = root;
}

moor_code plat_dirs_init(bool ignore_env, struct moor_error *err)
{
    (void)ignore_env;
    (void)err;
    return MOOR_OK;
}

const char *plat_dirs_root(void)
{
    return roots[present];
}

const char *plat_dir_path(plat_dir dir)
{
    return paths[present][dir];
}

moor_code plat_path(plat_dir dir, char **out, struct moor_error *err, const char *fmt, ...)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(PATH_LIMIT);
    va_list ap;
    moor_buf_fmt(&b, "%s/", plat_dir_path(dir));
    va_start(ap, fmt);
    moor_buf_vfmt(&b, fmt, ap);
    va_end(ap);
    return moor_buf_take(&b, "path", out, err);
}
