/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server_tls.h: the TLS side of the server: TLS 1.2 and 1.3 with forward secrecy, session tickets
 * under keys that live a day, no early data, no renegotiation.
 */
#ifndef MOOR_HTTP_SERVER_TLS_H
#define MOOR_HTTP_SERVER_TLS_H

#include "base/attr.h"
#include "base/error.h"
#include "http/server.h"

struct moor_server_tls;
struct bufferevent;
struct event_base;

MOOR_NODISCARD moor_code moor_server_tls_new(const struct moor_http_tls *files,
                                             struct moor_server_tls **out, struct moor_error *err);
void moor_server_tls_free(struct moor_server_tls *t);
MOOR_DEFINE_AUTOPTR(moor_server_tls)

/* Reads certificate and key anew, for connections from now on; ticket keys stay. On failure the
 * former pair stays. */
MOOR_NODISCARD moor_code moor_server_tls_load(struct moor_server_tls *t,
                                              const struct moor_http_tls *files,
                                              struct moor_error *err);

/* A connection that shakes hands on fd; NULL when out of memory. fd is taken either way. */
struct bufferevent *moor_server_tls_accept(struct moor_server_tls *t, struct event_base *base,
                                           int fd);
/* Says goodbye; does not wait. For connections that moor_server_tls_accept() made. */
void moor_server_tls_close_notify(struct bufferevent *bev);

#endif
