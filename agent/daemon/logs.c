/* SPDX-License-Identifier: Apache-2.0 */
/* The logs role: files that data collection rules name go to Log Analytics. */
#include "base/text.h"
#include "daemon/role.h"
#include "logs/forwarder.h"
#include "run/component.h"
#include "run/log.h"
#include "run/loop.h"

struct logs_options {
    const char *queue_max;
    const char *workers;
};

struct logs_daemon {
    struct moor_service *service;
    struct moor_forwarder *forwarder;
    struct moor_forwarder_opts opts;
};

static const struct moor_option options[] = {
    { "queue-max", 0, "BYTES", offsetof(struct logs_options, queue_max),
      "how much the queue on disk may hold (default 268435456)" },
    { "workers", 0, "COUNT", offsetof(struct logs_options, workers),
      "how many flows are read and compressed at once, 1 to 16 (default 2)" },
    { NULL, 0, NULL, 0, NULL },
};

static void on_reload(void *ctx)
{
    struct logs_daemon *d = ctx;
    moor_forwarder_reload(d->forwarder);
}

static moor_code start(struct moor_service *s, void *daemon, struct moor_error *err)
{
    struct logs_daemon *d = daemon;
    d->service = s;
    moor_code c = moor_forwarder_new(moor_service_loop(s), &d->opts, &d->forwarder, err);
    return c == MOOR_OK ? moor_loop_on_reload(moor_service_loop(s), on_reload, d, err) : c;
}

static void on_stopped(void *ctx)
{
    struct logs_daemon *d = ctx;
    moor_component_stopped(d->service, "logs");
}

static void stop(struct moor_service *s, void *daemon)
{
    struct logs_daemon *d = daemon;
    (void)s;
    moor_forwarder_stop(d->forwarder, on_stopped, d);
}

static void release(void *daemon)
{
    struct logs_daemon *d = daemon;
    moor_forwarder_free(d->forwarder);
    d->forwarder = NULL;
}

static const struct moor_component components[] = {
    { .name = "logs", .start = start, .stop = stop, .release = release },
};

static moor_code read_options(const struct logs_options *o, struct moor_forwarder_opts *out,
                              struct moor_error *err)
{
    moor_code c = MOOR_OK;
    if (o->queue_max)
        c = moor_parse_u64(moor_span_str(o->queue_max), 1, UINT64_MAX / 2, &out->queue_max, err);
    if (c != MOOR_OK)
        return moor_context(err, "--queue-max");
    if (o->workers)
        c = moor_parse_u32(moor_span_str(o->workers), 1, MOOR_FORWARDER_WORKERS_MAX, &out->workers,
                           err);
    return c == MOOR_OK ? c : moor_context(err, "--workers");
}

static moor_code run(struct moor_loop *l, const void *own, struct moor_error *err)
{
    const struct logs_options *o = own;
    struct logs_daemon d = { .forwarder = NULL };
    moor_code c = read_options(o, &d.opts, err);
    return c == MOOR_OK ? moor_service_run(l, components, MOOR_COUNTOF(components), &d, err) : c;
}

const struct moor_role moor_role_logs = {
    .name = "logs",
    .summary = "forwards log files to Log Analytics",
    .options = options,
    .options_size = sizeof(struct logs_options),
    .run = run,
};
