/* SPDX-License-Identifier: Apache-2.0 */
/* Microsoft.OperationalInsights: workspaces and their tables. */
#include <string.h>

#include "api/records.h"
#include "api/routes.h"
#include "api/service.h"
#include "engine/tables.h"
#include "platform/random.h"
#include "store/logs.h"

#define WORKSPACE_TYPE    "Microsoft.OperationalInsights/workspaces"
#define TABLE_TYPE        "Microsoft.OperationalInsights/workspaces/tables"
#define DEFAULT_WORKSPACE "defaultWorkspaceId" /* what `info` shows: the first one made */

static moor_code note_default(struct moor_call *c, const char *customer_id, struct moor_error *err)
{
    const char *has = NULL;
    moor_code code = moor_store_meta_get(c->app->store, DEFAULT_WORKSPACE, c->arena, &has, err);
    if (code != MOOR_E_NOTFOUND)
        return code;
    return moor_store_meta_set(c->app->store, DEFAULT_WORKSPACE, customer_id, err);
}

static moor_code complete_workspace(struct moor_record_change *change, struct moor_error *err)
{
    struct moor_json *p = change->properties;
    char fresh[37];
    plat_random_uuid(fresh);
    change->alias = change->old ? change->old->alias : moor_call_fmt(change->call, "%s", fresh);
    moor_json_set_str(p, "customerId", change->alias);
    moor_json_set_str(p, "provisioningState", "Succeeded");
    if (!moor_json_get(p, "retentionInDays"))
        moor_json_set_int(p, "retentionInDays", 30);
    if (!moor_json_get(p, "sku")) {
        struct moor_json *sku = moor_json_new_object();
        moor_json_set_str(sku, "name", "PerGB2018");
        moor_json_set(p, "sku", sku);
    }
    return change->old ? MOOR_OK : note_default(change->call, change->alias, err);
}

static moor_code workspace_removing(struct moor_record_change *change, struct moor_error *err)
{
    struct moor_store *s = change->call->app->store;
    const char *is = NULL;
    moor_code code = moor_log_purge(s, change->old->alias, INT64_MAX, err);
    if (!code && !moor_store_meta_get(s, DEFAULT_WORKSPACE, change->call->arena, &is, NULL) &&
        moor_streq(is, change->old->alias))
        code = moor_store_meta_set(s, DEFAULT_WORKSPACE, "", err);
    return code;
}

/* A table's columns may be added to; what is there keeps its type. */
static moor_code complete_table(struct moor_record_change *change, struct moor_error *err)
{
    struct moor_call *c = change->call;
    struct moor_json *p = change->properties;
    struct moor_kql_columns columns, builtin;
    const char *name = change->id.name;
    size_t n = strlen(name);
    if (moor_table_builtin(name, &builtin))
        return moor_service_refuse(err, 400, "InvalidParameter",
                                   "The columns of the table '%s' are Azure's.", name);
    if (n < 4 || strcmp(name + n - 3, "_CL") != 0)
        return moor_service_refuse(err, 400, "InvalidParameter",
                                   "The name of a custom table ends in _CL.");
    struct moor_json *schema = moor_json_edit(p, "schema");
    moor_code code = moor_table_columns(moor_json_get(schema, "columns"),
                                        "properties.schema.columns", c->arena, &columns, err);
    if (code)
        return code;
    MOOR_AUTOPTR(moor_json) old = NULL;
    if (change->old && !moor_json_parse(moor_span_str(change->old->properties), &old, NULL)) {
        struct moor_json *merged = moor_json_copy(moor_json_path(old, "schema.columns"));
        (void)moor_table_extend(merged, &columns);
        moor_json_set(schema, "columns", merged);
    }
    moor_json_set_str(schema, "name", name);
    if (!moor_json_get(p, "plan"))
        moor_json_set_str(p, "plan", "Analytics");
    moor_json_set_str(p, "provisioningState", "Succeeded");
    return MOOR_OK;
}

const struct moor_record_kind moor_kind_workspace = {
    WORKSPACE_TYPE, true, "-", 63, complete_workspace, NULL, workspace_removing,
};
const struct moor_record_kind moor_kind_table = {
    TABLE_TYPE, false, "_", 63, complete_table, NULL, NULL,
};

static void on_workspace(struct moor_call *c)
{
    moor_record_serve(c, &moor_kind_workspace);
}

static void on_workspaces(struct moor_call *c)
{
    moor_record_list(c, WORKSPACE_TYPE);
}

static void on_table(struct moor_call *c)
{
    moor_record_serve(c, &moor_kind_table);
}

#define SUB   "/subscriptions/{sub}"
#define GROUP SUB "/resourcegroups/{group}"
#define ANY(pattern_, endpoint_)                                                                   \
    {                                                                                              \
        .method = "GET", .pattern = (pattern_), .handler = moor_call_dispatch,                     \
        .body_max = (size_t)256 << 10, .flags = MOOR_ROUTE_ANY_METHOD, .tag = &(endpoint_)         \
    }

static const struct moor_endpoint workspace = { MOOR_AUD_ARM, on_workspace, NULL };
static const struct moor_endpoint workspaces = { MOOR_AUD_ARM, on_workspaces, NULL };
static const struct moor_endpoint table = { MOOR_AUD_ARM, on_table, NULL };

const struct moor_http_route moor_workspace_routes[] = {
    MOOR_ROUTE("GET", SUB "/providers/" WORKSPACE_TYPE, workspaces, 0),
    MOOR_ROUTE("GET", GROUP "/providers/" WORKSPACE_TYPE, workspaces, 0),
    ANY(GROUP "/providers/" WORKSPACE_TYPE "/{name}", workspace),
    ANY(GROUP "/providers/" WORKSPACE_TYPE "/{name}/tables/{table}", table),
};
const size_t moor_workspace_route_count = MOOR_COUNTOF(moor_workspace_routes);
