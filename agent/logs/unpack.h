/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpack.h: what rotation packed with gzip, made readable again from a position on. Blocking, and
 * as slow as inflating is.
 */
#ifndef MOOR_LOGS_UNPACK_H
#define MOOR_LOGS_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "platform/file.h"

#define MOOR_UNPACK_MAX      ((uint64_t)1 << 30)  /* bytes that are written down */
#define MOOR_UNPACK_PASS_MAX ((uint64_t)16 << 30) /* bytes that are passed over */

typedef enum moor_packing {
    MOOR_PACKING_NONE,
    MOOR_PACKING_GZIP,
    MOOR_PACKING_OTHER /* bzip2, xz, zstd: known, and not readable here */
} moor_packing;
/* By its first bytes. */
moor_packing moor_packing_of(const struct plat_file *f);

/* The first n bytes of what is packed; *got is less only when there are no more. */
MOOR_NODISCARD moor_code moor_unpack_head(const struct plat_file *packed, void *p, size_t n,
                                          size_t *got, struct moor_error *err);

/* Into a file without a name, in the role's folder, that goes when it is closed: holes up to from,
 * but for the bytes by which a mark knows a file; all that follows. BADINPUT: damaged, unfinished,
 * shorter than from. NOMEM: longer than MOOR_UNPACK_MAX allows. */
MOOR_NODISCARD moor_code moor_unpack(const struct plat_file *packed, uint64_t from,
                                     struct plat_file *out, struct moor_error *err);

/* Whether plain, which is at hand, is what was packed: the same length, the same beginning. */
bool moor_unpack_is_of(const struct plat_file *packed, const struct plat_file *plain);

#endif
