/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/machine.h"

#include <stdlib.h>

#include "base/span.h"
#include "core/proxy.h"

#define DOCUMENTS_MAX (1024 * 1024)

static moor_code load_all(struct moor_machine *m, struct moor_error *err)
{
    struct moor_error why = MOOR_ERROR_INIT;
    moor_code c = moor_agentconfig_load(&m->config, &m->arena, err);
    if (c)
        return c;
    c = moor_cloud_load(m->config.cloud, &m->cloud, &m->arena, &why);
    m->settings_error.code = moor_settings_load_closed(&m->settings, &m->arena, &m->settings_error);
    if (!c)
        c = moor_proxy_load(&m->settings, &m->cloud, &m->proxy, &why);
    /* NOTFOUND is kept for "not connected": a cloud that is not registered is another matter. */
    return c ? moor_fail(err, c == MOOR_E_NOTFOUND ? MOOR_E_BADINPUT : c, "%s", why.msg) : c;
}

moor_code moor_machine_load(struct moor_machine **out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_machine) m = calloc(1, sizeof(*m));
    if (!m)
        return moor_fail(err, MOOR_E_NOMEM, "out of memory");
    m->arena = (struct moor_arena)MOOR_ARENA(DOCUMENTS_MAX);
    moor_code c = load_all(m, err);
    if (!c)
        *out = MOOR_TAKE(m);
    return c;
}

void moor_machine_free(struct moor_machine *m)
{
    if (!m)
        return;
    moor_proxy_drop(&m->proxy);
    moor_arena_drop(&m->arena);
    free(m);
}

void moor_machine_keep_proxy(struct moor_machine *m, const struct moor_machine *former)
{
    MOOR_AUTO(moor_proxy) copy = MOOR_PROXY_INIT;
    if (m->proxy.refusal && !former->proxy.refusal &&
        moor_proxy_copy(&former->proxy, &copy, NULL) == MOOR_OK)
        moor_proxy_move(&m->proxy, &copy);
}

static bool same_list(const struct moor_str_list *a, const struct moor_str_list *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = moor_streq(a->items[i], b->items[i]);
    return same;
}

static bool same_cloud(const struct moor_cloud *a, const struct moor_cloud *b)
{
    return moor_streq(a->name, b->name) && moor_streq(a->login_endpoint, b->login_endpoint) &&
           moor_streq(a->token_endpoint, b->token_endpoint) &&
           moor_streq(a->his_endpoint, b->his_endpoint) &&
           moor_streq(a->service_audience, b->service_audience) &&
           moor_streq(moor_cloud_ingestion_audience(a), moor_cloud_ingestion_audience(b)) &&
           moor_streq(a->ca_file, b->ca_file) && same_list(&a->host_suffixes, &b->host_suffixes);
}

/* What of the settings this role uses, or reports. */
static bool same_settings(const struct moor_settings *a, const struct moor_settings *b)
{
    return moor_streq(a->proxy_url, b->proxy_url) &&
           same_list(&a->proxy_bypass, &b->proxy_bypass) && a->config_mode == b->config_mode &&
           a->extensions_enabled == b->extensions_enabled &&
           a->guestconfiguration_enabled == b->guestconfiguration_enabled &&
           same_list(&a->extensions_allowlist, &b->extensions_allowlist) &&
           same_list(&a->extensions_blocklist, &b->extensions_blocklist) &&
           same_list(&a->incomingconnections_ports, &b->incomingconnections_ports) &&
           same_list(&a->identity_audiences, &b->identity_audiences);
}

bool moor_machine_unchanged(const struct moor_machine *a, const struct moor_machine *b)
{
    return moor_agentconfig_same_resource(&a->config, &b->config) &&
           moor_streq(a->config.vm_id, b->config.vm_id) &&
           moor_streq(a->config.tenant_id, b->config.tenant_id) &&
           same_cloud(&a->cloud, &b->cloud) && same_settings(&a->settings, &b->settings) &&
           moor_proxy_same(&a->proxy, &b->proxy) &&
           moor_streq(a->settings_error.msg, b->settings_error.msg);
}

moor_code moor_machine_client(const struct moor_machine *m, struct moor_loop *l,
                              struct moor_http_client **out, struct moor_error *err)
{
    const struct moor_http_client_opts opts = { .ca_file = m->cloud.ca_file, .proxy = &m->proxy };
    return moor_http_client_new(l, &opts, out, err);
}
