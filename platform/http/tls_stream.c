/* SPDX-License-Identifier: Apache-2.0 */
#include "http/tls_stream.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "run/loop.h"

struct moor_tls_stream {
    struct bufferevent *bev;
    struct moor_timer *handshake;
    void (*readable)(void *ctx);
    void *ctx;
    bool ended;
};

static void on_read(struct bufferevent *bev, void *ctx)
{
    struct moor_tls_stream *s = ctx;
    (void)bev;
    s->readable(s->ctx);
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
    struct moor_tls_stream *s = ctx;
    (void)bev;
    if (what & BEV_EVENT_CONNECTED) {
        moor_timer_disarm(s->handshake);
        return;
    }
    s->ended = true;
    s->readable(s->ctx);
}

static void on_late(void *ctx)
{
    struct moor_tls_stream *s = ctx;
    s->ended = true;
    s->readable(s->ctx);
}

moor_code moor_tls_stream_new(struct moor_loop *l, struct moor_server_tls *tls, int fd,
                              void (*readable)(void *ctx), void *ctx, struct moor_tls_stream **out,
                              struct moor_error *err)
{
    struct bufferevent *bev = moor_server_tls_accept(tls, moor_loop_base(l), fd);
    MOOR_AUTOPTR(moor_tls_stream) s = calloc(1, sizeof(*s));
    if (!bev || !s) {
        if (bev)
            bufferevent_free(bev);
        return moor_fail(err, MOOR_E_NOMEM, "TLS: out of memory");
    }
    /* Who only sends does not read tickets; ending with them unread, it would reset the connection,
     * and what it sent last be lost. */
    (void)SSL_set_num_tickets(bufferevent_openssl_get_ssl(bev), 0);
    *s = (struct moor_tls_stream){ .bev = bev, .readable = readable, .ctx = ctx };
    moor_code c = moor_timer_new(l, on_late, s, &s->handshake, err);
    if (c != MOOR_OK)
        return c;
    moor_timer_arm(s->handshake, MOOR_TLS_HANDSHAKE_MS);
    bufferevent_setcb(bev, on_read, NULL, on_event, s);
    bufferevent_setwatermark(bev, EV_READ, 0, MOOR_TLS_INPUT_MAX);
    (void)bufferevent_enable(bev, EV_READ | EV_WRITE);
    *out = MOOR_TAKE(s);
    return MOOR_OK;
}

void moor_tls_stream_free(struct moor_tls_stream *s)
{
    if (!s)
        return;
    moor_server_tls_close_notify(s->bev);
    bufferevent_free(s->bev);
    moor_timer_free(s->handshake);
    free(s);
}

size_t moor_tls_stream_read(struct moor_tls_stream *s, void *p, size_t n)
{
    return bufferevent_read(s->bev, p, n);
}

bool moor_tls_stream_ended(const struct moor_tls_stream *s)
{
    return s->ended && evbuffer_get_length(bufferevent_get_input(s->bev)) == 0;
}

void moor_tls_stream_pause(struct moor_tls_stream *s, bool paused)
{
    if (paused) {
        (void)bufferevent_disable(s->bev, EV_READ);
        return;
    }
    (void)bufferevent_enable(s->bev, EV_READ);
    bufferevent_trigger(s->bev, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}
