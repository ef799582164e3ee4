/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/harvest.h"

#include <stdlib.h>
#include <string.h>

#include "logs/deadletter.h"
#include "logs/lines.h"
#include "logs/w3c.h"
#include "logs/wide.h"
#include "platform/clock.h"

#define WINDOW_BYTES  (3 * MOOR_LINE_MAX)
#define WIDE_BYTES    (2 * MOOR_LINE_MAX) /* becomes WINDOW_BYTES at most */
#define ROW_BYTES_MAX ((size_t)1 << 20)
#define BOM           "\xef\xbb\xbf"

/* One file being read. */
struct reading {
    struct moor_harvest *h;
    struct moor_harvest_source *s;
    struct moor_packer *packer;
    int64_t now_ms;
    struct moor_row_frame frame;
    struct moor_buf before; /* a row that is to be transformed */
    struct moor_w3c w3c;
    char *window;    /* UTF-8, or what is to become it */
    size_t have;     /* bytes in the window */
    uint64_t offset; /* of the window's first byte, in the file */
    moor_wide order; /* of a file of 16 bits a character */
    char *wide;      /* a piece of such a file; NULL = none came yet */
    bool skipping;
    bool enough; /* of this file, for this turn */
    bool full;   /* the body: nothing more of any file */
};

static void reject(struct reading *r, struct moor_span line, uint64_t offset,
                   const struct moor_error *why)
{
    const struct moor_dead_record d = { .key = r->h->key,
                                        .path = r->s->path,
                                        .offset = offset,
                                        .reason = why->msg,
                                        .record = line,
                                        .now_ms = r->now_ms };
    r->s->bad++;
    moor_dead_record_add(&r->h->rejected, &d);
}

static moor_code add_w3c_row(const struct reading *r, struct moor_buf *to, struct moor_span line,
                             bool cut, struct moor_error *err)
{
    const struct moor_w3c_origin from = { r->now_ms, r->h->computer };
    MOOR_AUTO(moor_buf) clean = MOOR_BUF(4 * MOOR_LINE_MAX);
    if (cut)
        return moor_fail(err, MOOR_E_BADINPUT, "line is longer than %zu bytes", MOOR_LINE_MAX);
    moor_line_clean(&clean, line);
    return moor_w3c_row_add(to, &r->w3c, moor_buf_view(&clean), &from, err);
}

static moor_code add_plain_row(const struct reading *r, struct moor_buf *to, struct moor_span line,
                               bool cut, struct moor_error *err)
{
    if (r->h->format == MOOR_LOG_W3C)
        return add_w3c_row(r, to, line, cut, err);
    return moor_row_add(to, &r->frame, line, cut, err);
}

static moor_code add_row(struct reading *r, struct moor_span line, bool cut, bool *kept,
                         struct moor_error *err)
{
    struct moor_buf *to = moor_packer_row(r->packer);
    *kept = true;
    if (!r->h->transform)
        return add_plain_row(r, to, line, cut, err);
    moor_buf_reset(&r->before);
    moor_code c = add_plain_row(r, &r->before, line, cut, err);
    if (c == MOOR_OK)
        c = moor_transform_row(r->h->transform, moor_buf_view(&r->before), to, kept, err);
    return c;
}

static bool take_directive(struct reading *r, struct moor_span line, uint64_t offset)
{
    if (r->h->format != MOOR_LOG_W3C || !moor_w3c_is_directive(line))
        return false;
    if (moor_w3c_directive(&r->w3c, line))
        r->s->fields_at = offset;
    return true;
}

/* One line into the body; false when it does not fit any more. */
static bool take_line(struct reading *r, struct moor_span line, bool cut, uint64_t offset)
{
    struct moor_error e = MOOR_ERROR_INIT;
    if ((!cut && moor_line_is_blank(line)) || take_directive(r, line, offset))
        return true;
    bool kept = false;
    moor_code c = add_row(r, line, cut, &kept, &e);
    if (c != MOOR_OK || !kept) {
        moor_packer_forget(r->packer);
        if (c != MOOR_OK)
            reject(r, line, offset, &e);
        else
            r->s->filtered++;
        return true;
    }
    if (!moor_packer_keep(r->packer))
        return false;
    r->s->rows++;
    r->s->cut += cut ? 1 : 0;
    return true;
}

/* How long what is in the window is in the file. */
static uint64_t in_file(const struct reading *r, struct moor_span s)
{
    return r->order == MOOR_WIDE_NOT ? s.n : moor_wide_length(s);
}

