/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kin.h: whether an open file is one that we know, by mark.h's rules, and where such a one is.
 * Reads up to some KiB a question: blocking.
 */
#ifndef MOOR_LOGS_KIN_H
#define MOOR_LOGS_KIN_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "logs/mark.h"
#include "logs/positions.h"
#include "logs/unpack.h"
#include "platform/file.h"

struct moor_candidate {
    const char *path;
    char *own_path; /* the same when it was searched for; heap */
    moor_packing packing;
    struct plat_file packed; /* what rotation packed; file is then what was unpacked of it */
    struct plat_file file;
    struct plat_stat st; /* of what is at path */
};
/* Opens what is at path, a link or not; real as of plat_open_followed(). path is borrowed. What is
 * packed another way than with gzip is opened, and of no kin. */
MOOR_NODISCARD moor_code moor_candidate_open(struct moor_candidate *c, const char *path,
                                             struct moor_buf *real, struct moor_error *err);
void moor_candidate_drop(struct moor_candidate *c);

/* What c is to the file that stood at path, had this key and was read up to mark. Of what is packed
 * the file is made, readable from the mark on, when it is of kin. */
moor_kinship moor_candidate_kin(struct moor_candidate *c, const char *path,
                                const struct moor_file_key *key, const struct moor_mark *mark);

/* Searches path's folder for the file itself, whatever it is called now, then for a copy that
 * rotation made, packed or not. */
bool moor_candidate_search(const char *path, const struct moor_file_key *key,
                           const struct moor_mark *mark, struct moor_candidate *out);

/* other is in path's folder and called as rotation would call it. */
bool moor_is_rotation_of(const char *path, const char *other);

bool moor_same_folder(const char *a, const char *b);

/* Entries of path's folder that were written to since and that are wanted, at most 64: fn is told
 * the path of each, oldest first. */
typedef bool (*moor_rotation_fn)(void *ctx, const char *name, const struct plat_stat *st);
void moor_rotations_in(const char *path, int64_t since_ms, moor_rotation_fn wanted,
                       void (*fn)(void *ctx, const char *path), void *ctx);

#endif
