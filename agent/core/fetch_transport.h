/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch_transport.h: a moor_http_transport for the process that has no network: when the
 * first request comes it connects to <RUN>/fetch.sock, whose service manager starts `mooringd
 * fetch`, or where nobody made that socket starts it as a child with a socket pair; speaks
 * docs/protocol/fetch.md with it, and starts it again after it went away. The fetch role ends
 * itself when idle. If it dies, calls in flight complete with TRANSIENT. Requests with unix_socket
 * are refused: they need no network and go through http/client.h. Only https. Loop thread.
 *
 * The fetch role is not trusted: digests, signatures and documents are checked by the caller.
 */
#ifndef MOOR_CORE_FETCH_TRANSPORT_H
#define MOOR_CORE_FETCH_TRANSPORT_H

#include "base/attr.h"
#include "base/error.h"
#include "http/proxy.h"
#include "http/transport.h"

struct moor_loop;
struct moor_fetch_transport;

struct moor_fetch_transport_opts {
    const char *program;            /* absolute path of mooringd */
    const char *ca_file;            /* PEM that replaces the system store; NULL = system store */
    const struct moor_proxy *proxy; /* NULL = none */
};

/* Copies what opts points to. */
MOOR_NODISCARD moor_code moor_fetch_transport_new(struct moor_loop *l,
                                                  const struct moor_fetch_transport_opts *opts,
                                                  struct moor_fetch_transport **out,
                                                  struct moor_error *err);
/* Another proxy for requests from now on; those in flight complete with TRANSIENT, later, on the
 * loop. On failure the former stays. */
MOOR_NODISCARD moor_code moor_fetch_transport_set_proxy(struct moor_fetch_transport *t,
                                                        const struct moor_proxy *proxy,
                                                        struct moor_error *err);
/* Cancels everything in flight and ends the child. */
void moor_fetch_transport_free(struct moor_fetch_transport *t);
MOOR_DEFINE_AUTOPTR(moor_fetch_transport)

struct moor_http_transport *moor_fetch_transport_http(struct moor_fetch_transport *t);

#endif
