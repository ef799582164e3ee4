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
};

struct logs_daemon {
    struct moor_service *service;
    struct moor_forwarder *forwarder;
    struct moor_forwarder_opts opts;
};

static const struct moor_option options[] = {
    { "queue-max", 0, "BYTES", offsetof(struct logs_options, queue_max),
      "how much the queue on disk may hold (default 268435456)" },
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

static moor_code run(struct moor_loop *l, const void *own, struct moor_error *err)
{
    const struct logs_options *o = own;
    struct logs_daemon d = { .forwarder = NULL };
    if (o->queue_max) {
        moor_code c =
            moor_parse_u64(moor_span_str(o->queue_max), 1, UINT64_MAX / 2, &d.opts.queue_max, err);
        if (c != MOOR_OK)
            return moor_context(err, "--queue-max");
    }
    return moor_service_run(l, components, MOOR_COUNTOF(components), &d, err);
}

const struct moor_role moor_role_logs = {
    .name = "logs",
    .summary = "forwards log files to Log Analytics",
    .options = options,
    .options_size = sizeof(struct logs_options),
    .run = run,
};
