/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/unpack.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/attr.h"
#include "base/span.h"
#include "logs/mark.h"
#include "platform/dirs.h"

#define GZIP_WINDOW (15 + 16)
#define CHUNK       ((size_t)64 * 1024)
#define TRAILER     4 /* the last bytes: the length, modulo 2^32, little endian */

moor_packing moor_packing_of(const struct plat_file *f)
{
    static const struct {
        const char *magic;
        moor_packing packing;
    } kinds[] = { { "\x1f\x8b", MOOR_PACKING_GZIP },
                  { "BZh", MOOR_PACKING_OTHER },
                  { "\xfd"
                    "7zXZ",
                    MOOR_PACKING_OTHER },
                  { "\x28\xb5\x2f\xfd", MOOR_PACKING_OTHER } };
    char start[6];
    size_t got = 0;
    if (plat_read_at(f, 0, start, sizeof(start), &got, NULL) != MOOR_OK)
        return MOOR_PACKING_NONE;
    for (size_t i = 0; i < MOOR_COUNTOF(kinds); i++)
        if (moor_span_starts(moor_span(start, got), kinds[i].magic))
            return kinds[i].packing;
    return MOOR_PACKING_NONE;
}

/* A packed file being read from its start. */
struct inflating {
    const struct plat_file *packed;
    uint64_t at; /* in it */
    z_stream z;
    bool begun, ended;
    char *in;
};

static moor_code begin(struct inflating *x, const struct plat_file *packed, struct moor_error *err)
{
    *x = (struct inflating){ .packed = packed, .in = malloc(CHUNK) };
    x->begun = x->in && inflateInit2(&x->z, GZIP_WINDOW) == Z_OK;
    return x->begun ? MOOR_OK : moor_fail(err, MOOR_E_NOMEM, "unpacking: out of memory");
}

static void inflating_drop(struct inflating *x)
{
    if (x->begun)
        (void)inflateEnd(&x->z);
    free(x->in);
}
MOOR_DEFINE_AUTO(inflating)

static moor_code feed(struct inflating *x, struct moor_error *err)
{
    size_t got = 0;
    if (x->z.avail_in > 0)
        return MOOR_OK;
    moor_code c = plat_read_at(x->packed, x->at, x->in, CHUNK, &got, err);
    x->at += got;
    x->z.next_in = (Bytef *)x->in;
    x->z.avail_in = (uInt)got;
    return c;
}

/* Up to n bytes; less only at the end. Members may follow each other. */
static moor_code unpack_some(struct inflating *x, char *p, size_t n, size_t *got,
                             struct moor_error *err)
{
    x->z.next_out = (Bytef *)p;
    x->z.avail_out = (uInt)n;
    while (x->z.avail_out > 0) {
        moor_code c = feed(x, err);
        if (c != MOOR_OK)
            return c;
        if (x->ended && x->z.avail_in == 0)
            break;
        if (x->ended && inflateReset(&x->z) != Z_OK)
            return moor_fail(err, MOOR_E_BADINPUT, "gzip: is damaged");
        int r = x->z.avail_in > 0 ? inflate(&x->z, Z_NO_FLUSH) : Z_BUF_ERROR;
        if (r != Z_OK && r != Z_STREAM_END)
            return moor_fail(err, MOOR_E_BADINPUT, "gzip: is damaged or not finished");
        x->ended = r == Z_STREAM_END;
    }
    *got = n - x->z.avail_out;
    return MOOR_OK;
}

moor_code moor_unpack_head(const struct plat_file *packed, void *p, size_t n, size_t *got,
                           struct moor_error *err)
{
    MOOR_AUTO(inflating) x;
    moor_code c = begin(&x, packed, err);
    return c == MOOR_OK ? unpack_some(&x, p, n, got, err) : c;
}

