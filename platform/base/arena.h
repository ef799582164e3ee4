/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.h: memory that is released all at once, with a limit on its sum.
 *
 * A decoded document lives in one arena: one drop whatever its shape, and a half-finished decode
 * leaks nothing. Secrets belong in secret.h; what decodes a document with secrets in it uses
 * MOOR_ARENA_SECRET, which is overwritten before it is freed. One owner, one thread.
 */
#ifndef MOOR_BASE_ARENA_H
#define MOOR_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/span.h"

struct moor_arena_block;
struct moor_arena {
    struct moor_arena_block *head;
    size_t used; /* bytes handed out */
    size_t max;
    bool wipe;
};

#define MOOR_ARENA_SECRET(limit)                                                                   \
    {                                                                                              \
        .max = (limit), .wipe = true                                                               \
    }
#define MOOR_ARENA(limit)                                                                          \
    {                                                                                              \
        .max = (limit)                                                                             \
    }

void moor_arena_drop(struct moor_arena *a); /* idempotent; usable again afterwards */
MOOR_DEFINE_AUTO(moor_arena)

/* Zeroed and aligned for any type; NULL when the limit or memory is exhausted. n may be 0. */
void *moor_arena_alloc(struct moor_arena *a, size_t n);
void *moor_arena_array(struct moor_arena *a, size_t count, size_t size); /* checks the product */

/* A terminated copy, NULL as above. */
char *moor_arena_str(struct moor_arena *a, struct moor_span s);
MOOR_PRINTF(2, 3) char *moor_arena_fmt(struct moor_arena *a, const char *fmt, ...);

#endif
