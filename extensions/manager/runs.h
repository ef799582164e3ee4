/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runs.h: the manager's run commands: from the document to keepers, from what keepers leave to the
 * report. Each execution is a folder (run_files.h); what is to be seen there decides (run_plan.h),
 * so that a manager that was killed goes on where it was. Loop thread.
 */
#ifndef MOOR_MANAGER_RUNS_H
#define MOOR_MANAGER_RUNS_H

#include "base/error.h"
#include "manager/run.h"

struct moor_manager;
struct moor_settings;

#define MOOR_RUNS_AT_ONCE 8

MOOR_NODISCARD moor_code moor_runs_open(struct moor_manager *m, struct moor_error *err);
void moor_runs_close(struct moor_manager *m); /* scripts go on */
/* After a new document. */
void moor_runs_take(struct moor_manager *m);
/* As far as it goes without waiting. */
void moor_runs_step(struct moor_manager *m, const struct moor_settings *settings);
/* Before the connection goes: what is on its way is begun again later. */
void moor_runs_unlink(struct moor_manager *m);

#endif
