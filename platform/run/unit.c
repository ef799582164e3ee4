/* SPDX-License-Identifier: Apache-2.0 */
#include "run/unit.h"

#include <stdlib.h>

#include "base/text.h"
#include "run/loop.h"

#define LINGER_MS   30000 /* of a connection that is not needed */
#define AGAIN_MS    2000  /* until a lost connection is made anew */
#define ENDING_MS   30000 /* until one that was killed counts as ended whatever is said of it */
#define SIGNAL_KILL 9
#define SIGNAL_TERM 15

struct moor_units {
    struct moor_loop *loop;
    struct plat_units *connection; /* NULL = none */
    struct moor_watch *watch;
    struct moor_timer *timer; /* end of lingering, or the next try */
    struct moor_timer *asked; /* a turn after a question */
    struct moor_unit *first;
};

struct moor_unit {
    struct moor_units *all;
    struct moor_unit *next;
    char *name;
    struct plat_unit *unit; /* NULL while there is no connection */
    struct moor_timer *deadline;
    bool seen;    /* it was told how it stands */
    bool running; /* it was there */
    bool timed_out;
    moor_unit_fn fn; /* NULL: it was told */
    void *ctx;
};

static void disconnect(struct moor_units *u)
{
    for (struct moor_unit *unit = u->first; unit; unit = unit->next) {
        plat_unit_free(unit->unit);
        unit->unit = NULL;
    }
    moor_watch_free(u->watch);
    u->watch = NULL;
    plat_units_free(u->connection);
    u->connection = NULL;
}

static void on_event(void *ctx)
{
    struct moor_units *u = ctx;
    if (!u->connection || plat_units_dispatch(u->connection, NULL) == MOOR_OK)
        return;
    disconnect(u);
    moor_timer_arm(u->timer, AGAIN_MS);
}

/* Before every question. */
static moor_code connect(struct moor_units *u, struct moor_error *err)
{
    moor_timer_arm(u->timer, LINGER_MS);
    moor_timer_arm(u->asked, 0);
    if (u->connection)
        return MOOR_OK;
    moor_code c = plat_units_open(&u->connection, err);
    if (c == MOOR_OK)
        c = moor_watch_new(u->loop, plat_units_fd(u->connection), on_event, u, &u->watch, err);
    if (c != MOOR_OK)
        disconnect(u);
    return c;
}

static void finish(struct moor_unit *unit, const struct moor_unit_result *r)
{
    moor_unit_fn fn = unit->fn;
    moor_timer_disarm(unit->deadline);
    plat_unit_free(unit->unit);
    unit->unit = NULL;
    unit->fn = NULL;
    fn(unit->ctx, r); /* may free the unit */
}

static void on_stand(void *ctx, const struct plat_unit_stand *stand, const struct moor_error *err)
{
    struct moor_unit *unit = ctx;
    struct moor_unit_result r = { .error = err, .timed_out = unit->timed_out };
    if (!stand) {
        finish(unit, &r);
        return;
    }
    unit->seen = true;
    if (stand->state == PLAT_UNIT_RUNNING) {
        unit->running = true;
        return;
    }
    r.how = stand->how;
    r.oom = stand->oom;
    r.absent = stand->state == PLAT_UNIT_ABSENT && !unit->running;
    /* The administrator stopped it: nothing of it is left. */
    if (stand->state == PLAT_UNIT_ABSENT)
        r.how = (struct plat_exit){ true, SIGNAL_TERM };
    finish(unit, &r);
}

static moor_code watch(struct moor_unit *unit, struct moor_error *err)
{
    if (unit->unit)
        return MOOR_OK;
    return plat_unit_watch(unit->all->connection, unit->name, on_stand, unit, &unit->unit, err);
}

static moor_code look(struct moor_unit *unit, struct moor_error *err)
{
    moor_code c = watch(unit, err);
    return c == MOOR_OK ? plat_unit_look(unit->unit, err) : c;
}

