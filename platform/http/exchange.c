/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/timefmt.h"
#include "http/server_internal.h"
#include "platform/clock.h"
#include "platform/random.h"

#define ARENA_MAX       (4u * 1024 * 1024)
#define ANSWER_HEAD_MAX (64u * 1024)
#define ANSWER_BODY_MAX (64u * 1024 * 1024)
#define JSON_TYPE       "application/json; charset=utf-8"

struct moor_http_exchange *moor_exchange_new(struct moor_conn *c)
{
    const struct moor_http_limits *limits = &c->server->opts.limits;
    struct moor_http_exchange *ex = calloc(1, sizeof(*ex));
    if (!ex)
        return NULL;
    ex->conn = c;
    ex->arena = (struct moor_arena)MOOR_ARENA_SECRET(ARENA_MAX); /* a token's parts, decoded */
    ex->headers = (struct moor_buf)MOOR_BUF(ANSWER_HEAD_MAX);
    ex->file = (struct plat_file)PLAT_FILE_INIT;
    ex->target.path = "";
    moor_head_init(&ex->head, limits->head_max, limits->headers_max);
    plat_random_uuid(ex->request_id);
    return ex;
}

void moor_exchange_free(struct moor_http_exchange *ex)
{
    moor_head_drop(&ex->head);
    moor_buf_drop(&ex->body);
    moor_buf_drop(&ex->headers);
    moor_arena_drop(&ex->arena);
    plat_file_drop(&ex->file);
    free(ex);
}

/* The request. */

const char *moor_http_method(const struct moor_http_exchange *ex)
{
    return ex->head.method;
}

const char *moor_http_target(const struct moor_http_exchange *ex)
{
    return moor_head_target(&ex->head);
}

const char *moor_http_path(const struct moor_http_exchange *ex)
{
    return ex->target.path;
}

const char *moor_http_header(const struct moor_http_exchange *ex, const char *name)
{
    return moor_head_find(&ex->head, name);
}

unsigned moor_http_header_count(const struct moor_http_exchange *ex, const char *name)
{
    return moor_head_count(&ex->head, name);
}

const char *moor_http_query(const struct moor_http_exchange *ex, const char *name)
{
    return moor_target_query(&ex->target, name);
}

const char *moor_http_param(const struct moor_http_exchange *ex, const char *name)
{
    for (size_t i = 0; i < ex->match.param_count; i++)
        if (moor_streq(ex->match.params[i].name, name))
            return ex->match.params[i].value;
    return NULL;
}

struct moor_span moor_http_body(const struct moor_http_exchange *ex)
{
    return moor_buf_view(&ex->body);
}

const struct plat_peer *moor_http_peer(const struct moor_http_exchange *ex)
{
    return &ex->conn->peer;
}

const struct plat_caller *moor_http_caller(const struct moor_http_exchange *ex)
{
    return &ex->conn->caller;
}

bool moor_http_is_tls(const struct moor_http_exchange *ex)
{
    return ex->conn->server->tls != NULL;
}

const void *moor_http_tag(const struct moor_http_exchange *ex)
{
    return ex->match.route ? ex->match.route->tag : NULL;
}

const char *moor_http_request_id(const struct moor_http_exchange *ex)
{
    return ex->request_id;
}

struct moor_arena *moor_http_arena(struct moor_http_exchange *ex)
{
    return &ex->arena;
}

void moor_http_set_user(struct moor_http_exchange *ex, void *user)
{
    ex->user = user;
}

void *moor_http_user(const struct moor_http_exchange *ex)
{
    return ex->user;
}

void moor_http_on_gone(struct moor_http_exchange *ex, void (*fn)(void *ctx), void *ctx)
{
    ex->on_gone = fn;
    ex->on_gone_ctx = ctx;
}

int moor_http_reply_status(const struct moor_http_exchange *ex)
{
    return ex->status;
}

/* The answer. */

/* A control character would end the line and let the rest pass for another header. */
static void add_line_text(struct moor_buf *b, const char *s)
{
    for (; *s; s++)
        moor_buf_char(b, (unsigned char)*s < ' ' || *s == 0x7f ? ' ' : *s);
}

static void add_header(struct moor_buf *b, const char *name, const char *value)
{
    add_line_text(b, name);
    moor_buf_str(b, ": ");
    add_line_text(b, value);
    moor_buf_str(b, "\r\n");
}

