/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wide.h: text of 16 bits a character (UTF-16, as its byte order mark says) made UTF-8. What is
 * ill-formed becomes U+FFFD. Every character of the UTF-8 says how long it was before, so that a
 * place in one is a place in the other. Pure.
 */
#ifndef MOOR_LOGS_WIDE_H
#define MOOR_LOGS_WIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

typedef enum moor_wide { MOOR_WIDE_NOT, MOOR_WIDE_LE, MOOR_WIDE_BE } moor_wide;

/* start: what the file begins with; two bytes are enough. */
moor_wide moor_wide_of(struct moor_span start);

/* As many whole characters as in holds, into out, which has room for 3 bytes for each 2 of in; end:
 * half a pair at the end is one too. Returns the bytes put there. */
size_t moor_wide_decode(moor_wide order, struct moor_span in, bool end, char *out);

/* How many bytes these, of moor_wide_decode(), were before. */
uint64_t moor_wide_length(struct moor_span utf8);

#endif
