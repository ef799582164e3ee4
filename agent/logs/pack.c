/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/pack.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define GZIP_WINDOW   (15 + 16)
#define STAGE_BYTES   ((size_t)64 * 1024)
#define FLUSH_BYTES   ((size_t)32 * 1024) /* a flush costs: not for less than this */
#define TRAILER_BYTES 1024
#define ROW_BYTES_MAX ((size_t)1024 * 1024)
#define OUT_BYTES_MAX (2 * MOOR_PACK_RAW_MAX)
/* Raw bytes per 100 compressed ones. */
#define RATIO_FIRST 200
#define RATIO_MAX   5000

struct moor_packer {
    struct moor_pack_limits limits;
    struct moor_squeezer *squeezer;
    struct moor_buf stage; /* rows on their way into the squeezer */
    struct moor_buf out;
    size_t mark; /* of stage: where the row begins that is not kept yet */
    bool failed;
    uint32_t rows;
    size_t raw;        /* bytes kept */
    size_t since;      /* bytes kept since the last flush */
    size_t wire_known; /* bytes of out at that flush */
    unsigned ratio;    /* expected */
};

moor_code moor_packer_new(const struct moor_pack_limits *limits, const struct moor_squeeze_way *way,
                          struct moor_packer **out, struct moor_error *err)
{
    static const struct moor_squeeze_way fastest = { NULL, 0 };
    MOOR_AUTOPTR(moor_packer) p = calloc(1, sizeof(*p));
    if (!p)
        return moor_fail(err, MOOR_E_NOMEM, "batch: out of memory");
    if (limits)
        p->limits = *limits;
    if (!p->limits.wire_max)
        p->limits.wire_max = MOOR_PACK_WIRE_MAX;
    p->stage.max = STAGE_BYTES + ROW_BYTES_MAX;
    p->out.max = OUT_BYTES_MAX;
    p->ratio = RATIO_FIRST;
    moor_code c = moor_squeezer_new(way ? way : &fastest, &p->squeezer, err);
    if (c != MOOR_OK)
        return c;
    if (!p->limits.raw_max)
        p->limits.raw_max =
            moor_squeezer_streams(p->squeezer) ? MOOR_PACK_RAW_MAX : MOOR_PACK_WHOLE_MAX;
    *out = MOOR_TAKE(p);
    return MOOR_OK;
}

void moor_packer_free(struct moor_packer *p)
{
    if (!p)
        return;
    moor_squeezer_free(p->squeezer);
    moor_buf_drop(&p->stage);
    moor_buf_drop(&p->out);
    free(p);
}

/* The rows kept go into the squeezer; the one begun stays. */
static void squeeze(struct moor_packer *p, moor_squeeze_how how)
{
    const struct moor_span kept = { p->stage.data, p->mark };
    if (!moor_squeezer_feed(p->squeezer, kept, how, &p->out))
        p->failed = true;
    moor_buf_eat(&p->stage, p->mark);
    p->mark = 0;
}

/* Bytes that n bytes can take at worst, with what goes around them. */
static size_t worst(size_t n)
{
    return n + n / 1000 + TRAILER_BYTES;
}

static bool fits_wire(struct moor_packer *p, size_t n)
{
    if (!moor_squeezer_streams(p->squeezer))
        return p->raw + n <= p->limits.wire_max / 100 * p->ratio;
    if (p->wire_known + worst(p->since + n) <= p->limits.wire_max)
        return true;
    if (p->since < FLUSH_BYTES)
        return false;
    squeeze(p, MOOR_SQUEEZE_FLUSH);
    p->since = 0;
    p->wire_known = p->out.len;
    return p->wire_known + worst(n) <= p->limits.wire_max;
}

struct moor_buf *moor_packer_row(struct moor_packer *p)
{
    moor_buf_add(&p->stage, p->rows == 0 ? "[\n" : ",\n", 2);
    return &p->stage;
}

void moor_packer_forget(struct moor_packer *p)
{
    moor_buf_cut(&p->stage, p->mark);
}

bool moor_packer_keep(struct moor_packer *p)
{
    size_t n = p->stage.len - p->mark;
    if (p->stage.failed) {
        p->failed = true;
        return true;
    }
    if (p->rows > 0 && (p->raw + n > p->limits.raw_max || !fits_wire(p, n))) {
        moor_packer_forget(p);
        return false;
    }
    p->rows++;
    p->raw += n;
    p->since += n;
    p->mark = p->stage.len;
    if (p->mark >= STAGE_BYTES)
        squeeze(p, MOOR_SQUEEZE_ADD);
    return true;
}

bool moor_packer_add(struct moor_packer *p, struct moor_span row)
{
    moor_buf_span(moor_packer_row(p), row);
    return moor_packer_keep(p);
}

uint32_t moor_packer_rows(const struct moor_packer *p)
{
    return p->rows;
}

static void learn(struct moor_packer *p)
{
    size_t seen = p->out.len ? p->raw * 100 / p->out.len : 0;
    /* A little less than seen, so that a body that is harder to compress still fits. */
    p->ratio = seen * 96 / 100 < RATIO_MAX ? (unsigned)(seen * 96 / 100) : RATIO_MAX;
    if (p->ratio < 100)
        p->ratio = 100;
}

static void begin_again(struct moor_packer *p)
{
    p->rows = 0;
    p->raw = p->since = p->wire_known = p->mark = 0;
    p->failed = false;
    moor_buf_reset(&p->stage);
}

moor_code moor_packer_end(struct moor_packer *p, struct moor_buf *out, struct moor_error *err)
{
    moor_buf_str(&p->stage, p->rows == 0 ? "[\n]" : "\n]");
    p->mark = p->stage.len;
    squeeze(p, MOOR_SQUEEZE_END);
    if (p->failed || p->out.failed)
        return moor_fail(err, MOOR_E_NOMEM, "batch: over %zu bytes, or out of memory",
                         OUT_BYTES_MAX);
    learn(p);
    moor_buf_drop(out);
    *out = p->out;
    p->out = (struct moor_buf)MOOR_BUF(OUT_BYTES_MAX);
    begin_again(p);
    return MOOR_OK;
}

void moor_packer_shrink(struct moor_packer *p)
{
    p->ratio = p->ratio * 3 / 4;
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
    return (index < c->first || moor_packer_add(c->packer, row)) && index + 1 < c->end;
}

moor_code moor_pack_cut(struct moor_span body, uint32_t first, uint32_t count, struct moor_buf *out,
                        struct moor_error *err)
{
    /* They were in one body before: only what holds for memory limits them. */
    const struct moor_pack_limits limits = { OUT_BYTES_MAX, OUT_BYTES_MAX };
    MOOR_AUTOPTR(moor_packer) p = NULL;
    moor_code c = moor_packer_new(&limits, NULL, &p, err);
    if (c != MOOR_OK)
        return c;
    struct cutting x = { p, first, first + count };
    c = moor_pack_each(body, cut_row, &x, err);
    if (c == MOOR_OK && moor_packer_rows(p) != count)
        c = moor_fail(err, MOOR_E_PROTOCOL, "batch: is damaged");
    return c == MOOR_OK ? moor_packer_end(p, out, err) : c;
}
