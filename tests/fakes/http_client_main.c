/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request through platform/http's client, told by the command line; the answer as JSON lines.
 *
 *   http_test_client [--NAME VALUE]... URL...
 *
 * The URLs are asked one after the other on one client. --parallel asks them at once, --cancel
 * MS gives up after that time, --wait MS waits between two URLs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "http/client.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "run/loop.h"

#define URLS_MAX 64

struct app {
    struct moor_loop *loop;
    struct moor_http_client *client;
    struct moor_timer *cancel;
    struct moor_timer *next;
    struct moor_http_client_opts opts;
    struct moor_proxy proxy;
    const char *proxy_url, *no_proxy, *proxy_ca, *proxy_user;
    struct moor_http_request req;
    struct moor_http_header headers[8];
    struct moor_http_call *call;
    struct moor_secret bearer;
    struct plat_file sink;
    const char *sink_path;
    const char *urls[URLS_MAX];
    size_t url_count, sent, ended;
    uint64_t cancel_ms, wait_ms, parallel;
    uint64_t started_ms;
};

static void print_answer(struct app *app, const struct moor_http_response *r,
                         const struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) v = moor_json_new_object();
    MOOR_AUTO(moor_buf) text = MOOR_BUF(4u << 20);
    MOOR_AUTO(moor_buf) body = MOOR_BUF(2u << 20);
    moor_json_set_str(v, "code", moor_code_name(err->code));
    moor_json_set_str(v, "message", err->msg);
    moor_json_set_int(v, "ms", (int64_t)(plat_mono_ms() - app->started_ms));
    if (r) {
        struct moor_json *headers = moor_json_set(v, "headers", moor_json_new_object());
        struct moor_error said = MOOR_ERROR_INIT;
        moor_json_set_int(v, "status", r->status);
        moor_json_set_int(v, "received", (int64_t)r->received);
        moor_json_set_str(v, "requestId", r->request_id);
        moor_json_set_int(v, "retryAfterMs", r->retry_after_ms);
        moor_buf_span(&body, r->body);
        moor_json_set_str(v, "body", moor_buf_cstr(&body));
        for (size_t i = 0; i < r->header_count; i++)
            moor_json_set_str(headers, r->headers[i].name, r->headers[i].value);
        if (moor_http_error_from(r, "reply", &said) != MOOR_OK)
            moor_json_set_str(v, "said", said.msg);
    }
    moor_buf_json(&text, v);
    puts(moor_buf_cstr(&text));
}

static void send_next(struct app *app);

static void on_next(void *ctx)
{
    send_next(ctx);
}

static void on_done(void *ctx, const struct moor_http_response *r, const struct moor_error *err)
{
    struct app *app = ctx;
    app->call = NULL;
    app->ended++;
    print_answer(app, r, err);
    if (app->ended == app->url_count)
        moor_loop_stop(app->loop);
    else if (app->sent < app->url_count)
        moor_timer_arm(app->next, app->wait_ms);
}

static void on_cancel(void *ctx)
{
    struct app *app = ctx;
    moor_http_cancel(moor_http_client_transport(app->client), app->call);
    printf("{\"cancelled\":%llu}\n", (unsigned long long)(plat_mono_ms() - app->started_ms));
    moor_loop_stop(app->loop);
}

static void send_next(struct app *app)
{
    struct moor_error err = MOOR_ERROR_INIT;
    app->started_ms = plat_mono_ms();
    do {
        app->req.url = app->urls[app->sent++];
        if (moor_http_send(moor_http_client_transport(app->client), &app->req, on_done, app,
                           &app->call, &err) != MOOR_OK) {
            print_answer(app, NULL, &err);
            if (++app->ended == app->url_count)
                moor_loop_stop(app->loop);
        }
    } while (app->parallel && app->sent < app->url_count);
}

/* Where the value of each argument goes. */
static bool set_argument(struct app *app, const char *name, char *value)
{
    uint64_t n = 0;
    uint64_t flag_https = 0;
    uint64_t flag_public = 0;
    uint64_t redirects = 0;
    uint64_t body_max = 0;
    const struct {
        const char *name;
        const char **text;
        uint64_t *number;
    } arguments[] = {
        { "--ca", &app->opts.ca_file, NULL },
        { "--proxy", &app->proxy_url, NULL },
        { "--no-proxy", &app->no_proxy, NULL },
        { "--proxy-ca", &app->proxy_ca, NULL },
        { "--proxy-user", &app->proxy_user, NULL },
        { "--method", &app->req.method, NULL },
        { "--unix", &app->req.unix_socket, NULL },
        { "--type", &app->req.content_type, NULL },
        { "--encoding", &app->req.content_encoding, NULL },
        { "--sink", &app->sink_path, NULL },
        { "--timeout", NULL, &app->req.timeout_ms },
        { "--connect-timeout", NULL, &app->req.connect_timeout_ms },
        { "--offset", NULL, &app->req.offset },
        { "--sink-max", NULL, &app->req.sink_max },
        { "--body-max", NULL, &body_max },
        { "--redirects", NULL, &redirects },
        { "--https-only", NULL, &flag_https },
        { "--public-only", NULL, &flag_public },
        { "--cancel", NULL, &app->cancel_ms },
        { "--wait", NULL, &app->wait_ms },
        { "--parallel", NULL, &app->parallel },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(arguments); i++) {
        if (!moor_streq(arguments[i].name, name))
            continue;
        if (arguments[i].text) {
            *arguments[i].text = value;
            return true;
        }
        if (moor_parse_u64(moor_span_str(value), 0, 1u << 30, &n, NULL) != MOOR_OK)
            return false;
        *arguments[i].number = n;
        app->req.redirects_max = redirects ? (unsigned)redirects : app->req.redirects_max;
        app->req.body_max = body_max ? (size_t)body_max : app->req.body_max;
        app->req.https_only = app->req.https_only || flag_https;
        app->req.public_only = app->req.public_only || flag_public;
        return true;
    }
    return false;
}

