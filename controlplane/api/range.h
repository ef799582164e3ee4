/* SPDX-License-Identifier: Apache-2.0 */
/* range.h: the Range header of a request for one file. Pure. */
#ifndef MOOR_API_RANGE_H
#define MOOR_API_RANGE_H

#include <stdint.h>

struct moor_range {
    uint64_t offset, length;
};

typedef enum moor_range_kind {
    MOOR_RANGE_ALL,  /* no range, several, another unit or unreadable: the whole file, 200 */
    MOOR_RANGE_PART, /* 206 */
    MOOR_RANGE_NONE  /* nothing of the file is in it: 416 */
} moor_range_kind;

/* "bytes=A-", "bytes=A-B", "bytes=-N". out is filled for PART only. */
moor_range_kind moor_range_read(const char *header, uint64_t size, struct moor_range *out);

#endif
