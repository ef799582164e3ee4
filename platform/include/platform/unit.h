/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit.h: commands that the system's service manager runs for us, each in a unit of its own with
 * all it starts: outside our sandbox, within the limits of a slice that units share, and going on
 * when this process ends. How a command ended is kept until plat_unit_forget(); what it left
 * running is left alone then, too.
 *
 * Nothing blocks. Calls are questions; what comes of them is told through the unit's function,
 * from within plat_units_dispatch(). One thread. Loop integration is in run/unit.h.
 *
 * Every local user can read a unit's name, description, command and environment: no secrets there.
 */
#ifndef PLAT_UNIT_H
#define PLAT_UNIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/error.h"
#include "platform/file.h"
#include "platform/group.h"
#include "platform/process.h"

struct plat_units; /* the connection to the service manager */
struct plat_unit;

/* Whether a service manager runs this system and takes our commands. */
bool plat_units_here(void);

MOOR_NODISCARD moor_code plat_units_open(struct plat_units **out, struct moor_error *err);
void plat_units_free(struct plat_units *u); /* its units are freed before; NULL is fine */
MOOR_DEFINE_AUTOPTR(plat_units)
int plat_units_fd(const struct plat_units *u); /* readable when dispatch has something to do */
/* Called after every question, too: the greeting may have ended meanwhile, which it waited for. An
 * error: the connection is lost, with all that was asked. It can only be freed now. */
MOOR_NODISCARD moor_code plat_units_dispatch(struct plat_units *u, struct moor_error *err);

/* Appends text with all signs escaped that mean something in names of units and slices. */
void plat_buf_unit_part(struct moor_buf *b, const char *text);

typedef enum plat_unit_state {
    PLAT_UNIT_ABSENT, /* never started, forgotten, or the system was restarted since */
    PLAT_UNIT_RUNNING,
    PLAT_UNIT_ENDED
} plat_unit_state;

struct plat_unit_stand {
    plat_unit_state state;
    struct plat_exit how; /* ENDED */
    bool oom;             /* ENDED: the system ended it, since its limit on memory was reached */
};
/* How the unit stands, now or after a change; NULL: what was asked failed with *err. The unit may
 * be freed here. */
typedef void (*plat_unit_fn)(void *ctx, const struct plat_unit_stand *stand,
                             const struct moor_error *err);

/* Begins to watch a unit, which need not exist, and asks for nothing. name: at most 200 bytes,
 * letters, digits, '-', '_', '.' and what plat_buf_unit_part() made. */
MOOR_NODISCARD moor_code plat_unit_watch(struct plat_units *u, const char *name, plat_unit_fn fn,
                                         void *ctx, struct plat_unit **out, struct moor_error *err);
void plat_unit_free(struct plat_unit *unit); /* no longer watched; it goes on */
MOOR_DEFINE_AUTOPTR(plat_unit)

struct plat_unit_spawn {
    const char *description;
    const char *slice;       /* made if need be; a '-' in it stands for "part of" */
    const char *const *argv; /* argv[0] is the absolute path; NULL-terminated */
    const char *const *env;  /* "NAME=value", NULL-terminated, beside the system's own */
    const char *cwd;
    const struct plat_file *out, *err; /* the system holds them on its own from now on */
};
/* One that exists already is not started again: how it stands is told instead. */
MOOR_NODISCARD moor_code plat_unit_start(struct plat_unit *unit, const struct plat_unit_spawn *how,
                                         struct moor_error *err);
MOOR_NODISCARD moor_code plat_unit_look(struct plat_unit *unit, struct moor_error *err);

/* These are not answered. */
void plat_unit_kill(struct plat_unit *unit); /* ends the command and all it started */
void plat_unit_forget(struct plat_units *u, const char *name);
/* What all units of the slice may use together, before they run or while they do. */
void plat_slice_limit(struct plat_units *u, const char *slice, const struct plat_limits *limits);
void plat_slice_forget(struct plat_units *u, const char *slice); /* with its limits */

/* Of all that ran in it. Reads files: no connection needed. false: not known. */
bool plat_slice_usage(const char *slice, struct plat_usage *out);

#endif
