/* SPDX-License-Identifier: Apache-2.0 */
/* zip_made.h: archives made byte by byte, since no archiver writes the ones that matter. */
#ifndef MOOR_TESTS_ZIP_MADE_H
#define MOOR_TESTS_ZIP_MADE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"

struct entry {
    const char *name, *content;
    uint32_t mode;     /* 0: a plain file, 0644 */
    uint16_t flags;    /* 1 = encrypted */
    int32_t size_lie;  /* added to the size the directory tells */
    bool same_content; /* its header is the first entry's */
};

static inline void le(struct moor_buf *b, uint32_t v, int bytes)
{
    for (int n = 0; n < bytes; n++)
        moor_buf_char(b, (char)(v >> (8 * n)));
}

static inline uint32_t crc32_of(const char *s)
{
    uint32_t crc = UINT32_MAX;
    for (; *s; s++) {
        crc ^= (unsigned char)*s;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

/* What local and central headers have in common. */
static inline void add_common(struct moor_buf *b, const struct entry *e)
{
    uint32_t n = (uint32_t)strlen(e->content);
    le(b, 20, 2);
    le(b, 0x800u | e->flags, 2);
    le(b, 0, 2); /* stored */
    le(b, 0x210000, 4);
    le(b, crc32_of(e->content), 4);
    le(b, n, 4);
    le(b, n + (uint32_t)e->size_lie, 4);
    le(b, (uint32_t)strlen(e->name), 2);
    le(b, 0, 2);
}

static inline void make_zip(struct moor_buf *b, const struct entry *list, size_t count)
{
    MOOR_AUTO(moor_buf) directory = MOOR_BUF(1024 * 1024);
    for (size_t n = 0; n < count; n++) {
        const struct entry *e = &list[n];
        uint32_t offset = e->same_content ? 0 : (uint32_t)b->len;
        if (!e->same_content) {
            moor_buf_str(b, "PK\x03\x04");
            add_common(b, e);
            moor_buf_str(b, e->name);
            moor_buf_str(b, e->content);
        }
        moor_buf_str(&directory, "PK\x01\x02");
        le(&directory, 0x31E, 2); /* made on Unix */
        add_common(&directory, e);
        le(&directory, 0, 4);
        le(&directory, 0, 2);
        le(&directory, (e->mode ? e->mode : 0100644) << 16, 4);
        le(&directory, offset, 4);
        moor_buf_str(&directory, e->name);
    }
    uint32_t at = (uint32_t)b->len;
    moor_buf_span(b, moor_buf_view(&directory));
    moor_buf_str(b, "PK\x05\x06");
    le(b, 0, 4);
    le(b, (uint32_t)count, 2);
    le(b, (uint32_t)count, 2);
    le(b, (uint32_t)directory.len, 4);
    le(b, at, 4);
    le(b, 0, 2);
}

#endif
