/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/w3c.h"

#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/text.h"
#include "base/timefmt.h"

#define FIELDS      "#Fields:"
#define CHUNK       ((size_t)64 * 1024)
#define OVERLAP     sizeof(FIELDS) /* and the LF before it */
#define BLOCK_BYTES 1024           /* of directives before "#Fields:" */
#define LINE_BYTES  ((size_t)16 * 1024)

enum meaning { NOTHING, DAY, TIME, STRING, NUMBER };

/* In the order of IIS's own lists. The first is any field that is not in the table. */
static const struct field {
    const char *name;
    const char *column;
    enum meaning meaning;
} fields[] = {
    { "", "", NOTHING },
    { "date", "", DAY },
    { "time", "", TIME },
    { "s-sitename", "sSiteName", STRING },
    { "s-ip", "sIP", STRING },
    { "cs-method", "csMethod", STRING },
    { "cs-uri-stem", "csUriStem", STRING },
    { "cs-uri-query", "csUriQuery", STRING },
    { "s-port", "sPort", NUMBER },
    { "cs-username", "csUserName", STRING },
    { "c-ip", "cIP", STRING },
    { "cs-version", "csVersion", STRING },
    { "cs(User-Agent)", "csUserAgent", STRING },
    { "cs(Cookie)", "csCookie", STRING },
    { "cs(Referer)", "csReferer", STRING },
    { "cs-host", "csHost", STRING },
    { "sc-status", "scStatus", STRING },
    { "sc-substatus", "scSubStatus", STRING },
    { "sc-win32-status", "scWin32Status", STRING },
    { "sc-bytes", "scBytes", NUMBER },
    { "cs-bytes", "csBytes", NUMBER },
    { "time-taken", "TimeTaken", NUMBER },
};

bool moor_w3c_is_directive(struct moor_span line)
{
    return line.n > 0 && line.p[0] == '#';
}

/* Named twice, the first counts: a row has each column once. */
static unsigned char find_field(const struct moor_w3c *w, struct moor_span name)
{
    for (size_t i = 1; i < MOOR_COUNTOF(fields); i++)
        if (moor_span_eq_nocase(name, moor_span_str(fields[i].name)))
            return memchr(w->fields, (int)i, w->count) ? 0 : (unsigned char)i;
    return 0;
}

/* The next value; blanks in a row are one. */
static bool next_value(struct moor_span *rest, struct moor_span *value)
{
    while (rest->n > 0 && (rest->p[0] == ' ' || rest->p[0] == '\t')) {
        rest->p++;
        rest->n--;
    }
    size_t n = 0;
    while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t')
        n++;
    *value = moor_span(rest->p, n);
    rest->p += n;
    rest->n -= n;
    return n > 0;
}

/* What follows a directive's name; false when it is another. */
static bool take_name(struct moor_span line, const char *name, struct moor_span *rest)
{
    size_t n = strlen(name);
    if (line.n < n || !moor_span_eq_nocase(moor_span(line.p, n), moor_span_str(name)))
        return false;
    *rest = moor_span(line.p + n, line.n - n);
    return true;
}

static void set_fields(struct moor_w3c *w, struct moor_span rest)
{
    struct moor_span name;
    w->count = 0;
    w->too_many = false;
    while (next_value(&rest, &name) && !w->too_many) {
        w->too_many = w->count == MOOR_W3C_FIELDS_MAX;
        if (!w->too_many)
            w->fields[w->count++] = find_field(w, name);
    }
}

bool moor_w3c_directive(struct moor_w3c *w, struct moor_span line)
{
    struct moor_span rest, day;
    if (take_name(line, "#Date:", &rest) && next_value(&rest, &day) && day.n == MOOR_W3C_DAY) {
        memcpy(w->day, day.p, MOOR_W3C_DAY);
        w->day[MOOR_W3C_DAY] = '\0';
        return false;
    }
    if (!take_name(line, FIELDS, &rest))
        return false;
    set_fields(w, rest);
    return true;
}

/* The values of a line, by the fields they are of. */
struct values {
    struct moor_span of[MOOR_W3C_FIELDS_MAX];
    struct moor_span day, time;
};

static moor_code split(const struct moor_w3c *w, struct moor_span line, struct values *v,
                       struct moor_error *err)
{
    struct moor_span value;
    size_t n = 0;
    if (w->count == 0 || w->too_many)
        return moor_fail(err, MOOR_E_BADINPUT, "want a line #Fields: before it, of at most %d",
                         MOOR_W3C_FIELDS_MAX);
    v->day = moor_span_str(w->day);
    v->time = MOOR_SPAN_NONE;
    for (; next_value(&line, &value); n++) {
        if (n == w->count)
            return moor_fail(err, MOOR_E_BADINPUT, "want %zu values, as #Fields: says", w->count);
        v->of[n] = value;
        if (fields[w->fields[n]].meaning == DAY)
            v->day = value;
        else if (fields[w->fields[n]].meaning == TIME)
            v->time = value;
    }
    return n == w->count
               ? MOOR_OK
               : moor_fail(err, MOOR_E_BADINPUT, "want %zu values, as #Fields: says", w->count);
}

