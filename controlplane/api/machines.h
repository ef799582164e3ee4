/* SPDX-License-Identifier: Apache-2.0 */
/* machines.h: machines and their extensions, as the other ARM routes need them. */
#ifndef MOOR_API_MACHINES_H
#define MOOR_API_MACHINES_H

#include "api/app.h"
#include "store/resources.h"

/* The machine with everything a GET shows; the caller has checked the right. */
struct moor_json *moor_machine_json(struct moor_call *c, const struct moor_resource *r,
                                    bool with_resources);

/* Removes the machine's rows, keys, principal, rights and extensions and its resource; open
 * operations are cancelled. *vm_id, in the arena, is "" when it never had one. In the caller's
 * transaction; the caller tells engine/live.h after the commit. */
MOOR_NODISCARD moor_code moor_machine_remove(struct moor_call *c, const char *resource_id,
                                             struct moor_arena *arena, const char **vm_id,
                                             struct moor_error *err);

/* Tags of a resource changed: when it is a machine its desired state has them, so its revision is
 * raised and its waiter woken. Any other resource is left alone. Outside a transaction. */
MOOR_NODISCARD moor_code moor_machine_tagged(struct moor_call *c, const struct moor_resource *r,
                                             struct moor_error *err);

/* The extension or run command as GET answers it, or 404. */
void moor_extension_reply(struct moor_call *c, const char *resource_id, int status);
void moor_run_command_reply(struct moor_call *c, const char *resource_id, int status);
/* Every extension of the machine pushed to the list. */
void moor_extension_push_all(struct moor_call *c, const char *vm_id, struct moor_json *list);

#endif
