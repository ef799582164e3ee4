/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target.h: an origin-form request target, taken apart and decoded. Pure.
 *
 * Refused: characters outside RFC 3986 ('[' and ']' are let pass in the query), broken escapes,
 * %00, text that is not UTF-8; in the path also escaped slashes, backslashes and controls, and the
 * segments "." and "..", so that one resource has one spelling (but for case and empty segments).
 */
#ifndef MOOR_HTTP_TARGET_H
#define MOOR_HTTP_TARGET_H

#include <stddef.h>

#include "base/arena.h"
#include "base/attr.h"
#include "http/refusal.h"

struct moor_target_pair {
    const char *name;
    const char *value;
};

/* Everything lives in the arena. */
struct moor_target {
    const char *path;            /* decoded: "/" or "/a/b", one slash each, none at the end */
    const char *const *segments; /* of the path, decoded, never empty */
    size_t segment_count;
    const struct moor_target_pair *query; /* in order; '+' is a blank; a name alone has value "" */
    size_t query_count;
};

/* raw starts with '/'. */
MOOR_NODISCARD moor_refusal moor_target_parse(const char *raw, struct moor_arena *arena,
                                              struct moor_target *out);

/* The first value of that name, in any case; NULL when absent. */
const char *moor_target_query(const struct moor_target *t, const char *name);

#endif
