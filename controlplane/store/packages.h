/* SPDX-License-Identifier: Apache-2.0 */
/* packages.h: the gallery's index. The files are <state>/packages/<sha256>.zip and .zip.sig. */
#ifndef MOOR_STORE_PACKAGES_H
#define MOOR_STORE_PACKAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

struct moor_package {
    const char *publisher, *type, *version; /* compared without case; version dotted */
    const char *sha256;                     /* 64 hexadecimal digits, lower case */
    uint64_t size;
    bool publisher_signature; /* <sha256>.zip.publisher.sig is there too */
    int64_t published_ms;
    bool multi_config; /* a machine may have several extensions of it */
};
struct moor_package_list {
    struct moor_package *items; /* by publisher, type; versions in no order */
    size_t count;
};

/* EXISTS when the same publisher, type and version has another digest; the same digest is OK. */
MOOR_NODISCARD moor_code moor_package_add(struct moor_store *s, const struct moor_package *p,
                                          struct moor_error *err);
/* publisher and type NULL = all. */
MOOR_NODISCARD moor_code moor_package_list(struct moor_store *s, const char *publisher,
                                           const char *type, struct moor_arena *arena,
                                           struct moor_package_list *out, struct moor_error *err);
MOOR_NODISCARD moor_code moor_package_by_sha256(struct moor_store *s, const char *sha256,
                                                struct moor_arena *arena, struct moor_package *out,
                                                struct moor_error *err);

#endif
