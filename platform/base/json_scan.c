/* SPDX-License-Identifier: Apache-2.0 */
/* The gate in front of cJSON: reads a document once, keeps nothing, and refuses by rule. */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_internal.h"
#include "base/text.h"

/* A name as written, without its quotes. */
struct name {
    const char *p;
    size_t n;
};

struct scan {
    const char *start, *at, *end;
    unsigned depth;
    size_t numbers;
    struct moor_json_digits_list *digits;
    /* Names of the objects that are open, those of the innermost last. */
    struct name *names;
    size_t name_count, name_cap;
    /* Why and where it failed; why is NULL when memory ran out. */
    const char *why;
    const char *where;
};

static void scan_drop(struct scan *s)
{
    free(s->names);
}
MOOR_DEFINE_AUTO(scan)

static bool fail_at(struct scan *s, const char *where, const char *why)
{
    s->where = where;
    s->why = why;
    return false;
}

static bool fail_here(struct scan *s, const char *why)
{
    return fail_at(s, s->at, s->at == s->end ? "unexpected end" : why);
}

static bool out_of_memory(struct scan *s)
{
    return fail_at(s, s->at, NULL);
}

static bool next_is(const struct scan *s, char c)
{
    return s->at < s->end && *s->at == c;
}

static void skip_blanks(struct scan *s)
{
    while (next_is(s, ' ') || next_is(s, '\n') || next_is(s, '\t') || next_is(s, '\r'))
        s->at++;
}

/* Doubles the array when it is full. */
static bool grow(void **items, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return true;
    size_t want = *cap ? *cap * 2 : 16;
    void *p = want <= SIZE_MAX / size ? realloc(*items, want * size) : NULL;
    if (!p)
        return false;
    *items = p;
    *cap = want;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
        return (c | 0x20) - 'a' + 10;
    return -1;
}

/* The four digits of \uXXXX at p, or -1. */
static int32_t hex4(const char *p, const char *end)
{
    if (end - p < 4)
        return -1;
    int32_t v = 0;
    for (int i = 0; i < 4; i++) {
        int d = hex_digit(p[i]);
        if (d < 0)
            return -1;
        v = v * 16 + d;
    }
    return v;
}

static bool scan_unicode_escape(struct scan *s)
{
    const char *begin = s->at - 2;
    int32_t unit = hex4(s->at, s->end);
    if (unit < 0)
        return fail_at(s, begin, "want four hexadecimal digits behind \\u");
    if (unit == 0)
        return fail_at(s, begin, "\\u0000 in a string");
    s->at += 4;
    if (unit < 0xd800 || unit > 0xdfff)
        return true;
    int32_t low = -1;
    if (s->end - s->at >= 6 && s->at[0] == '\\' && s->at[1] == 'u')
        low = hex4(s->at + 2, s->end);
    if (unit > 0xdbff || low < 0xdc00 || low > 0xdfff)
        return fail_at(s, begin, "unpaired surrogate");
    s->at += 6;
    return true;
}

static bool scan_escape(struct scan *s)
{
    const char *begin = s->at++;
    if (s->at == s->end)
        return fail_here(s, NULL);
    char c = *s->at++;
    if (c == 'u')
        return scan_unicode_escape(s);
    if (c == '\0' || !strchr("\"\\/bfnrt", c))
        return fail_at(s, begin, "unknown escape in a string");
    return true;
}

/* One character of a string that is neither its end nor an escape. */
static bool scan_plain(struct scan *s)
{
    unsigned char c = (unsigned char)*s->at;
    if (c == 0)
        return fail_here(s, "NUL byte");
    if (c < 0x20)
        return fail_here(s, "control character in a string");
    size_t len = moor_utf8_sequence(moor_span(s->at, (size_t)(s->end - s->at)));
    if (len == 0)
        return fail_here(s, "invalid UTF-8");
    s->at += len;
    return true;
}

static bool scan_string(struct scan *s)
{
    s->at++;
    while (s->at < s->end && *s->at != '"') {
        if (!(*s->at == '\\' ? scan_escape(s) : scan_plain(s)))
            return false;
    }
    if (s->at == s->end)
        return fail_here(s, NULL);
    s->at++;
    return true;
}