/* A byte order mark is no part of the first line. */
static void pass_bom(const struct reading *r, struct moor_span *rest)
{
    if (r->offset == 0 && moor_span_starts(*rest, BOM)) {
        rest->p += sizeof(BOM) - 1;
        rest->n -= sizeof(BOM) - 1;
    }
}

/* Takes the window's lines and moves what is left to its start. */
static void take_window(struct reading *r, bool settled, bool last)
{
    struct moor_span rest = { r->window, r->have }, taken = rest;
    uint64_t stop = r->s->from.offset + r->h->source_bytes;
    pass_bom(r, &rest);
    uint64_t offset = r->offset + in_file(r, moor_span(taken.p, taken.n - rest.n));
    for (;;) {
        struct moor_span before = rest, line = MOOR_SPAN_NONE;
        bool was_skipping = r->skipping;
        if (offset >= stop) {
            r->enough = true;
            break;
        }
        moor_cut how =
            moor_cut_record(&rest, r->h->record_start, settled, last, &r->skipping, &line);
        if (how == MOOR_CUT_NONE)
            break;
        if (how != MOOR_CUT_SKIPPED && !take_line(r, line, how == MOOR_CUT_TOO_LONG, offset)) {
            rest = before;
            r->skipping = was_skipping;
            r->enough = r->full = true;
            break;
        }
        offset += in_file(r, moor_span(before.p, before.n - rest.n));
    }
    memmove(r->window, rest.p, rest.n);
    r->have = rest.n;
    r->offset = offset;
}

/* More of the file into the window. */
static moor_code fill_window(struct reading *r, bool *end, struct moor_error *err)
{
    size_t got = 0, room = WINDOW_BYTES - r->have;
    moor_code c =
        plat_read_at(&r->s->file, r->offset + r->have, r->window + r->have, room, &got, err);
    r->have += got;
    *end = got < room;
    return c;
}

static moor_code fill_from_wide(struct reading *r, bool *end, struct moor_error *err)
{
    size_t got = 0, room = (WINDOW_BYTES - r->have) / 3 * 2 & ~(size_t)1;
    uint64_t at = r->offset + moor_wide_length(moor_span(r->window, r->have));
    if (!r->wide)
        r->wide = malloc(WIDE_BYTES);
    if (!r->wide)
        return moor_fail(err, MOOR_E_NOMEM, "reading: out of memory");
    moor_code c = plat_read_at(&r->s->file, at, r->wide, room, &got, err);
    *end = got < room;
    r->have += moor_wide_decode(r->order, moor_span(r->wide, got), *end, r->window + r->have);
    return c;
}

static moor_code read_lines(struct reading *r, struct moor_error *err)
{
    bool end = false;
    while (!r->enough && !end) {
        moor_code c =
            r->order == MOOR_WIDE_NOT ? fill_window(r, &end, err) : fill_from_wide(r, &end, err);
        if (c != MOOR_OK)
            return c;
        take_window(r, end && (r->s->settled || r->s->last), end && r->s->last);
    }
    r->s->more = r->enough;
    r->s->unfinished = !r->enough && r->have > 0;
    return MOOR_OK;
}

static moor_code find_order(struct reading *r, struct moor_error *err)
{
    char start[2];
    size_t got = 0;
    moor_code c = plat_read_at(&r->s->file, 0, start, sizeof(start), &got, err);
    r->order = moor_wide_of(moor_span(start, got));
    return c;
}

/* Something to recognise the file by at the end, also when nothing of it was taken before. */
static moor_code make_witness(const struct moor_harvest_source *s, struct moor_mark *out,
                              struct moor_error *err)
{
    struct plat_stat st;
    *out = s->from;
    if (s->from.offset > 0)
        return MOOR_OK;
    moor_code c = plat_fstat(&s->file, &st, err);
    if (c == MOOR_OK)
        c = moor_mark_make(&s->file, st.size < MOOR_MARK_HEAD ? st.size : MOOR_MARK_HEAD, false,
                           out, err);
    return c;
}

/* A file that was replaced or emptied under our hands gave lines that never were: the whole body is
 * void, and read anew. */
static moor_code was_truncated(const struct moor_harvest_source *s, struct moor_error *err)
{
    return moor_fail(err, MOOR_E_CANCELED, "%s: was truncated while it was read", s->path);
}

