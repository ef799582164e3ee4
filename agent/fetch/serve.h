/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve.h: the fetch role: HTTPS requests for the process that has no network, asked for over one
 * socket pair (docs/protocol/fetch.md). It keeps nothing, opens no file but the CA, and writes to
 * no descriptor but those that came with a request. Loop thread.
 */
#ifndef MOOR_FETCH_SERVE_H
#define MOOR_FETCH_SERVE_H

#include "base/attr.h"
#include "base/error.h"
#include "http/client.h"

struct moor_loop;
struct plat_file;
struct moor_fetch;

#define MOOR_FETCH_IDLE_MS (45 * 1000)

struct moor_fetch_opts {
    uint64_t idle_ms; /* without a request; 0 = MOOR_FETCH_IDLE_MS */
    /* Runs once: the parent is gone, broke a rule (err says so), or nothing was asked for long.
     * Does not free the role: it is still on the stack. */
    void (*on_end)(void *ctx, const struct moor_error *err);
    void *ctx;
    /* What speaks HTTP once the parent's settings came; NULL = the real client. For tests. */
    struct moor_http_transport *transport;
};

/* Takes the socket over. */
MOOR_NODISCARD moor_code moor_fetch_new(struct moor_loop *l, struct plat_file *socket,
                                        const struct moor_fetch_opts *opts, struct moor_fetch **out,
                                        struct moor_error *err);
void moor_fetch_free(struct moor_fetch *f);
MOOR_DEFINE_AUTOPTR(moor_fetch)

#endif
