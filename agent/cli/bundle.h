/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle.h: a zip of text files for whoever helps, made in memory and written once, readable by
 * its owner. Everything goes through a redactor. Files are opened as platform/file.h says, no link
 * followed, regular, with one name only; of a long one its end is taken. manifest.txt says what
 * was taken and what was left out, and why.
 */
#ifndef MOOR_CLI_BUNDLE_H
#define MOOR_CLI_BUNDLE_H

#include "cli/redact.h"

struct moor_bundle_limits {
    size_t file_max;  /* bytes of one file */
    size_t total_max; /* bytes in all, before compression */
    bool rotated;     /* also files that were put aside: "x.log.1" */
};

struct moor_bundle;
/* r is borrowed. */
MOOR_NODISCARD moor_code moor_bundle_new(const struct moor_redactor *r,
                                         const struct moor_bundle_limits *limits,
                                         struct moor_bundle **out, struct moor_error *err);
void moor_bundle_free(struct moor_bundle *b);
MOOR_DEFINE_AUTOPTR(moor_bundle)

/* Failures are in the manifest and do not end the collection, but for NOMEM at the very end. */
void moor_bundle_text(struct moor_bundle *b, const char *name, struct moor_span text);
void moor_bundle_file(struct moor_bundle *b, const char *path, const char *name);
/* Files below a folder whose names have one of the endings (NULL-terminated list; NULL: all), to
 * this depth of folders. Compressed ones are left out: they cannot be looked into. */
void moor_bundle_tree(struct moor_bundle *b, const char *path, const char *name,
                      const char *const *endings, unsigned depth);

/* Writes it as a new file; *files says how many are in it. */
MOOR_NODISCARD moor_code moor_bundle_write(struct moor_bundle *b, const char *path, size_t *files,
                                           struct moor_error *err);

#endif
