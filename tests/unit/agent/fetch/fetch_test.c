/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two ends of docs/protocol/fetch.md, joined by a socket pair in one process: the fetch role
 * over a scripted transport, and a hand-made parent. The started process: tests/blackbox.
 */
#include <stdlib.h>

#include "check.h"
#include "core/fetch_wire.h"
#include "fetch/serve.h"
#include "http/transport.h"
#include "platform/net.h"
#include "run/loop.h"

#define BIG (300 * 1024)

/* A transport that keeps the last request and answers when told to. */
struct scripted {
    struct moor_http_transport t;
    moor_http_done_fn done;
    void *ctx;
    unsigned sent, cancelled;
    char url[256], token[64], method[8];
    size_t body_n;
    bool https_only, has_sink;
};

static moor_code scripted_send(struct moor_http_transport *t, const struct moor_http_request *req,
                               moor_http_done_fn done, void *ctx, struct moor_http_call **out,
                               struct moor_error *err)
{
    struct scripted *s = (struct scripted *)t;
    struct moor_span token = req->bearer ? moor_secret_reveal(req->bearer) : MOOR_SPAN_NONE;
    (void)err;
    s->sent++;
    s->done = done;
    s->ctx = ctx;
    (void)snprintf(s->url, sizeof(s->url), "%s", req->url);
    (void)snprintf(s->method, sizeof(s->method), "%s", req->method);
    (void)snprintf(s->token, sizeof(s->token), "%.*s", (int)token.n, token.p ? token.p : "");
    s->body_n = req->body.n;
    s->https_only = req->https_only;
    s->has_sink = req->sink != NULL;
    *out = (struct moor_http_call *)s;
    return MOOR_OK;
}

static void scripted_cancel(struct moor_http_transport *t, struct moor_http_call *call)
{
    ((struct scripted *)t)->cancelled += call != NULL;
}

/* What the parent's side received. */
struct world {
    struct moor_loop *loop;
    struct scripted http;
    struct moor_fetch *fetch;
    struct moor_fetch_link *parent;
    unsigned answers, errors, gone, ended;
    struct moor_error end_error;
    uint32_t status, code;
    uint64_t announced;
    size_t body_n;
    char message[256];
};

static void on_message(void *ctx, const struct moor_fetch_message *m, struct moor_span payload,
                       struct plat_file *passed)
{
    struct world *w = ctx;
    (void)passed;
    if (m->type == MOOR_FETCH_ANSWER) {
        w->answers++;
        w->status = m->status;
        w->announced = m->body_length;
    } else if (m->type == MOOR_FETCH_BODY) {
        w->body_n += payload.n;
    } else if (m->type == MOOR_FETCH_ERROR) {
        w->errors++;
        w->code = m->code;
        (void)snprintf(w->message, sizeof(w->message), "%s", m->message ? m->message : "");
    }
}

static void on_gone(void *ctx, const struct moor_error *err)
{
    (void)err;
    ((struct world *)ctx)->gone++;
}

static void on_end(void *ctx, const struct moor_error *err)
{
    struct world *w = ctx;
    w->ended++;
    w->end_error = *err;
}

static void on_tick(void *ctx)
{
    *(bool *)ctx = true;
}

/* Runs the loop until *value is want, for 5 s at most. */
static bool until(struct world *w, const unsigned *value, unsigned want)
{
    MOOR_AUTOPTR(moor_timer) timer = NULL;
    bool late = false;
    if (moor_timer_new(w->loop, on_tick, &late, &timer, NULL) != MOOR_OK)
        return false;
    moor_timer_arm(timer, 5000);
    while (*value != want && !late)
        moor_loop_turn(w->loop);
    return *value == want;
}

static void start(struct world *w, uint64_t idle_ms)
{
    MOOR_AUTO(plat_file) a = PLAT_FILE_INIT;
    MOOR_AUTO(plat_file) b = PLAT_FILE_INIT;
    *w = (struct world){ .http.t = { scripted_send, scripted_cancel } };
    const struct moor_fetch_opts opts = {
        .idle_ms = idle_ms, .on_end = on_end, .ctx = w, .transport = &w->http.t
    };
    const struct moor_fetch_link_opts link = { on_message, on_gone, w };
    CHECK_INT(moor_loop_new(&w->loop, NULL), MOOR_OK);
    CHECK_INT(plat_socket_pair(&a, &b, NULL), MOOR_OK);
    CHECK_INT(moor_fetch_new(w->loop, &b, &opts, &w->fetch, NULL), MOOR_OK);
    CHECK_INT(moor_fetch_link_new(w->loop, &a, &link, &w->parent, NULL), MOOR_OK);
}

