/* SPDX-License-Identifier: Apache-2.0 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>

#include "base/secret.h"
#include "http/server_internal.h"
#include "run/loop.h"

#define INPUT_MAX   (16u * 1024) /* unread bytes of a connection */
#define FILE_CHUNK  (64u * 1024)
#define JOINED_MAX  4096u
#define LINGER_MS   2000
#define SEND_PER_MS 4 /* an answer may be read at 4 bytes per millisecond, not slower */

/* The end of the request that is being read. */

static struct evbuffer *input_of(const struct moor_conn *c)
{
    return bufferevent_get_input(c->bev);
}

static void refuse(struct moor_conn *c, moor_refusal why)
{
    c->state = MOOR_CONN_PENDING;
    moor_exchange_refuse(c->ex, why);
}

static void dispatch(struct moor_conn *c)
{
    struct moor_http_exchange *ex = c->ex;
    ex->body_read = true;
    c->state = MOOR_CONN_PENDING;
    moor_timer_disarm(c->timer);
    ex->match.route->handler(c->server->opts.ctx, ex);
}

/* Asks the gate, then finds the route. False when the request was answered. */
static bool admit(struct moor_conn *c)
{
    const struct moor_http_server_opts *opts = &c->server->opts;
    struct moor_http_exchange *ex = c->ex;
    MOOR_AUTO(moor_buf) allow = MOOR_BUF(256);
    moor_refusal why = moor_target_parse(moor_head_target(&ex->head), &ex->arena, &ex->target);
    if (why != MOOR_REFUSE_NOTHING) {
        refuse(c, why);
        return false;
    }
    why = moor_route_find(opts->routes, opts->route_count, ex->head.method, &ex->target, &ex->arena,
                          &ex->match, &allow);
    c->state = MOOR_CONN_PENDING;
    moor_timer_disarm(c->timer);
    if (opts->gate && !opts->gate(opts->ctx, ex))
        return false;
    if (why == MOOR_REFUSE_NOTHING)
        return true;
    if (allow.len > 0)
        moor_http_reply_header(ex, "Allow", moor_buf_cstr(&allow));
    refuse(c, why);
    return false;
}

static void start_body(struct moor_conn *c)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct moor_http_exchange *ex = c->ex;
    size_t max = ex->match.route->body_max;
    if (max == 0)
        max = c->server->opts.limits.body_max;
    ex->body = (struct moor_buf)MOOR_BUF_SECRET(max);
    if (!ex->head.body_chunked && ex->head.body_length == 0) {
        dispatch(c);
        return;
    }
    if (ex->head.body_length > max) {
        refuse(c, MOOR_REFUSE_BODY_LONG);
        return;
    }
    if (ex->head.expect_continue)
        (void)bufferevent_write(c->bev, go_on, sizeof(go_on) - 1);
    c->state = MOOR_CONN_BODY;
    moor_timer_arm(c->timer, c->server->opts.limits.body_timeout_ms);
}

/* The three readers take what they can of in and say how much that was. */

static size_t read_head(struct moor_conn *c, struct moor_span in)
{
    size_t used = 0;
    moor_refusal why;
    switch (moor_head_feed(&c->ex->head, in, &used, &why)) {
    case MOOR_HEAD_REFUSED:
        refuse(c, why);
        break;
    case MOOR_HEAD_DONE:
        c->ex->body_read = !c->ex->head.body_chunked && c->ex->head.body_length == 0;
        if (admit(c))
            start_body(c);
        break;
    case MOOR_HEAD_MORE:
    default:
        break;
    }
    return used;
}

static size_t read_sized_body(struct moor_conn *c, struct moor_span in)
{
    struct moor_http_exchange *ex = c->ex;
    size_t left = (size_t)ex->head.body_length - ex->body.len;
    size_t n = in.n < left ? in.n : left;
    moor_buf_add(&ex->body, in.p, n);
    if (ex->body.failed)
        refuse(c, MOOR_REFUSE_NO_MEMORY);
    else if (n == left)
        dispatch(c);
    return n;
}

static size_t read_chunked_body(struct moor_conn *c, struct moor_span in)
{
    size_t used = 0;
    moor_refusal why;
    switch (moor_chunked_feed(&c->ex->chunked, in, &c->ex->body, &used, &why)) {
    case MOOR_CHUNKED_REFUSED:
        refuse(c, why);
        break;
    case MOOR_CHUNKED_DONE:
        dispatch(c);
        break;
    case MOOR_CHUNKED_MORE:
    default:
        break;
    }
    return used;
}

