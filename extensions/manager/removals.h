/* SPDX-License-Identifier: Apache-2.0 */
/*
 * removals.h: extensions that this machine's administrator wants gone, whatever the service wants
 * (requests.h). Until the extension is gone the document of the service is read as if it said so;
 * afterwards it holds again, and what it still names is installed again. Works without a
 * connection. Blocking, small.
 */
#ifndef MOOR_MANAGER_REMOVALS_H
#define MOOR_MANAGER_REMOVALS_H

#include "base/arena.h"
#include "base/error.h"
#include "core/desired.h"
#include "manager/item.h"

/* Changes the document: items that are asked to go are in it, to be uninstalled. */
MOOR_NODISCARD moor_code moor_removals_apply(struct moor_desired *d, const struct moor_items *items,
                                             struct moor_arena *arena, struct moor_error *err);

/* Whether anything that is on this machine is asked to go. */
bool moor_removals_any(const struct moor_items *items);

/* Drops the requests of items that are gone; true when there was one: the document is to be taken
 * again. */
bool moor_removals_settle(const struct moor_items *items);

#endif
