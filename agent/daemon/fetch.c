/* SPDX-License-Identifier: Apache-2.0 */
/* The fetch role: started by the extensions role, with the socket as descriptor 3. */
#include "daemon/role.h"
#include "fetch/serve.h"
#include "platform/account.h"
#include "platform/file.h"
#include "platform/self.h"
#include "run/component.h"
#include "run/log.h"

#define FETCH_USER "mooring-fetch"

struct fetch_daemon {
    struct moor_service *service;
    struct moor_fetch *fetch;
    struct moor_error why;
};

static void on_end(void *ctx, const struct moor_error *err)
{
    struct fetch_daemon *d = ctx;
    d->why = *err;
    moor_service_stop(d->service);
}

static moor_code start(struct moor_service *s, void *daemon, struct moor_error *err)
{
    struct fetch_daemon *d = daemon;
    MOOR_AUTO(plat_file) socket = PLAT_FILE_INIT;
    const struct moor_fetch_opts opts = { .on_end = on_end, .ctx = d };
    d->service = s;
    moor_code c = plat_inherited(&socket, err);
    if (c == MOOR_OK)
        c = moor_fetch_new(moor_service_loop(s), &socket, &opts, &d->fetch, err);
    return c;
}

static void release(void *daemon)
{
    struct fetch_daemon *d = daemon;
    moor_fetch_free(d->fetch);
    d->fetch = NULL;
}

static const struct moor_component components[] = {
    { .name = "fetch", .start = start, .release = release },
};

/* Started by root, it gives root up before it reads a byte. Started by anybody else (a trial
 * without installation) there is nothing to give up. */
static moor_code confine(const void *options, struct moor_error *err)
{
    uint32_t uid = 0;
    (void)options;
    if (!plat_is_admin())
        return MOOR_OK;
    moor_code c = plat_find_user(FETCH_USER, &uid, err);
    if (c == MOOR_E_NOTFOUND)
        return MOOR_OK;
    return c == MOOR_OK ? plat_become_user(FETCH_USER, err) : c;
}

static moor_code run(struct moor_loop *l, const void *options, struct moor_error *err)
{
    struct fetch_daemon d = { .why = MOOR_ERROR_INIT };
    (void)options;
    moor_code c = moor_service_run(l, components, MOOR_COUNTOF(components), &d, err);
    if (c == MOOR_OK && d.why.code != MOOR_OK) {
        *err = d.why;
        c = d.why.code;
    }
    return c;
}

const struct moor_role moor_role_fetch = {
    .name = "fetch",
    .summary = "HTTPS for the extensions role, which starts it",
    .confine = confine,
    .run = run,
};
