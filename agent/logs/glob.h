/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glob.h: file patterns: absolute paths in which '*' stands for any run of characters, none
 * included, within one component, and one component "**", not the last, for any number of folders,
 * none included, up to MOOR_GLOB_DEEP_MAX. A name that starts with '.' is matched only by a
 * component that does too. Folders that are links are not searched.
 */
#ifndef MOOR_LOGS_GLOB_H
#define MOOR_LOGS_GLOB_H

#include <stdbool.h>

#include "base/error.h"
#include "base/span.h"
#include "platform/file.h"

#define MOOR_GLOB_DEEP_MAX 32

bool moor_glob_valid(const char *pattern);
/* One component. */
bool moor_glob_match(struct moor_span pattern, const char *name);
/* A whole path against a whole pattern. */
bool moor_glob_match_path(const char *pattern, const char *path);
/* A path against as many components of the pattern as it has. */
bool moor_glob_match_start(const char *pattern, const char *path);

struct moor_glob_visitor {
    /* A file of a matching name. st is the entry itself; NULL when it was not looked at. */
    void (*on_file)(void *ctx, const char *path, const struct plat_stat *st);
    /* A folder whose changes matter: searched, or the nearest one there is on the way. */
    void (*on_folder)(void *ctx, const char *path);
    void *ctx;
};
/* Reads folders: blocking. What cannot be read is passed over, and told as the first error. */
MOOR_NODISCARD moor_code moor_glob_walk(const char *pattern, const struct moor_glob_visitor *v,
                                        struct moor_error *err);

#endif
