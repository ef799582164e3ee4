/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.h: whether this machine reaches what its cloud consists of: name, connection, TLS, the
 * chain, an HTTP answer, and how far the clocks are apart. For people and their scripts; nothing
 * is changed and nobody signs in.
 */
#ifndef MOOR_CONNECT_CHECK_H
#define MOOR_CONNECT_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "core/cloud.h"
#include "http/probe.h"

struct moor_settings;

struct moor_endpoint_check {
    const char *name; /* "resourceManager", "his", ... */
    const char *url;
    struct moor_probe probe;
    bool private_address; /* it is in a private, loopback or link-local range */
    bool trusted;         /* an HTTP answer came over a verified connection */
    int http_status;      /* 0 = none */
    const char *error;    /* "" when reachable */
    bool has_skew;
    int64_t skew_ms;       /* this machine's clock minus the server's, from the Date header */
    const char *tls;       /* "TLSv1.3", or "unknown" */
    const char *proxy;     /* "set", "bypassed" or "not used" */
    const char *proxy_url; /* the one it went through; NULL = none */
    bool intercepted;      /* what was offered bears the name of the proxy's CA (proxy.caFile) */
};

#define MOOR_CHECKS_MAX 8

struct moor_check {
    struct moor_endpoint_check items[MOOR_CHECKS_MAX];
    size_t count;
    bool all_reachable;
};

/* location NULL = not said. Unreachable endpoints are results, not errors. */
MOOR_NODISCARD moor_code moor_check_cloud(const struct moor_cloud *cloud, const char *location,
                                          const struct moor_settings *settings,
                                          struct moor_check *out, struct moor_arena *arena,
                                          struct moor_error *err);

/* Pure: a numeric address out of RFC 1918, 4193, 6598, loopback or link-local. */
bool moor_address_is_private(const char *address);

#endif
