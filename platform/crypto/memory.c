/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/memory.h"

#include <openssl/crypto.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* In front of every block: its size, as wide as the strictest alignment. */
union head {
    size_t size;
    max_align_t align;
};

static void *allocate(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    if (n == 0 || n > SIZE_MAX - sizeof(union head))
        return NULL;
    union head *h = malloc(sizeof(*h) + n);
    if (!h)
        return NULL;
    h->size = n;
    return h + 1;
}

static void release(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    if (!p)
        return;
    union head *h = (union head *)p - 1;
    OPENSSL_cleanse(p, h->size);
    free(h);
}

static void *reallocate(void *p, size_t n, const char *file, int line)
{
    if (!p)
        return allocate(n, file, line);
    size_t old = ((union head *)p - 1)->size;
    void *fresh = allocate(n, file, line);
    if (fresh)
        memcpy(fresh, p, old < n ? old : n);
    if (fresh || n == 0)
        release(p, file, line);
    return fresh;
}

void moor_crypto_wipe_freed(void)
{
    (void)CRYPTO_set_mem_functions(allocate, reallocate, release);
}
