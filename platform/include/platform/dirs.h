/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dirs.h: where things are. With MOORING_ROOT=<dir> every path is below <dir>: for tests and
 * trials without installation. The variable is ignored in set-uid programs and refused unless
 * every component is owned by root or the caller and writable by nobody else (a sticky ancestor
 * such as /tmp is allowed).
 */
#ifndef PLAT_DIRS_H
#define PLAT_DIRS_H

#include "base/attr.h"
#include "base/error.h"

typedef enum plat_dir {
    PLAT_DIR_STATE,        /* /var/opt/azcmagent */
    PLAT_DIR_CERTS,        /* …/certs */
    PLAT_DIR_TOKENS,       /* …/tokens */
    PLAT_DIR_SOCKS,        /* …/socks */
    PLAT_DIR_LOG,          /* …/log */
    PLAT_DIR_ETC,          /* /etc/mooring */
    PLAT_DIR_RUN,          /* /run/mooring */
    PLAT_DIR_LIB,          /* /var/lib/mooring */
    PLAT_DIR_HANDLERS,     /* /var/lib/waagent */
    PLAT_DIR_GUESTCONFIG,  /* /var/lib/GuestConfig */
    PLAT_DIR_HANDLER_LOGS, /* /var/log/azure */
    PLAT_DIR_CP_ETC,       /* /etc/mooring-controlplane */
    PLAT_DIR_CP_LIB,       /* /var/lib/mooring-controlplane */
    PLAT_DIR_COUNT
} plat_dir;

/* Reads and checks MOORING_ROOT, once, before any thread; ignore it for services started by the
 * system. Without this call there is no root. */
MOOR_NODISCARD moor_code plat_dirs_init(bool ignore_env, struct moor_error *err);

/* DENIED when one of the folders that only root may write (state, settings, run, handlers, manager
 * state), or a folder on the way, belongs to somebody else or can be written by others: what is
 * read there could be anybody's. Missing ones are fine. */
MOOR_NODISCARD moor_code plat_dirs_check(struct moor_error *err);

/* "" when there is none. */
const char *plat_dirs_root(void);

/* Absolute path, valid for ever. */
const char *plat_dir_path(plat_dir dir);

/* plat_dir_path(dir) + "/" + formatted name, as a heap string. */
MOOR_NODISCARD MOOR_PRINTF(4, 5) moor_code
    plat_path(plat_dir dir, char **out, struct moor_error *err, const char *fmt, ...);

#endif
