/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path.h (private to posix/): the one way from a path to a descriptor.
 *
 * Every folder on the way is opened by itself, without following links, and the last step is
 * taken relative to the descriptor of its parent. So nobody who can write one of the folders can
 * redirect the call between a check and a use.
 *
 * One exception: /var/run, /lib and their like. A link among the first three components is followed
 * when root owns it and root alone can write every folder on the way to it.
 */
#ifndef MOOR_POSIX_PATH_H
#define MOOR_POSIX_PATH_H

#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/attr.h"
#include "base/error.h"
#include "platform/file.h"

/* The parent of path as an O_PATH descriptor, and the last component, which is not touched.
 * BADINPUT for relative paths, empty components, "." and "..", "/" itself. */
MOOR_NODISCARD moor_code posix_parent(const char *path, struct plat_file *parent,
                                      char leaf[NAME_MAX + 1], struct moor_error *err);

/* The folder path itself, as an O_PATH descriptor. */
MOOR_NODISCARD moor_code posix_folder(const char *path, struct plat_file *out,
                                      struct moor_error *err);

/* Changes the mode of what an O_PATH descriptor stands for; not a link. 0 or an errno. */
int posix_chmod_fd(int fd, mode_t mode);

/* One step: the folder name in folder at, not through a link. A new O_PATH descriptor or -1 with
 * errno, ELOOP for a link. */
int posix_step(int at, const char *name);

/* The next entry but . and ..; NULL at the end (errno 0) or on an error. */
const struct dirent *posix_next_entry(DIR *d);

/* "a link", "a folder", "a pipe", ...: for messages. */
const char *posix_kind(mode_t mode);

mode_t posix_file_mode(plat_access access);

void posix_stat_from(const struct stat *st, struct plat_stat *out);

#endif
