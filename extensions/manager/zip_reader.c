/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/zip_reader.h"

#include <stdlib.h>
#include <string.h>

#include <zip.h>

#define UNIX_TYPE_MASK 0170000u
#define UNIX_FILE      0100000u
#define UNIX_FOLDER    0040000u

struct moor_zip {
    zip_t *zip;
    const struct plat_file *file;
    uint64_t size, at;
    zip_error_t error;
};

struct moor_zip_stream {
    zip_file_t *file;
};

/* libzip reads through this, so that it never opens the file by its name. */
static zip_int64_t read_source(void *ctx, void *data, zip_uint64_t n, zip_source_cmd_t cmd)
{
    struct moor_zip *z = ctx;
    if (cmd == ZIP_SOURCE_OPEN) {
        z->at = 0;
        return 0;
    }
    if (cmd == ZIP_SOURCE_READ) {
        size_t got = 0;
        if (plat_read_at(z->file, z->at, data, n, &got, NULL) != MOOR_OK) {
            zip_error_set(&z->error, ZIP_ER_READ, 0);
            return -1;
        }
        z->at += got;
        return (zip_int64_t)got;
    }
    if (cmd == ZIP_SOURCE_SEEK) {
        zip_int64_t to = zip_source_seek_compute_offset(z->at, z->size, data, n, &z->error);
        if (to >= 0)
            z->at = (uint64_t)to;
        return to < 0 ? -1 : 0;
    }
    if (cmd == ZIP_SOURCE_TELL)
        return (zip_int64_t)z->at;
    if (cmd == ZIP_SOURCE_STAT) {
        zip_stat_t *st = data;
        zip_stat_init(st);
        st->valid = ZIP_STAT_SIZE;
        st->size = z->size;
        return sizeof(*st);
    }
    if (cmd == ZIP_SOURCE_ERROR)
        return zip_error_to_data(&z->error, data, n);
    if (cmd == ZIP_SOURCE_SUPPORTS)
        return zip_source_make_command_bitmap(
            ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR,
            ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_SUPPORTS, -1);
    return cmd == ZIP_SOURCE_CLOSE || cmd == ZIP_SOURCE_FREE ? 0 : -1;
}

static moor_code fail_zip(struct moor_error *err, zip_error_t *error)
{
    return moor_fail(err, MOOR_E_BADINPUT, "package: not a readable zip archive: %s",
                     zip_error_strerror(error));
}

/* An end record without its comment, whose length its last two bytes say. */
#define END_SIGN "PK\x05\x06"
#define END_SIZE 22

/* An end record in the comment of another: which of two archives is meant depends on the reader. */
static moor_code check_end(const struct moor_zip *z, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) tail = MOOR_BUF(END_SIZE + UINT16_MAX);
    uint64_t n = z->size < END_SIZE + UINT16_MAX ? z->size : END_SIZE + UINT16_MAX;
    char *room = moor_buf_room(&tail, (size_t)n);
    size_t got = 0, ends = 0;
    moor_code c = room ? plat_read_at(z->file, z->size - n, room, (size_t)n, &got, err)
                       : moor_fail(err, MOOR_E_NOMEM, "package: out of memory");
    for (size_t i = 0; c == MOOR_OK && i + END_SIZE <= got; i++) {
        const unsigned char *p = (const unsigned char *)room + i;
        size_t comment = p[END_SIZE - 2] | (size_t)p[END_SIZE - 1] << 8;
        ends += memcmp(p, END_SIGN, sizeof(END_SIGN) - 1) == 0 && i + END_SIZE + comment == got;
    }
    if (c == MOOR_OK && ends > 1)
        c = moor_fail(err, MOOR_E_BADINPUT, "package: its comment holds another archive");
    return c;
}

