/* SPDX-License-Identifier: Apache-2.0 */
/*
 * span.h: a borrowed run of bytes. Not terminated, may hold any byte; p may be NULL when n is 0.
 * Whoever makes a span says how long the bytes live.
 */
#ifndef MOOR_BASE_SPAN_H
#define MOOR_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/error.h"

struct moor_span {
    const char *p;
    size_t n;
};

#define MOOR_SPAN_LIT(s) ((struct moor_span){ (s), sizeof(s) - 1 })
#define MOOR_SPAN_NONE   ((struct moor_span){ NULL, 0 })

struct moor_span moor_span(const void *p, size_t n);
struct moor_span moor_span_str(const char *s); /* NULL gives the empty span */

bool moor_span_eq(struct moor_span a, struct moor_span b);
bool moor_span_eq_str(struct moor_span a, const char *b);
bool moor_span_eq_nocase(struct moor_span a, struct moor_span b); /* ASCII letters only */
bool moor_span_starts(struct moor_span a, const char *prefix);
bool moor_span_ends(struct moor_span a, const char *suffix);
struct moor_span moor_span_trim(struct moor_span a); /* blanks, tabs, CR, LF at both ends */

/* Cuts *rest at the first sep: returns what is before it and moves *rest behind it. Without a
 * sep the whole rest is returned and *rest becomes empty with p == NULL. */
struct moor_span moor_span_cut(struct moor_span *rest, char sep);

/* Equal in time that does not depend on where they differ; for secrets. */
bool moor_span_eq_secret(struct moor_span a, struct moor_span b);

/* A terminated heap copy; free() it. A NUL byte inside is BADINPUT. */
MOOR_NODISCARD moor_code moor_span_dup(struct moor_span a, char **out, struct moor_error *err);

/* ASCII comparison of C strings that ignores case; NULL sorts first. */
int moor_strcasecmp(const char *a, const char *b);
bool moor_streq(const char *a, const char *b); /* NULL equals only NULL */

/* A heap copy of s, or NULL when out of memory. */
MOOR_NODISCARD char *moor_strdup(const char *s);

#endif
