/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server on platform/http with one route for each thing the border tests look at.
 *
 *   http_test_server [--unix PATH] [--tls CERT KEY] [--limit NAME VALUE]...
 *
 * Prints "tcp PORT" and, with --unix, "unix PATH", then serves until SIGTERM, drains and says
 * "drained".
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/text.h"
#include "http/server.h"
#include "platform/file.h"
#include "platform/net.h"
#include "run/loop.h"

struct pending {
    struct app *app;
    struct moor_http_exchange *ex;
    struct moor_timer *timer;
};

struct app {
    struct moor_loop *loop;
    struct moor_http_server *server;
    struct moor_http_tls tls;
    unsigned gone, finished, handled;
    int last_status;
};

static uint64_t number(const struct moor_http_exchange *ex, const char *name)
{
    uint64_t n = 0;
    const char *text = moor_http_query(ex, name);
    if (text)
        (void)!moor_parse_u64(moor_span_str(text), 0, 1u << 30, &n, NULL);
    return n;
}

static void reply_text(struct moor_http_exchange *ex, const char *text)
{
    moor_http_reply(ex, 200, "text/plain", moor_span_str(text));
}

static void on_hello(void *ctx, struct moor_http_exchange *ex)
{
    (void)ctx;
    reply_text(ex, "hello");
}

static void on_echo(void *ctx, struct moor_http_exchange *ex)
{
    (void)ctx;
    moor_http_reply(ex, 200, "application/octet-stream", moor_http_body(ex));
}

/* What the handler sees of the request, one line each. */
static void on_see(void *ctx, struct moor_http_exchange *ex)
{
    (void)ctx;
    MOOR_AUTO(moor_buf) b = MOOR_BUF(65536);
    const char *x = moor_http_header(ex, "X-Seen");
    const struct plat_peer *p = moor_http_peer(ex);
    moor_buf_fmt(&b, "%s\n%s\n%s\n%s\n%s\n", moor_http_method(ex), moor_http_target(ex),
                 moor_http_path(ex), moor_http_param(ex, "rest"), x ? x : "-");
    moor_buf_fmt(&b, "%s\n%d %u %lld\n", p->address, p->local, p->uid, (long long)p->pid);
    moor_http_reply(ex, 200, "text/plain", moor_buf_view(&b));
}

static void on_count(void *ctx, struct moor_http_exchange *ex)
{
    struct app *app = ctx;
    MOOR_AUTO(moor_buf) b = MOOR_BUF(256);
    moor_buf_fmt(&b, "gone %u finished %u handled %u last %d", app->gone, app->finished,
                 app->handled, app->last_status);
    moor_http_reply(ex, 200, "text/plain", moor_buf_view(&b));
}

static void end_pending(struct pending *p)
{
    moor_timer_free(p->timer);
    free(p);
}

static void on_due(void *ctx)
{
    struct pending *p = ctx;
    reply_text(p->ex, "late");
    end_pending(p);
}

static void on_gone(void *ctx)
{
    struct pending *p = ctx;
    p->app->gone++;
    end_pending(p);
}

static struct pending *later(struct app *app, struct moor_http_exchange *ex)
{
    struct pending *p = calloc(1, sizeof(*p));
    MOOR_ASSERT(p && moor_timer_new(app->loop, on_due, p, &p->timer, NULL) == MOOR_OK);
    p->app = app;
    p->ex = ex;
    moor_timer_arm(p->timer, number(ex, "ms"));
    return p;
}

static void on_later(void *ctx, struct moor_http_exchange *ex)
{
    moor_http_on_gone(ex, on_gone, later(ctx, ex));
}

/* A handler that does not want to know that the client left. */
static void on_orphan(void *ctx, struct moor_http_exchange *ex)
{
    (void)later(ctx, ex);
}

static void on_file(void *ctx, struct moor_http_exchange *ex)
{
    (void)ctx;
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    const char *path = moor_http_query(ex, "path");
    if (!path || plat_open(path, PLAT_READ, &f, NULL) != MOOR_OK) {
        moor_http_refuse(ex, 404, "NoFile", "There is no such file.");
        return;
    }
    moor_http_reply_file(ex, 200, "application/octet-stream", &f, number(ex, "offset"),
                         number(ex, "length"));
}

static void on_json(void *ctx, struct moor_http_exchange *ex)
{
    (void)ctx;
    MOOR_AUTOPTR(moor_json) v = moor_json_new_object();
    moor_json_set_str(v, "id", moor_http_request_id(ex));
    moor_http_reply_header(ex, "X-Hostile", "a\r\nSet-Cookie: b");
    moor_http_reply_json(ex, 201, v);
}

static void on_status(void *ctx, struct moor_http_exchange *ex)
{
    (void)ctx;
    moor_http_reply(ex, (int)number(ex, "code"), NULL, MOOR_SPAN_NONE);
}

/* Reads the files of --tls anew. */
static void on_renew(void *ctx, struct moor_http_exchange *ex)
{
    struct app *app = ctx;
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_http_server_set_certificate(app->server, &app->tls, &err) == MOOR_OK)
        reply_text(ex, "renewed");
    else
        moor_http_refuse(ex, 500, "NotRenewed", err.msg);
}

