/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/serve.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "core/fetch_wire.h"
#include "platform/file.h"
#include "run/loop.h"

#define REQUEST_BODY_MAX (1024 * 1024)
#define TEXTS_MAX        (64 * 1024)

struct job {
    struct job *next;
    struct moor_fetch *owner;
    uint64_t id;
    struct moor_http_call *call; /* NULL until the whole body is here */
    struct plat_file sink;
    struct moor_secret token;
    struct moor_buf body;
    uint64_t body_length;
    struct moor_arena arena;           /* texts of request */
    struct moor_fetch_message request; /* of arena */
};

struct moor_fetch {
    struct moor_loop *loop;
    struct moor_fetch_opts opts;
    struct moor_fetch_link *link;
    struct moor_http_client *client;
    struct moor_http_transport *transport; /* NULL until hello */
    struct moor_timer *idle;
    struct job *jobs;
    size_t job_count;
    bool ended;
};

static void drop_job(struct moor_fetch *f, struct job *j)
{
    struct job **at = &f->jobs;
    while (*at != j)
        at = &(*at)->next;
    *at = j->next;
    f->job_count--;
    plat_file_drop(&j->sink);
    moor_secret_drop(&j->token);
    moor_buf_drop(&j->body);
    moor_arena_drop(&j->arena);
    free(j);
    if (!f->jobs)
        moor_timer_arm(f->idle, f->opts.idle_ms);
}

static struct job *find_job(struct moor_fetch *f, uint64_t id)
{
    struct job *j = f->jobs;
    while (j && j->id != id)
        j = j->next;
    return j;
}

static void end(struct moor_fetch *f, const struct moor_error *err)
{
    if (f->ended)
        return;
    f->ended = true;
    f->opts.on_end(f->opts.ctx, err);
}

/* The parent cannot be told anything any more. */
static void sent(struct moor_fetch *f, moor_code c, const struct moor_error *err)
{
    if (c != MOOR_OK)
        end(f, err);
}

static void reply_error(struct moor_fetch *f, uint64_t id, const struct moor_error *why)
{
    struct moor_error err = MOOR_ERROR_INIT;
    const struct moor_fetch_message m = { .type = MOOR_FETCH_ERROR,
                                          .id = id,
                                          .code = (uint32_t)why->code,
                                          .status = (uint32_t)why->http,
                                          .retry_after_ms = why->retry_after_ms,
                                          .message = why->msg };
    sent(f, moor_fetch_link_send(f->link, &m, MOOR_SPAN_NONE, NULL, &err), &err);
}

static void reply_answer(struct moor_fetch *f, uint64_t id, const struct moor_http_response *r)
{
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_fetch_header headers[MOOR_HTTP_HEADERS_MAX];
    size_t n = r->header_count < MOOR_HTTP_HEADERS_MAX ? r->header_count : MOOR_HTTP_HEADERS_MAX;
    for (size_t i = 0; i < n; i++)
        headers[i] = (struct moor_fetch_header){ r->headers[i].name, r->headers[i].value };
    const struct moor_fetch_message m = { .type = MOOR_FETCH_ANSWER,
                                          .id = id,
                                          .status = (uint32_t)r->status,
                                          .headers = { headers, n },
                                          .retry_after_ms = r->retry_after_ms,
                                          .received = r->received,
                                          .request_id = r->request_id,
                                          .body_length = r->body.n };
    moor_code c = moor_fetch_link_send(f->link, &m, MOOR_SPAN_NONE, NULL, &err);
    if (c == MOOR_OK)
        c = moor_fetch_link_body(f->link, id, r->body, &err);
    sent(f, c, &err);
}

static void on_done(void *ctx, const struct moor_http_response *r, const struct moor_error *err)
{
    struct job *j = ctx;
    struct moor_fetch *f = j->owner;
    uint64_t id = j->id;
    /* Closed before the answer leaves: the parent reads the file next. */
    plat_file_drop(&j->sink);
    j->call = NULL;
    if (r)
        reply_answer(f, id, r);
    else
        reply_error(f, id, err);
    drop_job(f, j);
}

