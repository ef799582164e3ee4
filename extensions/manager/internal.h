/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h: what the manager's files share. manager.c owns the life cycle and the loop's
 * callbacks, choose.c what is done next, apply.c carries out one step, fetch.c gets packages,
 * settle.c reads how handlers stand, link.c is the connection to the service.
 */
#ifndef MOOR_MANAGER_INTERNAL_H
#define MOOR_MANAGER_INTERNAL_H

#include "base/arena.h"
#include "core/desired.h"
#include "core/settings.h"
#include "http/client.h"
#include "manager/command.h"
#include "manager/item.h"
#include "manager/launch.h"
#include "manager/manager.h"
#include "manager/plan.h"
#include "manager/record.h"
#include "manager/report.h"
#include "manager/runs.h"
#include "manager/settings_key.h"
#include "platform/watch.h"
#include "run/loop.h"
#include "run/pool.h"

/* At once: downloads hold up no command, and neither kind holds up the others' steps. */
#define MOOR_FETCHES_MAX  3
#define MOOR_COMMANDS_MAX 4

struct moor_fetch_op;
struct moor_link;
struct moor_manager;

/* A step that takes its time. The item stays as long as it has one. */
struct moor_work {
    struct moor_manager *m;
    struct moor_item *item;
    char goal[65]; /* what the item was asked for when the step began */
    struct moor_step step;
    struct moor_command *command;
    struct moor_fetch_op *fetch;
};

struct moor_manager {
    struct moor_loop *loop;
    struct moor_pool *pool;
    struct moor_launcher *launcher;
    const char *program;
    char *state_dir, *items_path, *desired_path;

    struct moor_items items;
    struct moor_runs runs;
    struct moor_desired desired;
    struct moor_arena desired_arena;
    bool closing;

    uint64_t timeouts_ms[MOOR_VERB_COUNT_]; /* of handler commands */
    struct moor_denial denials[MOOR_DENIALS_MAX];
    size_t denial_count;
    struct moor_record_budget refusals;
    bool rules_due, collects; /* data collection rules: to be handed on; were handed on */
    char reported_hash[65];

    uint64_t again_ms;        /* when it is due, monotonic */
    struct moor_timer *again; /* retry of a step, adopted commands, half-written statuses */
    struct moor_timer *tick;  /* a full plan every few minutes, whatever was missed */
    struct plat_watch *watch;
    struct moor_watch *watch_event;
    int32_t config_watch; /* of the folder of agentconfig.json and localconfig.json */
    int32_t removals_watch, repairs_watch;
    bool repairs_due; /* somebody may have asked for one */

    struct moor_settings_key key;
    struct moor_link *link; /* NULL while not connected */
};

/* manager.c */
void moor_manager_kick(struct moor_manager *m);                     /* plan and act */
void moor_manager_later(struct moor_manager *m, uint64_t delay_ms); /* kick then, or sooner */
void moor_manager_wait(struct moor_manager *m, struct moor_item *i, uint64_t delay_ms);
bool moor_manager_save(struct moor_manager *m); /* logs and retries on failure */
/* What is to be said now, but for its number and time. */
struct moor_report moor_manager_report(const struct moor_manager *m);
/* What is asked of the item, with the version and package its handler shall have; false: it is not
 * named. Borrows from the document. */
bool moor_manager_goal(const struct moor_manager *m, const struct moor_item *i,
                       struct moor_desired_extension *out);
/* The document as it came; keeps it on the disk first. */
MOOR_NODISCARD moor_code moor_manager_take_desired(struct moor_manager *m, struct moor_span text,
                                                   bool keep, struct moor_error *err);
void moor_manager_fail_item(struct moor_item *i, const char *error_code, int64_t code,
                            const char *message);                       /* settles and logs */
void moor_manager_unwatch(struct moor_manager *m, struct moor_item *i); /* its status folder */

/* choose.c: one round over all items; true when there may be more to do at once. */
bool moor_choose(struct moor_manager *m, const struct moor_settings *settings);
/* A denial that local policy no longer makes is taken back; the rest are listed again. */
void moor_choose_forget_denials(struct moor_manager *m, const struct moor_settings *settings);

/* apply.c: carries a step out or begins to; true when it is done already. */
bool moor_apply(struct moor_manager *m, struct moor_item *i,
                const struct moor_desired_extension *goal, const struct moor_step *step);
void moor_apply_adopt(struct moor_manager *m); /* looks after commands of an earlier process */
void moor_work_done(struct moor_work *w);      /* frees it; plans again */
void moor_work_stop(struct moor_work *w);      /* frees it; a command goes on */
/* Of the step under way; only logged when the item has another goal by now. */
void moor_work_fail(struct moor_work *w, const char *error_code, int64_t code, const char *message);

/* fetch.c */
MOOR_NODISCARD moor_code moor_fetch_package(struct moor_work *w,
                                            const struct moor_desired_extension *goal,
                                            struct moor_error *err);
void moor_fetch_op_free(struct moor_fetch_op *op);
/* Before its connection goes: a download under way fails as if the network had; op is freed. */
void moor_fetch_op_unlink(struct moor_fetch_op *op);
void moor_fetch_clean(struct moor_manager *m); /* removes partial packages nobody wants */

/* settle.c: reads the status of an enabled item; true when anything about it changed. */
bool moor_settle(struct moor_manager *m, struct moor_item *i,
                 const struct moor_desired_extension *goal);

/* link.c */
void moor_link_refresh(struct moor_manager *m); /* after agentconfig.json may have changed */
void moor_link_free(struct moor_link *l);
void moor_link_report(struct moor_link *l);      /* NULL is fine */
bool moor_link_ready(const struct moor_link *l); /* it has spoken with the service */
/* The transport for a package URI, and the token it may carry (else *token is NULL). NULL while
 * not connected. */
struct moor_http_transport *moor_link_for(struct moor_link *l, const char *uri,
                                          const struct moor_secret **token);

#endif
