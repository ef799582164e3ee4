/* SPDX-License-Identifier: Apache-2.0 */
/* Microsoft.Insights: data collection rules and who they are for. */
#include <string.h>

#include "api/records.h"
#include "api/routes.h"
#include "api/service.h"
#include "engine/rules.h"
#include "engine/tables.h"
#include "platform/random.h"

#define RULE_TYPE        "Microsoft.Insights/dataCollectionRules"
#define ASSOCIATION_TYPE "Microsoft.Insights/dataCollectionRuleAssociations"
#define WORKSPACE_TYPE   "Microsoft.OperationalInsights/workspaces"
#define TABLE_TYPE       "Microsoft.OperationalInsights/workspaces/tables"
#define PAGE             500u

static struct moor_json *stored_object(const char *text)
{
    struct moor_json *v = NULL;
    if (!text || moor_json_parse(moor_span_str(text), &v, NULL))
        v = moor_json_new_object();
    return v;
}

static const char *new_immutable_id(struct moor_call *c)
{
    unsigned char bytes[16];
    MOOR_AUTO(moor_buf) hex = MOOR_BUF(32);
    plat_random(bytes, sizeof(bytes));
    moor_buf_hex(&hex, moor_span(bytes, sizeof(bytes)));
    return moor_call_fmt(c, "dcr-%s", moor_buf_cstr(&hex));
}

/* The workspace a destination names: there, and readable by whoever writes the rule. */
static moor_code find_workspace(struct moor_call *c, const char *id, struct moor_resource *out,
                                struct moor_error *err)
{
    moor_code code = moor_resource_get(c->app->store, id, c->arena, out, err);
    if (code == MOOR_E_NOTFOUND || (!code && moor_strcasecmp(out->type, WORKSPACE_TYPE) != 0))
        return moor_service_refuse(err, 400, "InvalidPayload",
                                   "Data collection rule is invalid: the workspace '%.200s' does "
                                   "not exist.",
                                   id);
    if (!code && !moor_authz_allows(c->app->authz, &c->caller, WORKSPACE_TYPE "/read", out->id))
        return moor_service_refuse(err, 403, "LinkedAuthorizationFailed",
                                   "The client has no right to read the workspace '%.200s'.", id);
    return code;
}

/* A custom table has at least the columns of every stream that ends in it. */
static moor_code extend_table(struct moor_call *c, const struct moor_resource *workspace,
                              const struct moor_rule_flow *flow, struct moor_error *err)
{
    struct moor_kql_columns builtin;
    struct moor_resource old;
    if (moor_table_builtin(flow->table, &builtin))
        return MOOR_OK;
    const char *id = moor_call_fmt(c, "%s/tables/%s", workspace->id, flow->table);
    moor_code code = moor_resource_get(c->app->store, id, c->arena, &old, err);
    if (code && code != MOOR_E_NOTFOUND)
        return code;
    bool exists = !code;
    MOOR_AUTOPTR(moor_json) p = stored_object(exists ? old.properties : NULL);
    struct moor_json *schema = moor_json_edit(p, "schema");
    if (!schema) {
        schema = moor_json_set(p, "schema", moor_json_new_object());
        moor_json_set_str(schema, "name", flow->table);
        moor_json_set_str(p, "plan", "Analytics");
        moor_json_set_str(p, "provisioningState", "Succeeded");
    }
    struct moor_json *columns = moor_json_edit(schema, "columns");
    if (!columns)
        columns = moor_json_set(schema, "columns", moor_json_new_array());
    if (!moor_table_extend(columns, &flow->columns) && exists)
        return MOOR_OK;
    struct moor_resource row =
        exists ? old
               : (struct moor_resource){ .id = id,
                                         .type = TABLE_TYPE,
                                         .subscription = workspace->subscription,
                                         .group = workspace->group,
                                         .name = flow->table };
    row.properties = moor_arm_text(c, p);
    moor_arm_stamp(c, &row, exists ? &old : NULL);
    return moor_resource_put(c->app->store, &row, err);
}

static moor_code invalid_rule(struct moor_error *err)
{
    if (err->code == MOOR_E_BADINPUT) {
        err->http = 400;
        memcpy(err->service_code, "InvalidPayload", sizeof("InvalidPayload"));
        return moor_context(err, "Data collection rule is invalid");
    }
    return err->code;
}

