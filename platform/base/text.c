/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, UUIDs and versions; the other parts of text.h are in decode.c and utf8.c. */
#include "base/text.h"

#include <inttypes.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits to the end, at least one, no overflow. */
static bool whole_number(struct moor_span s, uint64_t *out)
{
    if (s.n == 0)
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_digit(s.p[i]))
            return false;
        uint64_t digit = (uint64_t)(s.p[i] - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *out = v;
    return true;
}

moor_code moor_parse_u64(struct moor_span s, uint64_t min, uint64_t max, uint64_t *out,
                         struct moor_error *err)
{
    uint64_t v = 0;
    if (!whole_number(s, &v) || v < min || v > max)
        return moor_fail(err, MOOR_E_BADINPUT, "want a whole number %" PRIu64 "..%" PRIu64, min,
                         max);
    *out = v;
    return MOOR_OK;
}

moor_code moor_parse_u32(struct moor_span s, uint32_t min, uint32_t max, uint32_t *out,
                         struct moor_error *err)
{
    uint64_t v = 0;
    moor_code c = moor_parse_u64(s, min, max, &v, err);
    if (c == MOOR_OK)
        *out = (uint32_t)v;
    return c;
}

/* The number with its sign; false when it is none or does not fit. */
static bool signed_number(struct moor_span s, int64_t *out)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    if (negative)
        s = (struct moor_span){ s.p + 1, s.n - 1 };
    uint64_t v = 0;
    if (!whole_number(s, &v) || v > (uint64_t)INT64_MAX + negative)
        return false;
    if (!negative)
        *out = (int64_t)v;
    else
        *out = v == 0 ? 0 : -(int64_t)(v - 1) - 1;
    return true;
}

moor_code moor_parse_i64(struct moor_span s, int64_t min, int64_t max, int64_t *out,
                         struct moor_error *err)
{
    int64_t v = 0;
    if (!signed_number(s, &v) || v < min || v > max)
        return moor_fail(err, MOOR_E_BADINPUT, "want a whole number %" PRId64 "..%" PRId64, min,
                         max);
    *out = v;
    return MOOR_OK;
}

static bool uuid_dash_at(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool moor_uuid_valid(struct moor_span s)
{
    if (s.n != MOOR_UUID_LEN)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (uuid_dash_at(i) ? s.p[i] != '-' : !is_hex(s.p[i]))
            return false;
    }
    return true;
}

void moor_uuid_lower(char *s)
{
    for (; *s; s++) {
        if (*s >= 'A' && *s <= 'F')
            *s = (char)(*s - 'A' + 'a');
    }
}

void moor_uuid_format(const unsigned char bytes[16], char out[MOOR_UUID_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char b[16];
    memcpy(b, bytes, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    size_t o = 0;
    for (size_t i = 0; i < sizeof b; i++) {
        if (uuid_dash_at(o))
            out[o++] = '-';
        out[o++] = digits[b[i] >> 4];
        out[o++] = digits[b[i] & 15];
    }
    out[o] = '\0';
}

bool moor_version_valid(struct moor_span s)
{
    struct moor_span rest = s;
    for (int parts = 1; parts <= 4; parts++) {
        struct moor_span part = moor_span_cut(&rest, '.');
        uint64_t v = 0;
        if (part.n > 9 || !whole_number(part, &v))
            return false;
        if (!rest.p)
            return true;
    }
    return false;
}

static struct moor_span without_leading_zeros(struct moor_span s)
{
    while (s.n > 0 && s.p[0] == '0') {
        s.p++;
        s.n--;
    }
    return s;
}

/* Digits of any length, as numbers. */
static int part_cmp(struct moor_span a, struct moor_span b)
{
    a = without_leading_zeros(a);
    b = without_leading_zeros(b);
    if (a.n != b.n)
        return a.n < b.n ? -1 : 1;
    int order = a.n ? memcmp(a.p, b.p, a.n) : 0;
    return (order > 0) - (order < 0);
}

int moor_version_cmp(struct moor_span a, struct moor_span b)
{
    while (a.n > 0 || b.n > 0) {
        int order = part_cmp(moor_span_cut(&a, '.'), moor_span_cut(&b, '.'));
        if (order)
            return order;
    }
    return 0;
}
