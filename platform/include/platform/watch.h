/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.h: being told that files changed, instead of looking. A lost or merged notice is normal:
 * after any notice look at everything the path names.
 */
#ifndef PLAT_WATCH_H
#define PLAT_WATCH_H

#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"

struct plat_watch; /* opaque: one per process is enough */

MOOR_NODISCARD moor_code plat_watch_new(struct plat_watch **out, struct moor_error *err);
void plat_watch_free(struct plat_watch *w);
MOOR_DEFINE_AUTOPTR(plat_watch)
int plat_watch_fd(const struct plat_watch *w); /* readable when there are notices */

/* path is a file (writes, truncation, renaming away, deletion) or a folder (entries coming,
 * going, and being closed after writing). *id comes back in notices. Links are followed. */
MOOR_NODISCARD moor_code plat_watch_add(struct plat_watch *w, const char *path, int32_t *id,
                                        struct moor_error *err);
void plat_watch_remove(struct plat_watch *w, int32_t id);

/* Calls fn for each pending notice; name is the entry for folders, "" for files. id -1 means
 * notices were lost: look at everything. Does not block. */
typedef void (*plat_watch_fn)(void *ctx, int32_t id, const char *name);
void plat_watch_read(struct plat_watch *w, plat_watch_fn fn, void *ctx);

#endif
