/* SPDX-License-Identifier: Apache-2.0 */
/*
 * component.h: what a daemon is made of: one table, started in order, stopped in reverse.
 *
 * stop() begins an orderly end and calls moor_component_stopped() when it is done, at once or
 * later; a component without stop() is done at once. Whoever is not done within 5 s is left behind
 * and named in the log. free() then releases everything.
 */
#ifndef MOOR_RUN_COMPONENT_H
#define MOOR_RUN_COMPONENT_H

#include "base/attr.h"
#include "base/error.h"

struct moor_loop;
struct moor_service; /* the running set */

struct moor_component {
    const char *name;
    MOOR_NODISCARD moor_code (*start)(struct moor_service *s, void *daemon, struct moor_error *err);
    void (*stop)(struct moor_service *s, void *daemon);
    void (*release)(void *daemon);
};

/* Starts all, tells the service manager "ready", runs until a stop signal, stops all. When one
 * fails to start, those before it are stopped and its error is returned, naming it. */
MOOR_NODISCARD moor_code moor_service_run(struct moor_loop *l, const struct moor_component *table,
                                          size_t count, void *daemon, struct moor_error *err);
struct moor_loop *moor_service_loop(struct moor_service *s);
void moor_component_stopped(struct moor_service *s, const char *name);
void moor_service_stop(struct moor_service *s); /* as if a stop signal had come */

#endif
