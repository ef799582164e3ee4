/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/trail_files.h"

#define LINE_ARENA ((size_t)64 * 1024)
#define FILE_LIMIT ((size_t)2 * MOOR_TRAIL_FILE_MAX)

struct reader {
    moor_trail_fn fn;
    void *ctx;
    struct moor_trail_head head;
    char tail[MOOR_TRAIL_HASH + 1]; /* hash of the last good line */
    struct moor_trail_verdict v;
};

MOOR_PRINTF(3, 4)
static bool broken(struct reader *r, uint64_t number, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(r->v.reason, sizeof(r->v.reason), fmt, ap);
    va_end(ap);
    r->v.broken = number;
    return false;
}

/* The rules between a line and those before it. The first one that is kept follows from one that
 * is gone. */
static bool check_line(struct reader *r, const struct moor_trail_line *line)
{
    uint64_t next = r->v.last + 1;
    bool first = r->v.first == 0;
    if (first && next > r->head.first)
        return broken(r, r->head.first, "lines %" PRIu64 " to %" PRIu64 " are missing",
                      r->head.first, next - 1);
    if (line->number != next)
        return broken(r, next, "line %" PRIu64 " stands in its place", line->number);
    if ((!first || next == 1) && strcmp(line->previous, r->tail) != 0)
        return broken(r, next, "it does not follow from the line before");
    if (next == r->head.last && strcmp(line->hash, r->head.tail) != 0)
        return broken(r, next, "it is not the one that " MOOR_TRAIL_HEAD_NAME " knows");
    if (moor_streq(line->verb, MOOR_TRAIL_RESUME))
        return broken(r, next, "the chain was taken up again: %s", line->detail);
    return true;
}

static bool take_line(struct reader *r, struct moor_span text)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(LINE_ARENA);
    struct moor_trail_line line;
    struct moor_error why = MOOR_ERROR_INIT;
    if (moor_trail_parse(text, &line, &arena, &why) != MOOR_OK)
        return broken(r, r->v.last + 1, "%s", why.msg);
    if (!check_line(r, &line))
        return false;
    r->v.first = r->v.first ? r->v.first : line.number;
    r->v.last = line.number;
    r->v.seals += line.torn > 0;
    memcpy(r->tail, line.hash, sizeof(r->tail));
    if (r->fn && !r->fn(r->ctx, &line))
        r->fn = NULL;
    return true;
}

static bool take_file(struct reader *r, struct moor_span rest, bool newest)
{
    while (rest.n > 0) {
        const char *end = memchr(rest.p, '\n', rest.n);
        struct moor_span text = moor_span(rest.p, end ? (size_t)(end - rest.p) : rest.n);
        r->v.file_line++;
        if (!end && newest && r->v.last >= r->head.last) {
            r->v.unfinished = true;
            return true;
        }
        if (!end)
            return broken(r, r->v.last + 1, "its end is missing");
        if (!take_line(r, text))
            return false;
        rest = moor_span(end + 1, rest.n - text.n - 1);
    }
    return true;
}

static bool take_files(struct reader *r, const struct moor_trail_list *l)
{
    for (size_t n = 0; n < l->count; n++) {
        MOOR_AUTO(moor_buf) text = MOOR_BUF(FILE_LIMIT);
        struct moor_error why = MOOR_ERROR_INIT;
        uint64_t next = r->v.last + 1;
        moor_trail_name(l->first[n], r->v.file);
        r->v.file_line = 0;
        if (n == 0)
            r->v.last = l->first[n] - 1;
        else if (l->first[n] != next)
            return broken(r, next, "lines %" PRIu64 " to %" PRIu64 " are missing", next,
                          l->first[n] - 1);
        if (moor_trail_bytes(l->first[n], 0, FILE_LIMIT, &text, &why) != MOOR_OK)
            return broken(r, l->first[n], "%s", why.msg);
        if (!take_file(r, moor_buf_view(&text), n + 1 == l->count))
            return false;
    }
    return true;
}

/* What only the head can tell: whether the end is there. bad: why there is no head. */
static void check_end(struct reader *r, const char *bad)
{
    uint64_t next = r->v.last + 1;
    r->v.file_line++;
    if (bad)
        (void)broken(r, next, "%s: nothing says whether more lines were here", bad);
    else if (r->v.last < r->head.last)
        (void)broken(r, next, "lines %" PRIu64 " to %" PRIu64 " are missing at the end", next,
                     r->head.last);
    r->v.whole = r->v.broken == 0;
    if (!r->v.whole)
        return;
    r->v.file[0] = 0;
    r->v.file_line = 0;
}

moor_code moor_trail_read(moor_trail_fn fn, void *ctx, struct moor_trail_verdict *out,
                          struct moor_error *err)
{
    MOOR_AUTO(plat_file) turn = PLAT_FILE_INIT;
    struct reader r = { .fn = fn, .ctx = ctx, .tail = MOOR_TRAIL_NOTHING };
    struct moor_trail_list l;
    struct moor_error why = MOOR_ERROR_INIT;
    moor_code code = moor_trail_lock(&turn, err);
    if (code == MOOR_OK)
        code = moor_trail_list(&l, err);
    if (code != MOOR_OK)
        return code;
    code = moor_trail_head_load(&r.head, &why);
    if (code != MOOR_OK && code != MOOR_E_NOTFOUND && code != MOOR_E_BADINPUT) {
        if (err)
            *err = why;
        return code;
    }
    bool empty = code == MOOR_E_NOTFOUND && l.count == 0;
    if (code != MOOR_OK)
        r.head = (struct moor_trail_head){ .first = l.count > 0 ? l.first[0] : 1 };
    if (take_files(&r, &l))
        check_end(&r, code == MOOR_OK || empty  ? NULL
                      : code == MOOR_E_NOTFOUND ? MOOR_TRAIL_HEAD_NAME " is missing"
                                                : why.msg);
    *out = r.v;
    return MOOR_OK;
}
