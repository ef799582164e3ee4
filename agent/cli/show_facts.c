/* SPDX-License-Identifier: Apache-2.0 */
/* What mooring show knows: one object, put together from the documents and the identity role. */
#include <string.h>

#include "base/buf.h"
#include "cli/extension.h"
#include "cli/show.h"
#include "connect/himds.h"
#include "connect/session.h"
#include "core/agentconfig.h"
#include "core/cloud.h"
#include "core/proxy.h"
#include "core/settings.h"
#include "core/version.h"
#include "platform/dirs.h"
#include "platform/host.h"
#include "platform/inventory.h"

#define ARENA_MAX (1024 * 1024)
#define NAMESPACE "Microsoft.HybridCompute"

static void set(struct moor_json *v, const char *key, const char *value)
{
    moor_json_set_str(v, key, value ? value : "");
}

static void add_config(struct moor_json *v, const struct moor_agentconfig *a)
{
    set(v, "resourceName", a->resource_name);
    set(v, "resourceGroup", a->resource_group);
    set(v, "resourceNamespace", a->resource_id ? NAMESPACE : "");
    set(v, "resourceId", a->resource_id);
    set(v, "subscriptionId", a->subscription_id);
    set(v, "tenantId", a->tenant_id);
    set(v, "vmId", a->vm_id);
    set(v, "correlationId", a->correlation_id);
    set(v, "location", a->location);
    set(v, "cloud", a->cloud);
    set(v, "clientId", a->client_id);
    set(v, "principalId", a->principal_id);
}

static void add_host(struct moor_json *v)
{
    struct plat_host host;
    plat_host_read(&host);
    set(v, "vmUuid", host.smbios_uuid);
    set(v, "manufacturer", host.manufacturer);
    set(v, "model", host.model);
}

static void add_settings(struct moor_json *v, const struct moor_settings *s)
{
    MOOR_AUTO(moor_buf) bypass = MOOR_BUF(8192);
    for (size_t i = 0; i < s->proxy_bypass.count; i++)
        moor_buf_fmt(&bypass, "%s%s", i > 0 ? "," : "", s->proxy_bypass.items[i]);
    MOOR_AUTO(moor_proxy) proxy = MOOR_PROXY_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_proxy_load(s, NULL, &proxy, &err) != MOOR_OK)
        set(v, "httpsProxy", err.msg);
    else
        set(v, "httpsProxy", proxy.refusal ? proxy.refusal : proxy.url);
    set(v, "proxyBypassList", moor_buf_cstr(&bypass));
    set(v, "upstreamProxy", "");
    set(v, "upstreamProxyBypassList", "");
}

