/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mark.h: how far a file was taken, and how to know it again.
 *
 * An inode number alone is reused, a name alone is moved: a mark also holds digests of the file's
 * first bytes and of those just before the position. A file that was truncated and written again
 * past the position, between two looks at it, shows in the second.
 */
#ifndef MOOR_LOGS_MARK_H
#define MOOR_LOGS_MARK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "platform/file.h"

#define MOOR_MARK_HEAD   1024
#define MOOR_MARK_TAIL   256
#define MOOR_MARK_DIGEST 16 /* of SHA-256, cut */

struct moor_mark {
    uint64_t offset;   /* everything before it was taken */
    bool skipping;     /* it is within a line that was cut: pass over its rest */
    uint32_t head_len; /* min(offset, MOOR_MARK_HEAD); at offset 0 what there was to see */
    unsigned char head[MOOR_MARK_DIGEST];
    unsigned char tail[MOOR_MARK_DIGEST]; /* of the min(offset, MOOR_MARK_TAIL) bytes before it */
};

/* The mark of a file at offset. BADINPUT when the file is shorter. Reads the file: blocking. */
MOOR_NODISCARD moor_code moor_mark_make(const struct plat_file *f, uint64_t offset, bool skipping,
                                        struct moor_mark *out, struct moor_error *err);

/* The same at offset 0, with a digest of what the file begins with. */
MOOR_NODISCARD moor_code moor_mark_start(const struct plat_file *f, struct moor_mark *out,
                                         struct moor_error *err);
/* Back to offset 0; the digest of the beginning stays. */
void moor_mark_rewind(struct moor_mark *m);

typedef enum moor_mark_fit {
    MOOR_MARK_FITS,
    MOOR_MARK_SHORT, /* the file is shorter than the position */
    MOOR_MARK_OTHER  /* long enough, other bytes */
} moor_mark_fit;
MOOR_NODISCARD moor_code moor_mark_check(const struct plat_file *f, const struct moor_mark *m,
                                         moor_mark_fit *out, struct moor_error *err);

/* What a file that turned up is, to one that is known. */
typedef enum moor_kinship {
    MOOR_KIN_NONE,    /* a new file: from its start */
    MOOR_KIN_SAME,    /* the file itself: go on at the position */
    MOOR_KIN_EMPTIED, /* the file itself, truncated or its number reused: from its start */
    MOOR_KIN_COPY     /* a copy made by rotation: go on at the position */
} moor_kinship;

struct moor_kin_facts {
    bool same_inode;
    moor_mark_fit fit;
    uint64_t offset;    /* of the mark */
    bool rotation_name; /* called as the known file with something added */
    bool known_lost_it; /* the known file no longer fits its own mark, or is gone */
};
/* Pure. A copy must be proved: to read twice is a nuisance, to skip lines is a loss. */
moor_kinship moor_mark_kinship(const struct moor_kin_facts *k);

/* Whether these bytes, head_len of them, are those that the file began with. */
bool moor_mark_begins(const struct moor_mark *m, struct moor_span head);

/* The length of a name without ".gz" or the like at its end; 0: it has none. */
size_t moor_packed_name(const char *leaf);
/* "app.log" and "app.log.1", "app.log-20261122", "app-20261122.log", the same with ".gz" or the
 * like: how rotation names things. */
bool moor_rotation_name(const char *leaf, const char *candidate);
/* The same when nothing but the name speaks for it: what was added are digits and ".-_". */
bool moor_rotation_name_strict(const char *leaf, const char *candidate);

#endif
