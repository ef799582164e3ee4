/* SPDX-License-Identifier: Apache-2.0 */
/* call_tls.h: what libcurl has no option for. Private to http/call.c. */
#ifndef MOOR_HTTP_CALL_TLS_H
#define MOOR_HTTP_CALL_TLS_H

#include <stdbool.h>

/* Tightens the SSL_CTX of one connection: host (a name or a numeric address, IPv6 in brackets)
 * must be among the certificate's alternative names, its common name does not count; record
 * buffers are released between records; without forward secrecy or authenticated encryption
 * nothing is offered. host may be NULL: only the latter. */
bool moor_call_tls_tighten(void *ssl_ctx, const char *host);

#endif
