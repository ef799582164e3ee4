/* SPDX-License-Identifier: Apache-2.0 */
#include "core/fetch_transport.h"

#include <stdlib.h>
#include <string.h>

#include "core/fetch_wire.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "platform/net.h"
#include "run/child.h"
#include "run/loop.h"

#define IDLE_MS       (30 * 1000)
#define ANSWER_MAX    (1024 * 1024)
#define HEADERS_BYTES (256 * 1024)

/* A request in flight, or one whose end is known and not yet told. */
struct moor_http_call {
    struct moor_http_call *next;
    uint64_t id;
    moor_http_done_fn done;
    void *ctx;
    struct plat_file *sink;
    size_t body_max;
    uint64_t sink_max;
    bool answered;
    struct moor_error failed; /* code is MOOR_OK until it is */
    struct moor_http_response response;
    uint64_t body_length;
    struct moor_buf body;
    struct moor_arena arena; /* headers */
};

/* A started process, kept until it ended, also when another has taken its place. */
struct helper {
    struct helper *next;
    struct moor_fetch_transport *owner;
    struct moor_child *child;
};

struct moor_fetch_transport {
    struct moor_http_transport http; /* first: this is what callers hold */
    struct moor_loop *loop;
    char *program, *ca_file;
    struct moor_proxy proxy;
    struct moor_fetch_link *link;
    struct helper *helpers;
    struct moor_timer *idle;
    struct moor_timer *tell; /* completes calls whose end came while no callback may run */
    struct moor_http_call *calls;
    uint64_t last_id;
    bool *freed; /* set while a completion runs */
};

static void free_call(struct moor_http_call *call)
{
    moor_buf_drop(&call->body);
    moor_arena_drop(&call->arena);
    free(call);
}

