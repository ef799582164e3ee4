/* SPDX-License-Identifier: Apache-2.0 */
/*
 * himds.h: the local endpoint that Azure's SDKs look for: tokens behind a 401 challenge, instance
 * metadata, agent status. docs/protocol/himds.md is the field-by-field truth. Loop thread.
 */
#ifndef MOOR_IDENTITY_HIMDS_H
#define MOOR_IDENTITY_HIMDS_H

#include <stdint.h>

#include "base/error.h"
#include "http/server.h"
#include "identity/identity.h"

#define MOOR_HIMDS_PORT 40342

struct moor_himds;
struct moor_himds_opts {
    struct moor_loop *loop;
    struct moor_identity *identity;
    const char *tokens_folder; /* of the challenge files */
    const char *log_folder;    /* of tokens.log */
    const char *socket;        /* a Unix socket to serve as well; NULL = none */
    uint16_t port;             /* 0 = any */
};

/* An address that somebody else holds is no error here: see moor_himds_problem(). */
MOOR_NODISCARD moor_code moor_himds_new(const struct moor_himds_opts *opts, struct moor_himds **out,
                                        struct moor_error *err);
uint16_t moor_himds_port(const struct moor_himds *h);
const char *moor_himds_problem(const struct moor_himds *h); /* moor_ports_problem() */
/* Stops accepting; done when those who wait have their answer. */
void moor_himds_drain(struct moor_himds *h, void (*done)(void *ctx), void *ctx);
void moor_himds_free(struct moor_himds *h);
MOOR_DEFINE_AUTOPTR(moor_himds)

/* Whether this audience is the agent's own: also with slashes behind it, other case, or a path. */
bool moor_himds_reserved(const char *resource, const char *service_audience);

/* Every route of the endpoint; tests walk them, too. */
extern const struct moor_http_route moor_himds_routes[];
extern const size_t moor_himds_route_count;

#endif
