/* SPDX-License-Identifier: Apache-2.0 */
/* door.h: what the two Unix-socket servers have in common: who may ask, and how errors are said. */
#ifndef MOOR_IDENTITY_DOOR_H
#define MOOR_IDENTITY_DOOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "http/server.h"

/* root, or under MOORING_ROOT the user this daemon runs as. */
bool moor_door_is_admin(const struct moor_http_exchange *ex);

/* ARM's error shape; code is moor_code_name(), and what the service said is in innererror:
 * docs/protocol/roles.md. */
void moor_door_refuse(struct moor_http_exchange *ex, const struct moor_error *err);

/* The socket the service manager holds under this name, else a new one at path; none when path is
 * NULL. */
MOOR_NODISCARD moor_code moor_door_listen(struct moor_http_server *s, const char *service_name,
                                          const char *path, uint32_t mode, struct moor_error *err);

#endif
