/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

void *plat_wiped_alloc(size_t n)
{
    return malloc(n);
}

void *plat_wiped_calloc(size_t count, size_t n)
{
    return calloc(count, n);
}

/* A block that moves, or shrinks, leaves nothing behind: what realloc() itself would give back is
 * out of reach. */
void *plat_wiped_realloc(void *p, size_t n)
{
    size_t had = malloc_usable_size(p);
    if (!p)
        return malloc(n);
    if (n == 0) {
        plat_wiped_free(p);
        return NULL;
    }
    if (n <= had && n >= had / 2)
        return p;
    void *fresh = malloc(n);
    if (!fresh)
        return NULL;
    memcpy(fresh, p, n < had ? n : had);
    plat_wiped_free(p);
    return fresh;
}

char *plat_wiped_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = malloc(n);
    return copy ? memcpy(copy, s, n) : NULL;
}

void plat_wiped_free(void *p)
{
    if (p)
        moor_wipe(p, malloc_usable_size(p));
    free(p);
}
