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

#define PLAIN_BLOCK  32  /* bytes looked at together: a loop that compilers make vectors of */
#define ESCAPED_MAX  6   /* bytes that one byte can become */
#define ESCAPE_PIECE 256 /* bytes that are escaped together */

/* Copies a block; false when not all of it may stand in a JSON string as it is. */
static bool copy_plain_block(char *restrict to, const char *restrict from)
{
    unsigned char bad = 0;
    for (size_t i = 0; i < PLAIN_BLOCK; i++) {
        /* As a signed number, a byte above 0x7f is below a blank too. */
        signed char c = (signed char)from[i];
        bad |= (unsigned char)((c < ' ') | (c == '"') | (c == '\\'));
        to[i] = from[i];
    }
    return bad == 0;
}

static size_t escape_control(char *to, unsigned char c)
{
    static const char named[] = "\bb\ff\nn\rr\tt";
    const char *known = c ? strchr(named, (char)c) : NULL;
    if (known) {
        to[0] = '\\';
        to[1] = known[1];
        return 2;
    }
    const char hex[ESCAPED_MAX] = { '\\', 'u', '0', '0', hex_digits[c >> 4], hex_digits[c & 15] };
    memcpy(to, hex, sizeof(hex));
    return sizeof(hex);
}

/* The character at the front of s, escaped; *used bytes of s. */
static size_t escape_one(char *to, struct moor_span s, size_t *used)
{
    unsigned char c = (unsigned char)s.p[0];
    *used = 1;
    if (c < ' ')
        return escape_control(to, c);
    if (c == '"' || c == '\\')
        *to++ = '\\';
    if (c < 0x80) {
        *to = (char)c;
        return c == '"' || c == '\\' ? 2 : 1;
    }
    size_t len = moor_utf8_sequence(s);
    memcpy(to, len ? s.p : "\xef\xbf\xbd", len ? len : 3);
    *used = len ? len : 1;
    return len ? len : 3;
}

/* At least the first ESCAPE_PIECE bytes of s, or all. */
static size_t escape_piece(char *to, struct moor_span *s)
{
    char *const begin = to;
    const char *stop = s->p + (s->n < ESCAPE_PIECE ? s->n : ESCAPE_PIECE), *end = s->p + s->n;
    while (s->p < stop) {
        if (end - s->p >= PLAIN_BLOCK && copy_plain_block(to, s->p)) {
            to += PLAIN_BLOCK;
            s->p += PLAIN_BLOCK;
            continue;
        }
        const char *block_end = end - s->p < PLAIN_BLOCK ? end : s->p + PLAIN_BLOCK;
        while (s->p < block_end) {
            size_t used = 1;
            to += escape_one(to, (struct moor_span){ s->p, (size_t)(end - s->p) }, &used);
            s->p += used;
        }
    }
    s->n = (size_t)(end - s->p);
    return (size_t)(to - begin);
}

void moor_buf_json_str(struct moor_buf *b, struct moor_span s)
{
    moor_buf_char(b, '"');
    while (s.n > 0 && !b->failed) {
        char stage[ESCAPED_MAX * (ESCAPE_PIECE + PLAIN_BLOCK)];
        moor_buf_add(b, stage, escape_piece(stage, &s));
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
