/* SPDX-License-Identifier: Apache-2.0 */
/* The client and the server on one loop: who may do what inside whose callback. */
#include "check.h"
#include "http/client.h"
#include "http/server.h"
#include "run/loop.h"

struct world {
    struct moor_loop *loop;
    struct moor_http_server *server;
    struct moor_http_client *client;
    struct moor_http_transport *transport;
    struct moor_timer *limit;
    struct moor_http_exchange *held; /* answered by nobody yet */
    struct moor_http_call *second;
    char url[64];
    char held_url[64];
    unsigned done, gone, drained, to_send;
    int status;
    moor_code code;
    void (*then)(struct world *w); /* in a completion */
    void (*in_handler)(struct world *w);
};

static void on_hello(void *ctx, struct moor_http_exchange *ex)
{
    (void)ctx;
    moor_http_reply(ex, 200, NULL, MOOR_SPAN_LIT("hello"));
}

static void on_gone(void *ctx)
{
    struct world *w = ctx;
    w->gone++;
    w->held = NULL;
}

static void on_hold(void *ctx, struct moor_http_exchange *ex)
{
    struct world *w = ctx;
    w->held = ex;
    moor_http_on_gone(ex, on_gone, w);
    if (w->in_handler)
        w->in_handler(w);
}

static const struct moor_http_route routes[] = {
    { .method = "GET", .pattern = "/hello", .handler = on_hello },
    { .method = "GET", .pattern = "/hold", .handler = on_hold },
};

static void on_limit(void *ctx)
{
    struct world *w = ctx;
    CHECK(!"ended in time");
    moor_loop_stop(w->loop);
}

static void begin(struct world *w)
{
    const struct moor_http_server_opts so = { .routes = routes,
                                              .route_count = MOOR_COUNTOF(routes),
                                              .ctx = w };
    const struct moor_http_client_opts co = { .user_agent = "test" };
    int fd = -1;
    uint16_t port = 0;
    CHECK_INT(moor_loop_new(&w->loop, NULL), MOOR_OK);
    CHECK_INT(moor_http_server_new(w->loop, &so, &w->server, NULL), MOOR_OK);
    CHECK_INT(plat_listen_tcp("127.0.0.1", 0, 16, &fd, &port, NULL), MOOR_OK);
    CHECK_INT(moor_http_server_listen(w->server, fd, NULL), MOOR_OK);
    CHECK_INT(moor_http_client_new(w->loop, &co, &w->client, NULL), MOOR_OK);
    CHECK_INT(moor_timer_new(w->loop, on_limit, w, &w->limit, NULL), MOOR_OK);
    w->transport = moor_http_client_transport(w->client);
    (void)snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%u/hello", port);
    (void)snprintf(w->held_url, sizeof(w->held_url), "http://127.0.0.1:%u/hold", port);
    moor_timer_arm(w->limit, 20000);
}

static void end(struct world *w)
{
    moor_http_client_free(w->client);
    moor_http_server_free(w->server);
    moor_timer_free(w->limit);
    moor_loop_free(w->loop);
}

static void on_done(void *ctx, const struct moor_http_response *r, const struct moor_error *err)
{
    struct world *w = ctx;
    w->done++;
    w->code = err->code;
    w->status = r ? r->status : 0;
    CHECK((r != NULL) == (err->code == MOOR_OK));
    if (w->then)
        w->then(w);
    else
        moor_loop_stop(w->loop);
}

static struct moor_http_call *ask(struct world *w, const char *url)
{
    const struct moor_http_request req = { .method = "GET", .url = url };
    struct moor_http_call *call = NULL;
    CHECK_INT(moor_http_send(w->transport, &req, on_done, w, &call, NULL), MOOR_OK);
    return call;
}

static void run(struct world *w)
{
    CHECK_INT(moor_loop_run(w->loop, NULL), MOOR_OK);
}

static void free_client(struct world *w)
{
    moor_http_client_free(w->client);
    w->client = NULL;
    moor_loop_stop(w->loop);
}

static void client_may_be_freed_by_a_completion(void)
{
    struct world w = { .then = free_client };
    begin(&w);
    (void)ask(&w, w.url);
    (void)ask(&w, w.held_url);
    (void)ask(&w, w.held_url);
    run(&w);
    CHECK_INT(w.done, 1);
    CHECK_INT(w.status, 200);
    end(&w);
}

