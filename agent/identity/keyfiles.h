/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyfiles.h: the files that challenge keys stand in: one folder, readable by the group, written by
 * nobody else.
 *
 * Making and removing a file for each key is what a token costs most where inodes are slow to come
 * by (ext4 looks for one that was not deleted lately: 0.1 ms and more when hundreds are made each
 * second). So from some rate on files are kept in a folder of our own, and a key is written into
 * one that then gets a name beside the others, and loses it with the key. A file is used so for
 * MOOR_KEYFILE_LIFE_MS, which is as long as somebody who kept it open could read in it. Loop
 * thread.
 */
#ifndef MOOR_IDENTITY_KEYFILES_H
#define MOOR_IDENTITY_KEYFILES_H

#include "base/error.h"
#include "base/span.h"

struct moor_loop;
struct moor_keyfiles;

#define MOOR_KEYFILE_LIFE_MS 60000
#define MOOR_KEYFILES_SPARE  256 /* kept at most */
#define MOOR_KEYFILES_RATE   64  /* files made within a second, from which on some are kept */

/* folder is copied, made if missing, taken from other writers, and emptied of *.key. */
MOOR_NODISCARD moor_code moor_keyfiles_new(struct moor_loop *l, const char *folder,
                                           struct moor_keyfiles **out, struct moor_error *err);
/* Files that were not removed stay. */
void moor_keyfiles_free(struct moor_keyfiles *k);
MOOR_DEFINE_AUTOPTR(moor_keyfiles)

const char *moor_keyfiles_folder(const struct moor_keyfiles *k);

/* Makes a file of this name, which must be new, and says in *file what it is made of. text has the
 * same length in every call. */
MOOR_NODISCARD moor_code moor_keyfiles_add(struct moor_keyfiles *k, const char *name,
                                           struct moor_span text, int *file,
                                           struct moor_error *err);
/* Removes it; a failure is logged. */
void moor_keyfiles_remove(struct moor_keyfiles *k, const char *name, int file);

#endif