static int64_t time_of(const struct values *v, int64_t now_ms)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(64);
    int64_t ms = now_ms;
    moor_buf_span(&text, v->day);
    moor_buf_char(&text, 'T');
    moor_buf_span(&text, v->time);
    moor_buf_char(&text, 'Z');
    return moor_rfc3339_parse(moor_buf_view(&text), &ms, NULL) == MOOR_OK ? ms : now_ms;
}

static void add_value(struct moor_buf *b, const struct field *f, struct moor_span s)
{
    int64_t number = 0;
    bool is_number = f->meaning == NUMBER;
    if (f->meaning < STRING || moor_span_eq_str(s, "-") ||
        (is_number && moor_parse_i64(s, INT64_MIN, INT64_MAX, &number, NULL) != MOOR_OK))
        return;
    moor_buf_fmt(b, ",\"%s\":", f->column);
    if (is_number)
        moor_buf_fmt(b, "%lld", (long long)number);
    else
        moor_buf_json_str(b, s);
}

moor_code moor_w3c_row_add(struct moor_buf *b, const struct moor_w3c *w, struct moor_span line,
                           const struct moor_w3c_origin *from, struct moor_error *err)
{
    struct values v;
    char stamp[MOOR_RFC3339_LEN + 1];
    moor_code c = split(w, line, &v, err);
    if (c != MOOR_OK)
        return c;
    moor_rfc3339_format(time_of(&v, from->now_ms), stamp);
    moor_buf_fmt(b, "{\"TimeGenerated\":\"%s\",\"Computer\":", stamp);
    moor_buf_json_str(b, moor_span_str(from->computer));
    for (size_t i = 0; i < w->count; i++)
        add_value(b, &fields[w->fields[i]], v.of[i]);
    moor_buf_char(b, '}');
    return MOOR_OK;
}

/* The last "#Fields:" that begins a line in the n bytes at p, which are at offset; n when none. */
static size_t last_fields(const char *p, size_t n, uint64_t offset)
{
    const size_t len = sizeof(FIELDS) - 1;
    for (size_t i = n >= len ? n - len + 1 : 0; i-- > 0;)
        if (p[i] == '#' && memcmp(p + i, FIELDS, len) == 0 &&
            (i > 0 ? p[i - 1] == '\n' : offset == 0))
            return i;
    return n;
}

/* Applies the directives of the block that ends with the one at offset. */
static moor_code read_block(struct moor_w3c *w, const struct plat_file *f, uint64_t offset,
                            char *chunk, struct moor_error *err)
{
    uint64_t start = offset > BLOCK_BYTES ? offset - BLOCK_BYTES : 0;
    size_t got = 0;
    moor_code c = plat_read_at(f, start, chunk, LINE_BYTES, &got, err);
    struct moor_span rest = moor_span(chunk, c == MOOR_OK ? got : 0);
    while (rest.n > 0) {
        uint64_t at = start + (uint64_t)(rest.p - chunk);
        struct moor_span line = moor_span_trim(moor_span_cut(&rest, '\n'));
        if (at <= offset && moor_w3c_is_directive(line))
            (void)moor_w3c_directive(w, line);
    }
    return c;
}

moor_code moor_w3c_resume(struct moor_w3c *w, const struct plat_file *f, uint64_t offset,
                          uint64_t *fields_at, struct moor_error *err)
{
    MOOR_AUTOSTR chunk = malloc(CHUNK + OVERLAP);
    *w = (struct moor_w3c){ .count = 0 };
    if (!chunk)
        return moor_fail(err, MOOR_E_NOMEM, "reading: out of memory");
    if (*fields_at < offset)
        return read_block(w, f, *fields_at, chunk, err);
    for (uint64_t end = offset; end > 0;) {
        uint64_t start = end > CHUNK ? end - CHUNK : 0;
        uint64_t stop = end + OVERLAP < offset ? end + OVERLAP : offset;
        size_t got = 0;
        moor_code c = plat_read_at(f, start, chunk, (size_t)(stop - start), &got, err);
        size_t at = c == MOOR_OK ? last_fields(chunk, got, start) : got;
        if (c != MOOR_OK)
            return c;
        if (at < got) {
            *fields_at = start + at;
            return read_block(w, f, *fields_at, chunk, err);
        }
        end = start;
    }
    *fields_at = UINT64_MAX;
    return MOOR_OK;
}