static const struct moor_http_route routes[] = {
    { .method = "GET", .pattern = "/hello", .handler = on_hello },
    { .method = "PUT", .pattern = "/echo", .handler = on_echo, .body_max = 1 << 20 },
    { .method = "POST", .pattern = "/echo", .handler = on_echo },
    { .method = "PATCH", .pattern = "/small", .handler = on_echo, .body_max = 8 },
    { .method = "DELETE", .pattern = "/hello", .handler = on_hello },
    { .pattern = "/see/{rest...}", .handler = on_see, .flags = MOOR_ROUTE_ANY_METHOD },
    { .method = "GET", .pattern = "/later", .handler = on_later },
    { .method = "GET", .pattern = "/orphan", .handler = on_orphan },
    { .method = "GET", .pattern = "/file", .handler = on_file },
    { .method = "GET", .pattern = "/json", .handler = on_json },
    { .method = "GET", .pattern = "/status", .handler = on_status },
    { .method = "GET", .pattern = "/count", .handler = on_count },
    { .method = "GET", .pattern = "/renew", .handler = on_renew },
};

static bool gate(void *ctx, struct moor_http_exchange *ex)
{
    struct app *app = ctx;
    app->handled++;
    if (!moor_http_header(ex, "X-Deny"))
        return true;
    moor_http_refuse(ex, 401, "Denied", "The gate said no.");
    return false;
}

static void finish(void *ctx, struct moor_http_exchange *ex)
{
    struct app *app = ctx;
    app->finished++;
    app->last_status = moor_http_reply_status(ex);
    moor_http_reply_header(ex, "x-ms-request-id", moor_http_request_id(ex));
}

static void on_drained(void *ctx)
{
    struct app *app = ctx;
    puts("drained");
    moor_loop_stop(app->loop);
}

static void on_stop(void *ctx)
{
    struct app *app = ctx;
    moor_http_server_drain(app->server, on_drained, app);
}

static bool set_limit(struct moor_http_limits *l, const char *name, const char *value)
{
    uint64_t n;
    if (moor_parse_u64(moor_span_str(value), 1, 1u << 30, &n, NULL) != MOOR_OK)
        return false;
    const struct {
        const char *name;
        size_t *bytes;
        uint64_t *ms;
        unsigned *count;
    } limits[] = {
        { "head", &l->head_max, NULL, NULL },
        { "body", &l->body_max, NULL, NULL },
        { "head-ms", NULL, &l->head_timeout_ms, NULL },
        { "body-ms", NULL, &l->body_timeout_ms, NULL },
        { "idle-ms", NULL, &l->idle_timeout_ms, NULL },
        { "headers", NULL, NULL, &l->headers_max },
        { "connections", NULL, NULL, &l->connections_max },
        { "per-peer", NULL, NULL, &l->connections_per_peer },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(limits); i++) {
        if (!moor_streq(limits[i].name, name))
            continue;
        if (limits[i].bytes)
            *limits[i].bytes = (size_t)n;
        if (limits[i].ms)
            *limits[i].ms = n;
        if (limits[i].count)
            *limits[i].count = (unsigned)n;
        return true;
    }
    return false;
}

struct arguments {
    const char *unix_path;
    struct moor_http_tls tls;
    struct moor_http_limits limits;
};

static bool read_arguments(int argc, char **argv, struct arguments *a)
{
    for (int i = 1; i < argc; i++) {
        if (moor_streq(argv[i], "--unix") && i + 1 < argc)
            a->unix_path = argv[++i];
        else if (moor_streq(argv[i], "--tls") && i + 2 < argc) {
            a->tls.certificate_file = argv[++i];
            a->tls.key_file = argv[++i];
        } else if (moor_streq(argv[i], "--limit") && i + 2 < argc &&
                   set_limit(&a->limits, argv[i + 1], argv[i + 2]))
            i += 2;
        else
            return false;
    }
    return true;
}

static moor_code start(struct app *app, const struct arguments *a, struct moor_error *err)
{
    const struct moor_http_server_opts opts = {
        .limits = a->limits,
        .tls = a->tls.key_file ? &a->tls : NULL,
        .routes = routes,
        .route_count = MOOR_COUNTOF(routes),
        .ctx = app,
        .gate = gate,
        .finish = finish,
    };
    int fd = -1;
    uint16_t port = 0;
    app->tls = a->tls;
    moor_code c = moor_loop_new(&app->loop, err);
    if (c == MOOR_OK)
        c = moor_loop_on_stop(app->loop, on_stop, app, err);
    if (c == MOOR_OK)
        c = moor_http_server_new(app->loop, &opts, &app->server, err);
    if (c == MOOR_OK)
        c = plat_listen_tcp("127.0.0.1", 0, 4096, &fd, &port, err);
    if (c == MOOR_OK)
        c = moor_http_server_listen(app->server, fd, err);
    if (c == MOOR_OK && a->unix_path)
        c = plat_listen_unix(a->unix_path, 0666, 16, &fd, err);
    if (c == MOOR_OK && a->unix_path)
        c = moor_http_server_listen(app->server, fd, err);
    if (c == MOOR_OK)
        printf("tcp %u\n", port);
    return c;
}

int main(int argc, char **argv)
{
    struct app app = { 0 };
    struct arguments a = { 0 };
    struct moor_error err = MOOR_ERROR_INIT;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!read_arguments(argc, argv, &a))
        return 2;
    moor_code c = start(&app, &a, &err);
    if (c == MOOR_OK)
        c = moor_loop_run(app.loop, &err);
    if (c != MOOR_OK)
        (void)fprintf(stderr, "%s\n", err.msg);
    moor_http_server_free(app.server);
    moor_loop_free(app.loop);
    return c == MOOR_OK ? 0 : 1;
}
