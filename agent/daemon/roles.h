/* SPDX-License-Identifier: Apache-2.0 */
/* roles.h: the roles this executable has. */
#ifndef MOOR_DAEMON_ROLES_H
#define MOOR_DAEMON_ROLES_H

#include "daemon/role.h"

const struct moor_role *const *moor_roles_all(size_t *count);

#endif
