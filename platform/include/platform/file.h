/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.h: files, folders and descriptors, the way a privileged process may touch them.
 *
 * Paths are UTF-8 and absolute. Unless a function says otherwise every component is opened without
 * following links, so that nobody who can write a folder on the way can redirect the call. One of
 * the first three components may be a link (/var/run, /lib, /var/lib/waagent on another disk) if
 * the administrator owns it and alone can write the folders on the way. "." and ".." are refused.
 * Every descriptor is close-on-exec from birth. Errors name the path. Nothing here logs. Any
 * thread; blocking: keep big files off the loop.
 */
#ifndef PLAT_FILE_H
#define PLAT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

/* Who may read and write a new file or folder. */
typedef enum plat_access {
    PLAT_OWNER_ONLY, /* 0600, folders 0700 */
    PLAT_GROUP_READ, /* 0640, folders 0750 */
    PLAT_WORLD_READ  /* 0644, folders 0755 */
} plat_access;

/* An open file. Wrapped, so that it is closed exactly once. */
struct plat_file {
    int fd_; /* private to platform/: -1 = closed. A handle table index on Windows. */
};
#define PLAT_FILE_INIT                                                                             \
    {                                                                                              \
        -1                                                                                         \
    }
void plat_file_drop(struct plat_file *f); /* closes; idempotent */
MOOR_DEFINE_AUTO(plat_file)
bool plat_file_is_open(const struct plat_file *f);
void plat_file_move(struct plat_file *to, struct plat_file *from);
MOOR_NODISCARD moor_code plat_file_dup(const struct plat_file *f, struct plat_file *out,
                                       struct moor_error *err);

struct plat_stat {
    uint64_t size;
    int64_t mtime_ms;
    uint64_t device, inode; /* identity of the file */
    uint32_t mode;          /* permission bits */
    uint32_t uid, gid;
    uint32_t links;
    bool is_file, is_dir, is_link;
};

/* Whole small files. A file longer than max is NOMEM naming the limit. */
MOOR_NODISCARD moor_code plat_read_all(const char *path, size_t max, struct moor_buf *out,
                                       struct moor_error *err);

/* Replaces path with the bytes: temporary file in the same folder, flush, rename, flush of the
 * folder. After a crash the old or the new text is there, never a part; a file .new-* may be left
 * beside it. */
MOOR_NODISCARD moor_code plat_write_atomic(const char *path, struct moor_span bytes,
                                           plat_access access, struct moor_error *err);

/* Creates a new file that must not exist, open for reading and writing. */
MOOR_NODISCARD moor_code plat_create_new(const char *path, plat_access access,
                                         struct plat_file *out, struct moor_error *err);

typedef enum plat_open_mode {
    PLAT_READ,
    PLAT_WRITE,     /* must exist */
    PLAT_APPEND,    /* created when missing, PLAT_OWNER_ONLY */
    PLAT_READ_WRITE /* created when missing, PLAT_OWNER_ONLY */
} plat_open_mode;
/* Regular files only; anything else is DENIED naming the type. So is, but for PLAT_READ, a file
 * that has another name, too: a hard link that somebody planted. */
MOOR_NODISCARD moor_code plat_open(const char *path, plat_open_mode mode, struct plat_file *out,
                                   struct moor_error *err);

/* Opens a regular file for reading through links that others may have made: each link on the way
 * must be root's, or belong to the owner of the file it leads to. ".." is allowed inside links.
 * real, unless NULL, gets the path without links appended. DENIED says which link or type. */
MOOR_NODISCARD moor_code plat_open_followed(const char *path, struct plat_file *out,
                                            struct moor_buf *real, struct moor_error *err);

/* Up to n bytes at offset; *got is less only at the end of the file. */
MOOR_NODISCARD moor_code plat_read_at(const struct plat_file *f, uint64_t offset, void *p, size_t n,
                                      size_t *got, struct moor_error *err);
