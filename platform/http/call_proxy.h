/* SPDX-License-Identifier: Apache-2.0 */
/* call_proxy.h: a proxy as libcurl is told of it, and its failures in words. Private to http/. */
#ifndef MOOR_HTTP_CALL_PROXY_H
#define MOOR_HTTP_CALL_PROXY_H

#include <curl/curl.h>

#include "base/error.h"
#include "http/proxy.h"

/* moor_proxy_applies() for a parsed URL. */
bool moor_call_proxy_applies(CURLU *u, const struct moor_proxy *p);

/* p NULL: the connection is direct, whatever the environment says. */
bool moor_call_proxy_set(CURL *easy, const struct moor_proxy *p);

/* For libcurl's callback with an SSL_CTX of a connection that goes through p, which is called for
 * the proxy's own TLS too: adds p's CA, and tightens (http/call_tls.h) for the peer it is: the
 * proxy, or host. *to_proxy says which. */
bool moor_call_proxy_tls(void *ssl_ctx, const struct moor_proxy *p, const char *host,
                         bool *to_proxy);

/* After a transfer through p that failed with result, which is code to callers: says so in the
 * proxy's name when it was the proxy's failure, or may have been. False: it was not. */
bool moor_call_proxy_failed(CURL *easy, CURLcode result, moor_code code, const struct moor_proxy *p,
                            const char *peer, const char *text, struct moor_error *err);

/* "proxy http://p:3128 (proxy.url): refuses the user name and password (407)" */
MOOR_NODISCARD moor_code moor_call_proxy_unauthorized(const struct moor_proxy *p, const char *peer,
                                                      struct moor_error *err);

#endif
