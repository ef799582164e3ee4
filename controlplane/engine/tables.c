/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/tables.h"

#include <string.h>

#define COLUMNS_MAX  500u
#define NAME_MAX_LEN 45u

#define STRING   MOOR_KQL_STRING
#define INT      MOOR_KQL_INT
#define LONG     MOOR_KQL_LONG
#define REAL     MOOR_KQL_REAL
#define BOOL     MOOR_KQL_BOOL
#define DATETIME MOOR_KQL_DATETIME
#define DYNAMIC  MOOR_KQL_DYNAMIC

static const struct moor_kql_column syslog_columns[] = {
    { "CollectorHostName", STRING },
    { "Computer", STRING },
    { "EventTime", DATETIME },
    { "Facility", STRING },
    { "HostIP", STRING },
    { "HostName", STRING },
    { "ProcessID", INT },
    { "ProcessName", STRING },
    { "SeverityLevel", STRING },
    { "SyslogMessage", STRING },
    { "SourceSystem", STRING },
};
static const struct moor_kql_column event_columns[] = {
    { "AzureDeploymentID", STRING },
    { "Computer", STRING },
    { "EventCategory", INT },
    { "EventData", STRING },
    { "EventID", INT },
    { "EventLevel", INT },
    { "EventLevelName", STRING },
    { "EventLog", STRING },
    { "ManagementGroupName", STRING },
    { "Message", STRING },
    { "ParameterXml", STRING },
    { "RenderedDescription", STRING },
    { "Role", STRING },
    { "Source", STRING },
    { "UserName", STRING },
};
static const struct moor_kql_column perf_columns[] = {
    { "BucketStartTime", DATETIME },
    { "BucketEndTime", DATETIME },
    { "Computer", STRING },
    { "CounterName", STRING },
    { "CounterPath", STRING },
    { "CounterValue", REAL },
    { "InstanceName", STRING },
    { "Max", REAL },
    { "Min", REAL },
    { "ObjectName", STRING },
    { "SampleCount", INT },
    { "StandardDeviation", REAL },
};
static const struct moor_kql_column insights_columns[] = {
    { "AgentId", STRING }, { "Computer", STRING }, { "Name", STRING }, { "Namespace", STRING },
    { "Origin", STRING },  { "Tags", STRING },     { "Val", REAL },    { "Value", STRING },
};
static const struct moor_kql_column heartbeat_columns[] = {
    { "Category", STRING },
    { "Computer", STRING },
    { "ComputerEnvironment", STRING },
    { "ComputerIP", STRING },
    { "ComputerPrivateIPs", DYNAMIC },
    { "IsGatewayInstalled", BOOL },
    { "OSMajorVersion", STRING },
    { "OSMinorVersion", STRING },
    { "OSName", STRING },
    { "OSType", STRING },
    { "Resource", STRING },
    { "ResourceGroup", STRING },
    { "ResourceId", STRING },
    { "ResourceProvider", STRING },
    { "ResourceType", STRING },
    { "SubscriptionId", STRING },
    { "Version", STRING },
    { "VMUUID", STRING },
};
static const struct moor_kql_column iis_columns[] = {
    { "cIP", STRING },         { "Computer", STRING },
    { "csBytes", LONG },       { "csCookie", STRING },
    { "csHost", STRING },      { "csMethod", STRING },
    { "csReferer", STRING },   { "csUriQuery", STRING },
    { "csUriStem", STRING },   { "csUserAgent", STRING },
    { "csUserName", STRING },  { "csVersion", STRING },
    { "scBytes", LONG },       { "scStatus", STRING },
    { "scSubStatus", STRING }, { "scWin32Status", STRING },
    { "sIP", STRING },         { "SourceSystem", STRING },
    { "sPort", INT },          { "sSiteName", STRING },
    { "TimeTaken", LONG },
};

#define TABLE(name, columns)                                                                       \
    {                                                                                              \
        name,                                                                                      \
        {                                                                                          \
            columns, MOOR_COUNTOF(columns)                                                         \
        }                                                                                          \
    }
static const struct {
    const char *name;
    struct moor_kql_columns columns;
} builtin[] = { TABLE("Syslog", syslog_columns),       TABLE("Event", event_columns),
                TABLE("Perf", perf_columns),           TABLE("InsightsMetrics", insights_columns),
                TABLE("Heartbeat", heartbeat_columns), TABLE("W3CIISLog", iis_columns) };

