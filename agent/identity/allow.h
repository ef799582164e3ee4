/* SPDX-License-Identifier: Apache-2.0 */
/*
 * allow.h: the setting identity.audiences: which local user may have tokens for which audience.
 * Rules are "user:NAME AUDIENCE" and "group:NAME AUDIENCE"; a number may stand for a name, "*" for
 * any audience. Pure but for names, which the system's user database is asked for.
 */
#ifndef MOOR_IDENTITY_ALLOW_H
#define MOOR_IDENTITY_ALLOW_H

#include <stdbool.h>

#include "base/jsontab.h"
#include "platform/caller.h"

/* Without rules everybody may; with rules root, and whoever one of them names. A caller nobody
 * knows may nothing then. Audiences are compared without regard to case and a slash at the end. */
bool moor_allow_audience(const struct moor_str_list *rules, const struct plat_caller *who,
                         const char *audience);

#endif
