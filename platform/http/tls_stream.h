/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_stream.h: the receiving side of a TLS connection that carries something else than HTTP. Loop
 * thread.
 *
 * Who does not finish the handshake within MOOR_TLS_HANDSHAKE_MS is let go. At most
 * MOOR_TLS_INPUT_MAX bytes wait to be taken: then the peer waits.
 */
#ifndef MOOR_HTTP_TLS_STREAM_H
#define MOOR_HTTP_TLS_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/error.h"
#include "http/server_tls.h"

#define MOOR_TLS_HANDSHAKE_MS 10000
#define MOOR_TLS_INPUT_MAX    ((size_t)16 * 1024)

struct moor_loop;
struct moor_tls_stream;

/* Takes the accepted descriptor over, also on failure. readable(ctx) runs when there are bytes, or
 * none will come any more; it may free the stream. */
MOOR_NODISCARD moor_code moor_tls_stream_new(struct moor_loop *l, struct moor_server_tls *tls,
                                             int fd, void (*readable)(void *ctx), void *ctx,
                                             struct moor_tls_stream **out, struct moor_error *err);
void moor_tls_stream_free(struct moor_tls_stream *s);
MOOR_DEFINE_AUTOPTR(moor_tls_stream)

/* Up to n bytes that came; 0: none. */
size_t moor_tls_stream_read(struct moor_tls_stream *s, void *p, size_t n);
/* No more bytes will come, once those that did are read: the peer ended, or failed. */
bool moor_tls_stream_ended(const struct moor_tls_stream *s);
/* Reads nothing, so that the peer waits. */
void moor_tls_stream_pause(struct moor_tls_stream *s, bool paused);

#endif
