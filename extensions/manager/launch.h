/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch.h: how this machine runs the commands of handlers and limits what they use: the one place
 * that knows. Chosen once, at the start:
 *
 *   systemd           a transient service for each command, in a slice for each handler
 *   cgroup2, cgroup1  a child of the manager, in a control group for each handler
 *   rlimits           a child with limits of its own on address space and tasks, none on time
 *
 * A service goes on when the manager ends, and the next manager learns how it ended. Of a child
 * the next manager learns only that it has gone. Loop thread.
 */
#ifndef MOOR_MANAGER_LAUNCH_H
#define MOOR_MANAGER_LAUNCH_H

#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"
#include "platform/group.h"
#include "platform/process.h"

struct moor_loop;
struct moor_launcher;
struct moor_launched;

/* services: whether there is a service manager that may be used. */
MOOR_NODISCARD moor_code moor_launcher_new(struct moor_loop *l, bool services,
                                           struct moor_launcher **out, struct moor_error *err);
void moor_launcher_free(struct moor_launcher *l); /* after what it launched; NULL is fine */
MOOR_DEFINE_AUTOPTR(moor_launcher)
const char *moor_launcher_way(const struct moor_launcher *l); /* "systemd", ... */

/* Appends the name of a command's unit; nothing where commands are children. handler: full name;
 * verb: lower case; number: unique on this machine. */
void moor_buf_launch_unit(struct moor_buf *b, const struct moor_launcher *l, const char *handler,
                          uint32_t seq, const char *verb, uint64_t number);

struct moor_launch {
    const char *unit;    /* of moor_buf_launch_unit(); "" where it gives nothing */
    const char *handler; /* what runs under one handler's name shares its limits */
    const char *description;
    struct plat_limits limits;
    const char *const *argv, *const *env; /* as in struct plat_spawn */
    const char *cwd;
    const struct plat_file *out, *err;
    uint64_t timeout_ms; /* then it is killed with all it started */
};

struct moor_launch_end {
    bool lost;                      /* how it ended, or whether it ran, cannot be known */
    const struct moor_error *error; /* it could not be started; NULL = it ended as follows */
    struct plat_exit how;
    bool timed_out, oom; /* oom: its limit on memory was reached */
};
typedef void (*moor_launch_fn)(void *ctx, const struct moor_launch_end *end);

/* Copies what it needs. fn runs once, on the loop, unless it is freed before; it may be freed in
 * fn. */
MOOR_NODISCARD moor_code moor_launch(struct moor_launcher *l, const struct moor_launch *how,
                                     moor_launch_fn fn, void *ctx, struct moor_launched **out,
                                     struct moor_error *err);
/* Takes up a unit that an earlier manager started. */
MOOR_NODISCARD moor_code moor_launch_adopt(struct moor_launcher *l, const char *unit,
                                           uint64_t timeout_ms, moor_launch_fn fn, void *ctx,
                                           struct moor_launched **out, struct moor_error *err);
/* A child's process; pid 0: it runs in a unit. */
struct plat_process_id moor_launched_process(const struct moor_launched *c);
void moor_launched_free(struct moor_launched *c); /* it goes on */
MOOR_DEFINE_AUTOPTR(moor_launched)

/* How it ended is durable: the unit may go. What it left running stays. */
void moor_launch_forget(struct moor_launcher *l, const char *unit);
/* The handler is gone: its limits go. */
void moor_launch_forget_handler(struct moor_launcher *l, const char *handler);

/* What the handler uses with all it started, where commands run this way; false: not known. */
bool moor_launch_usage(const char *way, const char *handler, struct plat_usage *out);

#endif
