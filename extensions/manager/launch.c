/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/launch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/sha256.h"
#include "platform/unit.h"
#include "run/child.h"
#include "run/log.h"
#include "run/unit.h"

#define SERVICES  "systemd"
#define ALONE     "rlimits"
#define UNITS     "mooring-extension-"
#define SLICES    "mooring-extensions-"
#define PART_MAX  120 /* of a unit's name, for the handler's */
#define NAME_ROOM 256

struct moor_launcher {
    struct moor_loop *loop;
    const char *way;
    struct moor_units *units; /* NULL: commands are children */
};

struct moor_launched {
    struct moor_child *child;
    struct moor_unit *unit;
    moor_launch_fn fn;
    void *ctx;
};

static const char *choose(bool services)
{
    if (services)
        return SERVICES;
    const char *kind = plat_group_kind();
    return kind ? kind : ALONE;
}

moor_code moor_launcher_new(struct moor_loop *l, bool services, struct moor_launcher **out,
                            struct moor_error *err)
{
    MOOR_AUTOPTR(moor_launcher) made = calloc(1, sizeof(*made));
    moor_code c = MOOR_OK;
    if (!made)
        return moor_fail(err, MOOR_E_NOMEM, "handler commands: out of memory");
    made->loop = l;
    made->way = choose(services);
    if (strcmp(made->way, SERVICES) == 0)
        c = moor_units_new(l, &made->units, err);
    if (c != MOOR_OK)
        return c;
    moor_log(MOOR_LOG_INFO, "handlers.run-in", "way", made->way, NULL);
    *out = MOOR_TAKE(made);
    return MOOR_OK;
}

void moor_launcher_free(struct moor_launcher *l)
{
    if (!l)
        return;
    moor_units_free(l->units);
    free(l);
}

const char *moor_launcher_way(const struct moor_launcher *l)
{
    return l->way;
}

/* The handler in names of units; one whose name is too long is called by a digest of it. */
static void add_part(struct moor_buf *b, const char *handler)
{
    MOOR_AUTO(moor_buf) part = MOOR_BUF(PART_MAX);
    char digest[65];
    plat_buf_unit_part(&part, handler);
    if (moor_buf_ok(&part, "name of a unit", NULL) == MOOR_OK) {
        moor_buf_span(b, moor_buf_view(&part));
        return;
    }
    moor_sha256_hex(moor_span_str(handler), digest);
    moor_buf_str(b, digest);
}

void moor_buf_launch_unit(struct moor_buf *b, const struct moor_launcher *l, const char *handler,
                          uint32_t seq, const char *verb, uint64_t number)
{
    if (!l->units)
        return;
    moor_buf_str(b, UNITS);
    add_part(b, handler);
    moor_buf_fmt(b, "-%" PRIu32 "-%s-%" PRIu64, seq, verb, number);
}

static void add_slice(struct moor_buf *b, const char *handler)
{
    moor_buf_str(b, SLICES);
    add_part(b, handler);
}

static void on_child(void *ctx, const struct moor_child_result *r)
{
    struct moor_launched *c = ctx;
    const struct moor_launch_end end = { .how = r->how, .timed_out = r->timed_out };
    c->fn(c->ctx, &end);
}

static void on_unit(void *ctx, const struct moor_unit_result *r)
{
    struct moor_launched *c = ctx;
    const struct moor_launch_end end = { .lost = r->absent,
                                         .error = r->error,
                                         .how = r->how,
                                         .timed_out = r->timed_out,
                                         .oom = r->oom };
    c->fn(c->ctx, &end);
}

static moor_code start_unit(struct moor_launcher *l, const struct moor_launch *how,
                            struct moor_launched *c, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) slice = MOOR_BUF(NAME_ROOM);
    add_slice(&slice, how->handler);
    const struct plat_unit_spawn spawn = { .description = how->description,
                                           .slice = moor_buf_cstr(&slice),
                                           .argv = how->argv,
                                           .env = how->env,
                                           .cwd = how->cwd,
                                           .out = how->out,
                                           .err = how->err };
    moor_units_limit(l->units, spawn.slice, &how->limits);
    return moor_unit_start(l->units, how->unit, &spawn, how->timeout_ms, on_unit, c, &c->unit, err);
}

