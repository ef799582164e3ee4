/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.h: a small HTTP/1.1 server on the loop: loopback TCP, Unix socket, inherited socket, TLS.
 *
 * The border is strict: what RFC 9112 leaves to tolerance is refused with our error body and the
 * connection is closed. docs/adr/ says why; tests/blackbox/test_http_border.py sends the bytes.
 * The library behind it is known to server.c only.
 */
#ifndef MOOR_HTTP_SERVER_H
#define MOOR_HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/error.h"
#include "base/json.h"
#include "base/span.h"
#include "http/transport.h"
#include "platform/caller.h"
#include "platform/net.h"

struct moor_loop;
struct moor_http_server;
struct moor_http_exchange; /* one request and its answer */

struct moor_http_limits {
    size_t head_max;               /* bytes of request line and headers; 0 = 16 KiB */
    unsigned headers_max;          /* 0 = 64 */
    size_t body_max;               /* 0 = 64 KiB; a route may say less or more */
    uint64_t head_timeout_ms;      /* from accept, later from the first byte; 0 = 10 s */
    uint64_t body_timeout_ms;      /* from the end of the head; 0 = 30 s */
    uint64_t idle_timeout_ms;      /* kept-alive connection without a request; 0 = 120 s */
    unsigned connections_max;      /* in all; 0 = 1024 */
    unsigned connections_per_peer; /* per address (TCP) or user; 0 = 256 */
    unsigned spare_files;          /* descriptors left to the rest of the process; 0 = 8 */
};

struct moor_http_tls {
    const char *certificate_file; /* PEM, leaf first */
    const char *key_file;         /* PEM */
    const char *client_ca_file;   /* PEM: clients must have a certificate of it; NULL = need none */
};

typedef void (*moor_http_handler)(void *ctx, struct moor_http_exchange *ex);

enum {
    MOOR_ROUTE_ANY_METHOD = 1 << 0 /* the handler looks at the method itself */
};

/*
 * pattern: literal segments and {name} segments; a last {name...} takes the rest of the path.
 * Literals match without regard to case; empty segments and a trailing slash are ignored; the rest
 * may be empty. Routes are tried in order. A path that matches only with other methods is 405 with
 * Allow. A GET route serves HEAD too: the server leaves the body out.
 */
struct moor_http_route {
    const char *method;
    const char *pattern;
    moor_http_handler handler;
    size_t body_max; /* 0 = the server's */
    unsigned flags;
    const void *tag; /* for the handler: moor_http_tag() */
};

struct moor_http_server_opts {
    struct moor_http_limits limits;
    const struct moor_http_tls *tls; /* NULL = plain */
    const struct moor_http_route *routes;
    size_t route_count;
    void *ctx; /* first argument of handlers */
    /* The kernel is asked whose each connection is: moor_http_caller(). A known caller's
     * connections are counted by user, also over TCP. */
    bool callers;
    /* Sees the head of every well-formed request, before 404, 405 and the body; tag and params
     * are there when a route matches. Returns false when it has answered. */
    bool (*gate)(void *ctx, struct moor_http_exchange *ex);
    /* Every answer passes here before it is sent, refusals too: headers for all; access log. */
    void (*finish)(void *ctx, struct moor_http_exchange *ex);
    const char *code_header; /* static: a header with the code of moor_http_refuse(); NULL = none */
    /* Body of our own refusals; NULL = {"error":{"code":…,"message":…}}. */
    void (*refusal)(void *ctx, int status, const char *code, const char *message,
                    struct moor_buf *body);
};

/* Keeps copies of what opts points to, but routes and ctx, which must outlive the server. */
MOOR_NODISCARD moor_code moor_http_server_new(struct moor_loop *l,
                                              const struct moor_http_server_opts *opts,
                                              struct moor_http_server **out,
                                              struct moor_error *err);
/* Takes over a listening descriptor (plat_listen_tcp, plat_listen_unix, plat_service_socket); on
 * failure it is still the caller's. */
MOOR_NODISCARD moor_code moor_http_server_listen(struct moor_http_server *s, int fd,
                                                 struct moor_error *err);
/* Takes another certificate and key, from the same files or others, for connections from now on;
 * those that are open go on under theirs, and sessions are still resumed. On failure (a file that
 * cannot be read, a key that is not the certificate's) the former pair stays. BUG for a server
 * without TLS. Blocking: two small files. */
MOOR_NODISCARD moor_code moor_http_server_set_certificate(struct moor_http_server *s,
                                                          const struct moor_http_tls *tls,
                                                          struct moor_error *err);
/* Stops accepting; answers what is in flight; done() when nothing is left. */
void moor_http_server_drain(struct moor_http_server *s, void (*done)(void *ctx), void *ctx);
void moor_http_server_free(struct moor_http_server *s);
MOOR_DEFINE_AUTOPTR(moor_http_server)

/* The request. Pointers live as long as the exchange. */
const char *moor_http_method(const struct moor_http_exchange *ex);
const char *moor_http_target(const struct moor_http_exchange *ex); /* raw, as received */
const char *moor_http_path(const struct moor_http_exchange *ex);   /* decoded, one slash each */
const char *moor_http_header(const struct moor_http_exchange *ex, const char *name); /* or NULL */
unsigned moor_http_header_count(const struct moor_http_exchange *ex, const char *name);
const char *moor_http_query(const struct moor_http_exchange *ex, const char *name); /* decoded */
const char *moor_http_param(const struct moor_http_exchange *ex, const char *name); /* of {name} */
struct moor_span moor_http_body(const struct moor_http_exchange *ex);
const struct plat_peer *moor_http_peer(const struct moor_http_exchange *ex);
const struct plat_caller *moor_http_caller(const struct moor_http_exchange *ex); /* opts.callers */
bool moor_http_is_tls(const struct moor_http_exchange *ex);
const void *moor_http_tag(const struct moor_http_exchange *ex);
const char *moor_http_request_id(const struct moor_http_exchange *ex); /* a fresh UUID */
struct moor_arena *moor_http_arena(struct moor_http_exchange *ex);     /* freed with the exchange */
void moor_http_set_user(struct moor_http_exchange *ex,
                        void *user); /* one pointer for the layer above */
void *moor_http_user(const struct moor_http_exchange *ex);

/*
 * The answer, once, now or later. Until then the exchange stays; when the client leaves first,
 * on_gone runs and the exchange ends with its return: do not answer any more. Without on_gone the
 * exchange waits for its answer, which then goes nowhere. A client that closes only its sending
 * half while its answer is pending has left, too. moor_http_server_free() is everybody's leaving.
 * Over 16 KiB of further requests sent ahead of a pending answer are not served: the connection
 * ends with that answer. Control characters in header values become blanks.
 */
void moor_http_on_gone(struct moor_http_exchange *ex, void (*fn)(void *ctx), void *ctx);
void moor_http_reply_header(struct moor_http_exchange *ex, const char *name, const char *value);
void moor_http_reply(struct moor_http_exchange *ex, int status, const char *content_type,
                     struct moor_span body);
void moor_http_reply_json(struct moor_http_exchange *ex, int status, const struct moor_json *v);
/* Bytes length of file from offset (borrowed until sent; duplicated inside). */
void moor_http_reply_file(struct moor_http_exchange *ex, int status, const char *content_type,
                          const struct plat_file *file, uint64_t offset, uint64_t length);
/* Our error body by way of opts.refusal. */
void moor_http_refuse(struct moor_http_exchange *ex, int status, const char *code,
                      const char *message);
int moor_http_reply_status(const struct moor_http_exchange *ex); /* for finish() */

#endif
