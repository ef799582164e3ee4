/* SPDX-License-Identifier: Apache-2.0 */
/* The extensions role: root, no network of its own; asks the fetch role and the identity role. */
#include "daemon/role.h"

#include "manager/manager.h"
#include "platform/dirs.h"
#include "platform/self.h"
#include "platform/unit.h"
#include "run/component.h"

struct extensions_daemon {
    char *program;
    struct moor_manager *manager;
};

static moor_code start(struct moor_service *s, void *daemon, struct moor_error *err)
{
    struct extensions_daemon *d = daemon;
    moor_code c = plat_program_path(&d->program, err);
    if (c != MOOR_OK)
        return c;
    /* A trial leaves nothing in the system's service manager. */
    const struct moor_manager_opts opts = { .program = d->program,
                                            .services = !*plat_dirs_root() && plat_units_here() };
    return moor_manager_new(moor_service_loop(s), &opts, &d->manager, err);
}

static void release(void *daemon)
{
    struct extensions_daemon *d = daemon;
    moor_manager_free(d->manager);
    d->manager = NULL;
}

static const struct moor_component components[] = {
    { .name = "extensions", .start = start, .release = release },
};

static moor_code run(struct moor_loop *l, const void *options, struct moor_error *err)
{
    struct extensions_daemon d = { .program = NULL };
    (void)options;
    moor_code c = moor_service_run(l, components, MOOR_COUNTOF(components), &d, err);
    moor_str_autofree(&d.program);
    return c;
}

const struct moor_role moor_role_extensions = {
    .name = "extensions",
    .summary = "installs and runs extensions",
    .run = run,
};
