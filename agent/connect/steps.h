/* SPDX-License-Identifier: Apache-2.0 */
/* steps.h: a table of steps run in order, told to a moor_progress. For connect/ only. */
#ifndef MOOR_CONNECT_STEPS_H
#define MOOR_CONNECT_STEPS_H

#include <stddef.h>

#include "base/error.h"
#include "connect/progress.h"
#include "core/azcm.h"

struct moor_step {
    const char *name;
    const char *text;
    moor_azcm azcm; /* when it fails */
    MOOR_NODISCARD moor_code (*run)(void *work, struct moor_error *err);
};

/* Stops at the first failure, whose number is put into *azcm; an interrupt and a network failure
 * have their own numbers whatever the step. A step may set *azcm before it fails to be more
 * exact. */
MOOR_NODISCARD moor_code moor_steps_run(const struct moor_step *table, size_t count, void *work,
                                        const struct moor_progress *progress, moor_azcm *azcm,
                                        struct moor_error *err);

#endif
