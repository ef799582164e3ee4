/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "base/secret.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN       (_Alignof(max_align_t))
#define BLOCK_FIRST ((size_t)512)
#define BLOCK_LAST  ((size_t)16 * 1024)

struct moor_arena_block {
    struct moor_arena_block *next;
    size_t size, used;
    max_align_t bytes[];
};

void moor_arena_drop(struct moor_arena *a)
{
    while (a->head) {
        struct moor_arena_block *next = a->head->next;
        if (a->wipe)
            moor_wipe(a->head->bytes, a->head->size);
        free(a->head);
        a->head = next;
    }
    a->used = 0;
}

/* A block with room for size bytes; blocks grow with what is in use. */
static struct moor_arena_block *add_block(struct moor_arena *a, size_t size)
{
    size_t room = a->used < BLOCK_FIRST ? BLOCK_FIRST : a->used;
    if (room > BLOCK_LAST)
        room = BLOCK_LAST;
    if (room < size)
        room = size;
    struct moor_arena_block *block = calloc(1, sizeof *block + room);
    if (!block)
        return NULL;
    block->size = room;
    block->next = a->head;
    a->head = block;
    return block;
}

void *moor_arena_alloc(struct moor_arena *a, size_t n)
{
    if (n > SIZE_MAX / 2)
        return NULL;
    size_t size = (n + ALIGN - 1) / ALIGN * ALIGN;
    if (size > a->max || a->used > a->max - size)
        return NULL;
    struct moor_arena_block *block = a->head;
    if (!block || block->size - block->used < size)
        block = add_block(a, size);
    if (!block)
        return NULL;
    void *p = (char *)block->bytes + block->used;
    block->used += size;
    a->used += size;
    return p;
}

void *moor_arena_array(struct moor_arena *a, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        return NULL;
    return moor_arena_alloc(a, count * size);
}

char *moor_arena_str(struct moor_arena *a, struct moor_span s)
{
    char *p = s.n < SIZE_MAX ? moor_arena_alloc(a, s.n + 1) : NULL;
    if (p && s.n)
        memcpy(p, s.p, s.n);
    return p;
}

char *moor_arena_fmt(struct moor_arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *p = n >= 0 ? moor_arena_alloc(a, (size_t)n + 1) : NULL;
    if (p)
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return p;
}
