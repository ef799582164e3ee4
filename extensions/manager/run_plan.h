/* SPDX-License-Identifier: Apache-2.0 */
/* run_plan.h: what is done next about one run command. Pure: a table of facts to steps. */
#ifndef MOOR_MANAGER_RUN_PLAN_H
#define MOOR_MANAGER_RUN_PLAN_H

#include <stdbool.h>

#include "core/desired.h"
#include "manager/run.h"

typedef enum moor_run_action {
    MOOR_RUN_ACT_NONE,   /* nothing, or something is under way */
    MOOR_RUN_ACT_SETTLE, /* with state, error_code and message of the step */
    MOOR_RUN_ACT_FETCH,  /* the script */
    MOOR_RUN_ACT_START,
    MOOR_RUN_ACT_NOTICE, /* it has started: note since when */
    MOOR_RUN_ACT_END,    /* it has ended: take over how */
    MOOR_RUN_ACT_LOST,   /* its keeper is gone and said nothing */
    MOOR_RUN_ACT_CANCEL, /* ask the keeper to end it */
    MOOR_RUN_ACT_SEND_OUTPUT,
    MOOR_RUN_ACT_SEND_ERROR
} moor_run_action;

/* What is to be seen of it, beside its record. */
struct moor_run_facts {
    const struct moor_desired_run *goal; /* NULL = not in the document */
    int64_t now_ms;                      /* wall clock */
    bool busy;                           /* a transfer or a launch is under way, or not due again */
    bool started, keeper_alive, ended;
    bool cancel_asked;
    bool script_here;
    const char *denied; /* what local policy says against it; NULL = allowed */
    bool room;          /* fewer run than may at once */
    bool secrets_lost;  /* nothing on this machine decrypts its protected settings */
};

struct moor_run_step {
    moor_run_action action;
    int state; /* moor_run_state */
    const char *error_code, *message;
};
/* Whether something of an ended run is still to be sent. */
bool moor_run_unsent(const struct moor_run *r, const struct moor_run_facts *f);
struct moor_run_step moor_run_next(const struct moor_run *r, const struct moor_run_facts *f);

#endif