static moor_code make_nameless(struct plat_file *out, struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    moor_code c = plat_path(PLAT_DIR_LIB, &path, err, "logs/unpacked");
    if (c == MOOR_OK)
        c = plat_remove(path, err);
    if (c == MOOR_OK)
        c = plat_create_new(path, PLAT_OWNER_ONLY, out, err);
    return c == MOOR_OK ? plat_remove(path, err) : c;
}

/* Writes what of the chunk at offset is at or behind begin, and before end. */
static moor_code write_part(const struct plat_file *out, uint64_t offset, struct moor_span chunk,
                            uint64_t begin_at, uint64_t end, struct moor_error *err)
{
    uint64_t stop = offset + chunk.n < end ? offset + chunk.n : end;
    uint64_t start = offset > begin_at ? offset : begin_at;
    if (start >= stop)
        return MOOR_OK;
    return plat_write_at(out, start, moor_span(chunk.p + (start - offset), (size_t)(stop - start)),
                         err);
}

static moor_code unpack_all(struct inflating *x, uint64_t from, const struct plat_file *out,
                            char *chunk, struct moor_error *err)
{
    uint64_t keep = from > MOOR_MARK_TAIL ? from - MOOR_MARK_TAIL : 0, offset = 0;
    size_t got = CHUNK;
    while (got == CHUNK) {
        moor_code c = unpack_some(x, chunk, CHUNK, &got, err);
        struct moor_span have = moor_span(chunk, got);
        if (c == MOOR_OK)
            c = write_part(out, offset, have, 0, MOOR_MARK_HEAD, err);
        if (c == MOOR_OK)
            c = write_part(out, offset, have, keep, UINT64_MAX, err);
        if (c != MOOR_OK)
            return c;
        offset += got;
        if (offset > MOOR_UNPACK_PASS_MAX || (offset > keep && offset - keep > MOOR_UNPACK_MAX))
            return moor_fail(err, MOOR_E_NOMEM, "gzip: holds more than is unpacked");
    }
    return offset >= from ? MOOR_OK : moor_fail(err, MOOR_E_BADINPUT, "gzip: is shorter");
}

moor_code moor_unpack(const struct plat_file *packed, uint64_t from, struct plat_file *out,
                      struct moor_error *err)
{
    MOOR_AUTO(plat_file) made = PLAT_FILE_INIT;
    MOOR_AUTO(inflating) x;
    MOOR_AUTOSTR chunk = malloc(CHUNK);
    moor_code c = begin(&x, packed, err);
    if (c == MOOR_OK && !chunk)
        c = moor_fail(err, MOOR_E_NOMEM, "unpacking: out of memory");
    if (c == MOOR_OK)
        c = make_nameless(&made, err);
    if (c == MOOR_OK)
        c = unpack_all(&x, from, &made, chunk, err);
    if (c == MOOR_OK)
        plat_file_move(out, &made);
    return c;
}

bool moor_unpack_is_of(const struct plat_file *packed, const struct plat_file *plain)
{
    unsigned char trailer[TRAILER];
    char head[MOOR_MARK_HEAD], same[MOOR_MARK_HEAD];
    size_t got = 0, have = 0;
    struct plat_stat st, of_plain;
    if (plat_fstat(packed, &st, NULL) != MOOR_OK || plat_fstat(plain, &of_plain, NULL) != MOOR_OK ||
        st.size < TRAILER ||
        plat_read_at(packed, st.size - TRAILER, trailer, TRAILER, &got, NULL) != MOOR_OK ||
        got != TRAILER)
        return false;
    uint32_t length = 0;
    for (size_t i = TRAILER; i > 0; i--)
        length = length << 8 | trailer[i - 1];
    return length == (uint32_t)of_plain.size &&
           moor_unpack_head(packed, head, sizeof(head), &got, NULL) == MOOR_OK &&
           plat_read_at(plain, 0, same, sizeof(same), &have, NULL) == MOOR_OK && got == have &&
           memcmp(head, same, got) == 0;
}
