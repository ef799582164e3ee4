/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.h: what stands at the other end of a URL, before it is trusted: how far a connection gets,
 * in which time, which TLS version, and the certificates that are offered. Nothing is sent behind
 * the handshake, and nothing that is learned here makes a server trusted: that is the client's
 * work with a CA the administrator chose.
 */
#ifndef MOOR_HTTP_PROBE_H
#define MOOR_HTTP_PROBE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/jsontab.h"
#include "http/proxy.h"

typedef enum moor_probe_reach {
    MOOR_PROBE_NOWHERE, /* the name was not found, or the proxy does not connect */
    MOOR_PROBE_NAMED,   /* found, but nothing accepts connections */
    MOOR_PROBE_TCP,     /* accepted, but there is no TLS */
    MOOR_PROBE_TLS      /* handshake done */
} moor_probe_reach;

struct moor_probe {
    moor_probe_reach reach;
    const char *why;          /* of the failure; "" with MOOR_PROBE_TLS */
    bool proxied;             /* it went through the proxy */
    const char *address;      /* numeric, the proxy's if proxied; "" unless connected */
    const char *tls_version;  /* "TLSv1.3"; "" unless reach is MOOR_PROBE_TLS */
    struct moor_str_list pem; /* offered chain, leaf first */
    uint32_t name_ms, tcp_ms, tls_ms;
};

/* Blocks up to timeout_ms: for the command line. proxy NULL = none; its own certificate is
 * verified, since it may be sent a password. Strings land in the arena. An unreachable server is a
 * result, not an error; a URL that is none is BADINPUT; PROXY when
 * nobody knows which proxy is meant. */
MOOR_NODISCARD moor_code moor_probe_run(const char *url, const struct moor_proxy *proxy,
                                        uint64_t timeout_ms, struct moor_probe *out,
                                        struct moor_arena *arena, struct moor_error *err);

#endif
