/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trail_files.h: where the audit log is, for those who write and those who read it. The caller
 * holds the lock.
 */
#ifndef MOOR_CORE_TRAIL_FILES_H
#define MOOR_CORE_TRAIL_FILES_H

#include "core/trail_line.h"
#include "platform/file.h"

#define MOOR_TRAIL_HEAD_NAME "head.json"
#define MOOR_TRAIL_LISTED    64 /* files that are looked at; never so many are kept */
#define MOOR_TRAIL_NAME_MAX  32

/* Makes the folder and waits for one's turn. */
MOOR_NODISCARD moor_code moor_trail_lock(struct plat_file *out, struct moor_error *err);

MOOR_NODISCARD moor_code moor_trail_folder(char **out, struct moor_error *err);
void moor_trail_name(uint64_t first, char out[MOOR_TRAIL_NAME_MAX]); /* of a file */
MOOR_NODISCARD moor_code moor_trail_path(const char *name, char **out, struct moor_error *err);

/* The numbers the files are called after, rising. */
struct moor_trail_list {
    uint64_t first[MOOR_TRAIL_LISTED];
    size_t count;
};
MOOR_NODISCARD moor_code moor_trail_list(struct moor_trail_list *out, struct moor_error *err);

/* NOTFOUND: there is none. BADINPUT: it was changed. */
MOOR_NODISCARD moor_code moor_trail_head_load(struct moor_trail_head *out, struct moor_error *err);
MOOR_NODISCARD moor_code moor_trail_head_save(const struct moor_trail_head *h,
                                              struct moor_error *err);

/* What is behind offset in a file, but no more than max bytes; NOTFOUND: it is not there. */
MOOR_NODISCARD moor_code moor_trail_bytes(uint64_t file, uint64_t offset, size_t max,
                                          struct moor_buf *out, struct moor_error *err);

#endif
