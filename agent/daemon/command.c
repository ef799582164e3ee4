/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper of one run command's script: started by the extensions role, one for each. */
#include "daemon/role.h"
#include "manager/keeper.h"
#include "run/component.h"

struct command_options {
    const char *execution;
};

struct command_daemon {
    const char *execution;
    struct moor_service *service;
    struct moor_keeper *keeper;
    bool done, stopping;
};

static void on_done(void *ctx)
{
    struct command_daemon *d = ctx;
    d->done = true;
    if (d->stopping)
        moor_component_stopped(d->service, "command");
    else
        moor_service_stop(d->service);
}

/* Also when the system stops: what is said about the script is that it was ended. */
static void stop(struct moor_service *s, void *daemon)
{
    struct command_daemon *d = daemon;
    d->stopping = true;
    if (d->done)
        moor_component_stopped(s, "command");
    else
        moor_keeper_stop(d->keeper);
}

static moor_code start(struct moor_service *s, void *daemon, struct moor_error *err)
{
    struct command_daemon *d = daemon;
    d->service = s;
    return moor_keeper_new(moor_service_loop(s), d->execution, on_done, d, &d->keeper, err);
}

static void release(void *daemon)
{
    struct command_daemon *d = daemon;
    moor_keeper_free(d->keeper);
    d->keeper = NULL;
}

static const struct moor_component components[] = {
    { .name = "command", .start = start, .stop = stop, .release = release },
};

static moor_code run(struct moor_loop *l, const void *options, struct moor_error *err)
{
    const struct command_options *o = options;
    struct command_daemon d = { .execution = o->execution };
    if (!o->execution)
        return moor_fail(err, MOOR_E_BADINPUT, "want --execution ID");
    return moor_service_run(l, components, MOOR_COUNTOF(components), &d, err);
}

static const struct moor_option options[] = {
    { "execution", 0, "ID", offsetof(struct command_options, execution), "which run command" },
    { NULL, 0, NULL, 0, NULL },
};

const struct moor_role moor_role_command = {
    .name = "command",
    .summary = "runs one run command's script for the extensions role",
    .options = options,
    .options_size = sizeof(struct command_options),
    .run = run,
};