moor_code moor_zip_open(const struct plat_file *file, struct moor_zip **out, struct moor_error *err)
{
    struct plat_stat st;
    zip_error_t error;
    moor_code c = plat_fstat(file, &st, err);
    if (c != MOOR_OK)
        return c;
    MOOR_AUTOPTR(moor_zip) z = calloc(1, sizeof(*z));
    if (!z)
        return moor_fail(err, MOOR_E_NOMEM, "package: out of memory");
    z->file = file;
    z->size = st.size;
    c = check_end(z, err);
    if (c != MOOR_OK)
        return c;
    zip_error_init(&z->error);
    zip_error_init(&error);
    zip_source_t *source = zip_source_function_create(read_source, z, &error);
    if (source)
        z->zip = zip_open_from_source(source, ZIP_RDONLY, &error);
    if (!z->zip) {
        c = fail_zip(err, &error);
        zip_source_free(source);
        zip_error_fini(&error);
        return c;
    }
    zip_error_fini(&error);
    *out = MOOR_TAKE(z);
    return MOOR_OK;
}

void moor_zip_free(struct moor_zip *z)
{
    if (!z)
        return;
    if (z->zip)
        zip_discard(z->zip);
    zip_error_fini(&z->error);
    free(z);
}

size_t moor_zip_count(const struct moor_zip *z)
{
    zip_int64_t n = zip_get_num_entries(z->zip, 0);
    return n > 0 ? (size_t)n : 0;
}

uint64_t moor_zip_size(const struct moor_zip *z)
{
    return z->size;
}

moor_code moor_zip_entry(struct moor_zip *z, size_t index, struct moor_zip_entry *out,
                         struct moor_error *err)
{
    zip_stat_t st;
    zip_uint8_t system = 0;
    zip_uint32_t attributes = 0;
    if (zip_stat_index(z->zip, index, ZIP_FL_ENC_RAW, &st) != 0 ||
        (st.valid & (ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE)) !=
            (ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE) ||
        zip_file_get_external_attributes(z->zip, index, 0, &system, &attributes) != 0)
        return fail_zip(err, zip_get_error(z->zip));
    size_t n = strlen(st.name);
    unsigned type = system == ZIP_OPSYS_UNIX ? (attributes >> 16) & UNIX_TYPE_MASK : 0;
    bool slash = n > 0 && st.name[n - 1] == '/';
    bool sealed = (st.valid & ZIP_STAT_ENCRYPTION_METHOD) && st.encryption_method != ZIP_EM_NONE;
    out->name = st.name;
    out->size = st.size;
    out->packed = st.comp_size;
    out->mode = system == ZIP_OPSYS_UNIX ? (attributes >> 16) & 07777 : 0;
    out->is_dir = slash && !sealed && st.size == 0 && (type == 0 || type == UNIX_FOLDER);
    out->is_file = !slash && !sealed && (type == 0 || type == UNIX_FILE);
    return MOOR_OK;
}

moor_code moor_zip_open_entry(struct moor_zip *z, size_t index, struct moor_zip_stream **out,
                              struct moor_error *err)
{
    MOOR_AUTOPTR(moor_zip_stream) s = calloc(1, sizeof(*s));
    if (!s)
        return moor_fail(err, MOOR_E_NOMEM, "package: out of memory");
    s->file = zip_fopen_index(z->zip, index, 0);
    if (!s->file)
        return fail_zip(err, zip_get_error(z->zip));
    *out = MOOR_TAKE(s);
    return MOOR_OK;
}

moor_code moor_zip_read(struct moor_zip_stream *s, void *p, size_t n, size_t *got,
                        struct moor_error *err)
{
    zip_int64_t r = zip_fread(s->file, p, n);
    if (r < 0)
        return fail_zip(err, zip_file_get_error(s->file));
    *got = (size_t)r;
    return MOOR_OK;
}

void moor_zip_stream_free(struct moor_zip_stream *s)
{
    if (!s)
        return;
    if (s->file)
        zip_fclose(s->file);
    free(s);
}
