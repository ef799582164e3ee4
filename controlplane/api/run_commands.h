/* SPDX-License-Identifier: Apache-2.0 */
/* run_commands.h: what reports and the settings certificate need of machines/runCommands. */
#ifndef MOOR_API_RUN_COMMANDS_H
#define MOOR_API_RUN_COMMANDS_H

#include "api/app.h"
#include "base/jsontab.h"
#include "store/machines.h"

/* One item of a report's "runCommands" (docs/protocol/service.md 4.4). */
struct moor_run_command_report {
    const char *name, *execution_id;
    int provisioning, execution; /* moor_run_provisioning, moor_run_execution */
    bool ran;                    /* exit_code counts */
    int64_t exit_code;
    const char *error_code, *message, *output, *error; /* NULL = "" */
    int64_t start_ms, end_ms;                          /* 0 = not yet */
};
extern const struct moor_json_shape moor_run_command_report_shape;

/*
 * Takes it: the instance view of the execution it names, the resource's state and its operation's
 * end when that is final. *finished: the execution has ended, so that the document loses it; a run
 * command that was deleted is gone then. What names another execution says nothing. In the caller's
 * transaction. NOTFOUND: no such run command.
 */
MOOR_NODISCARD moor_code moor_run_command_settle(struct moor_app *app, const struct moor_machine *m,
                                                 const struct moor_run_command_report *r,
                                                 bool *finished, struct moor_arena *arena,
                                                 struct moor_error *err);

/* As moor_extension_protect_all(). */
MOOR_NODISCARD moor_code moor_run_command_protect_all(struct moor_app *app,
                                                      const struct moor_machine *m,
                                                      struct moor_error *err);

#endif
