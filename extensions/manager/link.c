/* SPDX-License-Identifier: Apache-2.0 */
/* link.c: the manager's connection: which machine this is, its cloud, and who speaks for it. */
#include <stdlib.h>
#include <string.h>

#include "core/agentconfig.h"
#include "core/cloud.h"
#include "core/fetch_transport.h"
#include "core/proxy.h"
#include "core/roles.h"
#include "core/settings.h"
#include "manager/internal.h"
#include "manager/sync.h"
#include "platform/clock.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "platform/host.h"
#include "run/log.h"

#define BOOT_ID_LEN  32
#define NUMBERS_KEPT 64

struct moor_link {
    struct moor_manager *m;
    struct moor_arena arena; /* of config and cloud */
    struct moor_agentconfig config;
    struct moor_cloud cloud;
    struct moor_http_client *local;        /* Unix sockets only */
    struct moor_fetch_transport *to_cloud; /* trusts the cloud's CA */
    struct moor_fetch_transport *to_world; /* trusts the system's CAs */
    struct moor_roles *roles;
    struct moor_sync *sync;
    bool ready;
};

void moor_link_free(struct moor_link *l)
{
    if (!l)
        return;
    moor_roles_free(l->roles);
    moor_sync_free(l->sync);
    moor_fetch_transport_free(l->to_world);
    moor_fetch_transport_free(l->to_cloud);
    moor_http_client_free(l->local);
    moor_arena_drop(&l->arena);
    free(l);
}

static void on_told(void *ctx, const struct moor_error *err)
{
    (void)ctx;
    (void)err; /* the next report or document says it again */
}

/* The identity role shows the tags to local programs, and reads no desired state itself. */
static moor_code on_desired(void *ctx, struct moor_span text, struct moor_error *err)
{
    struct moor_link *l = ctx;
    struct moor_error why = MOOR_ERROR_INIT;
    moor_code c = moor_manager_take_desired(l->m, text, true, err);
    if (c == MOOR_OK && moor_roles_put_tags(l->roles, l->m->desired.tags, on_told, l, &why))
        moor_log_error(MOOR_LOG_WARNING, "tags.failed", &why, NULL);
    return c;
}

static void on_ready(void *ctx)
{
    struct moor_link *l = ctx;
    l->ready = true;
    moor_manager_later(l->m, 0);
}

static bool wants_certificate(void *ctx)
{
    struct moor_link *l = ctx;
    const char *known = l->m->desired.settings_thumbprint;
    return !known || strcmp(known, l->m->key.thumbprint) != 0;
}

/* The identity role draws it; heartbeats and reports carry the same. */
static void read_boot_id(struct moor_buf *out)
{
    MOOR_AUTOSTR path = NULL;
    char kernel[40];
    if (plat_path(PLAT_DIR_RUN, &path, NULL, "boot-id") == MOOR_OK &&
        plat_read_all(path, 64, out, NULL) == MOOR_OK) {
        moor_buf_cut(out, moor_span_trim(moor_buf_view(out)).n);
        if (out->len == BOOT_ID_LEN)
            return;
    }
    moor_buf_reset(out);
    plat_host_boot_id(kernel);
    moor_buf_str(out, kernel);
}

static void measure(struct moor_manager *m)
{
    for (size_t n = 0; n < m->items.count; n++) {
        struct moor_item *i = m->items.list[n];
        MOOR_AUTO(moor_buf) name = MOOR_BUF(MOOR_HANDLER_NAME_MAX);
        moor_buf_handler(&name, i);
        if (!moor_launch_usage(m->items.way, moor_buf_cstr(&name), &i->usage))
            i->usage = (struct plat_usage){ 0, 0 };
    }
}

/* A number must not be used twice, so it is durable before it is used: many at a time, since a
 * report of an extension that is being installed should hold nothing up. */