static moor_code start(struct moor_fetch *f, struct job *j, struct moor_error *err)
{
    const struct moor_fetch_message *m = &j->request;
    const struct moor_fetch_header *given = m->headers.items;
    struct moor_http_header headers[MOOR_HTTP_HEADERS_MAX];
    for (size_t i = 0; i < m->headers.count; i++)
        headers[i] = (struct moor_http_header){ given[i].name, given[i].value };
    const struct moor_http_request req = {
        .method = m->method,
        .url = m->url,
        .headers = headers,
        .header_count = m->headers.count,
        .bearer = m->bearer ? &j->token : NULL,
        .body = moor_buf_view(&j->body),
        .content_type = m->content_type,
        .content_encoding = m->content_encoding,
        .timeout_ms = m->timeout_ms,
        .connect_timeout_ms = m->connect_timeout_ms,
        .body_max = (size_t)m->body_max,
        .sink = plat_file_is_open(&j->sink) ? &j->sink : NULL,
        .offset = m->offset,
        .sink_max = m->sink_max,
        .redirects_max = m->redirects_max,
        .public_only = m->public_only,
        .https_only = true,
    };
    return moor_http_send(f->transport, &req, on_done, j, &j->call, err);
}

static void start_when_whole(struct moor_fetch *f, struct job *j)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (j->body.len < j->body_length)
        return;
    if (start(f, j, &err) != MOOR_OK) {
        reply_error(f, j->id, &err);
        drop_job(f, j);
    }
}

/* What this role never does, whoever asks. */
static moor_code check(const struct moor_fetch *f, const struct moor_fetch_message *m,
                       struct moor_error *err)
{
    if (!f->transport)
        return moor_fail(err, MOOR_E_PROTOCOL, "request before hello");
    if (f->job_count >= MOOR_FETCH_CALLS_MAX)
        return moor_fail(err, MOOR_E_TRANSIENT, "%d requests are under way already",
                         MOOR_FETCH_CALLS_MAX);
    if (!m->method || !m->url || !moor_span_starts(moor_span_str(m->url), "https://"))
        return moor_fail(err, MOOR_E_DENIED, "request: want a method and an https URL");
    if (m->headers.count > MOOR_HTTP_HEADERS_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "request: more than %d headers",
                         MOOR_HTTP_HEADERS_MAX);
    if (m->body_length > REQUEST_BODY_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "request: body over %d bytes", REQUEST_BODY_MAX);
    return MOOR_OK;
}

/* The request outlives the message it came in: its texts move to the job's arena. */
static moor_code keep(struct job *j, const struct moor_fetch_message *m, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_FETCH_MESSAGE_MAX);
    struct moor_span rest;
    moor_fetch_encode(&text, m);
    moor_code c = moor_buf_ok(&text, "request", err);
    return c == MOOR_OK
               ? moor_fetch_decode(moor_buf_view(&text), &j->request, &rest, &j->arena, err)
               : c;
}

static moor_code accept_request(struct moor_fetch *f, const struct moor_fetch_message *m,
                                struct moor_span token, struct plat_file *sink,
                                struct moor_error *err)
{
    moor_code c = check(f, m, err);
    if (c != MOOR_OK)
        return c;
    struct job *j = calloc(1, sizeof(*j));
    if (!j)
        return moor_fail(err, MOOR_E_NOMEM, "request: out of memory");
    j->owner = f;
    j->id = m->id;
    j->sink = (struct plat_file)PLAT_FILE_INIT;
    j->body = (struct moor_buf)MOOR_BUF(REQUEST_BODY_MAX);
    j->arena = (struct moor_arena)MOOR_ARENA(4 * TEXTS_MAX);
    j->body_length = m->body_length;
    j->next = f->jobs;
    f->jobs = j;
    f->job_count++;
    moor_timer_disarm(f->idle);
    plat_file_move(&j->sink, sink);
    c = keep(j, m, err);
    if (c == MOOR_OK && m->bearer)
        c = moor_secret_set(&j->token, token, err);
    if (c != MOOR_OK) {
        drop_job(f, j);
        return c;
    }
    start_when_whole(f, j);
    return MOOR_OK;
}

static void accept_body(struct moor_fetch *f, struct job *j, struct moor_span piece)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (j->call || j->body.len + piece.n > j->body_length) {
        err.code = moor_fail(&err, MOOR_E_PROTOCOL, "more body than announced");
        end(f, &err);
        return;
    }
    moor_buf_span(&j->body, piece);
    if (j->body.failed) {
        err.code = moor_fail(&err, MOOR_E_NOMEM, "request body: out of memory");
        reply_error(f, j->id, &err);
        drop_job(f, j);
        return;
    }
    start_when_whole(f, j);
}

static moor_code copy_text(char **out, const char *s, struct moor_error *err)
{
    return s ? moor_span_dup(moor_span_str(s), out, err) : MOOR_OK;
}

