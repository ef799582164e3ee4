/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/roles.h"

#include "base/attr.h"

/* The owner of a role adds its row, and its file to CMakeLists.txt. */
static const struct moor_role *const roles[] = {
    &moor_role_identity, &moor_role_extensions, &moor_role_fetch,
    &moor_role_logs,     &moor_role_command,
};

const struct moor_role *const *moor_roles_all(size_t *count)
{
    *count = MOOR_COUNTOF(roles);
    return roles;
}