static void stop(struct world *w)
{
    moor_fetch_link_free(w->parent);
    moor_fetch_free(w->fetch);
    moor_loop_free(w->loop);
}

static void say(struct world *w, const struct moor_fetch_message *m, const char *payload)
{
    CHECK_INT(moor_fetch_link_send(w->parent, m, moor_span_str(payload), NULL, NULL), MOOR_OK);
}

static void hello(struct world *w)
{
    say(w, &(struct moor_fetch_message){ .type = MOOR_FETCH_HELLO }, "");
}

static const struct moor_fetch_message get = {
    .type = MOOR_FETCH_REQUEST, .id = 1, .method = "GET", .url = "https://h/x"
};

static void answer(struct world *w, int status, struct moor_span body)
{
    const struct moor_error none = MOOR_ERROR_INIT;
    const struct moor_http_response r = { .status = status, .body = body };
    w->http.done(w->http.ctx, &r, &none);
}

static void a_request_goes_out_and_its_answer_comes_back(void)
{
    struct world w;
    start(&w, 0);
    hello(&w);
    struct moor_fetch_message m = get;
    m.bearer = true;
    say(&w, &m, "canary");
    CHECK(until(&w, &w.http.sent, 1));
    CHECK_STR(w.http.url, "https://h/x");
    CHECK_STR(w.http.token, "canary");
    CHECK(w.http.https_only && !w.http.has_sink);
    answer(&w, 200, MOOR_SPAN_LIT("hi"));
    CHECK(until(&w, &w.answers, 1));
    CHECK_INT(w.status, 200);
    CHECK_INT(w.announced, 2);
    stop(&w);
}

static void bodies_larger_than_the_socket_pass_both_ways(void)
{
    struct world w;
    MOOR_AUTOSTR big = malloc(BIG);
    start(&w, 0);
    memset(big, 'x', BIG);
    hello(&w);
    struct moor_fetch_message m = get;
    m.method = "PUT";
    m.body_length = BIG;
    say(&w, &m, "");
    CHECK_INT(moor_fetch_link_body(w.parent, 1, moor_span(big, BIG), NULL), MOOR_OK);
    CHECK(until(&w, &w.http.sent, 1));
    CHECK_INT(w.http.body_n, BIG);
    answer(&w, 200, moor_span(big, BIG));
    CHECK(until(&w, &w.answers, 1));
    for (int i = 0; i < 2000 && w.body_n < BIG; i++)
        moor_loop_turn(w.loop);
    CHECK_INT(w.body_n, BIG);
    stop(&w);
}

static void what_the_role_never_does_is_refused(void)
{
    static const struct {
        const char *method, *url;
        uint64_t body;
        const char *message;
    } cases[] = {
        { "GET", "http://h", 0, "https" },
        { "GET", "file:///etc/passwd", 0, "https" },
        { "GET", NULL, 0, "https" },
        { NULL, "https://h", 0, "https" },
        { "PUT", "https://h", 2 * 1024 * 1024, "1048576" },
    };
    for (unsigned i = 0; i < MOOR_COUNTOF(cases); i++) {
        struct world w;
        start(&w, 0);
        hello(&w);
        struct moor_fetch_message m = get;
        m.method = cases[i].method;
        m.url = cases[i].url;
        m.body_length = cases[i].body;
        say(&w, &m, "");
        CHECK(until(&w, &w.errors, 1));
        CHECK(strstr(w.message, cases[i].message));
        CHECK_INT(w.http.sent, 0);
        stop(&w);
    }
}

static void calls_beyond_the_limit_are_transient(void)
{
    struct world w;
    start(&w, 0);
    hello(&w);
    for (uint64_t id = 1; id <= MOOR_FETCH_CALLS_MAX + 1; id++) {
        struct moor_fetch_message m = get;
        m.id = id;
        say(&w, &m, "");
    }
    CHECK(until(&w, &w.errors, 1));
    CHECK_INT(w.code, MOOR_E_TRANSIENT);
    CHECK_INT(w.http.sent, MOOR_FETCH_CALLS_MAX);
    stop(&w);
}

static void a_cancelled_request_is_cancelled_below(void)
{
    struct world w;
    start(&w, 0);
    hello(&w);
    say(&w, &get, "");
    CHECK(until(&w, &w.http.sent, 1));
    say(&w, &(struct moor_fetch_message){ .type = MOOR_FETCH_CANCEL, .id = 1 }, "");
    CHECK(until(&w, &w.http.cancelled, 1));
    stop(&w);
}

