/* SPDX-License-Identifier: Apache-2.0 */
#include "http/chunked.h"

#define DIGITS_MAX 8

enum state { ST_SIZE, ST_SIZE_LF, ST_DATA, ST_DATA_CR, ST_DATA_LF, ST_END_CR, ST_END_LF, ST_DONE };

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool on_size(struct moor_chunked *c, char byte)
{
    if (byte == '\r' && c->digits > 0) {
        c->state = ST_SIZE_LF;
        return true;
    }
    int value = hex_value(byte);
    if (value < 0 || c->digits == DIGITS_MAX)
        return false;
    c->digits++;
    c->left = c->left << 4 | (uint32_t)value;
    return true;
}

/* The state behind a fixed byte, as a table: what is wanted and what comes next. */
static bool on_fixed(struct moor_chunked *c, char byte)
{
    static const struct {
        char want;
        uint8_t next;
    } fixed[ST_DONE] = {
        [ST_SIZE_LF] = { '\n', ST_DATA }, [ST_DATA_CR] = { '\r', ST_DATA_LF },
        [ST_DATA_LF] = { '\n', ST_SIZE }, [ST_END_CR] = { '\r', ST_END_LF },
        [ST_END_LF] = { '\n', ST_DONE },
    };
    if (byte != fixed[c->state].want)
        return false;
    bool last = c->state == ST_SIZE_LF && c->left == 0;
    c->state = last ? ST_END_CR : fixed[c->state].next;
    c->digits = 0;
    return true;
}

moor_chunked_result moor_chunked_feed(struct moor_chunked *c, struct moor_span in,
                                      struct moor_buf *out, size_t *used, moor_refusal *why)
{
    size_t i = 0;
    while (i < in.n) {
        if (c->state == ST_DATA) {
            size_t n = in.n - i < c->left ? in.n - i : c->left;
            moor_buf_add(out, in.p + i, n);
            if (out->failed) {
                *used = i;
                *why = MOOR_REFUSE_BODY_LONG;
                return MOOR_CHUNKED_REFUSED;
            }
            i += n;
            c->left -= (uint32_t)n;
            if (c->left == 0)
                c->state = ST_DATA_CR;
            continue;
        }
        bool ok = c->state == ST_SIZE ? on_size(c, in.p[i]) : on_fixed(c, in.p[i]);
        i++;
        *used = i;
        if (!ok) {
            *why = MOOR_REFUSE_CHUNK;
            return MOOR_CHUNKED_REFUSED;
        }
        if (c->state == ST_DONE)
            return MOOR_CHUNKED_DONE;
    }
    *used = i;
    return MOOR_CHUNKED_MORE;
}