static bool take_number(struct moor_manager *m)
{
    struct moor_items *i = &m->items;
    MOOR_AUTO(moor_buf) boot = MOOR_BUF(64);
    read_boot_id(&boot);
    if (strcmp(moor_buf_cstr(&boot), i->report_boot) != 0) {
        if (*i->report_boot)
            i->report_sequence = 0;
        i->report_last = i->report_sequence;
        memcpy(i->report_boot, moor_buf_cstr(&boot), strlen(moor_buf_cstr(&boot)) + 1);
    }
    if (i->report_last == i->report_sequence) {
        i->report_sequence += NUMBERS_KEPT;
        if (!moor_manager_save(m)) {
            i->report_sequence -= NUMBERS_KEPT;
            return false;
        }
    }
    i->report_last++;
    return true;
}

static bool make_report(void *ctx, bool forced, struct moor_buf *body, char *hash)
{
    struct moor_link *l = ctx;
    struct moor_manager *m = l->m;
    struct moor_report r = moor_manager_report(m);
    if (moor_report_hash(&r, hash, NULL) != MOOR_OK ||
        (!forced && strcmp(hash, m->reported_hash) == 0) || !take_number(m))
        return false;
    measure(m);
    r.boot_id = m->items.report_boot;
    r.hash = hash;
    r.sequence = m->items.report_last;
    r.observed_at_ms = plat_utc_ms();
    moor_buf_report(body, &r);
    return true;
}

static void on_reported(void *ctx, const char *hash)
{
    struct moor_link *l = ctx;
    struct moor_error err = MOOR_ERROR_INIT;
    memcpy(l->m->reported_hash, hash, sizeof(l->m->reported_hash));
    if (moor_roles_put_hashes(l->roles, "", hash, on_told, l, &err) != MOOR_OK)
        moor_log_error(MOOR_LOG_WARNING, "hashes.failed", &err, NULL);
}

static moor_code read_proxy(const struct moor_cloud *cloud, struct moor_proxy *out,
                            struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(256 * 1024);
    struct moor_settings settings;
    (void)!moor_settings_load_closed(&settings, &arena, NULL); /* the plan tells what is wrong */
    return moor_proxy_load(&settings, cloud, out, err);
}

static moor_code make_transports(struct moor_link *l, struct moor_error *err)
{
    const struct moor_http_client_opts local = { .ca_file = l->cloud.ca_file };
    MOOR_AUTO(moor_proxy) proxy = MOOR_PROXY_INIT;
    moor_code c = moor_http_client_new(l->m->loop, &local, &l->local, err);
    if (c == MOOR_OK)
        c = read_proxy(&l->cloud, &proxy, err);
    if (c != MOOR_OK)
        return c;
    const struct moor_fetch_transport_opts cloud = { .program = l->m->program,
                                                     .ca_file = l->cloud.ca_file,
                                                     .proxy = &proxy };
    const struct moor_fetch_transport_opts world = { .program = l->m->program, .proxy = &proxy };
    c = moor_fetch_transport_new(l->m->loop, &cloud, &l->to_cloud, err);
    if (c == MOOR_OK)
        c = moor_fetch_transport_new(l->m->loop, &world, &l->to_world, err);
    return c;
}

static moor_code make_sync(struct moor_link *l, struct moor_error *err)
{
    struct moor_manager *m = l->m;
    const struct moor_sync_opts opts = {
        .transport = moor_fetch_transport_http(l->to_cloud),
        .roles = l->roles,
        .config = &l->config,
        .cloud = &l->cloud,
        .revision = m->desired.revision ? m->desired.revision : "",
        .settings_cert = moor_buf_view(&m->key.der),
        .on_desired = on_desired,
        .on_ready = on_ready,
        .wants_certificate = wants_certificate,
        .make_report = make_report,
        .on_reported = on_reported,
        .ctx = l,
    };
    return moor_sync_new(m->loop, &opts, &l->sync, err);
}

