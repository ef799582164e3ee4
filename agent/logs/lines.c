/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/lines.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "base/timefmt.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define FRAME_MAX   ((size_t)64 * 1024)

static struct moor_span take(struct moor_span *rest, size_t n)
{
    struct moor_span s = { rest->p, n };
    rest->p += n;
    rest->n -= n;
    return s;
}

static struct moor_span without_end(struct moor_span s)
{
    if (s.n > 0 && s.p[s.n - 1] == '\n')
        s.n--;
    if (s.n > 0 && s.p[s.n - 1] == '\r')
        s.n--;
    return s;
}

static moor_cut pass_over(struct moor_span *rest, const char *lf, bool *skipping)
{
    if (rest->n == 0)
        return MOOR_CUT_NONE;
    *skipping = !lf;
    (void)take(rest, lf ? (size_t)(lf - rest->p) + 1 : rest->n);
    return MOOR_CUT_SKIPPED;
}

moor_cut moor_cut_line(struct moor_span *rest, bool last, bool *skipping, struct moor_span *line)
{
    const char *lf = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    if (*skipping)
        return pass_over(rest, lf, skipping);
    size_t n = lf ? (size_t)(lf - rest->p) + 1 : rest->n;
    struct moor_span text = without_end((struct moor_span){ rest->p, n });
    if (text.n > MOOR_LINE_MAX) {
        *skipping = !lf;
        *line = (struct moor_span){ rest->p, MOOR_LINE_MAX };
        (void)take(rest, n);
        return MOOR_CUT_TOO_LONG;
    }
    if (!lf && (!last || rest->n == 0))
        return MOOR_CUT_NONE;
    (void)take(rest, n);
    *line = text;
    return MOOR_CUT_LINE;
}

/* Behind a record's first line: the lines that belong to it. False: it may not be all. */
static bool join_lines(struct moor_span *rest, const struct moor_stamp_format *start, bool settled,
                       bool last, struct moor_span *record)
{
    while (rest->n > 0) {
        struct moor_span next = *rest, line = MOOR_SPAN_NONE;
        bool skipping = false;
        moor_cut how = moor_cut_line(&next, last, &skipping, &line);
        if (how == MOOR_CUT_NONE)
            return settled;
        size_t n = line.n ? (size_t)(line.p + line.n - record->p) : record->n;
        if (how != MOOR_CUT_LINE || n > MOOR_LINE_MAX || moor_stamp_begins(start, line))
            return true;
        record->n = n;
        *rest = next;
    }
    return settled || last;
}

moor_cut moor_cut_record(struct moor_span *rest, const struct moor_stamp_format *start,
                         bool settled, bool last, bool *skipping, struct moor_span *record)
{
    struct moor_span after = *rest, line = MOOR_SPAN_NONE;
    moor_cut how = moor_cut_line(&after, last, skipping, &line);
    if (how == MOOR_CUT_LINE && start && moor_stamp_begins(start, line) &&
        !join_lines(&after, start, settled, last, &line))
        return MOOR_CUT_NONE;
    if (how != MOOR_CUT_NONE)
        *rest = after;
    *record = line;
    return how;
}

bool moor_line_is_blank(struct moor_span line)
{
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] != ' ' && line.p[i] != '\t' && line.p[i] != '\0')
            return false;
    return true;
}

void moor_line_clean(struct moor_buf *b, struct moor_span s)
{
    while (s.n > 0) {
        const char *nul = memchr(s.p, '\0', s.n);
        moor_utf8_repair(b, take(&s, nul ? (size_t)(nul - s.p) : s.n));
        if (!nul)
            return;
        moor_buf_str(b, REPLACEMENT);
        (void)take(&s, 1);
    }
}

static void add_time(struct moor_buf *b, int64_t now_ms)
{
    char text[MOOR_RFC3339_LEN + 1];
    moor_rfc3339_format(now_ms, text);
    moor_buf_str(b, "\"TimeGenerated\":\"");
    moor_buf_str(b, text);
    moor_buf_char(b, '"');
}

