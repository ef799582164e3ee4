/* SPDX-License-Identifier: Apache-2.0 */
/* mooring show: one table gives every fact its label; show_facts.c finds them. */
#include "cli/show.h"

#include <string.h>

#include "base/buf.h"
#include "base/span.h"

static void say_text(const char *label, const struct moor_json *v);
static void say_if_set(const char *label, const struct moor_json *v);
static void say_services(const char *label, const struct moor_json *v);
static void say_extensions(const char *label, const struct moor_json *v);

static const struct {
    const char *label, *key;
    void (*say)(const char *label, const struct moor_json *v);
} rows[] = {
    { "Resource Name", "resourceName", say_text },
    { "Resource Group Name", "resourceGroup", say_text },
    { "Resource Namespace", "resourceNamespace", say_text },
    { "Resource Id", "resourceId", say_text },
    { "Subscription ID", "subscriptionId", say_text },
    { "Tenant ID", "tenantId", say_text },
    { "VM ID", "vmId", say_text },
    { "Correlation ID", "correlationId", say_text },
    { "VM UUID", "vmUuid", say_text },
    { "Location", "location", say_text },
    { "Cloud", "cloud", say_text },
    { "Identity Key Store", "identityKeyStore", say_text },
    { "Identity Client ID", "clientId", say_text },
    { "Identity Principal ID", "principalId", say_text },
    { "Certificate Valid Until", "certificateNotAfter", say_text },
    { "Certificate To Add", "certificateToAdd", say_if_set },
    { "Agent Version", "agentVersion", say_text },
    { "Agent Upgrade Required", "agentUpgradeRequired", say_if_set },
    { "Agent Logfile", "agentLogfile", say_text },
    { "Agent Status", "status", say_text },
    { "Agent Last Heartbeat", "lastHeartbeat", say_text },
    { "Agent Error Code", "agentErrorCode", say_text },
    { "Agent Error Details", "agentErrorDetails", say_text },
    { "Agent Error Timestamp", "agentErrorTimestamp", say_text },
    { "Local Configuration Error", "localConfigError", say_if_set },
    { "Local Endpoint Problem", "localEndpointProblem", say_if_set },
    { "Using HTTPS Proxy", "httpsProxy", say_text },
    { "Proxy Bypass List", "proxyBypassList", say_text },
    { "Upstream Proxy", "upstreamProxy", say_text },
    { "Upstream Proxy Bypass List", "upstreamProxyBypassList", say_text },
    { "Gateway URL", "gatewayUrl", say_text },
    { "Cloud Provider", "cloudProvider", say_text },
    { "Cloud Metadata", "cloudMetadata", say_text },
    { "Manufacturer", "manufacturer", say_text },
    { "Model", "model", say_text },
    { "MSSQL Server Detected", "mssqlDiscovered", say_text },
    { "MySQL Server Detected", "mysqlDiscovered", say_text },
    { "PGSQL Server Detected", "pgsqlDiscovered", say_text },
    { "Dependent Service Status", "dependentServiceStatus", say_services },
    { "Portal Page", "portalPage", say_text },
    { "Disabled Features", "disabledFeatures", say_text },
    { "Agent Auto Upgrade Task Status", "agentAutoUpgradeTaskStatus", say_text },
    { "ESU Eligibility", "esuEligibility", say_text },
    { "Extensions", "extensions", say_extensions },
    { "Root", "root", say_if_set },
};

#define LINE "%-40s: %s\n"

static void say_text(const char *label, const struct moor_json *v)
{
    moor_say(LINE, label, moor_json_str(v));
}

static void say_if_set(const char *label, const struct moor_json *v)
{
    if (*moor_json_str(v))
        say_text(label, v);
}

static void say_services(const char *label, const struct moor_json *v)
{
    static const struct {
        const char *label, *key;
    } services[] = {
        { "  Agent Service (himds)", "himds" },
        { "  Azure Arc Proxy (arcproxy)", "arcproxy" },
        { "  Extension Service (extensionservice)", "extensionservice" },
        { "  GC Service (gcarcservice)", "gcarcservice" },
        { "  Log Forwarder (mooring-logs)", "mooring-logs" },
    };
    moor_say("%s\n", label);
    for (size_t i = 0; i < MOOR_COUNTOF(services); i++)
        moor_say(LINE, services[i].label, moor_json_get_str(v, services[i].key));
}

/* One line each: the first of its message. */
static void say_extensions(const char *label, const struct moor_json *list)
{
    (void)label;
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
        moor_say(LINE, "Extension", moor_buf_cstr(&line));
    }
}

static bool matches(size_t row, struct moor_span word)
{
    return moor_span_eq_nocase(word, moor_span_str(rows[row].label)) ||
           moor_span_eq_nocase(word, moor_span_str(rows[row].key));
}

struct show_options {
    const char *properties;
};
static const struct moor_option show_options[] = {
    { "property", 'p', "LIST", offsetof(struct show_options, properties),
      "properties parted by commas" },
    { NULL, 0, NULL, 0, NULL },
};

/* Which rows are asked for. */
struct choice {
    bool rows[MOOR_COUNTOF(rows)];
};

static moor_azcm choose_one(struct moor_cli *cli, struct choice *out, struct moor_span word)
{
    bool known = false;
    for (size_t r = 0; r < MOOR_COUNTOF(rows); r++) {
        bool this = matches(r, word);
        out->rows[r] = out->rows[r] || this;
        known = known || this;
    }
    if (known)
        return AZCM_OK;
    return moor_cli_refuse(cli, AZCM_INVALID_ARGUMENT, "%.*s: no such property",
                           (int)(word.n < 64 ? word.n : 64), word.p);
}

static moor_azcm choose(struct moor_cli *cli, const struct show_options *o,
                        const struct moor_words *words, struct choice *out)
{
    moor_azcm bad = AZCM_OK;
    struct moor_span rest = moor_span_str(o->properties);
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; bad == AZCM_OK && i < words->count; i++)
        bad = choose_one(cli, out, moor_span_str(words->items[i]));
    while (bad == AZCM_OK && rest.p)
        bad = choose_one(cli, out, moor_span_trim(moor_span_cut(&rest, ',')));
    for (size_t r = 0; !o->properties && words->count == 0 && r < MOOR_COUNTOF(rows); r++)
        out->rows[r] = true;
    return bad;
}

static moor_azcm run_show(struct moor_cli *cli, const void *options, const struct moor_words *words)
{
    MOOR_AUTOPTR(moor_json) all = moor_json_new_object();
    MOOR_AUTOPTR(moor_json) chosen = moor_json_new_object();
    struct moor_error err = MOOR_ERROR_INIT;
    struct choice choice;
    moor_azcm bad = choose(cli, options, words, &choice);
    if (bad != AZCM_OK)
        return bad;
    if (moor_show_collect(cli, all, &err) != MOOR_OK)
        return moor_cli_fail(cli, AZCM_CONFIG_READ, &err, NULL);
    for (size_t r = 0; r < MOOR_COUNTOF(rows); r++) {
        const struct moor_json *value = moor_json_get(all, rows[r].key);
        if (!choice.rows[r] || !value)
            continue;
        if (cli->json)
            moor_json_set(chosen, rows[r].key, moor_json_copy(value));
        else
            rows[r].say(rows[r].label, value);
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
    .options = show_options,
    .options_size = sizeof(struct show_options),
    .words_max = MOOR_WORDS_MAX,
    .run = run_show,
};
