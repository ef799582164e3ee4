/* SPDX-License-Identifier: Apache-2.0 */
#include "http/request_head.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* One state per kind of byte that may come next; each has one step function. */
enum state {
    ST_METHOD,
    ST_TARGET_START,
    ST_TARGET,
    ST_VERSION,
    ST_LINE_LF,
    ST_FIELD_START,
    ST_NAME,
    ST_VALUE_START,
    ST_VALUE,
    ST_VALUE_LF,
    ST_END_LF,
    ST_DONE,
    ST_COUNT
};

#define METHOD_MAX  16
#define VERSION_LEN 8

static const char *const methods[] = { "GET", "HEAD", "PUT", "POST", "PATCH", "DELETE" };

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(unsigned char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_token(unsigned char c)
{
    return is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* Visible ASCII; target.c looks at what it means. */
static bool is_visible(unsigned char c)
{
    return c > ' ' && c < 0x7f;
}

static size_t word_len(const struct moor_request_head *h)
{
    return h->text.len - h->word;
}

static void end_word(struct moor_request_head *h)
{
    moor_buf_char(&h->text, '\0');
    h->word = (uint32_t)h->text.len;
}

static moor_refusal line_end_or(unsigned char c, moor_refusal otherwise)
{
    return c == '\r' || c == '\n' ? MOOR_REFUSE_LINE_END : otherwise;
}

static moor_refusal end_method(struct moor_request_head *h)
{
    struct moor_span word = moor_span(moor_buf_cstr(&h->text) + h->word, word_len(h));
    for (size_t i = 0; i < MOOR_COUNTOF(methods); i++)
        if (moor_span_eq_str(word, methods[i]))
            h->method = methods[i];
    if (!*h->method)
        return MOOR_REFUSE_METHOD;
    end_word(h);
    h->state = ST_TARGET_START;
    return MOOR_REFUSE_NOTHING;
}

static moor_refusal on_method(struct moor_request_head *h, unsigned char c)
{
    if (c == ' ' && word_len(h) > 0)
        return end_method(h);
    if (!is_token(c))
        return line_end_or(c, MOOR_REFUSE_REQUEST_LINE);
    if (word_len(h) == METHOD_MAX)
        return MOOR_REFUSE_METHOD;
    moor_buf_char(&h->text, (char)c);
    return MOOR_REFUSE_NOTHING;
}

static moor_refusal on_target_start(struct moor_request_head *h, unsigned char c)
{
    if (c != '/')
        return is_visible(c) ? MOOR_REFUSE_TARGET_FORM : line_end_or(c, MOOR_REFUSE_REQUEST_LINE);
    h->target = h->word;
    h->state = ST_TARGET;
    moor_buf_char(&h->text, (char)c);
    return MOOR_REFUSE_NOTHING;
}

static moor_refusal on_target(struct moor_request_head *h, unsigned char c)
{
    if (c == ' ') {
        end_word(h);
        h->state = ST_VERSION;
        return MOOR_REFUSE_NOTHING;
    }
    if (c == '\r')
        return MOOR_REFUSE_VERSION; /* HTTP/0.9 has none */
    if (!is_visible(c))
        return line_end_or(c, MOOR_REFUSE_TARGET);
    moor_buf_char(&h->text, (char)c);
    return MOOR_REFUSE_NOTHING;
}

/* The version is refused at its end, so that a real but other version gets its own answer. */
static moor_refusal end_version(struct moor_request_head *h)
{
    const char *v = moor_buf_cstr(&h->text) + h->word;
    size_t n = word_len(h);
    if (n != VERSION_LEN || memcmp(v, "HTTP/", 5) != 0 || !is_digit((unsigned char)v[5]) ||
        v[6] != '.' || !is_digit((unsigned char)v[7]))
        return MOOR_REFUSE_REQUEST_LINE;
    if (memcmp(v, "HTTP/1.1", VERSION_LEN) != 0)
        return MOOR_REFUSE_VERSION;
    moor_buf_cut(&h->text, h->word);
    h->state = ST_LINE_LF;
    return MOOR_REFUSE_NOTHING;
}

static moor_refusal on_version(struct moor_request_head *h, unsigned char c)
{
    if (c == '\r')
        return end_version(h);
    if (!is_visible(c) || word_len(h) == VERSION_LEN)
        return line_end_or(c, MOOR_REFUSE_REQUEST_LINE);
    moor_buf_char(&h->text, (char)c);
    return MOOR_REFUSE_NOTHING;
}

static moor_refusal on_line_lf(struct moor_request_head *h, unsigned char c)
{
    h->state = ST_FIELD_START;
    return c == '\n' ? MOOR_REFUSE_NOTHING : MOOR_REFUSE_LINE_END;
}

static moor_refusal on_field_start(struct moor_request_head *h, unsigned char c)
{
    if (c == '\r') {
        h->state = ST_END_LF;
        return MOOR_REFUSE_NOTHING;
    }
    if (c == ' ' || c == '\t')
        return MOOR_REFUSE_FOLDING;
    if (!is_token(c))
        return line_end_or(c, MOOR_REFUSE_FIELD_NAME);
    if (h->field_count == h->fields_max)
        return MOOR_REFUSE_FIELD_COUNT;
    h->state = ST_NAME;
    moor_buf_char(&h->text, (char)c);
    return MOOR_REFUSE_NOTHING;
}

static bool grow_fields(struct moor_request_head *h)
{
    if (h->field_count < h->fields_cap)
        return true;
    uint32_t cap = h->fields_cap ? h->fields_cap * 2 : 16;
    struct moor_head_field *grown = realloc(h->fields, cap * sizeof(*grown));
    if (!grown)
        return false;
    h->fields = grown;
    h->fields_cap = cap;
    return true;
}

static moor_refusal on_name(struct moor_request_head *h, unsigned char c)
{
    if (c != ':') {
        moor_buf_char(&h->text, (char)c);
        return is_token(c) ? MOOR_REFUSE_NOTHING : line_end_or(c, MOOR_REFUSE_FIELD_NAME);
    }
    if (!grow_fields(h))
        return MOOR_REFUSE_NO_MEMORY;
    struct moor_head_field *f = &h->fields[h->field_count];
    f->name = h->word;
    end_word(h);
    f->value = h->word;
    h->state = ST_VALUE_START;
    return MOOR_REFUSE_NOTHING;
}

static moor_refusal on_value(struct moor_request_head *h, unsigned char c)
{
    if (c == '\r') {
        h->state = ST_VALUE_LF;
        return MOOR_REFUSE_NOTHING;
    }
    if (!is_visible(c) && c != ' ' && c != '\t')
        return line_end_or(c, MOOR_REFUSE_FIELD_VALUE);
    h->state = ST_VALUE;
    moor_buf_char(&h->text, (char)c);
    return MOOR_REFUSE_NOTHING;
}

static moor_refusal on_value_start(struct moor_request_head *h, unsigned char c)
{
    return c == ' ' || c == '\t' ? MOOR_REFUSE_NOTHING : on_value(h, c);
}

static moor_refusal on_value_lf(struct moor_request_head *h, unsigned char c)
{
    if (c != '\n')
        return MOOR_REFUSE_LINE_END;
    size_t n = h->text.len;
    while (n > h->word && (h->text.data[n - 1] == ' ' || h->text.data[n - 1] == '\t'))
        n--;
    moor_buf_cut(&h->text, n);
    end_word(h);
    h->field_count++;
    h->state = ST_FIELD_START;
    return MOOR_REFUSE_NOTHING;
}

/* What the headers mean together. */

static moor_refusal check_host(struct moor_request_head *h, struct moor_span v)
{
    (void)h;
    struct moor_span host = v;
    if (v.n > 0 && v.p[0] == '[') {
        const char *end = memchr(v.p, ']', v.n);
        if (!end)
            return MOOR_REFUSE_HOST;
        host = moor_span(v.p + 1, (size_t)(end - v.p) - 1);
        for (size_t i = 0; i < host.n; i++)
            if (!is_alnum((unsigned char)host.p[i]) && !strchr(":.", host.p[i]))
                return MOOR_REFUSE_HOST;
        v = moor_span(end + 1, v.n - host.n - 2);
    } else {
        size_t n = 0;
        while (n < v.n && (is_alnum((unsigned char)v.p[n]) || strchr("-._~", v.p[n])))
            n++;
        host.n = n;
        v = moor_span(v.p + n, v.n - n);
    }
    if (host.n == 0 || (v.n > 0 && v.p[0] != ':') || v.n > 6)
        return MOOR_REFUSE_HOST;
    for (size_t i = 1; i < v.n; i++)
        if (!is_digit((unsigned char)v.p[i]))
            return MOOR_REFUSE_HOST;
    return MOOR_REFUSE_NOTHING;
}

static moor_refusal check_length(struct moor_request_head *h, struct moor_span v)
{
    for (size_t i = 0; i < v.n; i++)
        if (!is_digit((unsigned char)v.p[i]))
            return MOOR_REFUSE_LENGTH;
    if (v.n == 0)
        return MOOR_REFUSE_LENGTH;
    if (moor_parse_u64(v, 0, UINT64_MAX, &h->body_length, NULL) != MOOR_OK)
        return MOOR_REFUSE_BODY_LONG;
    h->body_sized = true;
    return MOOR_REFUSE_NOTHING;
}

static moor_refusal check_coding(struct moor_request_head *h, struct moor_span v)
{
    h->body_chunked = true;
    return moor_span_eq_nocase(v, MOOR_SPAN_LIT("chunked")) ? MOOR_REFUSE_NOTHING
                                                            : MOOR_REFUSE_CODING;
}

static moor_refusal check_expect(struct moor_request_head *h, struct moor_span v)
{
    h->expect_continue = true;
    return moor_span_eq_nocase(v, MOOR_SPAN_LIT("100-continue")) ? MOOR_REFUSE_NOTHING
                                                                 : MOOR_REFUSE_EXPECT;
}

static moor_refusal check_connection(struct moor_request_head *h, struct moor_span v)
{
    while (v.p) {
        struct moor_span option = moor_span_trim(moor_span_cut(&v, ','));
        if (moor_span_eq_nocase(option, MOOR_SPAN_LIT("close")))
            h->close = true;
    }
    return MOOR_REFUSE_NOTHING;
}

static const struct rule {
    const char *name;
    bool repeats; /* may come more than once */
    moor_refusal (*check)(struct moor_request_head *h, struct moor_span v);
} rules[] = {
    { "host", false, check_host },
    { "content-length", false, check_length },
    { "transfer-encoding", false, check_coding },
    { "expect", false, check_expect },
    { "connection", true, check_connection },
    { "authorization", false, NULL },
    { "metadata", false, NULL },
    { "content-type", false, NULL },
    { "content-encoding", false, NULL },
    { "range", false, NULL },
};
enum { RULE_HOST = 0 };

static moor_refusal check_field(struct moor_request_head *h, const struct moor_head_field *f,
                                unsigned *seen)
{
    for (size_t i = 0; i < MOOR_COUNTOF(rules); i++) {
        if (moor_strcasecmp(rules[i].name, h->text.data + f->name) != 0)
            continue;
        if (!rules[i].repeats && (*seen & 1u << i))
            return MOOR_REFUSE_REPEATED;
        *seen |= 1u << i;
        return rules[i].check ? rules[i].check(h, moor_span_str(h->text.data + f->value))
                              : MOOR_REFUSE_NOTHING;
    }
    return MOOR_REFUSE_NOTHING;
}

static moor_refusal on_end_lf(struct moor_request_head *h, unsigned char c)
{
    if (c != '\n')
        return MOOR_REFUSE_LINE_END;
    unsigned seen = 0;
    for (uint32_t i = 0; i < h->field_count; i++) {
        moor_refusal r = check_field(h, &h->fields[i], &seen);
        if (r != MOOR_REFUSE_NOTHING)
            return r;
    }
    if (!(seen & 1u << RULE_HOST))
        return MOOR_REFUSE_NO_HOST;
    if (h->body_chunked && h->body_sized)
        return MOOR_REFUSE_LENGTH_AND_CODING;
    h->expect_continue = h->expect_continue && (h->body_chunked || h->body_length > 0);
    h->state = ST_DONE;
    return MOOR_REFUSE_NOTHING;
}

static moor_refusal (*const steps[ST_COUNT])(struct moor_request_head *h, unsigned char c) = {
    [ST_METHOD] = on_method,   [ST_TARGET_START] = on_target_start,
    [ST_TARGET] = on_target,   [ST_VERSION] = on_version,
    [ST_LINE_LF] = on_line_lf, [ST_FIELD_START] = on_field_start,
    [ST_NAME] = on_name,       [ST_VALUE_START] = on_value_start,
    [ST_VALUE] = on_value,     [ST_VALUE_LF] = on_value_lf,
    [ST_END_LF] = on_end_lf,
};

static moor_refusal step(struct moor_request_head *h, unsigned char c)
{
    if (h->bytes == h->bytes_max)
        return h->state < ST_LINE_LF ? MOOR_REFUSE_TARGET_LONG : MOOR_REFUSE_HEAD_LONG;
    h->bytes++;
    moor_refusal r = steps[h->state](h, c);
    return r == MOOR_REFUSE_NOTHING && h->text.failed ? MOOR_REFUSE_NO_MEMORY : r;
}

void moor_head_init(struct moor_request_head *h, size_t bytes_max, unsigned fields_max)
{
    MOOR_ASSERT(bytes_max <= UINT32_MAX / 2);
    *h = (struct moor_request_head){ .method = "",
                                     .bytes_max = (uint32_t)bytes_max,
                                     .fields_max = fields_max,
                                     /* Every word but the method and the target has two bytes of
                                      * punctuation, which make room for its end. Wiped: one
                                      * of them may have been a token. */
                                     .text = MOOR_BUF_SECRET(bytes_max + 8) };
}

void moor_head_drop(struct moor_request_head *h)
{
    moor_buf_drop(&h->text);
    free(h->fields);
    h->fields = NULL;
    h->field_count = 0;
}

moor_head_result moor_head_feed(struct moor_request_head *h, struct moor_span in, size_t *used,
                                moor_refusal *why)
{
    MOOR_ASSERT(h->state != ST_DONE);
    for (size_t i = 0; i < in.n; i++) {
        moor_refusal r = step(h, (unsigned char)in.p[i]);
        if (r != MOOR_REFUSE_NOTHING) {
            *why = r;
            *used = i + 1;
            return MOOR_HEAD_REFUSED;
        }
        if (h->state == ST_DONE) {
            *used = i + 1;
            return MOOR_HEAD_DONE;
        }
    }
    *used = in.n;
    return MOOR_HEAD_MORE;
}

const char *moor_head_target(const struct moor_request_head *h)
{
    return h->target && h->state > ST_TARGET && !h->text.failed ? h->text.data + h->target : "";
}

const char *moor_head_find(const struct moor_request_head *h, const char *name)
{
    for (uint32_t i = 0; i < h->field_count && !h->text.failed; i++)
        if (moor_strcasecmp(h->text.data + h->fields[i].name, name) == 0)
            return h->text.data + h->fields[i].value;
    return NULL;
}

unsigned moor_head_count(const struct moor_request_head *h, const char *name)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < h->field_count && !h->text.failed; i++)
        n += moor_strcasecmp(h->text.data + h->fields[i].name, name) == 0;
    return n;
}
