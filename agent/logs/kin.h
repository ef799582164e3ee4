/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kin.h: whether an open file is one that we know, by mark.h's rules, and where such a one is.
 * Reads up to some KiB a question: blocking.
 */
#ifndef MOOR_LOGS_KIN_H
#define MOOR_LOGS_KIN_H

#include <stdbool.h>

#include "logs/mark.h"
#include "logs/positions.h"
#include "platform/file.h"

struct moor_candidate {
    const char *path;
    char *own_path; /* the same when it was searched for; heap */
    struct plat_file file;
    struct plat_stat st;
};
void moor_candidate_drop(struct moor_candidate *c);

/* What c is to the file that stood at path, had this key and was read up to mark. */
moor_kinship moor_candidate_kin(const struct moor_candidate *c, const char *path,
                                const struct moor_file_key *key, const struct moor_mark *mark);

/* Searches path's folder for the file itself under another name, then for a copy that rotation
 * made; path itself is not looked at. */
bool moor_candidate_search(const char *path, const struct moor_file_key *key,
                           const struct moor_mark *mark, struct moor_candidate *out);

/* Starts as gzip, bzip2, xz or zstd files do: rotation packed it. */
bool moor_candidate_is_packed(const struct moor_candidate *c);

#endif
