/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h: HTTP requests from the loop, on libcurl's multi interface.
 *
 * TLS 1.2 and later, the peer always verified. No redirect is followed unless asked for, and then
 * only to https. Names are looked up off the loop. One client holds one connection cache: use one
 * per set of trust and proxy settings.
 */
#ifndef MOOR_HTTP_CLIENT_H
#define MOOR_HTTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/span.h"
#include "http/proxy.h"
#include "http/transport.h"

struct moor_loop;
struct moor_http_client;

struct moor_http_client_opts {
    const char *ca_file;            /* PEM; replaces the system store; NULL = system store */
    const struct moor_proxy *proxy; /* copied; NULL = none; the environment is not read */
    const char *user_agent;         /* NULL = "mooring/VERSION" */
    unsigned connections_max;       /* per host, 0 = 4 */
};

MOOR_NODISCARD moor_code moor_http_client_new(struct moor_loop *l,
                                              const struct moor_http_client_opts *opts,
                                              struct moor_http_client **out,
                                              struct moor_error *err);
/* Cancels everything in flight; no completion runs afterwards. */
void moor_http_client_free(struct moor_http_client *c);
MOOR_DEFINE_AUTOPTR(moor_http_client)

/* The client as a transport; lives as long as the client. */
struct moor_http_transport *moor_http_client_transport(struct moor_http_client *c);

#endif
