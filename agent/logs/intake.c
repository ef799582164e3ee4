/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/intake.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "http/tls_stream.h"
#include "platform/clock.h"
#include "platform/host.h"
#include "platform/net.h"
#include "run/log.h"
#include "run/loop.h"

#define CONNECTIONS_MAX 256
#define FROM_ONE_MAX    64
#define BACKLOG         64
#define TURN_MAX        512 /* messages of a socket before others have their turn */
#define READ_BYTES      ((size_t)16 * 1024)
#define ROOM_BYTES      (MOOR_SYSLOG_MAX + 64 + READ_BYTES)
#define SOCKET_MODE     0666
#define OFFSET_KEEP_MS  60000

struct socket {
    struct socket *next;
    struct moor_intake *owner;
    int fd;
    struct moor_watch *watch;
    bool connection;
    uint32_t lost; /* so many, says the system */
    /* A connection's: */
    struct moor_tls_stream *tls; /* which has the descriptor; NULL = plain */
    char address[64];
    struct moor_buf left; /* an unfinished message */
    struct moor_syslog_frames frames;
};

struct moor_intake {
    struct moor_loop *loop;
    struct moor_intake_to to;
    struct moor_server_tls *tls; /* NULL: none */
    struct socket *sockets;
    size_t connections;
    bool paused;      /* connections wait for room */
    bool turned_away; /* said so */
    int64_t offset_ms, offset_at_ms;
    char *room;
};

static void close_socket(struct socket *s)
{
    struct socket **at = &s->owner->sockets;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    s->owner->connections -= s->connection;
    moor_watch_free(s->watch);
    moor_tls_stream_free(s->tls);
    if (s->fd >= 0)
        plat_net_close(s->fd);
    moor_buf_drop(&s->left);
    free(s);
}

/* Takes the descriptor over, also on failure. */
static struct socket *add_socket(struct moor_intake *in, int fd, void (*readable)(void *),
                                 struct moor_error *err)
{
    struct socket *s = calloc(1, sizeof(*s));
    if (!s) {
        plat_net_close(fd);
        (void)!moor_fail(err, MOOR_E_NOMEM, "syslog: out of memory");
        return NULL;
    }
    *s = (struct socket){ .owner = in, .fd = fd, .next = in->sockets };
    s->left.max = ROOM_BYTES;
    in->sockets = s;
    if (moor_watch_new(in->loop, fd, readable, s, &s->watch, err) == MOOR_OK)
        return s;
    close_socket(s);
    return NULL;
}

/* Summer time comes and goes: asked again now and then. */
static int64_t local_offset(struct moor_intake *in, int64_t now_ms)
{
    if (in->offset_at_ms == 0 || now_ms - in->offset_at_ms > OFFSET_KEEP_MS ||
        now_ms < in->offset_at_ms) {
        in->offset_ms = plat_local_offset_ms(now_ms);
        in->offset_at_ms = now_ms;
    }
    return in->offset_ms;
}

static void take(struct socket *s, struct moor_span text, const char *address, bool cut,
                 int64_t now_ms)
{
    struct moor_intake *in = s->owner;
    const struct moor_syslog_origin from = { now_ms, in->to.computer, address };
    struct moor_syslog m;
    if (text.n == 0)
        return;
    moor_syslog_parse(text, now_ms, local_offset(in, now_ms), &m);
    in->to.on_message(in->to.ctx, &m, &from, cut, s->connection);
}

static void on_datagrams(void *ctx)
{
    struct socket *s = ctx;
    struct moor_intake *in = s->owner;
    int64_t now = plat_utc_ms();
    for (int i = 0; i < TURN_MAX; i++) {
        struct plat_peer from;
        uint32_t lost = s->lost;
        size_t got = 0;
        if (plat_receive(s->fd, in->room, ROOM_BYTES, &got, &from, &lost, NULL) != MOOR_OK)
            return;
        if (lost != s->lost)
            in->to.on_lost(in->to.ctx, lost - s->lost);
        s->lost = lost;
        bool cut = got > MOOR_SYSLOG_MAX;
        take(s, moor_span(in->room, cut ? MOOR_SYSLOG_MAX : got), from.address, cut, now);
    }
}

/* The messages in the first n bytes of the room; what is unfinished is kept. */
static void take_frames(struct socket *s, size_t n, bool last)
{
    struct moor_intake *in = s->owner;
    int64_t now = plat_utc_ms();
    struct moor_span rest = { in->room, n }, text = MOOR_SPAN_NONE;
    bool cut = false;
    while (moor_syslog_frame(&s->frames, &rest, last, &text, &cut))
        take(s, text, s->address, cut, now);
    if (rest.n == 0) {
        moor_buf_drop(&s->left);
        return;
    }
    moor_buf_reset(&s->left);
    moor_buf_span(&s->left, rest);
}

