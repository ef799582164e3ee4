/* SPDX-License-Identifier: Apache-2.0 */
/* mooring show: one object with every fact, and one table that gives each its label. */
#include <string.h>

#include "base/buf.h"
#include "cli/cli.h"
#include "connect/himds.h"
#include "connect/session.h"
#include "core/agentconfig.h"
#include "core/cloud.h"
#include "core/settings.h"
#include "core/version.h"
#include "manager/item.h"
#include "manager/report.h"
#include "platform/dirs.h"
#include "platform/host.h"

#define ARENA_MAX (1024 * 1024)
#define NAMESPACE "Microsoft.HybridCompute"

static const struct {
    const char *label;
    const char *key;
} rows[] = {
    { "Resource Name", "resourceName" },
    { "Resource Group Name", "resourceGroup" },
    { "Resource Namespace", "resourceNamespace" },
    { "Resource Id", "resourceId" },
    { "Subscription ID", "subscriptionId" },
    { "Tenant ID", "tenantId" },
    { "VM ID", "vmId" },
    { "Correlation ID", "correlationId" },
    { "VM UUID", "vmUuid" },
    { "Location", "location" },
    { "Cloud", "cloud" },
    { "Identity Key Store", "identityKeyStore" },
    { "Identity Client ID", "clientId" },
    { "Identity Principal ID", "principalId" },
    { "Certificate Valid Until", "certificateNotAfter" },
    { "Agent Version", "agentVersion" },
    { "Agent Logfile", "agentLogfile" },
    { "Agent Status", "status" },
    { "Agent Last Heartbeat", "lastHeartbeat" },
    { "Agent Error Code", "agentErrorCode" },
    { "Agent Error Details", "agentErrorDetails" },
    { "Agent Error Timestamp", "agentErrorTimestamp" },
    { "Using HTTPS Proxy", "httpsProxy" },
    { "Proxy Bypass List", "proxyBypassList" },
    { "Upstream Proxy", "upstreamProxy" },
    { "Cloud Provider", "cloudProvider" },
    { "Manufacturer", "manufacturer" },
    { "Model", "model" },
    { "Agent Service (himds)", "agentService" },
    { "Portal Page", "portalPage" },
    { "Extensions", "extensions" },
    { "Root", "root" },
};

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
    set(v, "identityKeyStore", a->resource_id ? "Default" : "");
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
    set(v, "httpsProxy", s->proxy_url);
    set(v, "proxyBypassList", moor_buf_cstr(&bypass));
    set(v, "upstreamProxy", "");
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
        { "cloudProvider", "cloudProvider" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(copies); i++)
        set(v, copies[i].to, moor_json_get_str(status, copies[i].from));
    set(v, "agentService", status ? "running" : "stopped");
    if (status)
        return;
    set(v, "cloudProvider", "N/A");
    set(v, "status", "Disconnected");
    set(v, "agentVersion", moor_version());
    set(v, "agentErrorCode", "AZCM0064");
    set(v, "agentErrorDetails", err->msg);
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

/* What the extensions role keeps; root's to read, since messages quote handlers' output. */
static void add_extensions(struct moor_json *v)
{
    MOOR_AUTO(moor_items) items = { .count = 0 };
    MOOR_AUTOSTR path = NULL;
    if (plat_path(PLAT_DIR_GUESTCONFIG, &path, NULL, MOOR_ITEMS_FILE) != MOOR_OK ||
        moor_items_load(path, &items, NULL) != MOOR_OK || items.count == 0)
        return;
    struct moor_json *list = moor_json_set(v, "extensions", moor_json_new_array());
    for (size_t n = 0; n < items.count; n++) {
        const struct moor_item *i = items.list[n];
        struct moor_json *e = moor_json_push(list, moor_json_new_object());
        set(e, "name", i->name);
        set(e, "publisher", i->publisher);
        set(e, "type", i->type);
        set(e, "version", i->version);
        set(e, "state", moor_report_state(i));
        set(e, "provisioningState", moor_report_provisioning(i));
        set(e, "errorCode", i->error_code);
        set(e, "message", i->message);
    }
}