static bool start_request(struct moor_conn *c)
{
    c->ex = moor_exchange_new(c);
    if (!c->ex)
        return false;
    if (c->state == MOOR_CONN_IDLE)
        moor_timer_arm(c->timer, c->server->opts.limits.head_timeout_ms);
    moor_conn_list_move(c, &c->server->busy);
    c->state = MOOR_CONN_HEAD;
    return true;
}

static bool is_reading(const struct moor_conn *c)
{
    return c->state == MOOR_CONN_HEAD || c->state == MOOR_CONN_BODY || c->state == MOOR_CONN_NEW ||
           c->state == MOOR_CONN_IDLE;
}

/* Reads requests as far as bytes are there and nothing is being answered. May free c. */
static void run(struct moor_conn *c)
{
    struct evbuffer *in = input_of(c);
    while (is_reading(c) && evbuffer_get_length(in) > 0) {
        if (!c->ex && !start_request(c)) {
            moor_conn_free(c);
            return;
        }
        size_t n = evbuffer_get_contiguous_space(in);
        struct moor_span bytes = moor_span(evbuffer_pullup(in, (ev_ssize_t)n), n);
        if (c->state == MOOR_CONN_HEAD)
            n = read_head(c, bytes);
        else
            n = c->ex->head.body_chunked ? read_chunked_body(c, bytes) : read_sized_body(c, bytes);
        (void)evbuffer_drain(in, n);
    }
    /* Were reading to stop here, this client could leave unseen. */
    if (c->state == MOOR_CONN_PENDING && evbuffer_get_length(in) >= INPUT_MAX)
        c->overrun = c->close_after = true;
    if (c->state == MOOR_CONN_LINGER || c->overrun)
        (void)evbuffer_drain(in, evbuffer_get_length(in));
    if (c->eof && is_reading(c))
        moor_conn_free(c);
}

/* The end of an answer. */

/* Closing with unread bytes would reset the connection and could destroy the answer on its way:
 * the sending half is closed first, and what still comes in is thrown away for a while. */
static void linger(struct moor_conn *c)
{
    if (c->eof) {
        moor_conn_free(c);
        return;
    }
    if (c->server->tls)
        moor_server_tls_close_notify(c->bev);
    plat_net_finish(c->fd);
    c->state = MOOR_CONN_LINGER;
    moor_timer_arm(c->timer, LINGER_MS);
    run(c);
}

static void answered(struct moor_conn *c)
{
    moor_exchange_free(c->ex);
    c->ex = NULL;
    if (c->close_after || c->server->draining) {
        linger(c);
        return;
    }
    c->state = MOOR_CONN_IDLE;
    moor_conn_list_move(c, &c->server->idle);
    moor_timer_arm(c->timer, c->server->opts.limits.idle_timeout_ms);
    moor_server_conn_idle(c->server);
    run(c);
}

static bool send_file_chunk(struct moor_conn *c)
{
    struct moor_http_exchange *ex = c->ex;
    struct evbuffer *out = bufferevent_get_output(c->bev);
    size_t want = ex->file_left < FILE_CHUNK ? (size_t)ex->file_left : FILE_CHUNK;
    size_t got = 0;
    struct evbuffer_iovec room;
    if (evbuffer_reserve_space(out, (ev_ssize_t)want, &room, 1) != 1)
        return false;
    if (plat_read_at(&ex->file, ex->file_at, room.iov_base, want, &got, NULL) != MOOR_OK ||
        got != want)
        return false;
    room.iov_len = got;
    ex->file_at += got;
    ex->file_left -= got;
    moor_timer_arm(c->timer, c->server->opts.limits.body_timeout_ms);
    return evbuffer_commit_space(out, &room, 1) == 0;
}

/* Callbacks of the loop. */

static void on_read(struct bufferevent *bev, void *ctx)
{
    (void)bev;
    run(ctx);
}

static void on_written(struct bufferevent *bev, void *ctx)
{
    struct moor_conn *c = ctx;
    if (c->state != MOOR_CONN_SENDING || evbuffer_get_length(bufferevent_get_output(bev)) > 0)
        return;
    if (c->ex->file_left == 0)
        answered(c);
    else if (!send_file_chunk(c))
        moor_conn_free(c); /* shorter than promised: only the missing end can say so */
}

/* The client left. An exchange whose handler did not ask to be told waits for its answer. */
static void client_left(struct moor_conn *c)
{
    if (c->state != MOOR_CONN_PENDING || c->ex->on_gone) {
        moor_conn_free(c);
        return;
    }
    c->state = MOOR_CONN_GONE;
    bufferevent_free(c->bev);
    c->bev = NULL;
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
    (void)bev;
    struct moor_conn *c = ctx;
    if (what & BEV_EVENT_CONNECTED)
        return;
    c->eof = true;
    /* A client may close its sending half and still read; under TLS the library does not write
     * any more. */
    bool half = (what & BEV_EVENT_EOF) && (what & BEV_EVENT_READING) && !c->server->tls;
    if (half && c->state == MOOR_CONN_SENDING)
        return;
    client_left(c);
}

