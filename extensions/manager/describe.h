/* SPDX-License-Identifier: Apache-2.0 */
/* describe.h: how a command of a handler ended, in words for whoever has to mend it. Pure. */
#ifndef MOOR_MANAGER_DESCRIBE_H
#define MOOR_MANAGER_DESCRIBE_H

#include "base/buf.h"
#include "manager/command.h"

/* "install ended with exit code 52: ..." in one line; the output is not in it. */
void moor_buf_command_end(struct moor_buf *b, moor_handler_verb verb, uint64_t timeout_ms,
                          const struct moor_command_result *r);

#endif