/* The code point at the front of a name that scan_string() let pass. */
static int32_t next_point(struct name *name)
{
    static const char letters[] = "bfnrt";
    static const char meanings[] = "\b\f\n\r\t";
    const char *p = name->p;
    const char *end = p + name->n;
    int32_t point = (unsigned char)*p;
    size_t len = 1;
    if (point == '\\' && p[1] == 'u') {
        point = hex4(p + 2, end);
        len = 6;
        if (point >= 0xd800 && point <= 0xdbff) {
            point = 0x10000 + ((point - 0xd800) << 10) + (hex4(p + 8, end) - 0xdc00);
            len = 12;
        }
    } else if (point == '\\') {
        const char *letter = strchr(letters, p[1]);
        point = letter ? meanings[letter - letters] : p[1];
        len = 2;
    } else if (point >= 0x80) {
        len = moor_utf8_sequence(moor_span(p, name->n));
        point &= 0x7f >> len;
        for (size_t i = 1; i < len; i++)
            point = point << 6 | (p[i] & 0x3f);
    }
    name->p += len;
    name->n -= len;
    return point;
}

/* By meaning: "a" and "\u0061" are one name. */
static int compare_names(struct name a, struct name b)
{
    while (a.n > 0 && b.n > 0) {
        int32_t x = next_point(&a);
        int32_t y = next_point(&b);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return (a.n > 0) - (b.n > 0);
}

/* Equal names in the order of the text. */
static int order_names(const void *va, const void *vb)
{
    const struct name *a = va;
    const struct name *b = vb;
    int order = compare_names(*a, *b);
    return order ? order : (a->p > b->p) - (a->p < b->p);
}

/* Closes the innermost object, whose names begin at index first. */
static bool check_names(struct scan *s, size_t first)
{
    size_t count = s->name_count - first;
    s->name_count = first;
    if (count < 2)
        return true;
    struct name *names = s->names + first;
    qsort(names, count, sizeof *names, order_names);
    const char *second = NULL;
    for (size_t i = 1; i < count; i++) {
        if (compare_names(names[i - 1], names[i]) == 0 && (!second || names[i].p < second))
            second = names[i].p;
    }
    return second ? fail_at(s, second - 1, "duplicate name") : true;
}

static size_t skip_digits(struct scan *s)
{
    const char *begin = s->at;
    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    return (size_t)(s->at - begin);
}

/* The grammar of RFC 8259, section 6. */
static bool number_is_well_written(struct scan *s)
{
    if (next_is(s, '-'))
        s->at++;
    if (next_is(s, '0'))
        s->at++;
    else if (skip_digits(s) == 0)
        return false;
    if (next_is(s, '.')) {
        s->at++;
        if (skip_digits(s) == 0)
            return false;
    }
    if (next_is(s, 'e') || next_is(s, 'E')) {
        s->at++;
        if (next_is(s, '+') || next_is(s, '-'))
            s->at++;
        if (skip_digits(s) == 0)
            return false;
    }
    return s->at == s->end || *s->at == '\0' || !strchr("0123456789+-.eE", *s->at);
}

/* Whether printing the double gives another number. It holds 15 digits of any number that is not
 * next to 0; what has more is safe only when it is printed as it was written. */
static bool loses_digits(const char *text, double value)
{
    bool tiny = value > -DBL_MIN && value < DBL_MIN;
    size_t digits = 0;
    for (const char *p = text; *p && *p != 'e' && *p != 'E'; p++) {
        if (*p >= '1' && *p <= '9')
            digits++;
        else if (*p == '0')
            digits += digits > 0;
    }
    if (digits <= 15 && !(tiny && digits > 0))
        return false;
    char printed[MOOR_JSON_NUMBER_SIZE];
    moor_json_number_text(value, printed);
    return strcmp(printed, text) != 0;
}

static bool keep_digits(struct scan *s, const char *begin)
{
    struct moor_json_digits_list *l = s->digits;
    void *items = l->items;
    if (!grow(&items, l->count, &l->cap, sizeof *l->items))
        return out_of_memory(s);
    l->items = items;
    l->items[l->count++] = (struct moor_json_digits){
        .index = s->numbers,
        .text = { begin, (size_t)(s->at - begin) },
    };
    return true;
}

static bool scan_number(struct scan *s)
{
    const char *begin = s->at;
    if (!number_is_well_written(s))
        return fail_at(s, begin, "badly written number");
    char text[MOOR_JSON_NUMBER_MAX + 1];
    size_t n = (size_t)(s->at - begin);
    if (n >= sizeof text)
        return fail_at(s, begin, "number of more than 63 characters");
    memcpy(text, begin, n);
    text[n] = '\0';
    double value = strtod(text, NULL);
    if (!(value >= -DBL_MAX && value <= DBL_MAX))
        return fail_at(s, begin, "number out of range");
    if (loses_digits(text, value) && !keep_digits(s, begin))
        return false;
    s->numbers++;
    return true;
}

static bool scan_word(struct scan *s)
{
    static const char *const words[] = { "true", "false", "null" };
    struct moor_span rest = { s->at, (size_t)(s->end - s->at) };
    for (size_t i = 0; i < MOOR_COUNTOF(words); i++) {
        if (moor_span_starts(rest, words[i])) {
            s->at += strlen(words[i]);
            return true;
        }
    }
    return fail_here(s, *s->at == '\0' ? "NUL byte" : "want a value");
}

static bool scan_value(struct scan *s);

/* Behind an item: true at the closing bracket and at a comma, behind which *more says. */
static bool scan_separator(struct scan *s, char close, const char *want, bool *more)
{
    skip_blanks(s);
    *more = next_is(s, ',');
    if (!*more && !next_is(s, close))
        return fail_here(s, want);
    s->at++;
    skip_blanks(s);
    return true;
}

static bool scan_array(struct scan *s)
{
    s->at++;
    skip_blanks(s);
    bool more = !next_is(s, ']');
    if (!more)
        s->at++;
    while (more) {
        if (!scan_value(s) || !scan_separator(s, ']', "want ',' or ']'", &more))
            return false;
    }
    return true;
}

static bool scan_member(struct scan *s)
{
    if (!next_is(s, '"'))
        return fail_here(s, "want a name in quotes");
    const char *begin = s->at + 1;
    if (!scan_string(s))
        return false;
    void *names = s->names;
    if (!grow(&names, s->name_count, &s->name_cap, sizeof *s->names))
        return out_of_memory(s);
    s->names = names;
    s->names[s->name_count++] = (struct name){ begin, (size_t)(s->at - begin) - 1 };
    skip_blanks(s);
    if (!next_is(s, ':'))
        return fail_here(s, "want ':'");
    s->at++;
    skip_blanks(s);
    return scan_value(s);
}

static bool scan_object(struct scan *s)
{
    size_t first = s->name_count;
    s->at++;
    skip_blanks(s);
    bool more = !next_is(s, '}');
    if (!more)
        s->at++;
    while (more) {
        if (!scan_member(s) || !scan_separator(s, '}', "want ',' or '}'", &more))
            return false;
    }
    return check_names(s, first);
}

static bool scan_container(struct scan *s)
{
    if (s->depth == MOOR_JSON_DEPTH_MAX)
        return fail_here(s, "nesting deeper than 64");
    s->depth++;
    bool ok = *s->at == '{' ? scan_object(s) : scan_array(s);
    s->depth--;
    return ok;
}

/* Leaves blanks behind the value alone. */
static bool scan_value(struct scan *s)
{
    if (s->at == s->end)
        return fail_here(s, NULL);
    char c = *s->at;
    if (c == '{' || c == '[')
        return scan_container(s);
    if (c == '"')
        return scan_string(s);
    if (c == '-' || c == '+' || c == '.' || (c >= '0' && c <= '9'))
        return scan_number(s);
    return scan_word(s);
}

static bool scan_document(struct scan *s)
{
    struct moor_span all = { s->start, (size_t)(s->end - s->start) };
    if (moor_span_starts(all, "\xef\xbb\xbf"))
        return fail_here(s, "byte order mark");
    skip_blanks(s);
    if (!scan_value(s))
        return false;
    skip_blanks(s);
    return s->at == s->end ? true : fail_here(s, "text behind the value");
}

void moor_json_digits_list_drop(struct moor_json_digits_list *l)
{
    free(l->items);
    *l = (struct moor_json_digits_list){ 0 };
}

moor_code moor_json_fail_at(struct moor_span text, size_t offset, const char *why,
                            struct moor_error *err)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < offset; i++) {
        if (text.p[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)text.p[i] & 0xc0) != 0x80) {
            column++;
        }
    }
    return moor_fail(err, MOOR_E_BADINPUT, "line %zu column %zu: %s", line, column, why);
}

moor_code moor_json_scan(struct moor_span text, struct moor_json_digits_list *digits,
                         struct moor_error *err)
{
    if (text.n == 0)
        text.p = "";
    MOOR_AUTO(scan) s = { .start = text.p, .at = text.p, .end = text.p + text.n, .digits = digits };
    if (scan_document(&s))
        return MOOR_OK;
    if (!s.why)
        return moor_fail(err, MOOR_E_NOMEM, "no memory to read the document");
    return moor_json_fail_at(text, (size_t)(s.where - s.start), s.why, err);
}