/* The parent's word is only shown: the text of the setting may be one of ours. */
static const char *setting_of(const char *said)
{
    return moor_streq(said, "proxy.url") ? "proxy.url" : "https_proxy";
}

static moor_code read_proxy(const struct moor_fetch_message *m, struct moor_span credentials,
                            struct moor_proxy *out, struct moor_error *err)
{
    out->direct_to_self = m->direct_to_self;
    out->setting = setting_of(m->proxy_setting);
    moor_code c = copy_text(&out->url, m->proxy, err);
    if (c == MOOR_OK)
        c = copy_text(&out->bypass, m->no_proxy, err);
    if (c == MOOR_OK)
        c = copy_text(&out->ca_file, m->proxy_ca_file, err);
    if (c == MOOR_OK)
        c = copy_text(&out->problem, m->proxy_problem, err);
    if (c == MOOR_OK && credentials.n > 0)
        c = moor_secret_set(&out->credentials, credentials, err);
    return c;
}

static moor_code accept_hello(struct moor_fetch *f, const struct moor_fetch_message *m,
                              struct moor_span credentials, struct moor_error *err)
{
    if (f->transport)
        return moor_fail(err, MOOR_E_PROTOCOL, "second hello");
    f->transport = f->opts.transport;
    if (f->transport)
        return MOOR_OK;
    MOOR_AUTO(moor_proxy) proxy = MOOR_PROXY_INIT;
    const struct moor_http_client_opts opts = { .ca_file = m->ca_file, .proxy = &proxy };
    moor_code c = read_proxy(m, credentials, &proxy, err);
    if (c == MOOR_OK)
        c = moor_http_client_new(f->loop, &opts, &f->client, err);
    if (c == MOOR_OK)
        f->transport = moor_http_client_transport(f->client);
    return c;
}

static void cancel(struct moor_fetch *f, struct job *j)
{
    if (j->call)
        moor_http_cancel(f->transport, j->call);
    drop_job(f, j);
}

static void on_message(void *ctx, const struct moor_fetch_message *m, struct moor_span payload,
                       struct plat_file *passed)
{
    struct moor_fetch *f = ctx;
    struct moor_error err = MOOR_ERROR_INIT;
    struct job *j = find_job(f, m->id);
    if (m->type == MOOR_FETCH_HELLO) {
        if (accept_hello(f, m, payload, &err) != MOOR_OK)
            end(f, &err);
    } else if (m->type == MOOR_FETCH_REQUEST && !j) {
        if (accept_request(f, m, payload, passed, &err) != MOOR_OK)
            reply_error(f, m->id, &err);
    } else if (m->type == MOOR_FETCH_BODY) {
        if (j) /* else: refused already */
            accept_body(f, j, payload);
    } else if (m->type == MOOR_FETCH_CANCEL) {
        if (j)
            cancel(f, j);
    } else {
        err.code = moor_fail(&err, MOOR_E_PROTOCOL, "unexpected message");
        end(f, &err);
    }
}

static void on_gone(void *ctx, const struct moor_error *err)
{
    end(ctx, err);
}

static void on_idle(void *ctx)
{
    const struct moor_error none = MOOR_ERROR_INIT;
    end(ctx, &none);
}

moor_code moor_fetch_new(struct moor_loop *l, struct plat_file *socket,
                         const struct moor_fetch_opts *opts, struct moor_fetch **out,
                         struct moor_error *err)
{
    MOOR_AUTOPTR(moor_fetch) f = calloc(1, sizeof(*f));
    if (!f)
        return moor_fail(err, MOOR_E_NOMEM, "fetch role: out of memory");
    f->loop = l;
    f->opts = *opts;
    if (f->opts.idle_ms == 0)
        f->opts.idle_ms = MOOR_FETCH_IDLE_MS;
    const struct moor_fetch_link_opts link = { .on_message = on_message,
                                               .on_gone = on_gone,
                                               .ctx = f };
    moor_code c = moor_timer_new(l, on_idle, f, &f->idle, err);
    if (c == MOOR_OK)
        c = moor_fetch_link_new(l, socket, &link, &f->link, err);
    if (c != MOOR_OK)
        return c;
    moor_timer_arm(f->idle, f->opts.idle_ms);
    *out = MOOR_TAKE(f);
    return MOOR_OK;
}

void moor_fetch_free(struct moor_fetch *f)
{
    if (!f)
        return;
    while (f->jobs)
        cancel(f, f->jobs);
    moor_fetch_link_free(f->link);
    moor_http_client_free(f->client);
    moor_timer_free(f->idle);
    free(f);
}
