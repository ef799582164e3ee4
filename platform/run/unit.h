/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit.h: a command in a unit of the service manager (platform/unit.h), run from the loop:
 * deadline, one callback at its end, and taking up again what an earlier process started.
 *
 * There is a connection to the service manager while it is needed, and half a minute longer: an
 * idle process is not woken by the system's other units. A lost one is made anew, and each unit is
 * looked at again, so that no end is missed.
 */
#ifndef MOOR_RUN_UNIT_H
#define MOOR_RUN_UNIT_H

#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"
#include "platform/unit.h"

struct moor_loop;
struct moor_units;
struct moor_unit;

MOOR_NODISCARD moor_code moor_units_new(struct moor_loop *l, struct moor_units **out,
                                        struct moor_error *err);
void moor_units_free(struct moor_units *u); /* after its units; NULL is fine */
MOOR_DEFINE_AUTOPTR(moor_units)

struct moor_unit_result {
    bool absent;                    /* it is not there and did not run here: nothing else is told */
    const struct moor_error *error; /* it could not be started; NULL = it ended as follows */
    struct plat_exit how;
    bool timed_out, oom;
};
typedef void (*moor_unit_fn)(void *ctx, const struct moor_unit_result *r);

/* Starts a command as the unit name, or takes the unit up again when spawn is NULL. fn runs once,
 * on the loop, unless the unit is freed before; the unit may be freed in it. timeout_ms: from now
 * on, then all it started is killed; 0 = no limit. name and spawn are not kept. */
MOOR_NODISCARD moor_code moor_unit_start(struct moor_units *u, const char *name,
                                         const struct plat_unit_spawn *spawn, uint64_t timeout_ms,
                                         moor_unit_fn fn, void *ctx, struct moor_unit **out,
                                         struct moor_error *err);
void moor_unit_free(struct moor_unit *unit); /* it goes on */
MOOR_DEFINE_AUTOPTR(moor_unit)

/* plat_unit_forget() and the like, by a connection of their own if need be. */
void moor_units_forget(struct moor_units *u, const char *name);
void moor_units_limit(struct moor_units *u, const char *slice, const struct plat_limits *limits);
void moor_units_forget_slice(struct moor_units *u, const char *slice);

#endif