static struct moor_http_call **find_call(struct moor_fetch_transport *t, uint64_t id)
{
    struct moor_http_call **at = &t->calls;
    while (*at && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

/* Unlinks the call and tells its owner. false when the transport is no more. */
static bool complete(struct moor_fetch_transport *t, struct moor_http_call **at)
{
    struct moor_http_call *call = *at;
    *at = call->next;
    if (t->link && call->sink)
        moor_fetch_link_forget(t->link, call->sink);
    call->response.body = moor_buf_view(&call->body);
    bool freed = false;
    bool *outer = t->freed;
    t->freed = &freed;
    call->done(call->ctx, call->failed.code == MOOR_OK ? &call->response : NULL, &call->failed);
    free_call(call);
    if (freed) {
        if (outer)
            *outer = true;
        return false;
    }
    t->freed = outer;
    if (!t->calls)
        moor_timer_arm(t->idle, IDLE_MS);
    return true;
}

static void drop_link(struct moor_fetch_transport *t)
{
    moor_fetch_link_free(t->link);
    t->link = NULL;
    moor_timer_disarm(t->idle);
}

/* The fetch role is gone: what it had not finished has failed and is told from a fresh turn. */
static void on_gone(void *ctx, const struct moor_error *err)
{
    struct moor_fetch_transport *t = ctx;
    for (struct moor_http_call *c = t->calls; c; c = c->next)
        if (c->failed.code == MOOR_OK)
            c->failed.code = moor_fail(&c->failed, MOOR_E_TRANSIENT, "the fetch role ended%s%s",
                                       err->code == MOOR_OK ? "" : ": ", err->msg);
    drop_link(t);
    moor_timer_arm(t->tell, 0);
}

static void on_tell(void *ctx)
{
    struct moor_fetch_transport *t = ctx;
    struct moor_http_call **at = &t->calls;
    while (*at) {
        if ((*at)->failed.code == MOOR_OK) {
            at = &(*at)->next;
            continue;
        }
        if (!complete(t, at))
            return;
        at = &t->calls;
    }
}

static void on_idle(void *ctx)
{
    struct moor_fetch_transport *t = ctx;
    if (!t->calls)
        drop_link(t);
}

static bool keep_head(struct moor_http_call *call, const struct moor_fetch_message *m)
{
    size_t n = m->headers.count;
    const struct moor_fetch_header *given = m->headers.items;
    struct moor_http_header *kept = moor_arena_array(&call->arena, n, sizeof(*kept));
    for (size_t i = 0; kept && i < n; i++) {
        kept[i].name = moor_arena_str(&call->arena, moor_span_str(given[i].name));
        kept[i].value = moor_arena_str(&call->arena, moor_span_str(given[i].value));
        if (!kept[i].name || !kept[i].value)
            return false;
    }
    struct moor_http_response *r = &call->response;
    r->status = (int)m->status;
    r->headers = kept;
    r->header_count = n;
    r->retry_after_ms = m->retry_after_ms;
    if (m->request_id)
        memcpy(r->request_id, m->request_id, strlen(m->request_id) + 1);
    return kept != NULL;
}

/* What is in the sink is looked up, not believed. */
static void check_sink(struct moor_http_call *call)
{
    struct plat_stat st;
    if (!call->sink || plat_fstat(call->sink, &st, &call->failed) != MOOR_OK)
        return;
    call->response.received = st.size;
    if (call->sink_max > 0 && st.size > call->sink_max)
        call->failed.code = moor_fail(&call->failed, MOOR_E_PROTOCOL,
                                      "the fetch role wrote more than the %llu bytes asked for",
                                      (unsigned long long)call->sink_max);
}

static void take_answer(struct moor_http_call *call, const struct moor_fetch_message *m)
{
    if (call->answered)
        call->failed.code =
            moor_fail(&call->failed, MOOR_E_PROTOCOL, "the fetch role answered twice");
    else if (m->body_length > call->body_max)
        call->failed.code =
            moor_fail(&call->failed, MOOR_E_LIMIT, "answer of %llu bytes: the limit is %zu",
                      (unsigned long long)m->body_length, call->body_max);
    else if (!keep_head(call, m))
        call->failed.code =
            moor_fail(&call->failed, MOOR_E_NOMEM, "headers of the answer: out of memory");
    call->answered = true;
    call->body_length = m->body_length;
}

static void take_body(struct moor_http_call *call, struct moor_span piece)
{
    if (!call->answered || call->body.len + piece.n > call->body_length)
        call->failed.code =
            moor_fail(&call->failed, MOOR_E_PROTOCOL, "the fetch role sent more than announced");
    else
        moor_buf_span(&call->body, piece);
    if (call->body.failed)
        call->failed.code =
            moor_fail(&call->failed, MOOR_E_NOMEM, "body of the answer: out of memory");
}

static void take_error(struct moor_http_call *call, const struct moor_fetch_message *m)
{
    moor_code code = m->code == MOOR_OK ? MOOR_E_PROTOCOL : (moor_code)m->code;
    call->failed.code = moor_fail(&call->failed, code, "%s", m->message ? m->message : "");
    call->failed.retry_after_ms = m->retry_after_ms;
    call->failed.http = (int32_t)m->status;
}

static void on_message(void *ctx, const struct moor_fetch_message *m, struct moor_span payload,
                       struct plat_file *passed)
{
    struct moor_fetch_transport *t = ctx;
    struct moor_http_call **at = find_call(t, m->id);
    struct moor_http_call *call = *at;
    (void)passed;
    if (!call) /* cancelled meanwhile */
        return;
    if (m->type == MOOR_FETCH_ANSWER)
        take_answer(call, m);
    else if (m->type == MOOR_FETCH_BODY)
        take_body(call, payload);
    else if (m->type == MOOR_FETCH_ERROR)
        take_error(call, m);
    else
        call->failed.code =
            moor_fail(&call->failed, MOOR_E_PROTOCOL, "the fetch role sent a wrong message");
    bool whole = call->answered && call->body.len == call->body_length;
    if (whole && call->failed.code == MOOR_OK)
        check_sink(call);
    if (whole || call->failed.code != MOOR_OK)
        (void)complete(t, at);
}

static void on_exit(void *ctx, const struct moor_child_result *r)
{
    struct helper *h = ctx;
    struct helper **at = &h->owner->helpers;
    (void)r;
    while (*at != h)
        at = &(*at)->next;
    *at = h->next;
    moor_child_free(h->child);
    free(h);
}

static moor_code start_process(struct moor_fetch_transport *t, const struct plat_file *socket,
                               struct moor_error *err)
{
    const char *const argv[] = { t->program, "fetch", NULL };
    const struct moor_child_opts opts = { .spawn = { .argv = argv, .extra = socket } };
    struct helper *h = calloc(1, sizeof(*h));
    if (!h)
        return moor_fail(err, MOOR_E_NOMEM, "fetch role: out of memory");
    h->owner = t;
    moor_code c = moor_child_start(t->loop, &opts, on_exit, h, &h->child, err);
    if (c != MOOR_OK) {
        free(h);
        return c;
    }
    h->next = t->helpers;
    t->helpers = h;
    return MOOR_OK;
}

/* Where the service manager holds a socket it starts the role, outside our sandbox; elsewhere the
 * role is our child. */
static moor_code start_role(struct moor_fetch_transport *t, struct plat_file *ours,
                            struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTO(plat_file) theirs = PLAT_FILE_INIT;
    moor_code c = plat_path(PLAT_DIR_RUN, &path, err, "fetch.sock");
    if (c == MOOR_OK)
        c = plat_connect_messages(path, ours, err);
    if (c != MOOR_E_NOTFOUND)
        return c;
    c = plat_socket_pair(ours, &theirs, err);
    return c == MOOR_OK ? start_process(t, &theirs, err) : c;
}

static moor_code ensure_link(struct moor_fetch_transport *t, struct moor_error *err)
{
    if (t->link)
        return MOOR_OK;
    MOOR_AUTO(plat_file) ours = PLAT_FILE_INIT;
    MOOR_AUTOPTR(moor_fetch_link) link = NULL;
    const struct moor_fetch_link_opts opts = { .on_message = on_message,
                                               .on_gone = on_gone,
                                               .ctx = t };
    const struct moor_fetch_message hello = { .type = MOOR_FETCH_HELLO,
                                              .ca_file = t->ca_file,
                                              .proxy = t->proxy.url,
                                              .no_proxy = t->proxy.bypass,
                                              .proxy_ca_file = t->proxy.ca_file,
                                              .proxy_setting = t->proxy.setting,
                                              .proxy_problem = t->proxy.problem,
                                              .direct_to_self = t->proxy.direct_to_self };
    moor_code c = start_role(t, &ours, err);
    if (c == MOOR_OK)
        c = moor_fetch_link_new(t->loop, &ours, &opts, &link, err);
    if (c == MOOR_OK)
        c = moor_fetch_link_send(link, &hello, moor_secret_reveal(&t->proxy.credentials), NULL,
                                 err);
    if (c != MOOR_OK)
        return moor_context(err, "fetch role");
    t->link = MOOR_TAKE(link);
    return MOOR_OK;
}

static moor_code send_request(struct moor_fetch_transport *t, struct moor_http_call *call,
                              const struct moor_http_request *req, struct moor_error *err)
{
    struct moor_fetch_header headers[MOOR_HTTP_HEADERS_MAX];
    for (size_t i = 0; i < req->header_count; i++)
        headers[i] = (struct moor_fetch_header){ req->headers[i].name, req->headers[i].value };
    const struct moor_fetch_message m = {
        .type = MOOR_FETCH_REQUEST,
        .id = call->id,
        .method = req->method,
        .url = req->url,
        .content_type = req->content_type,
        .content_encoding = req->content_encoding,
        .headers = { headers, req->header_count },
        .timeout_ms = req->timeout_ms,
        .connect_timeout_ms = req->connect_timeout_ms,
        .body_max = call->body_max,
        .offset = req->offset,
        .sink_max = req->sink_max,
        .redirects_max = req->redirects_max,
        .public_only = req->public_only,
        .bearer = req->bearer != NULL,
        .body_length = req->body.n,
    };
    struct moor_span token = req->bearer ? moor_secret_reveal(req->bearer) : MOOR_SPAN_NONE;
    moor_code c = moor_fetch_link_send(t->link, &m, token, req->sink, err);
    return c == MOOR_OK ? moor_fetch_link_body(t->link, call->id, req->body, err) : c;
}

static struct moor_http_call *new_call(struct moor_fetch_transport *t,
                                       const struct moor_http_request *req, moor_http_done_fn done,
                                       void *ctx)
{
    struct moor_http_call *call = calloc(1, sizeof(*call));
    if (!call)
        return NULL;
    call->id = ++t->last_id;
    call->done = done;
    call->ctx = ctx;
    call->sink = req->sink;
    call->sink_max = req->sink_max;
    call->body_max = req->body_max ? req->body_max : ANSWER_MAX;
    call->body = (struct moor_buf)MOOR_BUF(call->body_max);
    call->arena = (struct moor_arena)MOOR_ARENA(HEADERS_BYTES);
    return call;
}

static moor_code transport_send(struct moor_http_transport *http,
                                const struct moor_http_request *req, moor_http_done_fn done,
                                void *ctx, struct moor_http_call **out, struct moor_error *err)
{
    struct moor_fetch_transport *t = (struct moor_fetch_transport *)http;
    if (req->unix_socket)
        return moor_fail(err, MOOR_E_UNSUPPORTED, "%s: the fetch role has no Unix sockets",
                         req->unix_socket);
    if (req->header_count > MOOR_HTTP_HEADERS_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "request: more than %d headers",
                         MOOR_HTTP_HEADERS_MAX);
    moor_code c = ensure_link(t, err);
    if (c != MOOR_OK)
        return c;
    struct moor_http_call *call = new_call(t, req, done, ctx);
    if (!call)
        return moor_fail(err, MOOR_E_NOMEM, "request: out of memory");
    c = send_request(t, call, req, err);
    if (c != MOOR_OK) {
        moor_fetch_link_forget(t->link, req->sink);
        free_call(call);
        return c;
    }
    call->next = t->calls;
    t->calls = call;
    moor_timer_disarm(t->idle);
    *out = call;
    return MOOR_OK;
}

static void transport_cancel(struct moor_http_transport *http, struct moor_http_call *call)
{
    struct moor_fetch_transport *t = (struct moor_fetch_transport *)http;
    const struct moor_fetch_message m = { .type = MOOR_FETCH_CANCEL, .id = call ? call->id : 0 };
    if (!call)
        return;
    struct moor_http_call **at = find_call(t, call->id);
    MOOR_ASSERT(*at == call);
    *at = call->next;
    if (t->link && call->sink)
        moor_fetch_link_forget(t->link, call->sink);
    /* When this cannot be sent the link is full of older messages: the answer is ignored. */
    if (t->link)
        (void)!moor_fetch_link_send(t->link, &m, MOOR_SPAN_NONE, NULL, NULL);
    free_call(call);
    if (!t->calls)
        moor_timer_arm(t->idle, IDLE_MS);
}

static moor_code copy(const char *s, char **out, struct moor_error *err)
{
    return s ? moor_span_dup(moor_span_str(s), out, err) : MOOR_OK;
}

moor_code moor_fetch_transport_new(struct moor_loop *l,
                                   const struct moor_fetch_transport_opts *opts,
                                   struct moor_fetch_transport **out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_fetch_transport) t = calloc(1, sizeof(*t));
    if (!t)
        return moor_fail(err, MOOR_E_NOMEM, "fetch transport: out of memory");
    t->http.send = transport_send;
    t->http.cancel = transport_cancel;
    t->loop = l;
    moor_code c = copy(opts->program, &t->program, err);
    if (c == MOOR_OK)
        c = copy(opts->ca_file, &t->ca_file, err);
    if (c == MOOR_OK)
        c = moor_proxy_copy(opts->proxy, &t->proxy, err);
    if (c == MOOR_OK)
        c = moor_timer_new(l, on_idle, t, &t->idle, err);
    if (c == MOOR_OK)
        c = moor_timer_new(l, on_tell, t, &t->tell, err);
    if (c == MOOR_OK)
        *out = MOOR_TAKE(t);
    return c;
}

moor_code moor_fetch_transport_set_proxy(struct moor_fetch_transport *t,
                                         const struct moor_proxy *proxy, struct moor_error *err)
{
    struct moor_error why = MOOR_ERROR_INIT;
    MOOR_AUTO(moor_proxy) copy_of = MOOR_PROXY_INIT;
    if (moor_proxy_same(proxy, &t->proxy))
        return MOOR_OK;
    moor_code c = moor_proxy_copy(proxy, &copy_of, err);
    if (c != MOOR_OK)
        return c;
    moor_proxy_move(&t->proxy, &copy_of);
    why.code = moor_fail(&why, MOOR_E_CANCELED, "the proxy settings changed");
    on_gone(t, &why);
    return MOOR_OK;
}

void moor_fetch_transport_free(struct moor_fetch_transport *t)
{
    if (!t)
        return;
    if (t->freed)
        *t->freed = true;
    while (t->calls) {
        struct moor_http_call *call = t->calls;
        t->calls = call->next;
        free_call(call);
    }
    moor_fetch_link_free(t->link);
    while (t->helpers) {
        struct helper *h = t->helpers;
        t->helpers = h->next;
        moor_child_free(h->child);
        free(h);
    }
    moor_timer_free(t->idle);
    moor_timer_free(t->tell);
    free(t->program);
    free(t->ca_file);
    moor_proxy_drop(&t->proxy);
    free(t);
}

struct moor_http_transport *moor_fetch_transport_http(struct moor_fetch_transport *t)
{
    return &t->http;
}
