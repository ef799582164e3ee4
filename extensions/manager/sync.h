/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sync.h: the manager's conversation with the service: what is wanted comes in, what is goes out.
 *
 * Hints of the identity role say when to ask; a lost one costs minutes, never truth. One call is
 * under way at a time: discovery, settings certificate, desired state, report, in this order of
 * need. A failure backs off and is told to the owner once per change. Loop thread.
 */
#ifndef MOOR_MANAGER_SYNC_H
#define MOOR_MANAGER_SYNC_H

#include "base/error.h"
#include "base/secret.h"
#include "base/span.h"
#include "core/agentconfig.h"
#include "core/cloud.h"
#include "http/transport.h"

struct moor_loop;
struct moor_roles;
struct moor_sync;

struct moor_sync_opts {
    struct moor_http_transport *transport;
    struct moor_roles *roles;
    const struct moor_agentconfig *config; /* these four must outlive the sync */
    const struct moor_cloud *cloud;
    const char *revision;           /* of the document the owner has; "" = none */
    struct moor_span settings_cert; /* DER */
    /* A new document. The owner keeps it before it returns MOOR_OK; else it is asked for again. */
    moor_code (*on_desired)(void *ctx, struct moor_span text, struct moor_error *err);
    /* The service answered, so that there is a token: downloads may begin. */
    void (*on_ready)(void *ctx);
    /* Whether that document says that the service has another settings certificate, or none. */
    bool (*wants_certificate)(void *ctx);
    /* Appends the report that is due; returns false when nothing is, unless all is forced: then the
     * service asked for a full one. hash: 65 bytes. */
    bool (*make_report)(void *ctx, bool forced, struct moor_buf *body, char *hash);
    /* The service has the report with this hash. */
    void (*on_reported)(void *ctx, const char *hash);
    void *ctx;
};
MOOR_NODISCARD moor_code moor_sync_new(struct moor_loop *l, const struct moor_sync_opts *opts,
                                       struct moor_sync **out, struct moor_error *err);
void moor_sync_free(struct moor_sync *s);
MOOR_DEFINE_AUTOPTR(moor_sync)

/* Something is to be reported. */
void moor_sync_report(struct moor_sync *s);

/* The token of the last call, for package downloads from the registered origin; may be empty. */
const struct moor_secret *moor_sync_token(const struct moor_sync *s);

#endif
