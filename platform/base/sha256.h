/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sha256.h: FIPS 180-4 SHA-256, for names and comparisons in code that must not depend on
 * OpenSSL. Large files and anything that proves something to somebody go through crypto/digest.h.
 */
#ifndef MOOR_BASE_SHA256_H
#define MOOR_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define MOOR_SHA256_LEN 32

struct moor_sha256 {
    uint32_t h[8];
    uint64_t bytes;
    unsigned char block[64];
};

void moor_sha256_init(struct moor_sha256 *s);
void moor_sha256_add(struct moor_sha256 *s, struct moor_span bytes);
void moor_sha256_end(struct moor_sha256 *s, unsigned char out[MOOR_SHA256_LEN]);
void moor_sha256_of(struct moor_span bytes, unsigned char out[MOOR_SHA256_LEN]);
void moor_sha256_hex(struct moor_span bytes, char out[2 * MOOR_SHA256_LEN + 1]);

#endif
