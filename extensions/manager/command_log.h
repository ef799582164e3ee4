/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_log.h: CommandExecution.log in a handler's log folder (several extensions of one handler:
 * CommandExecution_<name>.log): which commands were given, in what environment, how they ended, and
 * what they said. For authors and administrators; nothing reads it back. Small writes: loop thread.
 */
#ifndef MOOR_MANAGER_COMMAND_LOG_H
#define MOOR_MANAGER_COMMAND_LOG_H

#include "base/error.h"
#include "base/span.h"
#include "manager/item.h"

#define MOOR_COMMAND_LOG_MAX  (10 * 1024 * 1024) /* over it, all but the end goes */
#define MOOR_COMMAND_LOG_KEEP (1024 * 1024)

/* The file's path, whether it is there or not; the caller frees. */
MOOR_NODISCARD moor_code moor_command_log_path(const struct moor_item *i, char **out,
                                               struct moor_error *err);

/* Appends text behind the time of day. A folder that a handler removed is made again. What fails
 * is only said: a full disk for a log must stop no handler. */
void moor_command_log_add(const struct moor_item *i, struct moor_span text);

#endif
