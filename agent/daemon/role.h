/* SPDX-License-Identifier: Apache-2.0 */
/*
 * role.h: what `mooringd ROLE` needs to know of a role. Each role is one file here: its options,
 * its component table, and the row that main.c's table names.
 */
#ifndef MOOR_DAEMON_ROLE_H
#define MOOR_DAEMON_ROLE_H

#include <stddef.h>

#include "base/error.h"
#include "core/options.h"

struct moor_loop;

struct moor_role {
    const char *name;                  /* "identity": also the log's program, "mooringd-identity" */
    const char *summary;               /* for help */
    const struct moor_option *options; /* the role's own; NULL = none */
    size_t options_size;               /* of the struct they fill, zeroed; at most 256 bytes */
    /* Before the loop and before anything else, to give up rights; NULL = nothing. */
    MOOR_NODISCARD moor_code (*confine)(const void *options, struct moor_error *err);
    /* Runs until stopped: moor_service_run() with the role's components. */
    MOOR_NODISCARD moor_code (*run)(struct moor_loop *l, const void *options,
                                    struct moor_error *err);
};

extern const struct moor_role moor_role_identity;
extern const struct moor_role moor_role_extensions;
extern const struct moor_role moor_role_fetch;
extern const struct moor_role moor_role_logs;
extern const struct moor_role moor_role_command;

#endif
