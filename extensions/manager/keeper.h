/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper.h: the process beside a run command's script. It takes the job (run_files.h), says
 * durably that it starts it, starts it as the user, with secrets in its environment only, ends it
 * at its time or when asked to, with everything it has started by then, and says durably how it
 * ended. The manager may come and go meanwhile. Loop thread of a process of its own.
 */
#ifndef MOOR_MANAGER_KEEPER_H
#define MOOR_MANAGER_KEEPER_H

#include "base/attr.h"
#include "base/error.h"

struct moor_loop;
struct moor_keeper;

/* done runs once, on the loop: how it ended is on the disk. What the script left running when it
 * ended by itself is left alone. EXISTS: another keeper has it; nothing was touched. */
MOOR_NODISCARD moor_code moor_keeper_new(struct moor_loop *l, const char *execution_id,
                                         void (*done)(void *ctx), void *ctx,
                                         struct moor_keeper **out, struct moor_error *err);
void moor_keeper_stop(struct moor_keeper *k); /* the system stops: ends the script, says so */
void moor_keeper_free(struct moor_keeper *k);
MOOR_DEFINE_AUTOPTR(moor_keeper)

#endif