/* The identity role's word; without it the machine is not known to be connected. */
static void add_status(struct moor_json *v, const struct moor_json *status,
                       const struct moor_error *err)
{
    static const struct {
        const char *from, *to;
    } copies[] = {
        { "status", "status" },
        { "lastHeartbeat", "lastHeartbeat" },
        { "agentVersion", "agentVersion" },
        { "errorCode", "agentErrorCode" },
        { "errorDetails", "agentErrorDetails" },
        { "errorTimestamp", "agentErrorTimestamp" },
        { "certificateNotAfter", "certificateNotAfter" },
        { "certificateToAdd", "certificateToAdd" },
        { "cloudProvider", "cloudProvider" },
        { "identityKeyStore", "identityKeyStore" },
        { "endpointProblem", "localEndpointProblem" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(copies); i++)
        set(v, copies[i].to, moor_json_get_str(status, copies[i].from));
    const bool old = moor_json_is_true(moor_json_get(status, "upgradeRequired"));
    set(v, "agentUpgradeRequired", old ? "the control plane gives an older agent no work" : "");
    if (status)
        return;
    set(v, "cloudProvider", "N/A");
    set(v, "status", "Disconnected");
    set(v, "agentVersion", moor_version());
    set(v, "agentErrorCode", "AZCM0064");
    set(v, "agentErrorDetails", err->msg);
}

/* Databases that the portal and scripts ask for by these names. */
static void add_databases(struct moor_json *v)
{
    struct plat_databases found;
    plat_databases_read(&found);
    set(v, "mssqlDiscovered", found.mssql ? "true" : "false");
    set(v, "mysqlDiscovered", found.mysql ? "true" : "false");
    set(v, "pgsqlDiscovered", found.postgresql ? "true" : "false");
}

/* Features of azcmagent that there are none of here have their lines, since scripts look there. */
static void add_absent(struct moor_json *v)
{
    static const char *const empty[] = { "gatewayUrl", "cloudMetadata", "disabledFeatures",
                                         "esuEligibility" };
    for (size_t i = 0; i < MOOR_COUNTOF(empty); i++)
        set(v, empty[i], "");
    set(v, "agentAutoUpgradeTaskStatus", "not available");
}

static const char *state_of(const char *unit)
{
    struct plat_unit_state state = { .known = false };
    if (!*plat_dirs_root())
        plat_unit_read(unit, &state);
    return !state.known ? "unknown" : state.active ? "running" : "stopped";
}

/* The identity role answers or not; of the others the service manager is asked, if there is one. */
static void add_services(struct moor_json *v, bool identity_answers)
{
    struct moor_json *s = moor_json_set(v, "dependentServiceStatus", moor_json_new_object());
    set(s, "himds", identity_answers ? "running" : "stopped");
    set(s, "arcproxy", "not available");
    set(s, "extensionservice", state_of("mooring-extensions.service"));
    set(s, "gcarcservice", "not available");
    set(s, "mooring-logs", state_of("mooring-logs.service"));
}

static moor_code ask_service(struct moor_json **status, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_session) session = NULL;
    moor_code c = moor_session_new(NULL, NULL, &session, err);
    return c == MOOR_OK ? moor_himds_status(session, status, err) : c;
}

static void add_portal(struct moor_json *v, const struct moor_agentconfig *a,
                       struct moor_arena *arena)
{
    struct moor_cloud cloud;
    MOOR_AUTO(moor_buf) page = MOOR_BUF(4096);
    if (a->cloud && moor_cloud_load(a->cloud, &cloud, arena, NULL) == MOOR_OK && cloud.portal)
        moor_buf_fmt(&page, "%s/#resource%s", cloud.portal, a->resource_id);
    set(v, "portalPage", moor_buf_cstr(&page));
}

/* Root's to read, since messages quote handlers' output. */
static void add_extensions(struct moor_json *v)
{
    struct moor_json *list = NULL;
    if (moor_cli_extensions(&list, NULL) == MOOR_OK && moor_json_size(list) > 0)
        moor_json_set(v, "extensions", list);
    else
        moor_json_free(list);
}

moor_code moor_show_collect(struct moor_cli *cli, struct moor_json *v, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ARENA_MAX);
    MOOR_AUTOPTR(moor_json) status = NULL;
    struct moor_agentconfig config = { .schema = 0 };
    struct moor_settings settings;
    struct moor_error why = MOOR_ERROR_INIT;
    moor_code c = moor_agentconfig_load(&config, &arena, err);
    if (c != MOOR_OK && c != MOOR_E_NOTFOUND)
        return c;
    const char *refused = moor_cli_settings(cli, &settings, &arena);
    if (ask_service(&status, &why) != MOOR_OK)
        status = NULL;
    add_config(v, &config);
    add_host(v);
    add_status(v, status, &why);
    add_settings(v, &settings);
    set(v, "localConfigError", refused);
    add_databases(v);
    add_absent(v);
    add_services(v, status != NULL);
    add_portal(v, &config, &arena);
    add_extensions(v);
    set(v, "agentLogfile",
        "journal: mooring-identity, mooring-extensions, mooring-logs; commands: azcmagent.log");
    set(v, "root", plat_dirs_root());
    return MOOR_OK;
}
