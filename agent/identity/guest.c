/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/guest.h"

#include <stdlib.h>

#include "http/client.h"
#include "run/log.h"
#include "run/pool.h"

struct host_job {
    struct moor_guest *owner; /* NULL: it went away */
    struct plat_host host;
};

struct moor_guest {
    struct moor_loop *loop;
    void (*changed)(void *ctx);
    void *ctx;
    struct host_job *job;
    struct moor_http_client *client;
    struct moor_cloud_look *look;
    struct moor_host_cloud cloud;
};

static void drop_look(struct moor_guest *g)
{
    moor_cloud_look_free(MOOR_TAKE(g->look));
    moor_http_client_free(MOOR_TAKE(g->client));
}

static void on_looked(void *ctx, const struct moor_host_cloud *found)
{
    struct moor_guest *g = ctx;
    g->cloud = *found;
    drop_look(g);
    if (*g->cloud.provider)
        moor_log(MOOR_LOG_INFO, "cloud.found", "provider", g->cloud.provider, NULL);
    g->changed(g->ctx);
}

static moor_code start_look(struct moor_guest *g, const struct plat_host *host,
                            struct moor_error *err)
{
    const struct moor_http_client_opts direct = { .proxy = NULL };
    moor_code c = moor_http_client_new(g->loop, &direct, &g->client, err);
    if (c)
        return c;
    const struct moor_cloud_look_opts opts = { .loop = g->loop,
                                               .http = moor_http_client_transport(g->client),
                                               .base = moor_cloud_look_base(),
                                               .done = on_looked,
                                               .ctx = g };
    return moor_cloud_look_new(&opts, host, &g->look, err);
}

static void read_host(void *ctx)
{
    struct host_job *job = ctx;
    plat_host_read(&job->host);
}

static void on_host(void *ctx, bool cancelled)
{
    struct host_job *job = ctx;
    struct moor_guest *g = job->owner;
    struct moor_error err = MOOR_ERROR_INIT;
    if (g)
        g->job = NULL;
    if (g && !cancelled && start_look(g, &job->host, &err)) {
        moor_log_error(MOOR_LOG_WARNING, "cloud.not_looked_for", &err, NULL);
        drop_look(g);
    }
    free(job);
}

moor_code moor_guest_new(struct moor_loop *l, struct moor_pool *pool, void (*changed)(void *ctx),
                         void *ctx, struct moor_guest **out, struct moor_error *err)
{
    struct moor_guest *g = calloc(1, sizeof(*g));
    struct host_job *job = calloc(1, sizeof(*job));
    moor_code c = g && job ? MOOR_OK : moor_fail(err, MOOR_E_NOMEM, "cloud: out of memory");
    if (!c) {
        *g = (struct moor_guest){
            .loop = l, .changed = changed, .ctx = ctx, .job = job, .cloud = { .provider = "" }
        };
        job->owner = g;
        c = moor_pool_submit(pool, read_host, on_host, job, err);
    }
    if (c) {
        free(g);
        free(job);
        return c;
    }
    *out = g;
    return MOOR_OK;
}

void moor_guest_free(struct moor_guest *g)
{
    if (!g)
        return;
    if (g->job)
        g->job->owner = NULL;
    drop_look(g);
    free(g);
}

bool moor_guest_looking(const struct moor_guest *g)
{
    return g->job || g->look;
}

const struct moor_host_cloud *moor_guest_cloud(const struct moor_guest *g)
{
    return &g->cloud;
}
