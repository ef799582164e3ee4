/* SPDX-License-Identifier: Apache-2.0 */
/* child.h: what the routes of a machine's child resources share (extensions, run commands). */
#ifndef MOOR_API_CHILD_H
#define MOOR_API_CHILD_H

#include "api/app.h"
#include "api/arm.h"
#include "store/machines.h"

/* A request on a child: its id, and the machine it is on. */
struct moor_child {
    struct moor_arm_id id, machine_id;
    struct moor_resource machine_row;
    struct moor_machine machine; /* vm_id "" while the machine has no agent */
};

/* From the path of one child, or answers 400 or 404 and returns false. */
MOOR_NODISCARD bool moor_child_take(struct moor_call *c, struct moor_child *out);
/* The same from the path of the list: tail is "/extensions". id is not filled. */
MOOR_NODISCARD bool moor_child_take_list(struct moor_call *c, struct moor_child *out,
                                         const char *tail);

/* Whether it may be written: the machine has an agent, the name and the body's tags are good; or
 * answers 400 or 409. what: "extension". */
MOOR_NODISCARD bool moor_child_writable(struct moor_call *c, const struct moor_child *t,
                                        const char *what, const struct moor_json *body);

/* Rows of children hold their state alone: {"provisioningState":"..."}; NULL: no memory. */
const char *moor_child_properties(struct moor_arena *arena, const char *state);
bool moor_child_state_is(const struct moor_resource *r, const char *state);
MOOR_NODISCARD moor_code moor_child_set_state(struct moor_store *s, const char *resource_id,
                                              const char *state, struct moor_arena *arena,
                                              struct moor_error *err);
/* Succeeded, Failed and Canceled. */
bool moor_child_is_final(const char *state);
/* Ends what is in progress on the resource as a final state says. */
MOOR_NODISCARD moor_code moor_child_end(struct moor_store *s, const char *resource_id,
                                        const char *state, const char *error_code,
                                        const char *message, int64_t now_ms,
                                        struct moor_error *err);

/* The row as it is written by a PUT or PATCH: state NULL keeps the old properties. */
struct moor_child_row {
    const struct moor_child *target;
    const char *type, *state;
    const struct moor_json *body;
    bool patch;
    const struct moor_resource *old; /* NULL = new */
};
void moor_child_fill(struct moor_call *c, const struct moor_child_row *w,
                     struct moor_resource *out);

#endif