static void pause_connections(struct moor_intake *in, bool paused)
{
    in->paused = paused;
    for (struct socket *s = in->sockets; s; s = s->next) {
        if (s->tls)
            moor_tls_stream_pause(s->tls, paused);
        else if (s->connection)
            moor_watch_pause(s->watch, paused);
    }
}

/* What of the room is taken by an unfinished message. */
static size_t put_left(const struct socket *s)
{
    if (s->left.len > 0)
        memcpy(s->owner->room, s->left.data, s->left.len);
    return s->left.len;
}

static void on_bytes(void *ctx)
{
    struct socket *s = ctx;
    struct moor_intake *in = s->owner;
    struct moor_error e = MOOR_ERROR_INIT;
    size_t got = 0;
    if (in->to.is_full(in->to.ctx)) {
        pause_connections(in, true);
        return;
    }
    size_t have = put_left(s);
    moor_code c = plat_receive(s->fd, in->room + have, READ_BYTES, &got, NULL, NULL, &e);
    if (c == MOOR_E_TRANSIENT)
        return;
    bool end = c != MOOR_OK || got == 0;
    take_frames(s, have + got, end);
    if (end || s->left.failed)
        close_socket(s);
}

static void on_tls_bytes(void *ctx)
{
    struct socket *s = ctx;
    struct moor_intake *in = s->owner;
    bool end = false;
    while (!end) {
        if (in->to.is_full(in->to.ctx)) {
            pause_connections(in, true);
            return;
        }
        size_t have = put_left(s), got = moor_tls_stream_read(s->tls, in->room + have, READ_BYTES);
        end = moor_tls_stream_ended(s->tls);
        if (got == 0 && !end)
            return;
        take_frames(s, have + got, end);
        end = end || s->left.failed;
    }
    close_socket(s);
}

/* Whether one more of this address is too many. */
static bool too_many(const struct moor_intake *in, const char *address)
{
    size_t same = 0;
    for (const struct socket *s = in->sockets; s; s = s->next)
        same += s->connection && moor_streq(s->address, address);
    return in->connections >= CONNECTIONS_MAX || same >= FROM_ONE_MAX;
}

/* Takes the descriptor over. */
static struct socket *add_connection(struct moor_intake *in, int fd, bool tls,
                                     struct moor_error *err)
{
    if (!tls)
        return add_socket(in, fd, on_bytes, err);
    struct socket *s = calloc(1, sizeof(*s));
    if (!s) {
        plat_net_close(fd);
        (void)!moor_fail(err, MOOR_E_NOMEM, "syslog: out of memory");
        return NULL;
    }
    *s = (struct socket){ .owner = in, .fd = -1, .next = in->sockets };
    s->left.max = ROOM_BYTES;
    in->sockets = s;
    if (moor_tls_stream_new(in->loop, in->tls, fd, on_tls_bytes, s, &s->tls, err) == MOOR_OK)
        return s;
    close_socket(s);
    return NULL;
}

static void accept_one(struct socket *listener, bool tls)
{
    struct moor_intake *in = listener->owner;
    struct moor_error e = MOOR_ERROR_INIT;
    struct plat_peer peer;
    int fd = -1;
    if (plat_accept(listener->fd, &fd, &peer, &e) != MOOR_OK)
        return;
    if (too_many(in, peer.address)) {
        if (!in->turned_away)
            moor_log(MOOR_LOG_WARNING, "logs.syslog_connection_refused", "address", peer.address,
                     NULL);
        in->turned_away = true;
        plat_net_close(fd);
        return;
    }
    struct socket *s = add_connection(in, fd, tls, &e);
    if (!s)
        return;
    s->connection = true;
    in->connections++;
    memcpy(s->address, peer.address, sizeof(s->address));
    if (in->paused)
        pause_connections(in, true);
}

static void on_connection(void *ctx)
{
    accept_one(ctx, false);
}

static void on_tls_connection(void *ctx)
{
    accept_one(ctx, true);
}

