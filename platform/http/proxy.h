/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy.h: which connections go through a proxy, which one, and what is said to it. One decision
 * for every outgoing path: moor_proxy_applies(). Where the values come from is the caller's
 * matter; the environment is not read here.
 *
 * bypass is a list separated by commas or blanks. An entry is
 *   *                      everything
 *   name.example           this host and all below it; a numeric address is compared as such
 *   .name.example          only what is below it; *.name.example is the same
 *   10.0.0.0/8, fd00::/8   addresses, when the URL has a numeric one
 * and, but for the last, may end in :port ("[::1]:443"). Case is ignored. What cannot be understood
 * matches nothing.
 */
#ifndef MOOR_HTTP_PROXY_H
#define MOOR_HTTP_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/span.h"

struct moor_proxy {
    char *url;           /* "http://host[:port]" or "https://...", no user name; NULL = no proxy */
    char *bypass;        /* see above; NULL = nothing */
    bool direct_to_self; /* loopback addresses and "localhost" are reached without it */
    char *ca_file; /* PEM, besides the client's own trust: for the proxy's certificate, and for
                      those it makes up when it intercepts; NULL = none */
    struct moor_secret credentials; /* "user:password" (Basic); empty = none */
    char *problem;       /* why there are no credentials, for errors; NULL = none given */
    char *refusal;       /* why nothing may be sent at all: which proxy is meant is not known */
    const char *setting; /* static: what made it the proxy, for errors: "proxy.url" */
};

#define MOOR_PROXY_INIT                                                                            \
    {                                                                                              \
        .url = NULL                                                                                \
    }

void moor_proxy_drop(struct moor_proxy *p); /* idempotent */
MOOR_DEFINE_AUTO(moor_proxy)

/* Adds a copy to out, which must be empty; on failure it is empty again. in NULL: no proxy. */
MOOR_NODISCARD moor_code moor_proxy_copy(const struct moor_proxy *in, struct moor_proxy *out,
                                         struct moor_error *err);

/* Moves p; from is empty afterwards, and what to held is dropped. */
void moor_proxy_move(struct moor_proxy *to, struct moor_proxy *from);

/* Whether nothing but the problem's text tells them apart. */
bool moor_proxy_same(const struct moor_proxy *a, const struct moor_proxy *b);

/* Pure: whether a connection to host and port goes through p. host is a name or an address, IPv6
 * with or without brackets; p may be NULL. */
bool moor_proxy_applies(const struct moor_proxy *p, struct moor_span host, uint16_t port);

/* Pure: whether an entry of a bypass list can be understood. */
bool moor_proxy_entry_valid(struct moor_span entry);

#endif