/* The settings may have changed. */
static void refresh_proxy(struct moor_link *l)
{
    MOOR_AUTO(moor_proxy) proxy = MOOR_PROXY_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code c = read_proxy(&l->cloud, &proxy, &err);
    if (c == MOOR_OK)
        c = moor_fetch_transport_set_proxy(l->to_cloud, &proxy, &err);
    if (c == MOOR_OK)
        c = moor_fetch_transport_set_proxy(l->to_world, &proxy, &err);
    if (c != MOOR_OK)
        moor_log_error(MOOR_LOG_WARNING, "proxy.not-changed", &err, NULL);
}

static moor_code link_new(struct moor_manager *m, struct moor_link **out, struct moor_error *err)
{
    struct moor_link *l = calloc(1, sizeof(*l));
    if (!l)
        return moor_fail(err, MOOR_E_NOMEM, "connection: out of memory");
    l->m = m;
    l->arena = (struct moor_arena)MOOR_ARENA(1024 * 1024);
    moor_code c = moor_agentconfig_load(&l->config, &l->arena, err);
    if (c == MOOR_OK)
        c = moor_cloud_load(l->config.cloud, &l->cloud, &l->arena, err);
    if (c == MOOR_OK && !l->cloud.his_endpoint)
        c = moor_fail(err, MOOR_E_UNSUPPORTED,
                      "cloud %s: has no service for extensions; see README", l->cloud.name);
    if (c == MOOR_OK)
        c = make_transports(l, err);
    if (c == MOOR_OK)
        c = moor_roles_new(moor_http_client_transport(l->local), NULL, &l->roles, err);
    if (c == MOOR_OK)
        c = make_sync(l, err);
    if (c != MOOR_OK) {
        moor_link_free(l);
        return c;
    }
    *out = l;
    return MOOR_OK;
}

/* What an earlier resource wanted says nothing about this one; what is installed stays. */
static void forget_desired(struct moor_manager *m)
{
    moor_code c = plat_remove(m->desired_path, NULL);
    (void)c;
    moor_arena_drop(&m->desired_arena);
    m->desired = (struct moor_desired){ 0 };
    m->reported_hash[0] = 0;
    for (size_t n = 0; n < m->items.count; n++)
        m->items.list[n]->listed = false;
    moor_runs_take(m);
}

static void end_downloads(struct moor_manager *m)
{
    for (size_t n = 0; n < m->items.count; n++) {
        struct moor_work *w = m->items.list[n]->work;
        if (w && w->fetch)
            moor_fetch_op_unlink(w->fetch);
    }
}

void moor_link_refresh(struct moor_manager *m)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(256 * 1024);
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_agentconfig now;
    moor_code c = moor_agentconfig_load(&now, &arena, &err);
    if (c == MOOR_OK && m->link && moor_agentconfig_same_resource(&now, &m->link->config) &&
        moor_streq(now.vm_id, m->link->config.vm_id)) {
        refresh_proxy(m->link);
        return;
    }
    if (m->link) {
        end_downloads(m);
        moor_runs_unlink(m);
        moor_link_free(m->link);
        m->link = NULL;
        forget_desired(m);
    }
    if (c == MOOR_OK)
        c = link_new(m, &m->link, &err);
    if (c == MOOR_OK && m->link)
        moor_log(MOOR_LOG_INFO, "extensions.connected", "resource", m->link->config.resource_id,
                 NULL);
    else if (c != MOOR_E_NOTFOUND)
        moor_log_error(MOOR_LOG_ERROR, "extensions.not-connected", &err, NULL);
}

void moor_link_report(struct moor_link *l)
{
    if (l && l->sync)
        moor_sync_report(l->sync);
}

bool moor_link_ready(const struct moor_link *l)
{
    return l && l->ready;
}

struct moor_http_transport *moor_link_for(struct moor_link *l, const char *uri,
                                          const struct moor_secret **token)
{
    *token = NULL;
    if (!l)
        return NULL;
    if (!moor_cloud_allows_url(&l->cloud, uri))
        return moor_fetch_transport_http(l->to_world);
    *token = moor_sync_token(l->sync);
    return moor_fetch_transport_http(l->to_cloud);
}
