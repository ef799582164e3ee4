/* SPDX-License-Identifier: Apache-2.0 */
#include "http/server.h"

#include <event2/listener.h>
#include <stdlib.h>

#include "http/server_internal.h"
#include "platform/self.h"
#include "run/loop.h"

#define ACCEPT_RETRY_MS 1000 /* after accept() failed for lack of descriptors or memory */

struct moor_listener {
    struct moor_listener *next;
    struct moor_http_server *server;
    struct evconnlistener *ev;
};

void moor_conn_list_move(struct moor_conn *c, struct moor_conn_list *to)
{
    struct moor_conn_list *from = c->list;
    if (from) {
        *(c->prev ? &c->prev->next : &from->head) = c->next;
        *(c->next ? &c->next->prev : &from->tail) = c->prev;
    }
    c->list = to;
    c->next = NULL;
    c->prev = to ? to->tail : NULL;
    if (to) {
        *(to->tail ? &to->tail->next : &to->head) = c;
        to->tail = c;
    }
}

static void pause_accepting(struct moor_http_server *s, bool paused)
{
    if (s->paused == paused)
        return;
    s->paused = paused;
    for (struct moor_listener *l = s->listeners; l; l = l->next)
        (void)(paused ? evconnlistener_disable(l->ev) : evconnlistener_enable(l->ev));
}

static void on_retry_accept(void *ctx)
{
    struct moor_http_server *s = ctx;
    if (s->conn_count < s->opts.limits.connections_max)
        pause_accepting(s, false);
}

static void report_drained(struct moor_http_server *s)
{
    if (!s->draining || s->conn_count > 0 || !s->drained)
        return;
    void (*done)(void *ctx) = s->drained;
    s->drained = NULL;
    done(s->drained_ctx); /* may free s */
}

void moor_server_conn_ended(struct moor_http_server *s)
{
    s->conn_count--;
    pause_accepting(s, false);
    report_drained(s);
}

void moor_server_conn_idle(struct moor_http_server *s)
{
    pause_accepting(s, false);
}

/* A kept-alive connection gives way to a new one; without one of those, nobody gets in. */
static bool make_room(struct moor_http_server *s)
{
    if (s->conn_count >= s->opts.limits.connections_max && s->idle.head)
        moor_conn_free(s->idle.head);
    return s->conn_count < s->opts.limits.connections_max;
}

/* Who it is, and a place among that one's connections. */
static bool admit(struct moor_http_server *s, int fd, struct moor_conn_origin *out)
{
    if (plat_peer_of(fd, &out->peer, NULL) != MOOR_OK)
        return false;
    struct plat_peer counted_as = out->peer;
    if (s->opts.callers)
        out->caller = plat_caller_of(fd);
    if (out->caller.known) {
        counted_as.local = true;
        counted_as.uid = out->caller.uid;
    }
    out->counted = moor_peers_enter(&s->peers, &counted_as, s->opts.limits.connections_per_peer);
    return out->counted != NULL;
}

/* Numbers are given out from the lowest: a high one says that few are left, for other doors, for
 * files and for this process's own calls. Who comes next waits until a connection ends. */
static void keep_some_files(struct moor_http_server *s, int fd)
{
    if ((unsigned)fd + s->opts.limits.spare_files < plat_files_max())
        return;
    if (s->idle.head)
        moor_conn_free(s->idle.head);
    else if (s->conn_count > 0)
        pause_accepting(s, true);
}

static void on_accept(struct evconnlistener *ev, evutil_socket_t fd, struct sockaddr *address,
                      int address_len, void *ctx)
{
    (void)ev;
    (void)address;
    (void)address_len;
    struct moor_http_server *s = ((struct moor_listener *)ctx)->server;
    struct moor_conn_origin from = { .counted = NULL };
    if (make_room(s) && admit(s, fd, &from)) {
        moor_conn_open(s, fd, &from);
        keep_some_files(s, fd);
    } else {
        plat_net_close(fd);
    }
    if (s->conn_count >= s->opts.limits.connections_max && !s->idle.head)
        pause_accepting(s, true);
}

static void on_accept_error(struct evconnlistener *ev, void *ctx)
{
    (void)ev;
    struct moor_http_server *s = ((struct moor_listener *)ctx)->server;
    if (s->idle.head) {
        moor_conn_free(s->idle.head);
        return;
    }
    pause_accepting(s, true);
    moor_timer_arm(s->retry_accept, ACCEPT_RETRY_MS);
}

