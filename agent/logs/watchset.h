/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watchset.h: the role's one file watch, shared: what several want watched is watched once, and
 * until the last lets go. Loop thread.
 */
#ifndef MOOR_LOGS_WATCHSET_H
#define MOOR_LOGS_WATCHSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "platform/watch.h"

struct moor_watch_item {
    int32_t id;
    unsigned refs; /* of files */
    char *folder;  /* NULL for a file */
    bool wanted;   /* of a folder: since moor_watchset_begin() */
    bool lasting;  /* a folder of the role's own */
};

struct moor_watchset {
    struct plat_watch *watch;
    struct moor_watch_item *items; /* sorted by id */
    size_t count, cap;
};

MOOR_NODISCARD moor_code moor_watchset_init(struct moor_watchset *w, struct moor_error *err);
void moor_watchset_drop(struct moor_watchset *w);

/* A file: as often let go as taken. Links in path are followed. */
MOOR_NODISCARD moor_code moor_watchset_take(struct moor_watchset *w, const char *path, int32_t *id,
                                            struct moor_error *err);
void moor_watchset_release(struct moor_watchset *w, int32_t id);

/* Folders: those wanted between begin and end stay, and the lasting ones; others go. */
void moor_watchset_begin(struct moor_watchset *w);
MOOR_NODISCARD moor_code moor_watchset_want(struct moor_watchset *w, const char *folder,
                                            bool lasting, struct moor_error *err);
void moor_watchset_end(struct moor_watchset *w);

/* NULL when id is no folder's. */
const char *moor_watchset_folder(const struct moor_watchset *w, int32_t id);

#endif
