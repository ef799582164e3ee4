/* SPDX-License-Identifier: Apache-2.0 */
/* admin.h: <SOCKS>/himds.sock, the CLI's channel: status for everybody, connect and disconnect for
 * the administrator. docs/protocol/roles.md. Loop thread. */
#ifndef MOOR_IDENTITY_ADMIN_H
#define MOOR_IDENTITY_ADMIN_H

#include "base/error.h"
#include "http/server.h"
#include "identity/identity.h"

struct moor_admin;
MOOR_NODISCARD moor_code moor_admin_new(struct moor_loop *l, struct moor_identity *i,
                                        struct moor_admin **out, struct moor_error *err);
void moor_admin_free(struct moor_admin *a);
MOOR_DEFINE_AUTOPTR(moor_admin)

/* Every route of himds.sock; those without a tag are the administrator's; tests walk them, too. */
extern const struct moor_http_route moor_admin_routes[];
extern const size_t moor_admin_route_count;

#endif
