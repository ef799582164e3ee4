/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/pack.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define LEVEL         1
#define GZIP_WINDOW   (15 + 16)
#define STAGE_BYTES   ((size_t)64 * 1024)
#define FLUSH_BYTES   ((size_t)32 * 1024) /* a flush costs: not for less than this */
#define TRAILER_BYTES 1024
#define ROW_BYTES_MAX ((size_t)1024 * 1024)
#define OUT_BYTES_MAX (2 * MOOR_PACK_RAW_MAX)

struct moor_packer {
    struct moor_pack_limits limits;
    z_stream z;
    bool z_ready, failed;
    struct moor_buf stage; /* rows on their way into z */
    struct moor_buf out;
    uint32_t rows;
    size_t raw;        /* bytes added */
    size_t since;      /* bytes added since the last flush, staged ones included */
    size_t wire_known; /* bytes of out at that flush */
};

moor_code moor_packer_new(const struct moor_pack_limits *limits, struct moor_packer **out,
                          struct moor_error *err)
{
    MOOR_AUTOPTR(moor_packer) p = calloc(1, sizeof(*p));
    if (!p)
        return moor_fail(err, MOOR_E_NOMEM, "batch: out of memory");
    if (limits)
        p->limits = *limits;
    if (!p->limits.wire_max)
        p->limits.wire_max = MOOR_PACK_WIRE_MAX;
    if (!p->limits.raw_max)
        p->limits.raw_max = MOOR_PACK_RAW_MAX;
    p->stage.max = STAGE_BYTES + ROW_BYTES_MAX;
    p->out.max = OUT_BYTES_MAX;
    if (deflateInit2(&p->z, LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return moor_fail(err, MOOR_E_NOMEM, "batch: out of memory");
    p->z_ready = true;
    *out = MOOR_TAKE(p);
    return MOOR_OK;
}

void moor_packer_free(struct moor_packer *p)
{
    if (!p)
        return;
    if (p->z_ready)
        (void)deflateEnd(&p->z);
    moor_buf_drop(&p->stage);
    moor_buf_drop(&p->out);
    free(p);
}

static void squeeze(struct moor_packer *p, int how)
{
    p->z.next_in = (Bytef *)p->stage.data;
    p->z.avail_in = (uInt)p->stage.len;
    do {
        char *room = moor_buf_room(&p->out, STAGE_BYTES);
        if (!room) {
            p->failed = true;
            return;
        }
        p->z.next_out = (Bytef *)room;
        p->z.avail_out = (uInt)STAGE_BYTES;
        int r = deflate(&p->z, how);
        if (r == Z_STREAM_ERROR)
            p->failed = true;
        moor_buf_grew(&p->out, STAGE_BYTES - p->z.avail_out);
    } while (!p->failed && p->z.avail_out == 0);
    moor_buf_reset(&p->stage);
}

/* Bytes that n bytes can take at worst, with what goes around them. */
static size_t worst(size_t n)
{
    return n + n / 1000 + TRAILER_BYTES;
}

bool moor_packer_room(struct moor_packer *p, size_t n)
{
    if (p->rows == 0)
        return true;
    if (p->raw + n + 2 > p->limits.raw_max)
        return false;
    if (p->wire_known + worst(p->since + n) <= p->limits.wire_max)
        return true;
    if (p->since < FLUSH_BYTES)
        return false;
    squeeze(p, Z_SYNC_FLUSH);
    p->since = 0;
    p->wire_known = p->out.len;
    return p->wire_known + worst(n) <= p->limits.wire_max;
}

void moor_packer_add(struct moor_packer *p, struct moor_span row)
{
    moor_buf_str(&p->stage, p->rows == 0 ? "[\n" : ",\n");
    moor_buf_span(&p->stage, row);
    p->rows++;
    p->raw += row.n + 2;
    p->since += row.n + 2;
    p->failed = p->failed || p->stage.failed;
    if (p->stage.len >= STAGE_BYTES)
        squeeze(p, Z_NO_FLUSH);
}

uint32_t moor_packer_rows(const struct moor_packer *p)
{
    return p->rows;
}

moor_code moor_packer_end(struct moor_packer *p, struct moor_buf *out, struct moor_error *err)
{
    moor_buf_str(&p->stage, p->rows == 0 ? "[\n]" : "\n]");
    squeeze(p, Z_FINISH);
    if (p->failed || p->out.failed)
        return moor_fail(err, MOOR_E_NOMEM, "batch: over %zu bytes, or out of memory",
                         OUT_BYTES_MAX);
    moor_buf_drop(out);
    *out = p->out;
    p->out = (struct moor_buf)MOOR_BUF(OUT_BYTES_MAX);
    return MOOR_OK;
}

/* Rows coming out of a body. */
struct unpacking {
    moor_pack_row_fn fn;
    void *ctx;
    struct moor_buf line; /* the one being collected */
    uint32_t lines;
    bool stop;
};

static void end_line(struct unpacking *u)
{
    struct moor_span s = moor_buf_view(&u->line);
    if (moor_span_ends(s, ","))
        s.n--;
    if (u->lines > 0 && !u->fn(u->ctx, u->lines - 1, s))
        u->stop = true;
    u->lines++;
    moor_buf_reset(&u->line);
}

static void take_bytes(struct unpacking *u, struct moor_span bytes)
{
    while (bytes.n > 0 && !u->stop) {
        const char *lf = memchr(bytes.p, '\n', bytes.n);
        size_t n = lf ? (size_t)(lf - bytes.p) : bytes.n;
        moor_buf_add(&u->line, bytes.p, n);
        if (u->line.failed)
            return;
        if (lf)
            end_line(u);
        bytes.p += n + (lf ? 1 : 0);
        bytes.n -= n + (lf ? 1 : 0);
    }
}

static moor_code inflate_into(z_stream *z, struct unpacking *u, char *chunk, struct moor_error *err)
{
    int r = Z_OK;
    size_t total = 0;
    while (r == Z_OK && !u->stop) {
        z->next_out = (Bytef *)chunk;
        z->avail_out = (uInt)STAGE_BYTES;
        r = inflate(z, Z_NO_FLUSH);
        size_t got = STAGE_BYTES - z->avail_out;
        total += got;
        take_bytes(u, moor_span(chunk, got));
        if (u->line.failed || total > OUT_BYTES_MAX || (r == Z_OK && got == 0 && z->avail_in == 0))
            break;
    }
    if (u->stop)
        return MOOR_OK;
    if (r != Z_STREAM_END || u->line.failed)
        return moor_fail(err, MOOR_E_PROTOCOL, "batch: is damaged");
    return MOOR_OK;
}

moor_code moor_pack_each(struct moor_span body, moor_pack_row_fn fn, void *ctx,
                         struct moor_error *err)
{
    z_stream z = { .next_in = (Bytef *)(uintptr_t)body.p, .avail_in = (uInt)body.n };
    struct unpacking u = { .fn = fn, .ctx = ctx, .line = MOOR_BUF(ROW_BYTES_MAX) };
    MOOR_AUTOSTR chunk = malloc(STAGE_BYTES);
    if (!chunk || inflateInit2(&z, GZIP_WINDOW) != Z_OK)
        return moor_fail(err, MOOR_E_NOMEM, "batch: out of memory");
    moor_code c = inflate_into(&z, &u, chunk, err);
    (void)inflateEnd(&z);
    moor_buf_drop(&u.line);
    return c;
}

struct cutting {
    struct moor_packer *packer;
    uint32_t first, end;
};

static bool cut_row(void *ctx, uint32_t index, struct moor_span row)
{
    const struct cutting *c = ctx;
    if (index >= c->first)
        moor_packer_add(c->packer, row);
    return index + 1 < c->end;
}

moor_code moor_pack_cut(struct moor_span body, uint32_t first, uint32_t count, struct moor_buf *out,
                        struct moor_error *err)
{
    MOOR_AUTOPTR(moor_packer) p = NULL;
    moor_code c = moor_packer_new(NULL, &p, err);
    if (c != MOOR_OK)
        return c;
    struct cutting x = { p, first, first + count };
    c = moor_pack_each(body, cut_row, &x, err);
    if (c == MOOR_OK && moor_packer_rows(p) != count)
        c = moor_fail(err, MOOR_E_PROTOCOL, "batch: is damaged");
    return c == MOOR_OK ? moor_packer_end(p, out, err) : c;
}