static void rule_breaks_of_the_parent_end_the_role(void)
{
    static const struct moor_fetch_message bad[] = {
        { .type = MOOR_FETCH_HELLO },
        { .type = MOOR_FETCH_ANSWER, .id = 1 },
        { .type = MOOR_FETCH_ERROR, .id = 1 },
    };
    for (unsigned i = 0; i < MOOR_COUNTOF(bad); i++) {
        struct world w;
        start(&w, 0);
        hello(&w);
        say(&w, &bad[i], "");
        CHECK(until(&w, &w.ended, 1));
        CHECK_INT(w.end_error.code, MOOR_E_PROTOCOL);
        stop(&w);
    }
}

static void a_request_before_hello_is_an_error(void)
{
    struct world w;
    start(&w, 0);
    say(&w, &get, "");
    CHECK(until(&w, &w.errors, 1));
    CHECK_INT(w.code, MOOR_E_PROTOCOL);
    stop(&w);
}

static void the_role_ends_when_idle_and_when_the_parent_is_gone(void)
{
    struct world w;
    start(&w, 20);
    hello(&w);
    CHECK(until(&w, &w.ended, 1));
    CHECK_INT(w.end_error.code, MOOR_OK);
    stop(&w);
    start(&w, 0);
    moor_fetch_link_free(w.parent);
    w.parent = NULL;
    CHECK(until(&w, &w.ended, 1));
    CHECK_INT(w.end_error.code, MOOR_OK);
    stop(&w);
}

static void messages_that_break_a_rule_are_not_read(void)
{
    static const char *const bad[] = {
        "",
        "\n",
        "{}\n",
        "{\"type\":\"nope\"}\n",
        "{\"type\":\"hello\"}",
        "{\"type\":\"hello\",\"more\":1}\n",
        "{\"type\":\"hello\",\"redirectsMax\":4}\n",
        "{\"type\":\"answer\",\"requestId\":\"0123456789012345678901234567890123456789\"}\n",
    };
    for (size_t i = 0; i < MOOR_COUNTOF(bad); i++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
        struct moor_fetch_message m;
        struct moor_span rest;
        if (!CHECK(moor_fetch_decode(moor_span_str(bad[i]), &m, &rest, &arena, NULL) != MOOR_OK))
            printf("# %s\n", bad[i]);
    }
}

static void every_member_survives_the_wire(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(65536);
    struct moor_fetch_header headers[] = { { "If-None-Match", "\"e\"" } };
    const struct moor_fetch_message in = { .type = MOOR_FETCH_REQUEST,
                                           .id = 7,
                                           .method = "GET",
                                           .url = "https://h/\xc3\xa4\n",
                                           .headers = { headers, 1 },
                                           .sink_max = UINT64_C(1) << 40,
                                           .redirects_max = 3,
                                           .public_only = true };
    struct moor_fetch_message out;
    struct moor_span rest;
    moor_fetch_encode(&text, &in);
    moor_buf_str(&text, "pay\nload");
    CHECK_INT(moor_fetch_decode(moor_buf_view(&text), &out, &rest, &arena, NULL), MOOR_OK);
    CHECK_STR(out.url, in.url);
    CHECK_INT(out.id, 7);
    CHECK_INT(out.sink_max, in.sink_max);
    CHECK_INT(out.redirects_max, 3);
    CHECK(out.public_only && !out.bearer);
    CHECK_INT(out.headers.count, 1);
    CHECK_STR(((const struct moor_fetch_header *)out.headers.items)[0].value, "\"e\"");
    CHECK(moor_span_eq_str(rest, "pay\nload"));
}

CHECK_MAIN(CHECK_TEST(a_request_goes_out_and_its_answer_comes_back),
           CHECK_TEST(bodies_larger_than_the_socket_pass_both_ways),
           CHECK_TEST(what_the_role_never_does_is_refused),
           CHECK_TEST(calls_beyond_the_limit_are_transient),
           CHECK_TEST(a_cancelled_request_is_cancelled_below),
           CHECK_TEST(rule_breaks_of_the_parent_end_the_role),
           CHECK_TEST(a_request_before_hello_is_an_error),
           CHECK_TEST(the_role_ends_when_idle_and_when_the_parent_is_gone),
           CHECK_TEST(messages_that_break_a_rule_are_not_read),
           CHECK_TEST(every_member_survives_the_wire))
