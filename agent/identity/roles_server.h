/* SPDX-License-Identifier: Apache-2.0 */
/* roles_server.h: <RUN>/roles.sock: tokens and news for the other roles. docs/protocol/roles.md;
 * the other end is core/roles.h. Loop thread. */
#ifndef MOOR_IDENTITY_ROLES_SERVER_H
#define MOOR_IDENTITY_ROLES_SERVER_H

#include "base/error.h"
#include "http/server.h"
#include "identity/identity.h"

struct moor_roles_server;
MOOR_NODISCARD moor_code moor_roles_server_new(struct moor_loop *l, struct moor_identity *i,
                                               struct moor_roles_server **out,
                                               struct moor_error *err);
void moor_roles_server_free(struct moor_roles_server *s);
MOOR_DEFINE_AUTOPTR(moor_roles_server)

/* Looks at the identity; who waits is told if there is news. */
void moor_roles_server_changed(struct moor_roles_server *s);

/* Every route of roles.sock; tests walk them, too. */
extern const struct moor_http_route moor_roles_routes[];
extern const size_t moor_roles_route_count;

#endif
