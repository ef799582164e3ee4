/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.h: what RunCommandHandlerLinux is asked to do. Pure.
 *
 * Source: the public documentation of managed run commands and the public handler's settings. What
 * is named there and not done here is refused by its name: half of a request helps nobody.
 */
#ifndef MOOR_RUNCOMMAND_SETTINGS_H
#define MOOR_RUNCOMMAND_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/jsontab.h"
#include "base/span.h"

#define RUNCOMMAND_SCRIPT_MAX      (4 * 1024 * 1024)
#define RUNCOMMAND_PARAMETERS_MAX  128 /* of each half */
#define RUNCOMMAND_TIMEOUT_DEFAULT 5400

struct runcommand_parameter {
    const char *name; /* "" = an argument */
    const char *value;
};

/* All in the arena, which holds secrets. */
struct runcommand_job {
    const char *script;              /* its text; NULL when it is fetched */
    const char *script_uri;          /* with its signature; NULL when script is given */
    struct moor_obj_list parameters; /* of struct runcommand_parameter */
    struct moor_obj_list secrets;    /* the same; all have a name */
    const char *user;                /* NULL = root */
    uint32_t timeout_s;
    bool async;          /* success as soon as it runs */
    bool failure_counts; /* treatFailureAsDeploymentFailure */
};

/* public_text and protected_text are JSON object texts, empty for none. Errors never quote values;
 * UNSUPPORTED names a member that is not done here. */
MOOR_NODISCARD moor_code runcommand_job_read(struct moor_span public_text,
                                             struct moor_span protected_text,
                                             struct runcommand_job *out, struct moor_arena *arena,
                                             struct moor_error *err);

#endif