MOOR_NODISCARD moor_code plat_write_at(const struct plat_file *f, uint64_t offset,
                                       struct moor_span bytes, struct moor_error *err);
MOOR_NODISCARD moor_code plat_append(const struct plat_file *f, struct moor_span bytes,
                                     struct moor_error *err);
MOOR_NODISCARD moor_code plat_truncate(const struct plat_file *f, uint64_t size,
                                       struct moor_error *err);
MOOR_NODISCARD moor_code plat_sync(const struct plat_file *f, struct moor_error *err);
MOOR_NODISCARD moor_code plat_fstat(const struct plat_file *f, struct plat_stat *out,
                                    struct moor_error *err);
MOOR_NODISCARD moor_code
plat_stat_path(const char *path, struct plat_stat *out,
               struct moor_error *err); /* a link is described, not followed */
bool plat_exists(const char *path);

/* Folders. make_dirs creates what is missing, all of it with this access; what exists is left as
 * it is and must be a folder. */
MOOR_NODISCARD moor_code plat_make_dirs(const char *path, plat_access access,
                                        struct moor_error *err);
/* Calls fn for every entry but . and .., in no order, until it returns false. A folder that does
 * not exist is NOTFOUND. */
typedef bool (*plat_dir_fn)(void *ctx, const char *name, const struct plat_stat *st);
MOOR_NODISCARD moor_code plat_list_dir(const char *path, plat_dir_fn fn, void *ctx,
                                       struct moor_error *err);
MOOR_NODISCARD moor_code plat_remove(const char *path, struct moor_error *err); /* missing is OK */

/* A folder held open, for many small files: what is done in it does not walk the path again.
 * name is one component. A file is created whole, never visible with more rights than access. When
 * the folder itself was removed meanwhile, NOTFOUND. */
MOOR_NODISCARD moor_code plat_hold_folder(const char *path, struct plat_file *out,
                                          struct moor_error *err);
MOOR_NODISCARD moor_code plat_create_in(const struct plat_file *folder, const char *name,
                                        plat_access access, struct moor_span bytes,
                                        struct moor_error *err);
MOOR_NODISCARD moor_code plat_remove_in(const struct plat_file *folder, const char *name,
                                        struct moor_error *err); /* missing is OK */
/* A second name, which must be new, for a file; in a folder of the same file system. */
MOOR_NODISCARD moor_code plat_link_in(const struct plat_file *from, const char *name,
                                      const struct plat_file *to, const char *second,
                                      struct moor_error *err);
/* Removes the folder and all below it, never through a link nor into another file system. Missing
 * is OK. */
MOOR_NODISCARD moor_code plat_remove_tree(const char *path, struct moor_error *err);
MOOR_NODISCARD moor_code plat_rename(const char *from, const char *to, struct moor_error *err);
MOOR_NODISCARD moor_code plat_sync_dir(const char *path, struct moor_error *err);
/* Everything written so far in the file system of path, in one go: for many files at once. */
MOOR_NODISCARD moor_code plat_sync_all(const char *path, struct moor_error *err);
MOOR_NODISCARD moor_code plat_set_mode(const char *path, uint32_t mode, struct moor_error *err);
MOOR_NODISCARD moor_code plat_set_group(const char *path, uint32_t gid, struct moor_error *err);
MOOR_NODISCARD moor_code plat_set_owner(const char *path, uint32_t uid, uint32_t gid,
                                        struct moor_error *err);
MOOR_NODISCARD moor_code plat_free_space(const char *path, uint64_t *bytes, struct moor_error *err);
bool plat_noexec(const char *path); /* programs below path cannot be started */

/* An exclusive lock held as long as the file is open; EXISTS when another process holds it. */
MOOR_NODISCARD moor_code plat_lock_file(const char *path, struct plat_file *out,
                                        struct moor_error *err);
/* The same, but waits as long as another holds it: for locks that are held for moments. */
MOOR_NODISCARD moor_code plat_lock_file_wait(const char *path, struct plat_file *out,
                                             struct moor_error *err);

#endif