/* The line up to the mark, without half a UTF-8 sequence before it. */
static struct moor_span room_for_mark(struct moor_span line)
{
    size_t room = MOOR_LINE_MAX - (sizeof(MOOR_LINE_MARK) - 1);
    if (line.n > room)
        line.n = room;
    for (size_t back = 0; back < 4 && back < line.n; back++) {
        unsigned char c = (unsigned char)line.p[line.n - 1 - back];
        if (c < 0x80)
            break;
        if (c >= 0xc0) {
            size_t whole =
                moor_utf8_sequence((struct moor_span){ line.p + line.n - 1 - back, back + 1 });
            if (whole == 0)
                line.n -= back + 1;
            break;
        }
    }
    return line;
}

void moor_row_frame_init(struct moor_row_frame *f, const struct moor_row_context *x)
{
    *f = (struct moor_row_frame){ .format = x->format,
                                  .time = MOOR_BUF(FRAME_MAX),
                                  .after = MOOR_BUF(FRAME_MAX) };
    add_time(&f->time, x->now_ms);
    moor_buf_str(&f->after, ",\"FilePath\":");
    moor_buf_json_str(&f->after, moor_span_str(x->path));
    moor_buf_str(&f->after, ",\"Computer\":");
    moor_buf_json_str(&f->after, moor_span_str(x->computer));
    moor_buf_char(&f->after, '}');
}

void moor_row_frame_drop(struct moor_row_frame *f)
{
    moor_buf_drop(&f->time);
    moor_buf_drop(&f->after);
}

static void add_text(struct moor_buf *b, const struct moor_row_frame *f, struct moor_span line,
                     bool cut)
{
    if (cut)
        line = room_for_mark(line);
    moor_buf_char(b, '{');
    moor_buf_span(b, moor_buf_view(&f->time));
    moor_buf_str(b, ",\"RawData\":");
    if (cut || memchr(line.p, '\0', line.n)) {
        MOOR_AUTO(moor_buf) clean = MOOR_BUF(4 * MOOR_LINE_MAX);
        moor_line_clean(&clean, line);
        moor_buf_str(&clean, cut ? MOOR_LINE_MARK : "");
        moor_buf_json_str(b, moor_buf_view(&clean));
    } else {
        moor_buf_json_str(b, line);
    }
    moor_buf_span(b, moor_buf_view(&f->after));
}

static moor_code add_object(struct moor_buf *b, const struct moor_row_frame *f,
                            struct moor_span line, bool cut, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) v = NULL;
    MOOR_AUTO(moor_buf) clean = MOOR_BUF(4 * MOOR_LINE_MAX);
    line = moor_span_trim(line);
    if (cut)
        return moor_fail(err, MOOR_E_BADINPUT, "line is longer than %zu bytes", MOOR_LINE_MAX);
    if (!moor_utf8_valid(line)) {
        moor_utf8_repair(&clean, line);
        line = moor_buf_view(&clean);
    }
    if (moor_json_parse(line, &v, err) != MOOR_OK)
        return MOOR_E_BADINPUT;
    if (moor_json_typeof(v) != MOOR_JSON_OBJECT)
        return moor_fail(err, MOOR_E_BADINPUT, "want an object");
    moor_buf_char(b, '{');
    if (!moor_json_get(v, "TimeGenerated")) {
        moor_buf_span(b, moor_buf_view(&f->time));
        if (moor_json_size(v) > 0)
            moor_buf_char(b, ',');
    }
    /* The line itself, less its brace: what the parser let pass needs no rewriting. */
    (void)take(&line, 1);
    moor_buf_span(b, line);
    return MOOR_OK;
}

moor_code moor_row_add(struct moor_buf *b, const struct moor_row_frame *f, struct moor_span line,
                       bool cut, struct moor_error *err)
{
    if (f->format == MOOR_LOG_JSON_LINES)
        return add_object(b, f, line, cut, err);
    add_text(b, f, line, cut);
    return MOOR_OK;
}
