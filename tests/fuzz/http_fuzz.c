/* SPDX-License-Identifier: Apache-2.0 */
/* A request as it comes over the wire: head, target and chunked body. The first byte says how the
 * rest is cut into pieces. */
#include "fuzz.h"

#include <string.h>

#include "base/arena.h"
#include "http/chunked.h"
#include "http/request_head.h"
#include "http/target.h"

#define HEAD_MAX   1024
#define FIELDS_MAX 8
#define BODY_MAX   256

struct outcome {
    moor_head_result result;
    moor_refusal why;
    size_t used;
};

static struct outcome read_head(struct moor_request_head *h, struct moor_span in, size_t piece)
{
    struct outcome o = { MOOR_HEAD_MORE, MOOR_REFUSE_NOTHING, 0 };
    moor_head_init(h, HEAD_MAX, FIELDS_MAX);
    while (o.result == MOOR_HEAD_MORE && o.used < in.n) {
        size_t n = in.n - o.used < piece ? in.n - o.used : piece;
        size_t took = 0;
        o.result = moor_head_feed(h, moor_span(in.p + o.used, n), &took, &o.why);
        MOOR_ASSERT(took <= n && (took == n || o.result != MOOR_HEAD_MORE));
        o.used += took;
    }
    return o;
}

static void same_however_it_is_cut(struct moor_span in, size_t piece)
{
    struct moor_request_head whole;
    struct moor_request_head cut;
    struct outcome a = read_head(&whole, in, in.n + 1);
    struct outcome b = read_head(&cut, in, piece);
    MOOR_ASSERT(a.result == b.result && a.why == b.why && a.used == b.used);
    MOOR_ASSERT(whole.field_count == cut.field_count && whole.body_length == cut.body_length);
    MOOR_ASSERT(moor_streq(moor_head_target(&whole), moor_head_target(&cut)));
    moor_head_drop(&whole);
    moor_head_drop(&cut);
}

/* What got through is written down again from what was understood, and must be what came, but for
 * blanks around values. So nothing hides between two readings. */
static void head_says_what_it_said(const struct moor_request_head *h, struct moor_span in)
{
    MOOR_ASSERT(in.n <= HEAD_MAX && h->field_count <= FIELDS_MAX);
    struct moor_span line = moor_span_cut(&in, '\n');
    MOOR_AUTO(moor_buf) want = MOOR_BUF(HEAD_MAX + 64);
    moor_buf_fmt(&want, "%s %s HTTP/1.1\r", h->method, moor_head_target(h));
    MOOR_ASSERT(moor_span_eq(line, moor_buf_view(&want)));
    for (uint32_t i = 0; i < h->field_count; i++) {
        line = moor_span_cut(&in, '\n');
        MOOR_ASSERT(moor_span_ends(line, "\r"));
        struct moor_span name = moor_span_cut(&line, ':');
        MOOR_ASSERT(moor_span_eq_str(name, h->text.data + h->fields[i].name));
        MOOR_ASSERT(moor_span_eq_str(moor_span_trim(line), h->text.data + h->fields[i].value));
    }
    line = moor_span_cut(&in, '\n');
    MOOR_ASSERT(moor_span_eq_str(line, "\r") && in.n == 0);
}

static void border_holds(const struct moor_request_head *h)
{
    static const char *const once[] = { "content-length", "transfer-encoding", "authorization",
                                        "metadata", "expect" };
    MOOR_ASSERT(moor_head_count(h, "host") == 1 && *moor_head_find(h, "host"));
    for (size_t i = 0; i < MOOR_COUNTOF(once); i++)
        MOOR_ASSERT(moor_head_count(h, once[i]) <= 1);
    MOOR_ASSERT(!(h->body_sized && h->body_chunked));
    MOOR_ASSERT(h->body_sized == (moor_head_count(h, "content-length") == 1));
    MOOR_ASSERT(h->body_chunked == (moor_head_count(h, "transfer-encoding") == 1));
}

static void target_is_evened(const char *raw)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(64 * 1024);
    struct moor_target t;
    struct moor_target again;
    if (moor_target_parse(raw, &arena, &t) != MOOR_REFUSE_NOTHING)
        return;
    MOOR_ASSERT(t.path[0] == '/' && !strstr(t.path, "//") && !strstr(t.path, "/../"));
    MOOR_AUTO(moor_buf) coded = MOOR_BUF(16 * 1024);
    moor_buf_char(&coded, '/');
    for (size_t i = 0; i < t.segment_count; i++) {
        MOOR_ASSERT(*t.segments[i] && !strchr(t.segments[i], '/'));
        moor_buf_url_part(&coded, moor_span_str(t.segments[i]));
        moor_buf_char(&coded, '/');
    }
    MOOR_ASSERT(moor_target_parse(moor_buf_cstr(&coded), &arena, &again) == MOOR_REFUSE_NOTHING);
    MOOR_ASSERT(moor_streq(t.path, again.path) && t.segment_count == again.segment_count);
}

static void chunks_same_however_cut(struct moor_span in, size_t piece)
{
    MOOR_AUTO(moor_buf) whole = MOOR_BUF(BODY_MAX);
    MOOR_AUTO(moor_buf) cut = MOOR_BUF(BODY_MAX);
    struct moor_chunked one = { 0 };
    struct moor_chunked many = { 0 };
    moor_refusal why = MOOR_REFUSE_NOTHING;
    moor_refusal why_cut = MOOR_REFUSE_NOTHING;
    size_t used = 0;
    size_t used_cut = 0;
    moor_chunked_result a = moor_chunked_feed(&one, in, &whole, &used, &why);
    moor_chunked_result b = MOOR_CHUNKED_MORE;
    while (b == MOOR_CHUNKED_MORE && used_cut < in.n) {
        size_t n = in.n - used_cut < piece ? in.n - used_cut : piece;
        size_t took = 0;
        b = moor_chunked_feed(&many, moor_span(in.p + used_cut, n), &cut, &took, &why_cut);
        used_cut += took;
    }
    MOOR_ASSERT(a == b && why == why_cut);
    MOOR_ASSERT(a == MOOR_CHUNKED_REFUSED || (used == used_cut && used <= in.n));
    MOOR_ASSERT(moor_span_eq(moor_buf_view(&whole), moor_buf_view(&cut)));
    MOOR_ASSERT(whole.len <= in.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t piece = data[0] % 32 + 1u;
    struct moor_span in = moor_span(data + 1, size - 1);
    struct moor_request_head h;
    same_however_it_is_cut(in, piece);
    struct outcome o = read_head(&h, in, in.n + 1);
    MOOR_ASSERT((o.why == MOOR_REFUSE_NOTHING) == (o.result != MOOR_HEAD_REFUSED));
    if (o.result == MOOR_HEAD_DONE) {
        head_says_what_it_said(&h, moor_span(in.p, o.used));
        border_holds(&h);
        target_is_evened(moor_head_target(&h));
        in = moor_span(in.p + o.used, in.n - o.used);
    }
    moor_head_drop(&h);
    chunks_same_however_cut(in, piece);
    return 0;
}
