/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.h: heap memory that is wiped when it is given back: for libraries through whose buffers
 * secrets pass. As malloc(), calloc(), realloc(), strdup() and free() otherwise, and mixed freely
 * with their memory. Any thread.
 */
#ifndef PLAT_MEMORY_H
#define PLAT_MEMORY_H

#include <stddef.h>

void *plat_wiped_alloc(size_t n);
void *plat_wiped_calloc(size_t count, size_t n);
void *plat_wiped_realloc(void *p, size_t n);
char *plat_wiped_strdup(const char *s);
void plat_wiped_free(void *p);

#endif
