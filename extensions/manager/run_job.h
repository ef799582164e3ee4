/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_job.h: from what the service asks for to what a keeper finds: secrets decrypted, the script
 * and the job written. Blocking; small files.
 */
#ifndef MOOR_MANAGER_RUN_JOB_H
#define MOOR_MANAGER_RUN_JOB_H

#include "base/arena.h"
#include "base/secret.h"
#include "core/desired.h"

/* What protectedSettings hold. */
struct moor_run_protected {
    struct moor_obj_list parameters;                 /* struct moor_desired_parameter */
    const char *script_uri, *output_uri, *error_uri; /* NULL = without a query */
};

/* Nothing protected gives an empty *out. NOTFOUND: the key is not on this machine. arena: one that
 * wipes itself. */
MOOR_NODISCARD moor_code moor_run_unprotect(const struct moor_desired_run *goal,
                                            struct moor_run_protected *out,
                                            struct moor_arena *arena, struct moor_error *err);

typedef enum moor_run_uri {
    MOOR_RUN_URI_SCRIPT,
    MOOR_RUN_URI_OUTPUT,
    MOOR_RUN_URI_ERROR
} moor_run_uri;
/* The URI to ask: with the protected query, if that belongs to the public part. */
MOOR_NODISCARD moor_code moor_run_uri_of(const struct moor_desired_run *goal, moor_run_uri which,
                                         struct moor_secret *out, struct moor_error *err);

/* Writes an inline script, gives the script to the user it runs as, and writes the job. NOTFOUND:
 * no such user. */
MOOR_NODISCARD moor_code moor_run_prepare(const struct moor_desired_run *goal,
                                          struct moor_error *err);

#endif
