/* SPDX-License-Identifier: Apache-2.0 */
#include "http/request_head.h"

#include <stdlib.h>

#include "check.h"

#define OK_LINE "GET / HTTP/1.1\r\n"
#define OK_HEAD OK_LINE "Host: a\r\n"

/* Feeds text in pieces of the given size. */
static moor_head_result feed(struct moor_request_head *h, struct moor_span text, size_t piece,
                             size_t *used, moor_refusal *why)
{
    moor_head_result r = MOOR_HEAD_MORE;
    *used = 0;
    *why = MOOR_REFUSE_NOTHING;
    while (r == MOOR_HEAD_MORE && *used < text.n) {
        size_t n = text.n - *used < piece ? text.n - *used : piece;
        size_t took = 0;
        char *copy = malloc(n); /* of its exact size, so that reading over the end is seen */
        memcpy(copy, text.p + *used, n);
        r = moor_head_feed(h, moor_span(copy, n), &took, why);
        free(copy);
        *used += took;
    }
    return r;
}

struct refused {
    moor_refusal why;
    const char *text;
};

static const struct refused refused[] = {
    { MOOR_REFUSE_REQUEST_LINE, " GET / HTTP/1.1\r\n" },
    { MOOR_REFUSE_REQUEST_LINE, "\x16\x03\x01" },
    { MOOR_REFUSE_LINE_END, "\r\n" OK_LINE },
    { MOOR_REFUSE_METHOD, "get / HTTP/1.1\r\n" },
    { MOOR_REFUSE_METHOD, "OPTIONS / HTTP/1.1\r\n" },
    { MOOR_REFUSE_METHOD, "TRACE / HTTP/1.1\r\n" },
    { MOOR_REFUSE_METHOD, "CONNECT a:443 HTTP/1.1\r\n" },
    { MOOR_REFUSE_METHOD, "GETGETGETGETGETGET" },
    { MOOR_REFUSE_REQUEST_LINE, "GET  / HTTP/1.1\r\n" },
    { MOOR_REFUSE_REQUEST_LINE, "GET\t/ HTTP/1.1\r\n" },
    { MOOR_REFUSE_TARGET_FORM, "GET http://a/ HTTP/1.1\r\n" },
    { MOOR_REFUSE_TARGET_FORM, "GET * HTTP/1.1\r\n" },
    { MOOR_REFUSE_TARGET_FORM, "GET a:443 HTTP/1.1\r\n" },
    { MOOR_REFUSE_TARGET, "GET /a\tb HTTP/1.1\r\n" },
    { MOOR_REFUSE_TARGET, "GET /\xc3\xa9 HTTP/1.1\r\n" },
    { MOOR_REFUSE_LINE_END, "GET /\n" },
    { MOOR_REFUSE_VERSION, "GET /\r\n" },
    { MOOR_REFUSE_VERSION, "GET / HTTP/1.0\r\n" },
    { MOOR_REFUSE_VERSION, "GET / HTTP/2.0\r\n" },
    { MOOR_REFUSE_VERSION, "GET / HTTP/1.2\r\n" },
    { MOOR_REFUSE_REQUEST_LINE, "GET / \r\n" },
    { MOOR_REFUSE_REQUEST_LINE, "GET / http/1.1\r\n" },
    { MOOR_REFUSE_REQUEST_LINE, "GET / HTTP/1.1 \r\n" },
    { MOOR_REFUSE_REQUEST_LINE, "GET / HTTP/11\r\n" },
    { MOOR_REFUSE_REQUEST_LINE, "GET / HTTP/+1.1\r\n" },
    { MOOR_REFUSE_REQUEST_LINE, "GET / b HTTP/1.1\r\n" },
    { MOOR_REFUSE_LINE_END, "GET / HTTP/1.1\n" },
    { MOOR_REFUSE_LINE_END, "GET / HTTP/1.1\r\r\n" },
    { MOOR_REFUSE_FOLDING, OK_LINE " Host: a\r\n" },
    { MOOR_REFUSE_FOLDING, OK_HEAD "\tb: c\r\n" },
    { MOOR_REFUSE_FIELD_NAME, OK_LINE "Host : a\r\n" },
    { MOOR_REFUSE_FIELD_NAME, OK_LINE "Ho st: a\r\n" },
    { MOOR_REFUSE_FIELD_NAME, OK_LINE ": a\r\n" },
    { MOOR_REFUSE_FIELD_NAME, OK_LINE "H(st: a\r\n" },
    { MOOR_REFUSE_FIELD_NAME, OK_LINE "H\xc3\xa9: a\r\n" },
    { MOOR_REFUSE_LINE_END, OK_LINE "Host\r\n" },
    { MOOR_REFUSE_LINE_END, OK_LINE "Host: a\n" },
    { MOOR_REFUSE_LINE_END, OK_LINE "Host: a\rb\r\n" },
    { MOOR_REFUSE_LINE_END, OK_LINE "Host: a\r\n\n" },
    { MOOR_REFUSE_LINE_END, OK_LINE "Host: a\r\n\rx" },
    { MOOR_REFUSE_FIELD_VALUE, OK_LINE "Host: a\x01\r\n" },
    { MOOR_REFUSE_FIELD_VALUE, OK_LINE "Host: a\x7f\r\n" },
    { MOOR_REFUSE_FIELD_VALUE, OK_LINE "Host: a\x80\r\n" },
    { MOOR_REFUSE_NO_HOST, OK_LINE "\r\n" },
    { MOOR_REFUSE_HOST, OK_LINE "Host:\r\n\r\n" },
    { MOOR_REFUSE_HOST, OK_LINE "Host: a b\r\n\r\n" },
    { MOOR_REFUSE_HOST, OK_LINE "Host: a/b\r\n\r\n" },
    { MOOR_REFUSE_HOST, OK_LINE "Host: u@a\r\n\r\n" },
    { MOOR_REFUSE_HOST, OK_LINE "Host: a,b\r\n\r\n" },
    { MOOR_REFUSE_HOST, OK_LINE "Host: a:b\r\n\r\n" },
    { MOOR_REFUSE_HOST, OK_LINE "Host: a:123456\r\n\r\n" },
    { MOOR_REFUSE_HOST, OK_LINE "Host: :80\r\n\r\n" },
    { MOOR_REFUSE_HOST, OK_LINE "Host: [::1\r\n\r\n" },
    { MOOR_REFUSE_HOST, OK_LINE "Host: []\r\n\r\n" },
    { MOOR_REFUSE_HOST, OK_LINE "Host: [::1]x\r\n\r\n" },
    { MOOR_REFUSE_REPEATED, OK_HEAD "Host: a\r\n\r\n" },
    { MOOR_REFUSE_REPEATED, OK_HEAD "host: a\r\n\r\n" },
    { MOOR_REFUSE_REPEATED, OK_HEAD "Content-Length: 1\r\nContent-Length: 1\r\n\r\n" },
    { MOOR_REFUSE_REPEATED, OK_HEAD "Authorization: a\r\nAuthorization: a\r\n\r\n" },
    { MOOR_REFUSE_REPEATED, OK_HEAD "Metadata: true\r\nmetadata: true\r\n\r\n" },
    { MOOR_REFUSE_REPEATED,
      OK_HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" },
    { MOOR_REFUSE_LENGTH, OK_HEAD "Content-Length: +1\r\n\r\n" },
    { MOOR_REFUSE_LENGTH, OK_HEAD "Content-Length: -1\r\n\r\n" },
    { MOOR_REFUSE_LENGTH, OK_HEAD "Content-Length: 0x1\r\n\r\n" },
    { MOOR_REFUSE_LENGTH, OK_HEAD "Content-Length: 1, 1\r\n\r\n" },
    { MOOR_REFUSE_LENGTH, OK_HEAD "Content-Length: 1 1\r\n\r\n" },
    { MOOR_REFUSE_LENGTH, OK_HEAD "Content-Length: 1.0\r\n\r\n" },
    { MOOR_REFUSE_LENGTH, OK_HEAD "Content-Length:\r\n\r\n" },
    { MOOR_REFUSE_BODY_LONG, OK_HEAD "Content-Length: 99999999999999999999\r\n\r\n" },
    { MOOR_REFUSE_LENGTH_AND_CODING,
      OK_HEAD "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n" },
    { MOOR_REFUSE_CODING, OK_HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n" },
    { MOOR_REFUSE_CODING, OK_HEAD "Transfer-Encoding: identity\r\n\r\n" },
    { MOOR_REFUSE_CODING, OK_HEAD "Transfer-Encoding: xchunked\r\n\r\n" },
    { MOOR_REFUSE_CODING, OK_HEAD "Transfer-Encoding:\r\n\r\n" },
    { MOOR_REFUSE_EXPECT, OK_HEAD "Expect: 200-ok\r\n\r\n" },
};

static void every_breach_is_refused_however_it_is_cut(void)
{
    static const size_t pieces[] = { 1, 2, 3, 7, 4096 };
    for (size_t i = 0; i < MOOR_COUNTOF(refused); i++) {
        for (size_t p = 0; p < MOOR_COUNTOF(pieces); p++) {
            struct moor_request_head h;
            size_t used;
            moor_refusal why;
            moor_head_init(&h, 16384, 64);
            moor_head_result r = feed(&h, moor_span_str(refused[i].text), pieces[p], &used, &why);
            if (!CHECK(r == MOOR_HEAD_REFUSED) || !CHECK_INT(why, refused[i].why))
                printf("# row %zu, pieces of %zu\n", i, pieces[p]);
            moor_head_drop(&h);
        }
    }
}

static void nul_is_refused_everywhere(void)
{
    static const char head[] = "PUT /a HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n";
    for (size_t at = 0; at < sizeof(head) - 1; at++) {
        char text[sizeof(head)];
        struct moor_request_head h;
        size_t used;
        moor_refusal why;
        memcpy(text, head, sizeof(head));
        text[at] = '\0';
        moor_head_init(&h, 16384, 64);
        CHECK(feed(&h, moor_span(text, sizeof(text) - 1), 5, &used, &why) == MOOR_HEAD_REFUSED);
        CHECK_INT(used, at + 1);
        moor_head_drop(&h);
    }
}

static void good_head_is_read_whole(void)
{
    static const char head[] = "PATCH /a/b?c=%20d HTTP/1.1\r\n"
                               "Host: [::1]:40342\r\n"
                               "X-Empty:\r\n"
                               "X-Blank: \t one  two\t \r\n"
                               "x-more:1\r\nX-More: 2\r\n"
                               "Connection: Keep-Alive, CLOSE\r\n"
                               "expect: 100-Continue\r\n"
                               "Content-Length: 007\r\n\r\nnext";
    for (size_t piece = 1; piece < 12; piece++) {
        struct moor_request_head h;
        size_t used;
        moor_refusal why;
        moor_head_init(&h, 16384, 64);
        CHECK(feed(&h, MOOR_SPAN_LIT(head), piece, &used, &why) == MOOR_HEAD_DONE);
        CHECK_INT(used, sizeof(head) - 1 - 4);
        CHECK_STR(h.method, "PATCH");
        CHECK_STR(moor_head_target(&h), "/a/b?c=%20d");
        CHECK_STR(moor_head_find(&h, "HOST"), "[::1]:40342");
        CHECK_STR(moor_head_find(&h, "x-empty"), "");
        CHECK_STR(moor_head_find(&h, "x-blank"), "one  two");
        CHECK_STR(moor_head_find(&h, "x-more"), "1");
        CHECK_INT(moor_head_count(&h, "x-more"), 2);
        CHECK(moor_head_find(&h, "x-none") == NULL);
        CHECK(h.body_sized && !h.body_chunked && h.close && h.expect_continue);
        CHECK_INT(h.body_length, 7);
        moor_head_drop(&h);
    }
}

static void expectation_without_a_body_is_no_expectation(void)
{
    struct moor_request_head h;
    size_t used;
    moor_refusal why;
    moor_head_init(&h, 16384, 64);
    CHECK(feed(&h, MOOR_SPAN_LIT(OK_HEAD "Expect: 100-continue\r\n\r\n"), 99, &used, &why) ==
          MOOR_HEAD_DONE);
    CHECK(!h.expect_continue && !h.close && !h.body_sized);
    moor_head_drop(&h);
}

static void limits_are_exact(void)
{
    static const char head[] = OK_HEAD "B: c\r\n\r\n";
    static const struct {
        size_t bytes;
        unsigned fields;
        moor_head_result result;
        moor_refusal why;
    } rows[] = {
        { sizeof(head) - 1, 2, MOOR_HEAD_DONE, MOOR_REFUSE_NOTHING },
        { sizeof(head) - 2, 2, MOOR_HEAD_REFUSED, MOOR_REFUSE_HEAD_LONG },
        { sizeof(head) - 1, 1, MOOR_HEAD_REFUSED, MOOR_REFUSE_FIELD_COUNT },
        { 8, 2, MOOR_HEAD_REFUSED, MOOR_REFUSE_TARGET_LONG },
        { 0, 0, MOOR_HEAD_REFUSED, MOOR_REFUSE_TARGET_LONG },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        struct moor_request_head h;
        size_t used;
        moor_refusal why;
        moor_head_init(&h, rows[i].bytes, rows[i].fields);
        CHECK_INT(feed(&h, MOOR_SPAN_LIT(head), 1, &used, &why), rows[i].result);
        CHECK_INT(why, rows[i].why);
        CHECK(moor_head_target(&h) != NULL);
        moor_head_drop(&h);
    }
}

static void unfinished_head_answers_questions(void)
{
    static const char head[] = OK_HEAD "B: c\r\n\r\n";
    for (size_t n = 0; n < sizeof(head) - 1; n++) {
        struct moor_request_head h;
        size_t used;
        moor_refusal why;
        moor_head_init(&h, 16384, 64);
        CHECK(feed(&h, moor_span(head, n), 4, &used, &why) == MOOR_HEAD_MORE);
        CHECK_STR(moor_head_target(&h), n < sizeof("GET /") ? "" : "/");
        CHECK((moor_head_find(&h, "host") != NULL) == (n >= sizeof(OK_HEAD) - 1));
        moor_head_drop(&h);
    }
}

CHECK_MAIN(CHECK_TEST(every_breach_is_refused_however_it_is_cut),
           CHECK_TEST(nul_is_refused_everywhere), CHECK_TEST(good_head_is_read_whole),
           CHECK_TEST(expectation_without_a_body_is_no_expectation), CHECK_TEST(limits_are_exact),
           CHECK_TEST(unfinished_head_answers_questions))
