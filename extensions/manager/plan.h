/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h: what to do next for one extension. Pure: a table of (phase, goal) -> (action, next
 * phase); no clock, no files.
 */
#ifndef MOOR_MANAGER_PLAN_H
#define MOOR_MANAGER_PLAN_H

#include <stdbool.h>

#include "base/error.h"
#include "core/desired.h"
#include "manager/item.h"

typedef enum moor_action {
    MOOR_ACT_NOTHING,
    MOOR_ACT_FETCH,    /* download, verify and unpack the wanted version */
    MOOR_ACT_SETTINGS, /* write <seq>.settings and HandlerEnvironment.json */
    MOOR_ACT_RUN,      /* a handler command */
    MOOR_ACT_COPY,     /* mrseq and statuses from the old version's folder */
    MOOR_ACT_REMOVE,   /* the folder of the item's version */
    MOOR_ACT_REVERT,   /* the same during an update, whose old version is the item's again */
    MOOR_ACT_ADVANCE   /* only the phase changes */
} moor_action;

struct moor_step {
    moor_action action;
    moor_handler_verb verb; /* RUN */
    bool old;               /* RUN and REMOVE: the old version's folder */
    bool may_fail;          /* RUN: a failure is logged, and the phase advances all the same */
    moor_item_phase next;   /* after success */
};

/* goal NULL: the item is no longer named by the service; it is left as it is. update_installs:
 * the new version's manifest asks for install after update. fresh: this manager process has not
 * enabled the item yet (handlers are enabled again after a restart). */
struct moor_plan_facts {
    bool update_installs;
    bool fresh;
};
void moor_plan(const struct moor_item *i, const struct moor_desired_extension *goal,
               const struct moor_plan_facts *facts, struct moor_step *out);

/* Takes a goal on: compares it with what the item was told before, raises the sequence number if
 * the settings changed, and clears the outcome if anything did. *changed says whether. */
MOOR_NODISCARD moor_code moor_plan_take_goal(struct moor_item *i,
                                             const struct moor_desired_extension *goal,
                                             bool *changed, struct moor_error *err);

/* Whether what goal depends on stands: MOOR_OUTCOME_SUCCEEDED go, GOING_ON wait, FAILED give up;
 * *name is the dependency that decided. */
moor_item_outcome moor_plan_dependencies(const struct moor_items *all,
                                         const struct moor_desired_extension *goal,
                                         const char **name);

#endif
