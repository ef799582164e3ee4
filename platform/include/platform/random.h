/* SPDX-License-Identifier: Apache-2.0 */
/* random.h: bytes for keys and names from the system's generator; aborts if there is none. */
#ifndef PLAT_RANDOM_H
#define PLAT_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void plat_random(void *p, size_t n);
uint32_t plat_random_below(uint32_t limit); /* uniform in 0..limit-1; limit > 0 */
void plat_random_uuid(char out[37]);        /* version 4, lower case */

#endif
