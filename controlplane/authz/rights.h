/* SPDX-License-Identifier: Apache-2.0 */
/* rights.h: the pure part of authorisation. */
#ifndef MOOR_AUTHZ_RIGHTS_H
#define MOOR_AUTHZ_RIGHTS_H

#include <stdbool.h>

#include "store/principals.h"

/* Whether scope is at or above path, segment by segment, without regard to case; "/" is above
 * everything. */
bool moor_scope_covers(const char *scope, const char *path);

bool moor_rights_allow(const struct moor_role_assignments *assignments, const char *action,
                       const char *path, bool data);

#endif