static void fill_in_limits(struct moor_http_limits *l)
{
    static const struct moor_http_limits defaults = {
        .head_max = 16 * 1024,
        .headers_max = 64,
        .body_max = 64 * 1024,
        .head_timeout_ms = 10 * 1000,
        .body_timeout_ms = 30 * 1000,
        .idle_timeout_ms = 120 * 1000,
        .connections_max = 1024,
        .connections_per_peer = 256,
        .spare_files = 8,
    };
    l->head_max = l->head_max ? l->head_max : defaults.head_max;
    l->headers_max = l->headers_max ? l->headers_max : defaults.headers_max;
    l->body_max = l->body_max ? l->body_max : defaults.body_max;
    l->head_timeout_ms = l->head_timeout_ms ? l->head_timeout_ms : defaults.head_timeout_ms;
    l->body_timeout_ms = l->body_timeout_ms ? l->body_timeout_ms : defaults.body_timeout_ms;
    l->idle_timeout_ms = l->idle_timeout_ms ? l->idle_timeout_ms : defaults.idle_timeout_ms;
    l->connections_max = l->connections_max ? l->connections_max : defaults.connections_max;
    l->connections_per_peer =
        l->connections_per_peer ? l->connections_per_peer : defaults.connections_per_peer;
    l->spare_files = l->spare_files ? l->spare_files : defaults.spare_files;
}

moor_code moor_http_server_new(struct moor_loop *l, const struct moor_http_server_opts *opts,
                               struct moor_http_server **out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_http_server) s = calloc(1, sizeof(*s));
    if (!s)
        return moor_fail(err, MOOR_E_NOMEM, "HTTP server: out of memory");
    s->loop = l;
    s->opts = *opts;
    fill_in_limits(&s->opts.limits);
    moor_code c = moor_timer_new(l, on_retry_accept, s, &s->retry_accept, err);
    if (c == MOOR_OK && opts->tls)
        c = moor_server_tls_new(opts->tls, &s->tls, err);
    if (c != MOOR_OK)
        return c;
    *out = MOOR_TAKE(s);
    return MOOR_OK;
}

moor_code moor_http_server_listen(struct moor_http_server *s, int fd, struct moor_error *err)
{
    struct moor_listener *l = calloc(1, sizeof(*l));
    if (!l)
        return moor_fail(err, MOOR_E_NOMEM, "HTTP server: out of memory");
    l->server = s;
    /* Backlog 0: the descriptor listens already. */
    l->ev = evconnlistener_new(moor_loop_base(s->loop), on_accept, l,
                               LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (!l->ev) {
        free(l);
        return moor_fail(err, MOOR_E_NOMEM, "HTTP server: cannot watch the listener");
    }
    evconnlistener_set_error_cb(l->ev, on_accept_error);
    if (s->paused)
        (void)evconnlistener_disable(l->ev);
    l->next = s->listeners;
    s->listeners = l;
    return MOOR_OK;
}

moor_code moor_http_server_set_certificate(struct moor_http_server *s,
                                           const struct moor_http_tls *tls, struct moor_error *err)
{
    if (!s->tls)
        return moor_fail(err, MOOR_E_BUG, "HTTP server: it has no TLS");
    return moor_server_tls_load(s->tls, tls, err);
}

static void close_listeners(struct moor_http_server *s)
{
    while (s->listeners) {
        struct moor_listener *l = s->listeners;
        s->listeners = l->next;
        evconnlistener_free(l->ev);
        free(l);
    }
}

void moor_http_server_drain(struct moor_http_server *s, void (*done)(void *ctx), void *ctx)
{
    s->draining = true;
    close_listeners(s);
    while (s->idle.head)
        moor_conn_free(s->idle.head);
    for (struct moor_conn *c = s->busy.head, *next; c; c = next) {
        next = c->next;
        if (c->state == MOOR_CONN_NEW || c->state == MOOR_CONN_LINGER)
            moor_conn_free(c);
    }
    s->drained = done;
    s->drained_ctx = ctx;
    report_drained(s);
}

void moor_http_server_free(struct moor_http_server *s)
{
    if (!s)
        return;
    close_listeners(s);
    s->drained = NULL;
    s->draining = true;
    while (s->idle.head)
        moor_conn_free(s->idle.head);
    while (s->busy.head)
        moor_conn_free(s->busy.head);
    moor_timer_free(s->retry_accept);
    moor_server_tls_free(s->tls);
    free(s);
}