static void on_deadline(void *ctx)
{
    struct moor_conn *c = ctx;
    switch (c->state) {
    case MOOR_CONN_HEAD:
        refuse(c, MOOR_REFUSE_HEAD_SLOW);
        break;
    case MOOR_CONN_BODY:
        refuse(c, MOOR_REFUSE_BODY_SLOW);
        break;
    case MOOR_CONN_NEW:
    case MOOR_CONN_IDLE:
    case MOOR_CONN_PENDING:
    case MOOR_CONN_SENDING:
    case MOOR_CONN_LINGER:
    case MOOR_CONN_GONE:
    default:
        moor_conn_free(c);
        break;
    }
}

static struct bufferevent *new_bufferevent(struct moor_http_server *s, int fd)
{
    struct event_base *base = moor_loop_base(s->loop);
    if (s->tls)
        return moor_server_tls_accept(s->tls, base, fd);
    struct bufferevent *bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!bev)
        plat_net_close(fd);
    return bev;
}

void moor_conn_open(struct moor_http_server *s, int fd, const struct moor_conn_origin *from)
{
    struct moor_conn *c = calloc(1, sizeof(*c));
    if (!c || moor_timer_new(s->loop, on_deadline, c, &c->timer, NULL) != MOOR_OK) {
        free(c);
        plat_net_close(fd);
        moor_peers_leave(&s->peers, from->counted);
        return;
    }
    c->server = s;
    c->fd = fd;
    c->peer = from->peer;
    c->caller = from->caller;
    c->counted = from->counted;
    s->conn_count++;
    moor_conn_list_move(c, &s->busy);
    c->bev = new_bufferevent(s, fd);
    if (!c->bev) {
        moor_conn_free(c);
        return;
    }
    bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
    bufferevent_setwatermark(c->bev, EV_READ, 0, INPUT_MAX);
    moor_timer_arm(c->timer, s->opts.limits.head_timeout_ms);
    (void)bufferevent_enable(c->bev, EV_READ);
}

void moor_conn_free(struct moor_conn *c)
{
    struct moor_http_server *s = c->server;
    if (c->ex && c->state == MOOR_CONN_PENDING && c->ex->on_gone)
        c->ex->on_gone(c->ex->on_gone_ctx);
    if (c->ex)
        moor_exchange_free(c->ex);
    if (c->bev && s->tls && c->state == MOOR_CONN_IDLE && !c->eof)
        moor_server_tls_close_notify(c->bev);
    if (c->bev)
        bufferevent_free(c->bev);
    moor_timer_free(c->timer);
    moor_peers_leave(&s->peers, c->counted);
    moor_conn_list_move(c, NULL);
    free(c);
    moor_server_conn_ended(s);
}

static void release_text(const void *data, size_t len, void *ctx)
{
    (void)data;
    moor_wipe(ctx, len); /* it may have been a token */
    free(ctx);
}

/* Hands the buffer's memory to the output instead of copying it. */
static bool queue(struct evbuffer *out, struct moor_buf *b)
{
    size_t len = b->len;
    char *text = NULL;
    if (len == 0)
        return true;
    if (moor_buf_take(b, "answer", &text, NULL) != MOOR_OK)
        return false;
    if (evbuffer_add_reference(out, text, len, release_text, text) == 0)
        return true;
    free(text);
    return false;
}

/* A short body goes in the head's buffer: one write, one record of TLS. */
static void join(struct moor_buf *head, struct moor_buf *body)
{
    if (body->len > JOINED_MAX || head->failed)
        return;
    moor_buf_span(head, moor_buf_view(body));
    moor_buf_drop(body);
}

void moor_conn_send(struct moor_conn *c, struct moor_buf *head, struct moor_buf *body)
{
    if (c->state == MOOR_CONN_GONE) {
        moor_timer_arm(c->timer, 0); /* the handler may still look at the exchange */
        return;
    }
    struct evbuffer *out = bufferevent_get_output(c->bev);
    uint64_t bytes = head->len + body->len;
    join(head, body);
    c->state = MOOR_CONN_SENDING;
    if (queue(out, head) && queue(out, body))
        moor_timer_arm(c->timer, c->server->opts.limits.body_timeout_ms + bytes / SEND_PER_MS);
    else
        moor_timer_arm(c->timer, 0);
}