/* One line each: the first of its message. */
static void say_extensions(const struct moor_json *list)
{
    MOOR_JSON_EACH(e, list)
    {
        const char *code = moor_json_get_str(e, "errorCode");
        const char *message = moor_json_get_str(e, "message");
        MOOR_AUTO(moor_buf) line = MOOR_BUF(8192);
        moor_buf_fmt(&line, "%s (%s.%s %s): %s", moor_json_get_str(e, "name"),
                     moor_json_get_str(e, "publisher"), moor_json_get_str(e, "type"),
                     moor_json_get_str(e, "version"), moor_json_get_str(e, "provisioningState"));
        if (*code)
            moor_buf_fmt(&line, ", %s", code);
        if (*message)
            moor_buf_fmt(&line, ": %.*s", (int)strcspn(message, "\r\n"), message);
        moor_say("%-24s: %s\n", "Extension", moor_buf_cstr(&line));
    }
}

/* The row that is no text. */
static void show_extensions(const struct moor_json *all, struct moor_json *chosen, bool json)
{
    struct moor_json *list = moor_json_copy(moor_json_get(all, "extensions"));
    if (list && !json)
        say_extensions(list);
    if (list)
        moor_json_set(chosen, "extensions", list);
}

static moor_code collect(struct moor_cli *cli, struct moor_json *v, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ARENA_MAX);
    MOOR_AUTOPTR(moor_json) status = NULL;
    struct moor_agentconfig config = { .schema = 0 };
    struct moor_settings settings;
    struct moor_error why = MOOR_ERROR_INIT;
    moor_code c = moor_agentconfig_load(&config, &arena, err);
    if (c != MOOR_OK && c != MOOR_E_NOTFOUND)
        return c;
    (void)moor_cli_settings(cli, &settings, &arena);
    if (ask_service(&status, &why) != MOOR_OK)
        status = NULL;
    add_config(v, &config);
    add_host(v);
    add_status(v, status, &why);
    add_settings(v, &settings);
    add_portal(v, &config, &arena);
    add_extensions(v);
    set(v, "agentLogfile", "journal: mooring-identity, mooring-extensions, mooring-logs");
    set(v, "root", plat_dirs_root());
    return MOOR_OK;
}

static bool asked_for(const struct moor_words *words, size_t row)
{
    for (size_t i = 0; i < words->count; i++)
        if (moor_strcasecmp(words->items[i], rows[row].label) == 0 ||
            moor_strcasecmp(words->items[i], rows[row].key) == 0)
            return true;
    return words->count == 0;
}

static moor_azcm check_words(struct moor_cli *cli, const struct moor_words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        const struct moor_words one = { .items = { words->items[i] }, .count = 1 };
        bool known = false;
        for (size_t r = 0; r < MOOR_COUNTOF(rows); r++)
            known = known || asked_for(&one, r);
        if (!known)
            return moor_cli_refuse(cli, AZCM_INVALID_ARGUMENT, "%s: no such property",
                                   words->items[i]);
    }
    return AZCM_OK;
}

static moor_azcm run_show(struct moor_cli *cli, const void *options, const struct moor_words *words)
{
    MOOR_AUTOPTR(moor_json) all = moor_json_new_object();
    MOOR_AUTOPTR(moor_json) chosen = moor_json_new_object();
    struct moor_error err = MOOR_ERROR_INIT;
    (void)options;
    moor_azcm bad = check_words(cli, words);
    if (bad != AZCM_OK)
        return bad;
    if (collect(cli, all, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_CONFIG_READ, &err, NULL);
    for (size_t r = 0; r < MOOR_COUNTOF(rows); r++) {
        const char *value = moor_json_get_str(all, rows[r].key);
        if (!asked_for(words, r) || (moor_streq(rows[r].key, "root") && !*value))
            continue;
        if (moor_streq(rows[r].key, "extensions")) {
            show_extensions(all, chosen, cli->json);
            continue;
        }
        moor_json_set_str(chosen, rows[r].key, value);
        if (!cli->json)
            moor_say("%-24s: %s\n", rows[r].label, value);
    }
    if (cli->json)
        moor_say_json(chosen);
    return AZCM_OK;
}

const struct moor_verb moor_verb_show = {
    .name = "show",
    .words = "[PROPERTY...]",
    .summary = "show this machine's identity and the agent's state",
    .text = "Properties are named by label or by JSON key. No administrator rights are needed,\n"
            "but extensions, with the reason when one failed, are shown to root only, since\n"
            "their messages quote what handlers print.\n",
    .words_max = MOOR_WORDS_MAX,
    .run = run_show,
};
