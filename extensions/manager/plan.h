/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h: what to do next for one extension. Pure: tables of (phase, wish) -> (action, next
 * phase); no clock, no files.
 */
#ifndef MOOR_MANAGER_PLAN_H
#define MOOR_MANAGER_PLAN_H

#include <stdbool.h>

#include "base/error.h"
#include "core/desired.h"
#include "core/policy.h"
#include "manager/item.h"

typedef enum moor_action {
    MOOR_ACT_NOTHING,
    MOOR_ACT_FETCH,    /* download, verify and unpack the wanted version */
    MOOR_ACT_SETTINGS, /* write <seq>.settings and HandlerEnvironment.json */
    MOOR_ACT_RUN,      /* a handler command */
    MOOR_ACT_COPY,     /* mrseq and statuses from the old version's folder */
    MOOR_ACT_REMOVE,   /* the folder of the item's version */
    MOOR_ACT_REVERT,   /* the same during an update, whose old version is the item's again */
    MOOR_ACT_JOIN,     /* another instance brought the wanted version: the item is in it, too */
    MOOR_ACT_LEAVE,    /* the instance's own files; the handler stays for the others */
    MOOR_ACT_ADVANCE,  /* only the phase changes */
    MOOR_ACT_GIVE_UP   /* another instance's failure is this item's */
} moor_action;

struct moor_step {
    moor_action action;
    moor_handler_verb verb; /* RUN */
    bool old;               /* RUN and REMOVE: the old version's folder */
    bool may_fail;          /* RUN: a failure is logged, and the phase advances all the same */
    moor_item_phase next;   /* after success */
};

/* How the other instances of a multi-config handler stand to this item. */
typedef enum moor_company {
    MOOR_COMPANY_NONE,     /* there is none on this machine, or none that matters */
    MOOR_COMPANY_BEHIND,   /* another one is enabled in the version this one updates from */
    MOOR_COMPANY_ON_WAY,   /* another one is installing or updating the handler */
    MOOR_COMPANY_STUCK,    /* the same, and it failed */
    MOOR_COMPANY_UPDATING, /* another one waits with its update until this one is disabled */
    MOOR_COMPANY_THERE     /* another one is installed in the wanted version */
} moor_company;

/* update_installs and continues: updateMode and continueOnUpdateFailure of the new version's
 * manifest. fresh: this manager process has not enabled the item yet (handlers are enabled again
 * after a restart). shared: other instances use the handler. */
struct moor_plan_facts {
    bool update_installs, continues, fresh, shared;
    moor_company company;
};

/* goal NULL: the item is no longer named by the service; it is left as it is. */
void moor_plan(const struct moor_item *i, const struct moor_desired_extension *goal,
               const struct moor_plan_facts *facts, struct moor_step *out);

/* Fills shared and company from the items of the same handler. */
void moor_plan_look_around(const struct moor_items *all, const struct moor_item *i,
                           const char *wanted_version, struct moor_plan_facts *facts);

/* The version that is worked for: the goal's, or the present one while that is held back. */
const char *moor_plan_version(const struct moor_item *i, const struct moor_desired_extension *goal);

/* What going on towards the goal means to local policy. */
moor_policy_verb moor_plan_verb(const struct moor_item *i,
                                const struct moor_desired_extension *goal);

/* Takes a goal on: compares it with what the item was told before, raises the sequence number if
 * the settings changed, and clears the outcome if anything did. *changed says whether. */
MOOR_NODISCARD moor_code moor_plan_take_goal(struct moor_item *i,
                                             const struct moor_desired_extension *goal,
                                             bool *changed, struct moor_error *err);

/* After a failure of an automatic update: begins the way back to the last good version, and holds
 * the new one back. false: this failure is final. */
bool moor_plan_go_back(struct moor_item *i, const struct moor_desired_extension *goal,
                       int64_t now_ms, const char *reason);

/* Whether one that is to go, too, and still is there depends on this one: it goes first. */
bool moor_plan_needed(const struct moor_items *all, const struct moor_desired *d,
                      const struct moor_desired_extension *goal);

/* Whether what goal depends on stands: MOOR_OUTCOME_SUCCEEDED go, GOING_ON wait, FAILED give up;
 * *name is the dependency that decided. One without settings is not waited for longer than until
 * it is enabled. */
moor_item_outcome moor_plan_dependencies(const struct moor_items *all,
                                         const struct moor_desired_extension *goal,
                                         const char **name);

#endif
