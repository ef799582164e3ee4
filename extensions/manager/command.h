/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.h: one command of a handler: its line, environment, limits, output. Loop thread.
 *
 * What the command leaves running is left alone, and it is not ended when the manager stops. Its
 * output goes to files in a folder of the manager's, <GUESTCONFIG>/extension_logs/<folder>/.
 */
#ifndef MOOR_MANAGER_COMMAND_H
#define MOOR_MANAGER_COMMAND_H

#include "base/error.h"
#include "base/jsontab.h"
#include "contract/manifest.h"
#include "manager/item.h"
#include "platform/group.h"

struct moor_loop;
struct moor_proxy;
struct moor_command;

struct moor_command_result {
    bool signaled, timed_out;
    int code;           /* exit code or signal */
    const char *output; /* "[stdout]\n..\n\n[stderr]\n..", the end of each; during the call */
};
typedef void (*moor_command_fn)(void *ctx, const struct moor_command_result *r);

struct moor_command_opts {
    const struct moor_item *item;
    moor_handler_verb verb;
    bool old;               /* run the old version's handler */
    const char *himds_port; /* for IDENTITY_ENDPOINT */
    uint64_t timeout_ms;
    const struct moor_proxy *proxy; /* for programs that reach out; NULL = none */
    const char *disable_exits;      /* update of a multi-config handler: JSON list; else NULL */
};

/* The item must outlive the command. On success *running identifies the process. done runs once
 * unless the command is freed first. */
MOOR_NODISCARD moor_code moor_command_start(
    struct moor_loop *l, const struct moor_command_opts *opts, moor_command_fn done, void *ctx,
    struct moor_command **out, struct plat_process_id *running, struct moor_error *err);
void moor_command_free(struct moor_command *c); /* the process goes on */
MOOR_DEFINE_AUTOPTR(moor_command)

/* What a handler and all it starts may use: resourceLimits of its manifest, else what the reference
 * agent grants it. handler is its full name. Pure. */
struct plat_limits moor_command_limits(const char *handler, const struct moor_manifest *m);

/* By verb: what local settings say ("install=900"), else the reference agent's limits. Pure. */
void moor_command_timeouts(const struct moor_str_list *settings, uint64_t out[MOOR_VERB_COUNT_]);

#endif
