/* SPDX-License-Identifier: Apache-2.0 */
/* The UTF-8 part of text.h. */
#include "base/text.h"

/* RFC 3629, section 4: by the range of the first byte, how long the sequence is and what its
 * second byte may be. The other bytes are 80..BF. That excludes overlong forms and surrogates. */
static const struct {
    unsigned char first, last;
    unsigned char len;
    unsigned char low, high;
} sequences[] = {
    { 0x00, 0x7f, 1, 0, 0 },       { 0xc2, 0xdf, 2, 0x80, 0xbf }, { 0xe0, 0xe0, 3, 0xa0, 0xbf },
    { 0xe1, 0xec, 3, 0x80, 0xbf }, { 0xed, 0xed, 3, 0x80, 0x9f }, { 0xee, 0xef, 3, 0x80, 0xbf },
    { 0xf0, 0xf0, 4, 0x90, 0xbf }, { 0xf1, 0xf3, 4, 0x80, 0xbf }, { 0xf4, 0xf4, 4, 0x80, 0x8f },
};

static bool tail_fits(const unsigned char *p, size_t len, unsigned char low, unsigned char high)
{
    if (len > 1 && (p[1] < low || p[1] > high))
        return false;
    for (size_t i = 2; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return false;
    }
    return true;
}

size_t moor_utf8_sequence(struct moor_span s)
{
    if (s.n == 0)
        return 0;
    const unsigned char *p = (const unsigned char *)s.p;
    for (size_t i = 0; i < MOOR_COUNTOF(sequences); i++) {
        if (p[0] < sequences[i].first || p[0] > sequences[i].last)
            continue;
        size_t len = sequences[i].len;
        bool ok = len <= s.n && tail_fits(p, len, sequences[i].low, sequences[i].high);
        return ok ? len : 0;
    }
    return 0;
}

static size_t valid_run(struct moor_span s)
{
    size_t i = 0;
    while (i < s.n) {
        size_t len = moor_utf8_sequence((struct moor_span){ s.p + i, s.n - i });
        if (len == 0)
            break;
        i += len;
    }
    return i;
}

bool moor_utf8_valid(struct moor_span s)
{
    return valid_run(s) == s.n;
}

void moor_utf8_repair(struct moor_buf *out, struct moor_span s)
{
    while (s.n > 0) {
        size_t run = valid_run(s);
        moor_buf_add(out, s.p, run);
        if (run == s.n)
            return;
        moor_buf_str(out, "\xef\xbf\xbd");
        s = (struct moor_span){ s.p + run + 1, s.n - run - 1 };
    }
}