/* Nothing rests on a notice alone: all are looked at from time to time. */
static void on_timer(void *ctx)
{
    struct moor_units *u = ctx;
    if (!u->first) {
        disconnect(u);
        return;
    }
    bool again = connect(u, NULL) != MOOR_OK;
    for (struct moor_unit *unit = u->first; unit && !again; unit = unit->next)
        again = unit->fn && look(unit, NULL) != MOOR_OK;
    if (again)
        moor_timer_arm(u->timer, AGAIN_MS);
}

static void on_deadline(void *ctx)
{
    struct moor_unit *unit = ctx;
    const struct moor_unit_result r = { .timed_out = true, .how = { true, SIGNAL_KILL } };
    /* It may have ended long ago. */
    if (!unit->unit || !unit->seen || connect(unit->all, NULL) != MOOR_OK) {
        moor_timer_arm(unit->deadline, AGAIN_MS);
    } else if (unit->timed_out) {
        finish(unit, &r);
    } else {
        unit->timed_out = true;
        plat_unit_kill(unit->unit);
        moor_timer_arm(unit->deadline, ENDING_MS);
    }
}

moor_code moor_units_new(struct moor_loop *l, struct moor_units **out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_units) u = calloc(1, sizeof(*u));
    if (!u)
        return moor_fail(err, MOOR_E_NOMEM, "service manager: out of memory");
    u->loop = l;
    moor_code c = moor_timer_new(l, on_timer, u, &u->timer, err);
    if (c == MOOR_OK)
        c = moor_timer_new(l, on_event, u, &u->asked, err);
    if (c == MOOR_OK)
        *out = MOOR_TAKE(u);
    return c;
}

void moor_units_free(struct moor_units *u)
{
    if (!u)
        return;
    disconnect(u);
    moor_timer_free(u->timer);
    moor_timer_free(u->asked);
    free(u);
}

static moor_code begin(struct moor_unit *unit, const struct plat_unit_spawn *spawn,
                       struct moor_error *err)
{
    moor_code c = connect(unit->all, err);
    if (c == MOOR_OK)
        c = watch(unit, err);
    if (c != MOOR_OK)
        return c;
    return spawn ? plat_unit_start(unit->unit, spawn, err) : plat_unit_look(unit->unit, err);
}

moor_code moor_unit_start(struct moor_units *u, const char *name,
                          const struct plat_unit_spawn *spawn, uint64_t timeout_ms, moor_unit_fn fn,
                          void *ctx, struct moor_unit **out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_unit) unit = calloc(1, sizeof(*unit));
    if (!unit || !(unit->name = moor_strdup(name)))
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", name);
    unit->all = u;
    unit->fn = fn;
    unit->ctx = ctx;
    unit->next = u->first;
    u->first = unit;
    moor_code c = moor_timer_new(u->loop, on_deadline, unit, &unit->deadline, err);
    if (c == MOOR_OK)
        c = begin(unit, spawn, err);
    if (c != MOOR_OK)
        return c;
    if (timeout_ms)
        moor_timer_arm(unit->deadline, timeout_ms);
    *out = MOOR_TAKE(unit);
    return MOOR_OK;
}

void moor_unit_free(struct moor_unit *unit)
{
    if (!unit)
        return;
    struct moor_units *u = unit->all;
    for (struct moor_unit **at = u ? &u->first : NULL; at && *at; at = &(*at)->next) {
        if (*at == unit) {
            *at = unit->next;
            break;
        }
    }
    moor_timer_free(unit->deadline);
    plat_unit_free(unit->unit);
    free(unit->name);
    free(unit);
}

void moor_units_forget(struct moor_units *u, const char *name)
{
    if (connect(u, NULL) == MOOR_OK)
        plat_unit_forget(u->connection, name);
}

void moor_units_limit(struct moor_units *u, const char *slice, const struct plat_limits *limits)
{
    if (connect(u, NULL) == MOOR_OK)
        plat_slice_limit(u->connection, slice, limits);
}

void moor_units_forget_slice(struct moor_units *u, const char *slice)
{
    if (connect(u, NULL) == MOOR_OK)
        plat_slice_forget(u->connection, slice);
}
