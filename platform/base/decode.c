/* SPDX-License-Identifier: Apache-2.0 */
/* The decoders of text.h: base64, hexadecimal, percent codes. encode.c is the way back. */
#include <stddef.h>

#include "base/text.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static int base64_value(char c, bool url)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (url ? '-' : '+'))
        return 62;
    if (c == (url ? '_' : '/'))
        return 63;
    return -1;
}

/* Up to four characters as the high bits of 24; false when one is foreign. */
static bool base64_group(const char *p, size_t n, bool url, uint32_t *bits)
{
    uint32_t v = 0;
    for (size_t i = 0; i < n; i++) {
        int d = base64_value(p[i], url);
        if (d < 0)
            return false;
        v |= (uint32_t)d << (18 - 6 * i);
    }
    *bits = v;
    return true;
}

/* Decodes text without padding to bytes; false when it is not the one way to write them. */
static bool base64_plain(struct moor_span s, bool url, unsigned char *bytes)
{
    for (size_t i = 0; i < s.n; i += 4) {
        size_t have = s.n - i < 4 ? s.n - i : 4;
        uint32_t v = 0;
        if (have == 1 || !base64_group(s.p + i, have, url, &v))
            return false;
        /* Bits behind the last whole byte must be 0. */
        if (v & (0xffffffu >> (8 * (have - 1))))
            return false;
        for (size_t k = 0; k + 1 < have; k++)
            *bytes++ = (unsigned char)(v >> (16 - 8 * k));
    }
    return true;
}

static moor_code base64_append(struct moor_span s, bool url, struct moor_buf *out, const char *want,
                               struct moor_error *err)
{
    size_t n = s.n / 4 * 3 + (s.n % 4 > 1 ? s.n % 4 - 1 : 0);
    char *room = moor_buf_room(out, n);
    if (!room)
        return moor_buf_ok(out, "decoded bytes", err);
    if (!base64_plain(s, url, (unsigned char *)room)) {
        room[0] = '\0';
        return moor_fail(err, MOOR_E_BADINPUT, "%s", want);
    }
    moor_buf_grew(out, n);
    return MOOR_OK;
}

moor_code moor_base64_decode(struct moor_span s, struct moor_buf *out, struct moor_error *err)
{
    static const char want[] = "want base64 text";
    if (s.n % 4)
        return moor_fail(err, MOOR_E_BADINPUT, "%s", want);
    for (int pad = 0; pad < 2 && s.n > 0 && s.p[s.n - 1] == '='; pad++)
        s.n--;
    return base64_append(s, false, out, want, err);
}

moor_code moor_base64url_decode(struct moor_span s, struct moor_buf *out, struct moor_error *err)
{
    return base64_append(s, true, out, "want base64url text without padding", err);
}

moor_code moor_hex_decode(struct moor_span s, struct moor_buf *out, struct moor_error *err)
{
    static const char want[] = "want pairs of hexadecimal digits";
    if (s.n % 2)
        return moor_fail(err, MOOR_E_BADINPUT, "%s", want);
    size_t before = out->len;
    for (size_t i = 0; i < s.n; i += 2) {
        int high = hex_value(s.p[i]);
        int low = hex_value(s.p[i + 1]);
        if (high < 0 || low < 0) {
            moor_buf_cut(out, before);
            return moor_fail(err, MOOR_E_BADINPUT, "%s", want);
        }
        moor_buf_char(out, (char)(high << 4 | low));
    }
    return moor_buf_ok(out, "decoded bytes", err);
}

/* One character or escape at the start of s: its length, and the byte; 0 when it is broken. */
static size_t percent_next(struct moor_span s, bool form, char *byte)
{
    if (s.p[0] != '%') {
        *byte = s.p[0] == '+' && form ? ' ' : s.p[0];
        return 1;
    }
    int high = s.n >= 3 ? hex_value(s.p[1]) : -1;
    int low = s.n >= 3 ? hex_value(s.p[2]) : -1;
    if (high < 0 || low < 0 || (high == 0 && low == 0))
        return 0;
    *byte = (char)(high << 4 | low);
    return 3;
}

moor_code moor_percent_decode(struct moor_span s, bool form, struct moor_buf *out,
                              struct moor_error *err)
{
    size_t before = out->len;
    while (s.n > 0) {
        char byte = 0;
        size_t len = percent_next(s, form, &byte);
        if (len == 0) {
            moor_buf_cut(out, before);
            return moor_fail(err, MOOR_E_BADINPUT, "want percent codes %%01..%%FF");
        }
        moor_buf_char(out, byte);
        s = (struct moor_span){ s.p + len, s.n - len };
    }
    return moor_buf_ok(out, "decoded text", err);
}