static void cancel_second(struct world *w)
{
    moor_http_cancel(w->transport, w->second);
    w->second = NULL;
    moor_loop_stop(w->loop);
}

static void completion_may_cancel_another_call(void)
{
    struct world w = { 0 };
    begin(&w);
    w.second = ask(&w, w.held_url);
    while (!w.held)
        moor_loop_turn(w.loop);
    w.then = cancel_second;
    (void)ask(&w, w.url);
    run(&w);
    CHECK_INT(w.done, 1);
    w.then = NULL;
    while (!w.gone)
        moor_loop_turn(w.loop);
    CHECK_INT(w.gone, 1);
    end(&w);
}

static void send_again(struct world *w)
{
    if (w->to_send-- == 0)
        moor_loop_stop(w->loop);
    else
        (void)ask(w, w->url);
}

static void completion_may_send_again(void)
{
    struct world w = { .then = send_again, .to_send = 5 };
    begin(&w);
    (void)ask(&w, w.url);
    run(&w);
    CHECK_INT(w.done, 6);
    end(&w);
}

static void refused_request_never_completes(void)
{
    struct world w = { 0 };
    begin(&w);
    const struct moor_http_request bad = { .method = "GET", .url = "ftp://a/" };
    struct moor_http_call *call = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK_INT(moor_http_send(w.transport, &bad, on_done, &w, &call, &err), MOOR_E_BADINPUT);
    CHECK(call == NULL);
    moor_http_cancel(w.transport, NULL);
    (void)ask(&w, w.url);
    run(&w);
    CHECK_INT(w.done, 1);
    end(&w);
}

static void freed_server_tells_who_still_answers(void)
{
    struct world w = { 0 };
    begin(&w);
    (void)ask(&w, w.held_url);
    while (!w.held)
        moor_loop_turn(w.loop);
    moor_http_server_free(w.server);
    w.server = NULL;
    CHECK_INT(w.gone, 1);
    run(&w);
    CHECK_INT(w.code, MOOR_E_TRANSIENT);
    end(&w);
}

static void on_drained(void *ctx)
{
    ((struct world *)ctx)->drained++;
}

static void drained_server_waits_for_the_answer(void)
{
    struct world w = { 0 };
    begin(&w);
    (void)ask(&w, w.held_url);
    while (!w.held)
        moor_loop_turn(w.loop);
    moor_http_server_drain(w.server, on_drained, &w);
    CHECK_INT(w.drained, 0);
    moor_http_reply(w.held, 204, NULL, MOOR_SPAN_NONE);
    run(&w);
    CHECK_INT(w.status, 204);
    while (!w.drained)
        moor_loop_turn(w.loop);
    CHECK_INT(w.drained, 1);
    end(&w);
}

static void idle_server_is_drained_at_once(void)
{
    struct world w = { 0 };
    begin(&w);
    (void)ask(&w, w.url);
    run(&w);
    moor_http_server_drain(w.server, on_drained, &w);
    CHECK_INT(w.drained, 1);
    end(&w);
}

static void drain_now(struct world *w)
{
    moor_http_server_drain(w->server, on_drained, w);
    moor_http_reply(w->held, 200, NULL, MOOR_SPAN_NONE);
}

static void handler_may_drain_its_server(void)
{
    struct world w = { .in_handler = drain_now };
    begin(&w);
    (void)ask(&w, w.held_url);
    run(&w);
    CHECK_INT(w.status, 200);
    while (!w.drained)
        moor_loop_turn(w.loop);
    end(&w);
}

CHECK_MAIN(CHECK_TEST(client_may_be_freed_by_a_completion),
           CHECK_TEST(completion_may_cancel_another_call), CHECK_TEST(completion_may_send_again),
           CHECK_TEST(refused_request_never_completes),
           CHECK_TEST(freed_server_tells_who_still_answers),
           CHECK_TEST(drained_server_waits_for_the_answer),
           CHECK_TEST(idle_server_is_drained_at_once), CHECK_TEST(handler_may_drain_its_server))