static moor_code read_source(struct reading *r, struct moor_error *err)
{
    struct moor_harvest_source *s = r->s;
    struct moor_mark witness;
    moor_mark_fit after = MOOR_MARK_FITS;
    s->to = s->from;
    moor_code c = moor_mark_check(&s->file, &s->from, &s->fit, err);
    if (c != MOOR_OK || s->fit != MOOR_MARK_FITS)
        return c;
    c = make_witness(s, &witness, err);
    if (c == MOOR_OK)
        c = find_order(r, err);
    if (c == MOOR_OK && r->h->format == MOOR_LOG_W3C)
        c = moor_w3c_resume(&r->w3c, &s->file, s->from.offset, &s->fields_at, err);
    if (c == MOOR_OK)
        c = read_lines(r, err);
    if (c == MOOR_OK)
        c = moor_mark_make(&s->file, r->offset, r->skipping, &s->to, err);
    if (c == MOOR_OK)
        c = moor_mark_check(&s->file, &witness, &after, err);
    bool emptied = c == MOOR_E_BADINPUT || (c == MOOR_OK && after != MOOR_MARK_FITS);
    return emptied ? was_truncated(s, err) : c;
}

static moor_code read_one(struct reading *r, struct moor_harvest_source *s, struct moor_error *err)
{
    const struct moor_row_context row = { r->now_ms, r->h->computer, s->path, r->h->format };
    r->s = s;
    r->have = 0;
    r->offset = s->from.offset;
    r->skipping = s->from.skipping;
    r->enough = false;
    moor_row_frame_init(&r->frame, &row);
    moor_code c = read_source(r, err);
    moor_row_frame_drop(&r->frame);
    return c;
}

static moor_code read_all(struct moor_harvest *h, struct reading *r, struct moor_error *err)
{
    r->full = false;
    moor_buf_reset(&h->rejected);
    for (size_t i = 0; i < h->count; i++) {
        struct moor_harvest_source *s = &h->sources[i];
        s->to = s->from;
        s->rows = s->bad = s->cut = s->filtered = 0;
        s->more = r->full;
        moor_code c = r->full ? MOOR_OK : read_one(r, s, err);
        if (c != MOOR_OK)
            return c;
    }
    return MOOR_OK;
}

/* Reads until the body is one that the service takes. */
static moor_code read_body(struct moor_harvest *h, struct reading *r, struct moor_error *err)
{
    for (;;) {
        moor_code c = read_all(h, r, err);
        h->rows = moor_packer_rows(h->packer);
        if (c != MOOR_OK || h->rows == 0)
            return c;
        c = moor_packer_end(h->packer, &h->body, err);
        if (c != MOOR_OK || h->rows == 1 || h->body.len <= MOOR_PACK_LIMIT)
            return c;
        moor_packer_shrink(h->packer);
    }
}

static void run_files(struct moor_harvest *h)
{
    MOOR_AUTOSTR window = malloc(WINDOW_BYTES);
    struct moor_error e = MOOR_ERROR_INIT;
    h->rejected.max = MOOR_DEAD_BYTES_MAX;
    if (!window) {
        (void)!moor_fail(&h->error, MOOR_E_NOMEM, "reading: out of memory");
        return;
    }
    struct reading r = { .h = h, .packer = h->packer, .window = window, .now_ms = plat_utc_ms() };
    r.before.max = ROW_BYTES_MAX;
    if (read_body(h, &r, &e) != MOOR_OK)
        h->error = e;
    free(r.wide);
    moor_buf_drop(&r.before);
}

static void run_journal(struct moor_harvest *h)
{
    moor_code c = moor_journal_read(h->journal, h->packer, plat_utc_ms(), &h->error);
    h->rows = h->journal->rows;
    if (c == MOOR_OK)
        h->error = (struct moor_error)MOOR_ERROR_INIT;
    if (c == MOOR_OK && h->rows > 0)
        (void)!moor_packer_end(h->packer, &h->body, &h->error);
}

void moor_harvest_run(struct moor_harvest *h)
{
    if (h->journal)
        run_journal(h);
    else
        run_files(h);
}

void moor_harvest_free(struct moor_harvest *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->count; i++) {
        plat_file_drop(&h->sources[i].file);
        free(h->sources[i].path);
    }
    moor_packer_free(h->packer);
    free(h->journal);
    moor_buf_drop(&h->body);
    moor_buf_drop(&h->rejected);
    free(h);
}
