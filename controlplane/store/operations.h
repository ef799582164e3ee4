/* SPDX-License-Identifier: Apache-2.0 */
/* operations.h: long-running operations (azure-async-operation), kept 24 h after their end. */
#ifndef MOOR_STORE_OPERATIONS_H
#define MOOR_STORE_OPERATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

typedef enum moor_op_status {
    MOOR_OP_IN_PROGRESS,
    MOOR_OP_SUCCEEDED,
    MOOR_OP_FAILED,
    MOOR_OP_CANCELED
} moor_op_status;

typedef enum moor_op_kind {
    MOOR_OP_PUT = 1,   /* final answer: the resource */
    MOOR_OP_DELETE = 2 /* final answer: 204 */
} moor_op_kind;

struct moor_operation {
    const char *id; /* UUID */
    moor_op_kind kind;
    moor_op_status status;
    const char *resource_id;
    const char *caller; /* object id */
    int64_t started_ms, ended_ms;
    const char *error_code, *error_message; /* "" unless failed */
};

MOOR_NODISCARD moor_code moor_operation_start(struct moor_store *s, moor_op_kind kind,
                                              const char *resource_id, const char *caller,
                                              int64_t now_ms, char id[37], struct moor_error *err);
MOOR_NODISCARD moor_code moor_operation_get(struct moor_store *s, const char *id,
                                            struct moor_arena *arena, struct moor_operation *out,
                                            struct moor_error *err);
/* The one that is in progress on this resource, or NOTFOUND. */
MOOR_NODISCARD moor_code moor_operation_open(struct moor_store *s, const char *resource_id,
                                             struct moor_arena *arena, struct moor_operation *out,
                                             struct moor_error *err);
/* Ends every operation in progress on the resource; code and message matter for FAILED. */
MOOR_NODISCARD moor_code moor_operation_end(struct moor_store *s, const char *resource_id,
                                            moor_op_status status, const char *code,
                                            const char *message, int64_t now_ms,
                                            struct moor_error *err);
/* Fails what has been in progress since before the time: nobody is heard of. A later report still
 * sets the resource's state. *ended (may be NULL) counts. */
MOOR_NODISCARD moor_code moor_operation_expire(struct moor_store *s, int64_t started_before_ms,
                                               int64_t now_ms, uint64_t *ended,
                                               struct moor_error *err);
MOOR_NODISCARD moor_code moor_operation_purge(struct moor_store *s, int64_t ended_before_ms,
                                              struct moor_error *err);

#endif