/* "ADDRESS:PORT" */
static moor_code split_address(const char *text, char address[64], uint16_t *port,
                               struct moor_error *err)
{
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    uint64_t number = 0;
    bool bracketed = n > 2 && text[0] == '[' && text[n - 1] == ']';
    if (bracketed) {
        text++;
        n -= 2;
    }
    if (n == 0 || n >= 64)
        return moor_fail(err, MOOR_E_BADINPUT, "want ADDRESS:PORT");
    moor_code c = moor_parse_u64(moor_span_str(colon + 1), 0, UINT16_MAX, &number, err);
    memcpy(address, text, n);
    address[n] = '\0';
    *port = (uint16_t)number;
    return c;
}

static moor_code open_unix(const char *path, int *fd, uint16_t *port, struct moor_error *err)
{
    *port = 0;
    return plat_bind_unix(path, SOCKET_MODE, fd, err);
}

static moor_code open_udp(const char *text, int *fd, uint16_t *port, struct moor_error *err)
{
    char address[64];
    moor_code c = split_address(text, address, port, err);
    return c == MOOR_OK ? plat_bind_udp(address, *port, fd, port, err) : c;
}

static moor_code open_tcp(const char *text, int *fd, uint16_t *port, struct moor_error *err)
{
    char address[64];
    moor_code c = split_address(text, address, port, err);
    return c == MOOR_OK ? plat_listen_tcp(address, *port, BACKLOG, fd, port, err) : c;
}

static moor_code open_one(struct moor_intake *in, const char *from, struct moor_error *err)
{
    static const struct {
        const char *prefix;
        moor_code (*open)(const char *rest, int *fd, uint16_t *port, struct moor_error *err);
        void (*readable)(void *);
    } kinds[] = { { "unix:", open_unix, on_datagrams },
                  { "udp:", open_udp, on_datagrams },
                  { "tcp:", open_tcp, on_connection },
                  { "tls:", open_tcp, on_tls_connection } };
    for (size_t i = 0; i < MOOR_COUNTOF(kinds); i++) {
        size_t n = strlen(kinds[i].prefix);
        int fd = -1;
        uint16_t port = 0;
        char number[8];
        if (strncmp(from, kinds[i].prefix, n) != 0)
            continue;
        if (kinds[i].readable == on_tls_connection && !in->tls)
            return moor_fail(err, MOOR_E_BADINPUT,
                             "want logs.syslogCertificate and logs.syslogKey");
        moor_code c = kinds[i].open(from + n, &fd, &port, err);
        if (c != MOOR_OK)
            return c;
        if (!add_socket(in, fd, kinds[i].readable, err))
            return MOOR_E_NOMEM;
        (void)snprintf(number, sizeof(number), "%" PRIu16, port);
        moor_log(MOOR_LOG_INFO, "logs.syslog_listens", "at", from, "port", number, NULL);
        return MOOR_OK;
    }
    return moor_fail(err, MOOR_E_BADINPUT, "want journal, unix:, udp:, tcp: or tls:");
}

void moor_intake_reload(struct moor_intake *in, const struct moor_http_tls *tls)
{
    struct moor_error e = MOOR_ERROR_INIT;
    if (!tls)
        return;
    moor_code c =
        in->tls ? moor_server_tls_load(in->tls, tls, &e) : moor_server_tls_new(tls, &in->tls, &e);
    if (c != MOOR_OK)
        moor_log_error(MOOR_LOG_ERROR, "logs.syslog_certificate_refused", &e, NULL);
}

moor_code moor_intake_new(struct moor_loop *l, const struct moor_str_list *from,
                          const struct moor_http_tls *tls, const struct moor_intake_to *to,
                          struct moor_intake **out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_intake) in = calloc(1, sizeof(*in));
    if (in)
        in->room = malloc(ROOM_BYTES);
    if (!in || !in->room)
        return moor_fail(err, MOOR_E_NOMEM, "syslog: out of memory");
    in->loop = l;
    in->to = *to;
    moor_intake_reload(in, tls);
    for (size_t i = 0; i < from->count; i++) {
        struct moor_error e = MOOR_ERROR_INIT;
        if (!moor_streq(from->items[i], "journal") && open_one(in, from->items[i], &e) != MOOR_OK)
            moor_log_error(MOOR_LOG_ERROR, "logs.syslog_refused", &e, "setting", from->items[i],
                           NULL);
    }
    *out = MOOR_TAKE(in);
    return MOOR_OK;
}

void moor_intake_free(struct moor_intake *in)
{
    if (!in)
        return;
    while (in->sockets)
        close_socket(in->sockets);
    moor_server_tls_free(in->tls);
    free(in->room);
    free(in);
}

void moor_intake_resume(struct moor_intake *in)
{
    if (in->paused && !in->to.is_full(in->to.ctx))
        pause_connections(in, false);
}