void moor_http_reply_header(struct moor_http_exchange *ex, const char *name, const char *value)
{
    add_header(&ex->headers, name, value);
}

static bool has_length(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

static void print_head(const struct moor_http_exchange *ex, const char *content_type,
                       uint64_t length, struct moor_buf *out)
{
    moor_buf_fmt(out, "HTTP/1.1 %d %s\r\nDate: ", ex->status, moor_http_reason(ex->status));
    moor_buf_http_date(out, plat_utc_ms());
    moor_buf_str(out, "\r\n");
    if (content_type)
        add_header(out, "Content-Type", content_type);
    if (has_length(ex->status))
        moor_buf_fmt(out, "Content-Length: %llu\r\n", (unsigned long long)length);
    if (ex->conn->close_after)
        moor_buf_str(out, "Connection: close\r\n");
    moor_buf_span(out, moor_buf_view(&ex->headers));
    moor_buf_str(out, "\r\n");
}

/* Sends body, or what ex->file_left says when body is empty. */
static void answer(struct moor_http_exchange *ex, int status, const char *content_type,
                   struct moor_buf *body)
{
    struct moor_conn *c = ex->conn;
    MOOR_ASSERT(ex->status == 0);
    ex->status = body->failed || ex->headers.failed ? 500 : status;
    if (ex->status != status)
        ex->file_left = 0;
    if (ex->head.close || c->server->draining || !ex->body_read || ex->status != status)
        c->close_after = true;
    if (c->server->opts.finish)
        c->server->opts.finish(c->server->opts.ctx, ex);
    MOOR_AUTO(moor_buf) head = MOOR_BUF(2 * ANSWER_HEAD_MAX);
    print_head(ex, content_type, body->len + ex->file_left, &head);
    if (moor_streq(ex->head.method, "HEAD") || !has_length(ex->status)) {
        moor_buf_drop(body);
        ex->file_left = 0;
    }
    moor_conn_send(c, &head, body);
}

void moor_http_reply(struct moor_http_exchange *ex, int status, const char *content_type,
                     struct moor_span body)
{
    MOOR_AUTO(moor_buf) copy = MOOR_BUF_SECRET(ANSWER_BODY_MAX);
    moor_buf_span(&copy, body);
    answer(ex, status, content_type, &copy);
}

void moor_http_reply_json(struct moor_http_exchange *ex, int status, const struct moor_json *v)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(ANSWER_BODY_MAX);
    moor_buf_json(&text, v);
    answer(ex, status, JSON_TYPE, &text);
}

void moor_http_reply_file(struct moor_http_exchange *ex, int status, const char *content_type,
                          const struct plat_file *file, uint64_t offset, uint64_t length)
{
    MOOR_AUTO(moor_buf) none = MOOR_BUF(0);
    if (plat_file_dup(file, &ex->file, NULL) != MOOR_OK) {
        moor_http_refuse(ex, 500, "InternalServerError", "The file cannot be read.");
        return;
    }
    ex->file_at = offset;
    ex->file_left = length;
    answer(ex, status, content_type, &none);
}

static void print_refusal(const char *code, const char *message, struct moor_buf *body)
{
    moor_buf_str(body, "{\"error\":{\"code\":");
    moor_buf_json_str(body, moor_span_str(code));
    moor_buf_str(body, ",\"message\":");
    moor_buf_json_str(body, moor_span_str(message));
    moor_buf_str(body, "}}");
}

void moor_http_refuse(struct moor_http_exchange *ex, int status, const char *code,
                      const char *message)
{
    const struct moor_http_server_opts *opts = &ex->conn->server->opts;
    MOOR_AUTO(moor_buf) body = MOOR_BUF(ANSWER_HEAD_MAX);
    if (opts->refusal)
        opts->refusal(opts->ctx, status, code, message, &body);
    else
        print_refusal(code, message, &body);
    if (opts->code_header)
        moor_http_reply_header(ex, opts->code_header, code);
    answer(ex, status, JSON_TYPE, &body);
}

void moor_exchange_refuse(struct moor_http_exchange *ex, moor_refusal why)
{
    const struct moor_refusal_text *text = moor_refusal_text(why);
    /* After a breach of the border nobody knows where the next request starts. */
    if (why != MOOR_REFUSE_NO_ROUTE && why != MOOR_REFUSE_NOT_ALLOWED)
        ex->conn->close_after = true;
    moor_http_refuse(ex, text->status, text->code, text->message);
}
