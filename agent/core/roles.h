/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roles.h: how the other roles ask the identity role: tokens, "something changed", and the hashes
 * the next heartbeat carries. HTTP on <RUN>/roles.sock, over any transport that speaks to Unix
 * sockets. The answer is believed for the token only. Loop thread.
 *
 * Each call returns a moor_http_call for moor_http_cancel() and completes once.
 */
#ifndef MOOR_CORE_ROLES_H
#define MOOR_CORE_ROLES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/secret.h"
#include "http/transport.h"

struct moor_roles; /* holds the socket's path, a transport and completions in flight */

/* socket_path NULL: <RUN>/roles.sock. The transport must outlive it. */
MOOR_NODISCARD moor_code moor_roles_new(struct moor_http_transport *t, const char *socket_path,
                                        struct moor_roles **out, struct moor_error *err);
/* Cancels what is in flight: no completion runs afterwards. */
void moor_roles_free(struct moor_roles *r);
MOOR_DEFINE_AUTOPTR(moor_roles)

/* token is the caller's to move out of; expires_ms is wall clock. On failure token is NULL. */
typedef void (*moor_roles_token_fn)(void *ctx, struct moor_secret *token, int64_t expires_ms,
                                    const struct moor_error *err);
MOOR_NODISCARD moor_code moor_roles_token(struct moor_roles *r, const char *audience,
                                          moor_roles_token_fn done, void *ctx,
                                          struct moor_error *err);

struct moor_roles_state {
    const char *state;    /* opaque: give it back as `after` */
    const char *revision; /* of the desired state, as the last heartbeat or wait said; "" */
    bool report_wanted;   /* the service asks for a full report */
    bool connected;
};
typedef void (*moor_roles_state_fn)(void *ctx, const struct moor_roles_state *s,
                                    const struct moor_error *err);
/* Answers when the state differs from `after` ("" = at once), or unchanged after 15 min. */
MOOR_NODISCARD moor_code moor_roles_wait(struct moor_roles *r, const char *after,
                                         moor_roles_state_fn done, void *ctx,
                                         struct moor_error *err);

typedef void (*moor_roles_done_fn)(void *ctx, const struct moor_error *err);
MOOR_NODISCARD moor_code moor_roles_put_hashes(struct moor_roles *r, const char *settings_hash,
                                               const char *report_hash, moor_roles_done_fn done,
                                               void *ctx, struct moor_error *err);
/* The resource's tags, a JSON object of texts, for the instance metadata; NULL = {}. */
MOOR_NODISCARD moor_code moor_roles_put_tags(struct moor_roles *r, const char *tags,
                                             moor_roles_done_fn done, void *ctx,
                                             struct moor_error *err);

#endif