/* Destinations are shown with the workspace's own id, as Azure does. */
static void set_workspace_id(struct moor_json *properties, const char *destination,
                             const char *customer_id)
{
    struct moor_json *destinations = moor_json_edit(properties, "destinations");
    const struct moor_json *list = moor_json_get(destinations, "logAnalytics");
    struct moor_json *filled = moor_json_new_array();
    MOOR_JSON_EACH(item, list)
    {
        struct moor_json *copy = moor_json_copy(item);
        if (moor_streq(moor_json_get_str(item, "name"), destination))
            moor_json_set_str(copy, "workspaceId", customer_id);
        moor_json_push(filled, copy);
    }
    moor_json_set(destinations, "logAnalytics", filled);
}

static moor_code complete_rule(struct moor_record_change *change, struct moor_error *err)
{
    struct moor_call *c = change->call;
    struct moor_json *p = change->properties;
    struct moor_rule_flows flows;
    if (moor_rule_flows(p, c->arena, &flows, err))
        return invalid_rule(err);
    for (size_t i = 0; i < flows.count; i++) {
        struct moor_resource workspace;
        moor_code code = find_workspace(c, flows.items[i].workspace_id, &workspace, err);
        if (code || (code = extend_table(c, &workspace, &flows.items[i], err)))
            return code;
        set_workspace_id(p, flows.items[i].destination, workspace.alias);
    }
    change->alias = change->old ? change->old->alias : new_immutable_id(c);
    struct moor_json *endpoints = moor_json_new_object();
    moor_json_set_str(endpoints, "logsIngestion", c->app->config.ingestion_url);
    moor_json_set_str(p, "immutableId", change->alias);
    moor_json_set(p, "endpoints", endpoints);
    moor_json_set_str(p, "provisioningState", "Succeeded");
    return MOOR_OK;
}

/* "<scope>/providers/Microsoft.Insights/...": the scope. */
static const char *scope_of(struct moor_call *c, const char *association_id)
{
    struct moor_arm_id id;
    return moor_arm_parse(association_id, c->arena, &id) ? id.parent : "";
}

/* Calls fn for every association with the rule. */
static moor_code each_association(struct moor_record_change *change, const char *rule_id,
                                  moor_code (*fn)(struct moor_record_change *change,
                                                  const struct moor_resource *association,
                                                  struct moor_error *err),
                                  struct moor_error *err)
{
    struct moor_call *c = change->call;
    struct moor_resource_list rows = { .more = true };
    struct moor_resource_filter filter = { .type = ASSOCIATION_TYPE, .limit = PAGE };
    moor_code code = MOOR_OK;
    while (!code && rows.more) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA((size_t)16 << 20);
        code = moor_resource_list(c->app->store, &filter, &arena, &rows, err);
        for (size_t i = 0; !code && i < rows.count; i++) {
            MOOR_AUTOPTR(moor_json) p = stored_object(rows.items[i].properties);
            const char *target = moor_json_get_str(p, "dataCollectionRuleId");
            if (target && moor_strcasecmp(target, rule_id) == 0)
                code = fn(change, &rows.items[i], err);
        }
        if (!code && rows.more)
            filter.after = moor_call_fmt(c, "%s", rows.items[rows.count - 1].id);
    }
    return code;
}

static moor_code touch_one(struct moor_record_change *change,
                           const struct moor_resource *association, struct moor_error *err)
{
    return moor_record_touch(change, scope_of(change->call, association->id), err);
}

static moor_code remove_one(struct moor_record_change *change,
                            const struct moor_resource *association, struct moor_error *err)
{
    moor_code code = touch_one(change, association, err);
    return code ? code : moor_resource_delete(change->call->app->store, association->id, NULL, err);
}

static moor_code rule_written(struct moor_record_change *change, struct moor_error *err)
{
    return each_association(change, change->row.id, touch_one, err);
}

static moor_code rule_removing(struct moor_record_change *change, struct moor_error *err)
{
    return each_association(change, change->old->id, remove_one, err);
}

/* Associations. */
static moor_code check_target(struct moor_record_change *change, const char *id,
                              struct moor_error *err)
{
    struct moor_call *c = change->call;
    struct moor_resource rule;
    moor_code code = moor_resource_get(c->app->store, id, c->arena, &rule, err);
    if (code == MOOR_E_NOTFOUND || (!code && moor_strcasecmp(rule.type, RULE_TYPE) != 0))
        return moor_service_refuse(err, 400, "InvalidAssociation",
                                   "The data collection rule '%.200s' does not exist.", id);
    if (!code && !moor_authz_allows(c->app->authz, &c->caller, RULE_TYPE "/read", rule.id))
        return moor_service_refuse(err, 403, "LinkedAuthorizationFailed",
                                   "The client has no right to read the rule '%.200s'.", id);
    return code;
}

