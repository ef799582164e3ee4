/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/redact.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "cli/redact_rules.h"

#define BYTES_MAX   (64 * 1024 * 1024)
#define NEEDLES_MAX (1 << 20)
#define BUCKETS     4096
#define NEEDLE_MIN  4

struct needle {
    uint32_t offset, length; /* in bytes */
    uint32_t next;           /* of the same bucket; 0 = none, else index + 1 */
};

struct moor_redactor {
    struct moor_buf bytes;
    struct needle *needles;
    uint32_t count, room;
    uint32_t buckets[BUCKETS]; /* as next */
    bool failed;
};

moor_code moor_redactor_new(struct moor_redactor **out, struct moor_error *err)
{
    struct moor_redactor *r = calloc(1, sizeof(*r));
    if (!r)
        return moor_fail(err, MOOR_E_NOMEM, "redactor: out of memory");
    r->bytes = (struct moor_buf)MOOR_BUF_SECRET(BYTES_MAX);
    *out = r;
    return MOOR_OK;
}

void moor_redactor_free(struct moor_redactor *r)
{
    if (!r)
        return;
    moor_buf_drop(&r->bytes);
    free(r->needles);
    free(r);
}

static uint32_t bucket_of(const char *p)
{
    uint32_t h = 2166136261U;
    for (int i = 0; i < NEEDLE_MIN; i++)
        h = (h ^ (unsigned char)p[i]) * 16777619U;
    return (h ^ h >> 16) % BUCKETS;
}

static bool make_room(struct moor_redactor *r)
{
    uint32_t room = r->room ? 2 * r->room : 1024;
    if (r->count < r->room)
        return true;
    struct needle *more = room <= NEEDLES_MAX ? realloc(r->needles, room * sizeof(*more)) : NULL;
    if (!more)
        return false;
    r->needles = more;
    r->room = room;
    return true;
}

static void add_form(struct moor_redactor *r, struct moor_span form)
{
    if (form.n < NEEDLE_MIN)
        return;
    size_t offset = r->bytes.len;
    moor_buf_span(&r->bytes, form);
    if (r->bytes.failed || !make_room(r)) {
        r->failed = true;
        return;
    }
    uint32_t *bucket = &r->buckets[bucket_of(form.p)];
    r->needles[r->count] = (struct needle){ (uint32_t)offset, (uint32_t)form.n, *bucket };
    *bucket = ++r->count;
}

/* The characters that stand for these bytes alone, wherever in a longer text they begin. */
static void add_base64(struct moor_redactor *r, struct moor_span s)
{
    for (size_t shift = 0; shift < 3; shift++) {
        MOOR_AUTO(moor_buf) shifted = MOOR_BUF_SECRET(BYTES_MAX);
        moor_buf_add(&shifted, "\0\0", shift);
        moor_buf_span(&shifted, s);
        size_t first = (8 * shift + 5) / 6, end = 8 * (shift + s.n) / 6;
        for (int url = 0; url < 2; url++) {
            MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(BYTES_MAX);
            if (url)
                moor_buf_base64url(&text, moor_buf_view(&shifted));
            else
                moor_buf_base64(&text, moor_buf_view(&shifted));
            if (text.failed)
                r->failed = true;
            else
                add_form(r, moor_span(text.data + first, end - first));
        }
    }
}

static void add_utf16(struct moor_redactor *r, struct moor_span s)
{
    MOOR_AUTO(moor_buf) wide = MOOR_BUF_SECRET(BYTES_MAX);
    for (size_t i = 0; i < s.n; i++)
        moor_buf_add(&wide, (char[]){ s.p[i], '\0' }, 2);
    if (wide.failed) {
        r->failed = true;
        return;
    }
    add_form(r, moor_span(wide.data, wide.len));         /* little endian */
    add_form(r, moor_span(wide.data + 1, wide.len - 2)); /* what big endian has in common with it */
    add_base64(r, moor_buf_view(&wide));
}

