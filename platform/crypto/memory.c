/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/memory.h"

#include <openssl/crypto.h>

#include "platform/memory.h"

static void *allocate(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return n ? plat_wiped_alloc(n) : NULL;
}

static void *reallocate(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return plat_wiped_realloc(p, n);
}

static void release(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    plat_wiped_free(p);
}

void moor_crypto_wipe_freed(void)
{
    (void)CRYPTO_set_mem_functions(allocate, reallocate, release);
}
