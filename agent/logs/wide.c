/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/wide.h"

#include <string.h>

#define REPLACEMENT 0xfffdU

moor_wide moor_wide_of(struct moor_span start)
{
    if (moor_span_starts(start, "\xff\xfe"))
        return MOOR_WIDE_LE;
    return moor_span_starts(start, "\xfe\xff") ? MOOR_WIDE_BE : MOOR_WIDE_NOT;
}

static uint32_t unit_at(moor_wide order, const char *p)
{
    unsigned char a = (unsigned char)p[0], b = (unsigned char)p[1];
    return order == MOOR_WIDE_LE ? (uint32_t)(a | b << 8) : (uint32_t)(a << 8 | b);
}

static size_t put(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((0xf00U >> n & 0xff) | c);
    return n;
}

static bool is_high(uint32_t unit)
{
    return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low(uint32_t unit)
{
    return unit >= 0xdc00 && unit < 0xe000;
}

size_t moor_wide_decode(moor_wide order, struct moor_span in, bool end, char *out)
{
    size_t n = 0, i = 0;
    while (i + 2 <= in.n) {
        uint32_t c = unit_at(order, in.p + i), next = 0;
        bool more = i + 4 <= in.n;
        if (is_high(c) && !more && !end)
            break;
        if (is_high(c) && more && is_low(next = unit_at(order, in.p + i + 2))) {
            c = 0x10000 + ((c - 0xd800) << 10) + (next - 0xdc00);
            i += 2;
        } else if (is_high(c) || is_low(c)) {
            c = REPLACEMENT;
        }
        n += put(c, out + n);
        i += 2;
    }
    return n;
}

uint64_t moor_wide_length(struct moor_span utf8)
{
    uint64_t n = 0;
    for (size_t i = 0; i < utf8.n; i++) {
        unsigned char c = (unsigned char)utf8.p[i];
        n += (c & 0xc0) == 0x80 ? 0 : c >= 0xf0 ? 4 : 2;
    }
    return n;
}