/* "%2B", "%2b", and the same for every byte; hexadecimal. */
static void add_hexadecimal(struct moor_redactor *r, struct moor_span s)
{
    for (int upper = 0; upper < 2; upper++) {
        MOOR_AUTO(moor_buf) needed = MOOR_BUF_SECRET(BYTES_MAX);
        MOOR_AUTO(moor_buf) every = MOOR_BUF_SECRET(BYTES_MAX);
        MOOR_AUTO(moor_buf) hex = MOOR_BUF_SECRET(BYTES_MAX);
        for (size_t i = 0; i < s.n; i++) {
            unsigned char c = (unsigned char)s.p[i];
            moor_buf_fmt(&hex, upper ? "%02X" : "%02x", c);
            moor_buf_fmt(&every, upper ? "%%%02X" : "%%%02x", c);
            if (isalnum(c) || strchr("-._~", c))
                moor_buf_char(&needed, (char)c);
            else
                moor_buf_fmt(&needed, upper ? "%%%02X" : "%%%02x", c);
        }
        r->failed = r->failed || needed.failed || every.failed || hex.failed;
        add_form(r, moor_buf_view(&needed));
        add_form(r, moor_buf_view(&every));
        add_form(r, moor_buf_view(&hex));
    }
}

/* As a JSON string holds it, and that inside another one. */
static void add_json(struct moor_redactor *r, struct moor_span s)
{
    MOOR_AUTO(moor_buf) once = MOOR_BUF_SECRET(BYTES_MAX);
    MOOR_AUTO(moor_buf) twice = MOOR_BUF_SECRET(BYTES_MAX);
    moor_buf_json_str(&once, s);
    struct moor_span inner = moor_span(once.data ? once.data + 1 : "", once.len ? once.len - 2 : 0);
    moor_buf_json_str(&twice, inner);
    r->failed = r->failed || once.failed || twice.failed;
    if (r->failed || moor_span_eq(inner, s))
        return;
    add_form(r, inner);
    add_form(r, moor_span(twice.data + 1, twice.len - 2));
}

void moor_redactor_add(struct moor_redactor *r, struct moor_span secret)
{
    if (secret.n < MOOR_SECRET_MIN)
        return;
    add_form(r, secret);
    add_json(r, secret);
    add_base64(r, secret);
    add_hexadecimal(r, secret);
    add_utf16(r, secret);
}

/* Length of the longest known form that stands here; 0 = none. */
static size_t known_at(const struct moor_redactor *r, struct moor_span text)
{
    size_t longest = 0;
    if (text.n < NEEDLE_MIN)
        return 0;
    for (uint32_t i = r->buckets[bucket_of(text.p)]; i > 0; i = r->needles[i - 1].next) {
        const struct needle *n = &r->needles[i - 1];
        if (n->length > longest && n->length <= text.n &&
            memcmp(text.p, r->bytes.data + n->offset, n->length) == 0)
            longest = n->length;
    }
    return longest;
}

/* Text of two bytes a character, which the rules do not read. */
static bool is_wide(struct moor_span in)
{
    size_t zeros = 0, n = in.n < 4096 ? in.n : 4096;
    for (size_t i = 0; i < n; i++)
        zeros += in.p[i] == '\0';
    return zeros > n / 4;
}

static void narrow(struct moor_span in, struct moor_buf *out)
{
    for (size_t i = 0; i < in.n; i++)
        if (in.p[i] != '\0')
            moor_buf_char(out, in.p[i]);
}

/* Where what is taken out ends: a known form that begins inside goes as a whole. */
static size_t end_of(const struct moor_redactor *r, struct moor_span in, size_t at, size_t drop)
{
    size_t end = at + drop;
    for (; at < end; at++) {
        size_t known = known_at(r, moor_span(in.p + at, in.n - at));
        if (at + known > end)
            end = at + known;
    }
    return end;
}

static void redact_narrow(const struct moor_redactor *r, struct moor_span in, struct moor_buf *out)
{
    size_t at = 0;
    while (at < in.n) {
        struct moor_redaction found = moor_redact_rule(in, at);
        size_t known = known_at(r, moor_span(in.p + at, in.n - at));
        if (known > 0)
            found = (struct moor_redaction){ 0, known };
        if (found.drop == 0) {
            moor_buf_char(out, in.p[at++]);
            continue;
        }
        moor_buf_add(out, in.p + at, found.keep);
        moor_buf_str(out, MOOR_REDACTED);
        at = end_of(r, in, at + found.keep, found.drop);
    }
}

moor_code moor_redact(const struct moor_redactor *r, struct moor_span in, struct moor_buf *out,
                      struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(in.n + 1);
    if (r->failed)
        return moor_fail(err, MOOR_E_NOMEM, "redactor: too many secrets");
    if (is_wide(in)) {
        narrow(in, &text);
        in = moor_buf_view(&text);
    }
    redact_narrow(r, in, out);
    return moor_buf_ok(out, "redacted text", err);
}