static moor_code complete_association(struct moor_record_change *change, struct moor_error *err)
{
    struct moor_call *c = change->call;
    struct moor_resource scope;
    const char *rule = moor_json_get_str(change->properties, "dataCollectionRuleId");
    const char *endpoint = moor_json_get_str(change->properties, "dataCollectionEndpointId");
    moor_code code = moor_resource_get(c->app->store, change->id.parent, c->arena, &scope, err);
    if (code == MOOR_E_NOTFOUND)
        return moor_service_refuse(err, 404, "ParentResourceNotFound",
                                   "The resource '%.200s' was not found.", change->id.parent);
    if (!code && !rule && !endpoint)
        return moor_service_refuse(err, 400, "InvalidPayload",
                                   "properties.dataCollectionRuleId: required");
    if (!code && rule)
        code = check_target(change, rule, err);
    if (!code)
        moor_json_set_str(change->properties, "provisioningState", "Succeeded");
    return code;
}

static moor_code association_changed(struct moor_record_change *change, struct moor_error *err)
{
    return moor_record_touch(change, change->id.parent, err);
}

const struct moor_record_kind moor_kind_rule = {
    RULE_TYPE, true, "-_.", 64, complete_rule, rule_written, rule_removing,
};
const struct moor_record_kind moor_kind_association = {
    ASSOCIATION_TYPE,    false, "-_.", 64, complete_association, association_changed,
    association_changed,
};

static void on_rule(struct moor_call *c)
{
    moor_record_serve(c, &moor_kind_rule);
}

static void on_rules(struct moor_call *c)
{
    moor_record_list(c, RULE_TYPE);
}

static void on_association(struct moor_call *c)
{
    moor_record_serve(c, &moor_kind_association);
}

/* Of one resource: those below it. */
static void on_associations(struct moor_call *c)
{
    static const char tail[] = "/providers/" ASSOCIATION_TYPE;
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_resource_list rows;
    const char *path = moor_http_path(c->ex);
    size_t n = strlen(path);
    const char *scope =
        n > sizeof(tail) ? moor_call_fmt(c, "%.*s", (int)(n - (sizeof(tail) - 1)), path) : "";
    struct moor_resource_filter filter = { .type = ASSOCIATION_TYPE, .under = scope };
    if (!moor_call_may(c, ASSOCIATION_TYPE "/read", scope))
        return;
    if (moor_resource_list(c->app->store, &filter, c->arena, &rows, &err)) {
        moor_call_fail(c, &err);
        return;
    }
    struct moor_json *items = moor_json_new_array();
    for (size_t i = 0; i < rows.count; i++)
        moor_json_push(items, moor_arm_json(&rows.items[i]));
    moor_arm_reply_list(c, items, NULL);
}

#define SUB   "/subscriptions/{sub}"
#define GROUP SUB "/resourcegroups/{group}"
#define ANY(pattern_, endpoint_)                                                                   \
    {                                                                                              \
        .method = "GET", .pattern = (pattern_), .handler = moor_call_dispatch,                     \
        .body_max = (size_t)256 << 10, .flags = MOOR_ROUTE_ANY_METHOD, .tag = &(endpoint_)         \
    }

static const struct moor_endpoint rule = { MOOR_AUD_ARM, on_rule, NULL };
static const struct moor_endpoint rules = { MOOR_AUD_ARM, on_rules, NULL };
static const struct moor_endpoint association = { MOOR_AUD_ARM, on_association, NULL };
static const struct moor_endpoint associations = { MOOR_AUD_ARM, on_associations, NULL };

const struct moor_http_route moor_insight_routes[] = {
    MOOR_ROUTE("GET", SUB "/providers/" RULE_TYPE, rules, 0),
    MOOR_ROUTE("GET", GROUP "/providers/" RULE_TYPE, rules, 0),
    ANY(GROUP "/providers/" RULE_TYPE "/{name}", rule),
    MOOR_ROUTE("GET", GROUP "/providers/{ns}/{type}/{res}/providers/" ASSOCIATION_TYPE,
               associations, 0),
    ANY(GROUP "/providers/{ns}/{type}/{res}/providers/" ASSOCIATION_TYPE "/{name}", association),
};
const size_t moor_insight_route_count = MOOR_COUNTOF(moor_insight_routes);
