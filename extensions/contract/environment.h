/* SPDX-License-Identifier: Apache-2.0 */
/*
 * environment.h: HandlerEnvironment.json: where a handler finds its folders. Pure.
 *
 * Written byte for byte as the reference agent does, on one line with ": " and ", ": handlers in
 * the field cut the log folder out of it with string operations.
 */
#ifndef MOOR_CONTRACT_ENVIRONMENT_H
#define MOOR_CONTRACT_ENVIRONMENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

#define MOOR_ENVIRONMENT_NAME "HandlerEnvironment.json"
#define MOOR_ENVIRONMENT_MAX  (16 * 1024)

struct moor_handler_environment {
    const char *name; /* full name, "Publisher.Type" */
    const char *log_folder, *config_folder, *status_folder;
    const char *heartbeat_file; /* absolute */
    const char *events_folder;
};

void moor_buf_handler_environment(struct moor_buf *b, const struct moor_handler_environment *e);

/* For handlers: the folders of the file beside them. Strings land in the arena; events_folder may
 * be "". */
MOOR_NODISCARD moor_code moor_handler_environment_parse(struct moor_span text,
                                                        struct moor_handler_environment *out,
                                                        struct moor_arena *arena,
                                                        struct moor_error *err);

#endif