/* A command that cannot be limited is still better run than not. */
static const char *join_group(const struct moor_launch *how)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (plat_group_set(how->handler, &how->limits, &err) == MOOR_OK)
        return how->handler;
    moor_log_error(MOOR_LOG_WARNING, "handler.unlimited", &err, "handler", how->handler, NULL);
    return NULL;
}

static moor_code start_child(struct moor_launcher *l, const struct moor_launch *how,
                             struct moor_launched *c, struct moor_error *err)
{
    bool alone = strcmp(l->way, ALONE) == 0;
    const struct moor_child_opts opts = {
        .spawn = { .argv = how->argv,
                   .env = how->env,
                   .cwd = how->cwd,
                   .out = how->out,
                   .err = how->err,
                   .memory_max = alone ? how->limits.memory_max : 0,
                   .tasks_max = alone ? how->limits.tasks_max : 0,
                   .group = alone ? NULL : join_group(how) },
        .timeout_ms = how->timeout_ms,
    };
    return moor_child_start(l->loop, &opts, on_child, c, &c->child, err);
}

static struct moor_launched *new_launched(moor_launch_fn fn, void *ctx)
{
    struct moor_launched *c = calloc(1, sizeof(*c));
    if (c) {
        c->fn = fn;
        c->ctx = ctx;
    }
    return c;
}

moor_code moor_launch(struct moor_launcher *l, const struct moor_launch *how, moor_launch_fn fn,
                      void *ctx, struct moor_launched **out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_launched) c = new_launched(fn, ctx);
    if (!c)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", how->description);
    moor_code code = l->units ? start_unit(l, how, c, err) : start_child(l, how, c, err);
    if (code == MOOR_OK)
        *out = MOOR_TAKE(c);
    return code;
}

moor_code moor_launch_adopt(struct moor_launcher *l, const char *unit, uint64_t timeout_ms,
                            moor_launch_fn fn, void *ctx, struct moor_launched **out,
                            struct moor_error *err)
{
    MOOR_AUTOPTR(moor_launched) c = new_launched(fn, ctx);
    if (!c)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", unit);
    if (!l->units)
        return moor_fail(err, MOOR_E_UNSUPPORTED, "%s: no service manager any more", unit);
    moor_code code = moor_unit_start(l->units, unit, NULL, timeout_ms, on_unit, c, &c->unit, err);
    if (code == MOOR_OK)
        *out = MOOR_TAKE(c);
    return code;
}

struct plat_process_id moor_launched_process(const struct moor_launched *c)
{
    struct plat_process_id id = { 0, 0 };
    if (c->child) {
        int64_t pid = moor_child_process(c->child)->pid;
        if (plat_process_identify(pid, &id, NULL) != MOOR_OK)
            id = (struct plat_process_id){ pid, 0 };
    }
    return id;
}

void moor_launched_free(struct moor_launched *c)
{
    if (!c)
        return;
    moor_child_free(c->child);
    moor_unit_free(c->unit);
    free(c);
}

void moor_launch_forget(struct moor_launcher *l, const char *unit)
{
    if (l->units && *unit)
        moor_units_forget(l->units, unit);
}

void moor_launch_forget_handler(struct moor_launcher *l, const char *handler)
{
    MOOR_AUTO(moor_buf) slice = MOOR_BUF(NAME_ROOM);
    add_slice(&slice, handler);
    if (l->units)
        moor_units_forget_slice(l->units, moor_buf_cstr(&slice));
    else
        plat_group_remove(handler);
}

bool moor_launch_usage(const char *way, const char *handler, struct plat_usage *out)
{
    MOOR_AUTO(moor_buf) slice = MOOR_BUF(NAME_ROOM);
    add_slice(&slice, handler);
    if (strcmp(way, SERVICES) == 0)
        return plat_slice_usage(moor_buf_cstr(&slice), out);
    return strcmp(way, ALONE) != 0 && plat_group_usage(handler, out);
}
