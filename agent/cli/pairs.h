/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pairs.h: a configuration file as names and texts, whatever it is written in: one mapping whose
 * values are scalars or lists of scalars. Values may be secrets and are wiped. Pure; any thread.
 */
#ifndef MOOR_CLI_PAIRS_H
#define MOOR_CLI_PAIRS_H

#include <stddef.h>

#include "base/error.h"
#include "base/secret.h"
#include "base/span.h"

#define MOOR_PAIRS_MAX      64
#define MOOR_PAIR_NAME_MAX  63
#define MOOR_PAIR_VALUE_MAX 8192

struct moor_pair {
    char name[MOOR_PAIR_NAME_MAX + 1];
    struct moor_secret value; /* a list's items joined by commas; empty: null, or nothing */
};
struct moor_pairs {
    struct moor_pair items[MOOR_PAIRS_MAX];
    size_t count;
};
void moor_pairs_drop(struct moor_pairs *p);
MOOR_DEFINE_AUTO(moor_pairs)

/* The next pair, with an empty value. BADINPUT when the name is too long or there already, or when
 * there are too many. */
MOOR_NODISCARD moor_code moor_pairs_add(struct moor_pairs *p, struct moor_span name,
                                        struct moor_pair **out, struct moor_error *err);

/* JSON when the first character is '{', else YAML. Errors (BADINPUT) say where, never what. */
MOOR_NODISCARD moor_code moor_pairs_read(struct moor_span text, struct moor_pairs *out,
                                         struct moor_error *err);

/* yaml.c: YAML without anchors, aliases, tags, nested mappings and further documents. */
MOOR_NODISCARD moor_code moor_pairs_read_yaml(struct moor_span text, struct moor_pairs *out,
                                              struct moor_error *err);

#endif