static bool set_special(struct app *app, const char *name, char *value)
{
    if (moor_streq(name, "--body")) {
        app->req.body = moor_span_str(value);
        return true;
    }
    if (moor_streq(name, "--bearer"))
        return moor_secret_set(&app->bearer, moor_span_str(value), NULL) == MOOR_OK;
    if (moor_streq(name, "--header") && app->req.header_count < MOOR_COUNTOF(app->headers)) {
        char *colon = strchr(value, ':');
        if (!colon)
            return false;
        *colon = '\0';
        app->headers[app->req.header_count++] = (struct moor_http_header){ value, colon + 1 };
        return true;
    }
    return set_argument(app, name, value);
}

static bool read_arguments(int argc, char **argv, struct app *app)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-') {
            if (app->url_count == URLS_MAX)
                return false;
            app->urls[app->url_count++] = argv[i];
        } else if (i + 1 == argc || !set_special(app, argv[i], argv[i + 1])) {
            return false;
        } else {
            i++;
        }
    }
    app->req.headers = app->headers;
    app->req.bearer = moor_secret_empty(&app->bearer) ? NULL : &app->bearer;
    return app->url_count > 0;
}

static moor_code set_proxy(struct app *app, struct moor_error *err)
{
    const struct {
        const char *from;
        char **to;
    } texts[] = { { app->proxy_url, &app->proxy.url },
                  { app->no_proxy, &app->proxy.bypass },
                  { app->proxy_ca, &app->proxy.ca_file } };
    moor_code c = MOOR_OK;
    for (size_t i = 0; c == MOOR_OK && i < MOOR_COUNTOF(texts); i++)
        if (texts[i].from)
            c = moor_span_dup(moor_span_str(texts[i].from), texts[i].to, err);
    if (c == MOOR_OK && app->proxy_user)
        c = moor_secret_set(&app->proxy.credentials, moor_span_str(app->proxy_user), err);
    app->proxy.setting = "--proxy";
    app->opts.proxy = &app->proxy;
    return c;
}

static moor_code run(struct app *app, struct moor_error *err)
{
    moor_code c = moor_loop_new(&app->loop, err);
    if (c == MOOR_OK)
        c = set_proxy(app, err);
    if (c == MOOR_OK)
        c = moor_http_client_new(app->loop, &app->opts, &app->client, err);
    if (c == MOOR_OK)
        c = moor_timer_new(app->loop, on_cancel, app, &app->cancel, err);
    if (c == MOOR_OK)
        c = moor_timer_new(app->loop, on_next, app, &app->next, err);
    if (c == MOOR_OK && app->sink_path) {
        c = plat_open(app->sink_path, PLAT_READ_WRITE, &app->sink, err);
        app->req.sink = &app->sink;
    }
    if (c != MOOR_OK)
        return c;
    if (app->cancel_ms)
        moor_timer_arm(app->cancel, app->cancel_ms);
    moor_timer_arm(app->next, 0);
    return moor_loop_run(app->loop, err);
}

int main(int argc, char **argv)
{
    struct app app = { .req = { .method = "GET", .sink_max = 1u << 20 },
                       .sink = PLAT_FILE_INIT,
                       .bearer = MOOR_SECRET_INIT };
    struct moor_error err = MOOR_ERROR_INIT;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!read_arguments(argc, argv, &app))
        return 2;
    moor_code c = run(&app, &err);
    if (c != MOOR_OK)
        (void)fprintf(stderr, "%s\n", err.msg);
    moor_http_client_free(app.client);
    moor_timer_free(app.cancel);
    moor_timer_free(app.next);
    moor_loop_free(app.loop);
    moor_secret_drop(&app.bearer);
    moor_proxy_drop(&app.proxy);
    plat_file_drop(&app.sink);
    return c == MOOR_OK ? 0 : 1;
}
