/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server_internal.h: what server.c (listeners and their limits), connection.c (bytes in and out,
 * deadlines) and exchange.c (requests and answers as handlers see them) share.
 *
 * A connection is in one of the states below; at most one exchange exists at a time, from the
 * first byte of a request to the last byte of its answer. Answering only fills the output; every
 * step to the next state happens in a callback of the loop, so that no handler runs inside
 * another one and an exchange outlives the handler that answered it.
 */
#ifndef MOOR_HTTP_SERVER_INTERNAL_H
#define MOOR_HTTP_SERVER_INTERNAL_H

#include "base/buf.h"
#include "http/chunked.h"
#include "http/peers.h"
#include "http/request_head.h"
#include "http/router.h"
#include "http/server.h"
#include "http/server_tls.h"
#include "http/target.h"
#include "platform/file.h"

struct bufferevent;
struct moor_timer;

typedef enum moor_conn_state {
    MOOR_CONN_NEW,     /* no byte of a request yet */
    MOOR_CONN_IDLE,    /* kept alive between two requests */
    MOOR_CONN_HEAD,    /* reading */
    MOOR_CONN_BODY,    /* reading */
    MOOR_CONN_PENDING, /* a handler will answer */
    MOOR_CONN_SENDING, /* the answer is on its way */
    MOOR_CONN_LINGER,  /* answered for good; what still comes in is thrown away */
    MOOR_CONN_GONE,    /* closed by the client; a handler still holds the exchange */
} moor_conn_state;

struct moor_conn {
    struct moor_http_server *server;
    struct moor_conn *prev, *next; /* in one of the server's lists */
    struct moor_conn_list *list;
    struct bufferevent *bev; /* NULL when GONE */
    struct moor_timer *timer;
    struct moor_http_exchange *ex;
    struct moor_peer_count *counted;
    struct plat_peer peer;
    struct plat_caller caller;
    int fd;
    moor_conn_state state;
    bool eof;         /* the client will send nothing more */
    bool close_after; /* this answer is the last one */
    bool overrun;     /* so much was sent ahead that it is thrown away */
};

struct moor_conn_list {
    struct moor_conn *head, *tail;
};

struct moor_http_exchange {
    struct moor_conn *conn;
    struct moor_request_head head;
    struct moor_target target;
    struct moor_arena arena;
    struct moor_buf body;
    struct moor_chunked chunked;
    bool body_read; /* to its end: the next request starts behind it */
    struct moor_route_match match;
    void (*on_gone)(void *ctx);
    void *on_gone_ctx;
    void *user;
    struct moor_buf headers; /* of the answer, as they are sent */
    struct plat_file file;   /* body of the answer when it is a file */
    uint64_t file_at, file_left;
    int status; /* of the answer; 0 until there is one */
    char request_id[37];
};

struct moor_http_server {
    struct moor_loop *loop;
    struct moor_http_server_opts opts;
    struct moor_server_tls *tls;
    struct moor_listener *listeners;
    struct moor_timer *retry_accept;
    struct moor_peers peers;
    struct moor_conn_list busy, idle; /* idle: oldest first */
    unsigned conn_count;
    bool paused;
    bool draining;
    void (*drained)(void *ctx);
    void *drained_ctx;
};

/* server.c */
void moor_conn_list_move(struct moor_conn *c, struct moor_conn_list *to); /* to may be NULL */
void moor_server_conn_ended(struct moor_http_server *s); /* one less: accept again, or drained */
void moor_server_conn_idle(struct moor_http_server *s);  /* one that could give way to another */

/* connection.c; fd is taken. */
struct moor_conn_origin {
    struct plat_peer peer;
    struct plat_caller caller;
    struct moor_peer_count *counted;
};
void moor_conn_open(struct moor_http_server *s, int fd, const struct moor_conn_origin *from);
void moor_conn_free(struct moor_conn *c);
/* Queues the head of the answer and the body that is in memory; both are empty afterwards. What
 * ex->file_left says follows from the file. */
void moor_conn_send(struct moor_conn *c, struct moor_buf *head, struct moor_buf *body);

/* exchange.c */
struct moor_http_exchange *moor_exchange_new(struct moor_conn *c);
void moor_exchange_free(struct moor_http_exchange *ex);
void moor_exchange_refuse(struct moor_http_exchange *ex, moor_refusal why);

#endif
