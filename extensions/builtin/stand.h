/* SPDX-License-Identifier: Apache-2.0 */
/* stand.h: the files by which a command's processes tell each other how it stands. */
#ifndef MOOR_BUILTIN_STAND_H
#define MOOR_BUILTIN_STAND_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "builtin/handler.h"
#include "platform/process.h"

/* code is 0..255. */
MOOR_NODISCARD moor_code builtin_result_write(const struct builtin_place *p, builtin_how how,
                                              int64_t code, struct moor_error *err);
/* A process and the time of now, as <tag>.started and <tag>.child have them. */
void builtin_buf_process(struct moor_buf *b, const struct plat_process_id *id);
bool builtin_alive(const struct builtin_place *p); /* the process that is the command */
/* How the command stands; LOST when it was started and tells nothing. */
void builtin_stand_read(const struct builtin_place *p, struct builtin_stand *out);
/* Ends it, if it has not ended: first the process that would tell of the end, then what it tells
 * of. */
MOOR_NODISCARD moor_code builtin_kill(const struct builtin_place *p, struct moor_error *err);

#endif
