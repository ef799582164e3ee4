/* SPDX-License-Identifier: Apache-2.0 */
/* The encoders of buf.h; decode.c is the way back. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

static const char hex_digits[] = "0123456789abcdef";

#define LETTERS_AND_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
static const char alphabet_plain[] = LETTERS_AND_DIGITS "+/";
static const char alphabet_url[] = LETTERS_AND_DIGITS "-_";

/* How many bytes at the start go into a JSON string as they are. */
static size_t json_plain_run(struct moor_span s)
{
    size_t i = 0;
    while (i < s.n) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == '"' || c == '\\')
            break;
        size_t len = moor_utf8_sequence((struct moor_span){ s.p + i, s.n - i });
        if (len == 0)
            break;
        i += len;
    }
    return i;
}

static void json_escape(struct moor_buf *b, unsigned char c)
{
    static const char named[][2] = { { '"', '"' },  { '\\', '\\' }, { '\b', 'b' }, { '\f', 'f' },
                                     { '\n', 'n' }, { '\r', 'r' },  { '\t', 't' } };
    if (c >= 0x80) {
        moor_buf_str(b, "\xef\xbf\xbd");
        return;
    }
    for (size_t i = 0; i < MOOR_COUNTOF(named); i++) {
        if (named[i][0] == (char)c) {
            moor_buf_char(b, '\\');
            moor_buf_char(b, named[i][1]);
            return;
        }
    }
    moor_buf_fmt(b, "\\u%04x", c);
}

void moor_buf_json_str(struct moor_buf *b, struct moor_span s)
{
    moor_buf_char(b, '"');
    while (s.n > 0 && !b->failed) {
        size_t run = json_plain_run(s);
        moor_buf_add(b, s.p, run);
        s = (struct moor_span){ s.p + run, s.n - run };
        if (s.n > 0) {
            json_escape(b, (unsigned char)s.p[0]);
            s = (struct moor_span){ s.p + 1, s.n - 1 };
        }
    }
    moor_buf_char(b, '"');
}

static bool url_unreserved(char c)
{
    return c && (strchr(LETTERS_AND_DIGITS, c) || strchr("-._~", c));
}

void moor_buf_url_part(struct moor_buf *b, struct moor_span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (url_unreserved(s.p[i]))
            moor_buf_char(b, s.p[i]);
        else
            moor_buf_fmt(b, "%%%02X", (unsigned char)s.p[i]);
    }
}

static size_t base64_len(size_t n, bool pad)
{
    size_t tail = n % 3;
    return n / 3 * 4 + (tail == 0 ? 0 : pad ? 4 : tail + 1);
}

static void base64(struct moor_buf *b, struct moor_span s, const char *alphabet, bool pad)
{
    if (s.n > SIZE_MAX / 2) {
        moor_buf_fail(b);
        return;
    }
    size_t total = base64_len(s.n, pad);
    char *out = moor_buf_room(b, total);
    if (!out)
        return;
    size_t o = 0;
    for (size_t i = 0; i < s.n; i += 3) {
        size_t have = s.n - i < 3 ? s.n - i : 3;
        uint32_t v = (uint32_t)(unsigned char)s.p[i] << 16;
        v |= have > 1 ? (uint32_t)(unsigned char)s.p[i + 1] << 8 : 0;
        v |= have > 2 ? (uint32_t)(unsigned char)s.p[i + 2] : 0;
        for (size_t k = 0; k <= have; k++)
            out[o++] = alphabet[v >> (18 - 6 * k) & 63];
    }
    while (o < total)
        out[o++] = '=';
    moor_buf_grew(b, total);
}

void moor_buf_base64(struct moor_buf *b, struct moor_span s)
{
    base64(b, s, alphabet_plain, true);
}

void moor_buf_base64url(struct moor_buf *b, struct moor_span s)
{
    base64(b, s, alphabet_url, false);
}

void moor_buf_hex(struct moor_buf *b, struct moor_span s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        moor_buf_char(b, hex_digits[c >> 4]);
        moor_buf_char(b, hex_digits[c & 15]);
    }
}
