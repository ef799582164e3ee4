/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.h: one command of a handler: its line, environment, limits, output. Loop thread.
 *
 * What the command leaves running is left alone, and it is not ended when the manager stops; how
 * it runs is launch.h's. Its output goes to files in a folder of the manager's,
 * <GUESTCONFIG>/extension_logs/<folder>/.
 */
#ifndef MOOR_MANAGER_COMMAND_H
#define MOOR_MANAGER_COMMAND_H

#include "base/error.h"
#include "base/jsontab.h"
#include "contract/manifest.h"
#include "manager/item.h"
#include "platform/group.h"

struct moor_launcher;
struct moor_proxy;
struct moor_command;

struct moor_command_result {
    const struct moor_error *error; /* it could not be started; NULL = as follows */
    bool lost;                      /* how it ended, or whether it ran, cannot be known */
    bool signaled, timed_out, oom;
    int code;           /* exit code or signal */
    const char *output; /* "[stdout]\n..\n\n[stderr]\n..", the end of each; during the call */
};
typedef void (*moor_command_fn)(void *ctx, const struct moor_command_result *r);

struct moor_command_opts {
    const struct moor_item *item; /* its running member says verb, version and unit */
    const char *himds_port;       /* for IDENTITY_ENDPOINT */
    uint64_t timeout_ms;
    const struct moor_proxy *proxy; /* for programs that reach out; NULL = none */
    const char *disable_exits;      /* update of a multi-config handler: JSON list; else NULL */
};

/* The item must outlive the command. done runs once unless the command is freed first. */
MOOR_NODISCARD moor_code moor_command_start(struct moor_launcher *l,
                                            const struct moor_command_opts *opts,
                                            moor_command_fn done, void *ctx,
                                            struct moor_command **out, struct moor_error *err);
/* Takes up the unit that an earlier manager started for the item; of opts only item and timeout_ms,
 * from that start on, count. */
MOOR_NODISCARD moor_code moor_command_adopt(struct moor_launcher *l,
                                            const struct moor_command_opts *opts,
                                            moor_command_fn done, void *ctx,
                                            struct moor_command **out, struct moor_error *err);
/* Identifies its process, where it is a child; else pid 0. */
struct plat_process_id moor_command_process(const struct moor_command *c);
void moor_command_free(struct moor_command *c); /* the process goes on */
MOOR_DEFINE_AUTOPTR(moor_command)

/* "Publisher.Type", what its limits and what it uses are kept under. */
void moor_buf_handler(struct moor_buf *b, const struct moor_item *i);
#define MOOR_HANDLER_NAME_MAX 300

/* What a handler and all it starts may use: resourceLimits of its manifest, else what the reference
 * agent grants it. handler is its full name. Pure. */
struct plat_limits moor_command_limits(const char *handler, const struct moor_manifest *m);

/* By verb: what local settings say ("install=900"), else the reference agent's limits. Pure. */
void moor_command_timeouts(const struct moor_str_list *settings, uint64_t out[MOOR_VERB_COUNT_]);

#endif
