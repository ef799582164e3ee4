/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_commands.h: scripts that machines shall run. The ARM resource machines/runCommands holds the
 * public face; this row holds what was asked, what the agent is told, and what it said last.
 */
#ifndef MOOR_STORE_RUN_COMMANDS_H
#define MOOR_STORE_RUN_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/guarded.h"
#include "store/store.h"

struct moor_run_command {
    const char *resource_id; /* .../machines/M/runCommands/R */
    const char *vm_id;
    const char *name;
    const char *execution_id;    /* UUID; a new one with every change: one start at most for each */
    const char *spec;            /* properties as asked, JSON object without secrets */
    struct moor_guarded guarded; /* protected parameters, URIs with their queries */
    int64_t expires_ms;          /* nothing starts after it */
    bool finished;               /* the execution has ended, or never will begin */
    bool removed;                /* DELETE was accepted; the row stays until the machine is done */
    const char *reported;        /* instance view of the execution, JSON object */
    int64_t updated_ms;
};

/* Inserts or replaces by resource_id. */
MOOR_NODISCARD moor_code moor_run_command_put(struct moor_store *s,
                                              const struct moor_run_command *r,
                                              struct moor_error *err);
MOOR_NODISCARD moor_code moor_run_command_get(struct moor_store *s, const char *resource_id,
                                              struct moor_arena *arena,
                                              struct moor_run_command *out, struct moor_error *err);
MOOR_NODISCARD moor_code moor_run_command_delete(struct moor_store *s, const char *resource_id,
                                                 struct moor_error *err);

struct moor_run_command_list {
    struct moor_run_command *items; /* in the order of names */
    size_t count;
};
MOOR_NODISCARD moor_code moor_run_command_list(struct moor_store *s, const char *vm_id,
                                               struct moor_arena *arena,
                                               struct moor_run_command_list *out,
                                               struct moor_error *err);
/* Those of all machines that are not finished. */
MOOR_NODISCARD moor_code moor_run_command_list_open(struct moor_store *s, struct moor_arena *arena,
                                                    struct moor_run_command_list *out,
                                                    struct moor_error *err);

#endif
