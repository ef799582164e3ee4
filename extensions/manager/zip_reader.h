/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zip_reader.h: a zip archive read through an open file. Wraps libzip; judges nothing but what
 * cannot be represented. Blocking.
 */
#ifndef MOOR_MANAGER_ZIP_READER_H
#define MOOR_MANAGER_ZIP_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"
#include "platform/file.h"

struct moor_zip;
struct moor_zip_stream; /* one entry being read */

/* file stays the caller's and open as long as the archive. What the directory at its
 * end says is what counts; packages come from many tools, and their local headers differ. */
MOOR_NODISCARD moor_code moor_zip_open(const struct plat_file *file, struct moor_zip **out,
                                       struct moor_error *err);
void moor_zip_free(struct moor_zip *z);
MOOR_DEFINE_AUTOPTR(moor_zip)

struct moor_zip_entry {
    const char *name; /* raw bytes, as long as the archive */
    uint64_t size, packed;
    uint32_t mode;        /* permission bits; 0 = not said */
    bool is_file, is_dir; /* neither: a link, a device, or encrypted */
};
size_t moor_zip_count(const struct moor_zip *z);
uint64_t moor_zip_size(const struct moor_zip *z); /* of the file, in bytes */
MOOR_NODISCARD moor_code moor_zip_entry(struct moor_zip *z, size_t index,
                                        struct moor_zip_entry *out, struct moor_error *err);

MOOR_NODISCARD moor_code moor_zip_open_entry(struct moor_zip *z, size_t index,
                                             struct moor_zip_stream **out, struct moor_error *err);
/* *got = 0 at the end; the entry's CRC has then been verified. */
MOOR_NODISCARD moor_code moor_zip_read(struct moor_zip_stream *s, void *p, size_t n, size_t *got,
                                       struct moor_error *err);
void moor_zip_stream_free(struct moor_zip_stream *s);
MOOR_DEFINE_AUTOPTR(moor_zip_stream)

#endif