/* Filled by the service, or kept for it. */
static const char *const reserved[] = { "_ResourceId", "id",   "_SubscriptionId",
                                        "TenantId",    "Type", "UniqueId",
                                        "Title" };

bool moor_table_builtin(const char *name, struct moor_kql_columns *out)
{
    for (size_t i = 0; i < MOOR_COUNTOF(builtin); i++) {
        if (moor_streq(builtin[i].name, name)) {
            *out = builtin[i].columns;
            return true;
        }
    }
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool name_ok(const char *name)
{
    if (!name || !is_letter(name[0]) || strlen(name) > NAME_MAX_LEN)
        return false;
    for (const char *p = name; *p; p++)
        if (!is_letter(*p) && *p != '_' && !(*p >= '0' && *p <= '9'))
            return false;
    for (size_t i = 0; i < MOOR_COUNTOF(reserved); i++)
        if (moor_strcasecmp(name, reserved[i]) == 0)
            return false;
    return true;
}

static bool has(const struct moor_kql_column *items, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (moor_strcasecmp(items[i].name, name) == 0)
            return true;
    return false;
}

moor_code moor_table_columns(const struct moor_json *list, const char *what,
                             struct moor_arena *arena, struct moor_kql_columns *out,
                             struct moor_error *err)
{
    size_t size = moor_json_size(list), count = 0;
    if (moor_json_typeof(list) != MOOR_JSON_ARRAY || size == 0 || size > COLUMNS_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: want a list of 1..%u columns", what,
                         COLUMNS_MAX);
    struct moor_kql_column *columns = moor_arena_array(arena, size, sizeof(*columns));
    if (!columns)
        return moor_fail(err, MOOR_E_NOMEM, "%s: no memory", what);
    MOOR_JSON_EACH(item, list)
    {
        const char *name = moor_json_get_str(item, "name");
        if (!name_ok(name) || has(columns, count, name))
            return moor_fail(
                err, MOOR_E_BADINPUT,
                "%s: column %.64s: want a new name of letters, digits and underscores, "
                "at most %u, that is not reserved",
                what, name ? name : "", NAME_MAX_LEN);
        if (!moor_kql_type_find(moor_json_get_str(item, "type"), &columns[count].type))
            return moor_fail(err, MOOR_E_BADINPUT,
                             "%s: column %s: want a type among string, int, long, real, boolean, "
                             "dynamic, datetime, guid",
                             what, name);
        columns[count].name = moor_arena_str(arena, moor_span_str(name));
        if (!columns[count++].name)
            return moor_fail(err, MOOR_E_NOMEM, "%s: no memory", what);
    }
    *out = (struct moor_kql_columns){ columns, count };
    return MOOR_OK;
}

moor_code moor_table_query_columns(const struct moor_kql_columns *own, struct moor_arena *arena,
                                   struct moor_kql_columns *out, struct moor_error *err)
{
    struct moor_kql_column *all = moor_arena_array(arena, own->count + 4, sizeof(*all));
    if (!all)
        return moor_fail(err, MOOR_E_NOMEM, "columns: no memory");
    size_t n = 0;
    all[n++] = (struct moor_kql_column){ "TenantId", MOOR_KQL_GUID };
    all[n++] = (struct moor_kql_column){ "TimeGenerated", MOOR_KQL_DATETIME };
    for (size_t i = 0; i < own->count; i++)
        if (moor_strcasecmp(own->items[i].name, "TimeGenerated") != 0)
            all[n++] = own->items[i];
    all[n++] = (struct moor_kql_column){ "Type", MOOR_KQL_STRING };
    all[n++] = (struct moor_kql_column){ "_ResourceId", MOOR_KQL_STRING };
    *out = (struct moor_kql_columns){ all, n };
    return MOOR_OK;
}

bool moor_table_extend(struct moor_json *list, const struct moor_kql_columns *columns)
{
    bool any = false;
    for (size_t i = 0; i < columns->count; i++) {
        bool there = false;
        MOOR_JSON_EACH(item, list)
        {
            const char *name = moor_json_get_str(item, "name");
            there = there || (name && moor_strcasecmp(name, columns->items[i].name) == 0);
        }
        if (there)
            continue;
        struct moor_json *o = moor_json_new_object();
        moor_json_set_str(o, "name", columns->items[i].name);
        moor_json_set_str(o, "type", moor_kql_type_name(columns->items[i].type));
        moor_json_push(list, o);
        any = true;
    }
    return any;
}
