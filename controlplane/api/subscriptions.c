/* SPDX-License-Identifier: Apache-2.0 */
/* Tenants, the subscription and its locations. */
#include "api/arm.h"
#include "api/routes.h"

/* Whoever has any right in the subscription sees it. */
static bool sees_subscription(struct moor_call *c)
{
    struct moor_role_assignments a = { NULL, 0 };
    return !moor_role_assignments_of(c->app->store, c->caller.object_id, c->arena, &a, NULL) &&
           a.count > 0;
}

static struct moor_json *subscription_json(struct moor_call *c)
{
    const struct moor_app_config *cfg = &c->app->config;
    struct moor_json *o = moor_json_new_object();
    moor_json_set_str(o, "id", moor_call_fmt(c, "/subscriptions/%s", cfg->subscription_id));
    moor_json_set_str(o, "subscriptionId", cfg->subscription_id);
    moor_json_set_str(o, "tenantId", cfg->tenant_id);
    moor_json_set_str(o, "displayName", cfg->cloud_name);
    moor_json_set_str(o, "state", "Enabled");
    moor_json_set_str(o, "authorizationSource", "RoleBased");
    moor_json_set(o, "managedByTenants", moor_json_new_array());
    struct moor_json *policies = moor_json_set(o, "subscriptionPolicies", moor_json_new_object());
    moor_json_set_str(policies, "locationPlacementId", "Public_2014-09-01");
    moor_json_set_str(policies, "quotaId", "Mooring_2026-11-01");
    moor_json_set_str(policies, "spendingLimit", "Off");
    return o;
}

static void on_subscriptions(struct moor_call *c)
{
    struct moor_json *items = moor_json_new_array();
    if (sees_subscription(c))
        moor_json_push(items, subscription_json(c));
    moor_arm_reply_list(c, items, NULL);
}

static void on_tenants(struct moor_call *c)
{
    const char *id = c->app->config.tenant_id;
    struct moor_json *items = moor_json_new_array();
    struct moor_json *o = moor_json_push(items, moor_json_new_object());
    moor_json_set_str(o, "id", moor_call_fmt(c, "/tenants/%s", id));
    moor_json_set_str(o, "tenantId", id);
    moor_json_set_str(o, "displayName", c->app->config.cloud_name);
    moor_json_set_str(o, "tenantCategory", "Home");
    moor_arm_reply_list(c, items, NULL);
}

static bool is_subscription(struct moor_call *c)
{
    const char *sub = moor_http_param(c->ex, "sub");
    if (moor_strcasecmp(sub, c->app->config.subscription_id) == 0)
        return true;
    moor_call_error(c, 404, "SubscriptionNotFound", "The subscription '%s' could not be found.",
                    sub);
    return false;
}

static void on_subscription(struct moor_call *c)
{
    if (!is_subscription(c))
        return;
    if (!sees_subscription(c)) {
        moor_call_error(c, 403, "AuthorizationFailed",
                        "The client '%s' with object id '%s' does not have authorization to "
                        "perform action 'Microsoft.Resources/subscriptions/read' over scope "
                        "'/subscriptions/%s' or the scope is invalid.",
                        c->caller.client_id, c->caller.object_id, c->app->config.subscription_id);
        return;
    }
    MOOR_AUTOPTR(moor_json) o = subscription_json(c);
    moor_call_json(c, 200, o);
}

/* There is one location, the installation's own; resources may name any other for sorting. */
static void on_locations(struct moor_call *c)
{
    if (!is_subscription(c))
        return;
    const char *name = c->app->config.location;
    struct moor_json *items = moor_json_new_array();
    struct moor_json *o = moor_json_push(items, moor_json_new_object());
    moor_json_set_str(
        o, "id",
        moor_call_fmt(c, "/subscriptions/%s/locations/%s", c->app->config.subscription_id, name));
    moor_json_set_str(o, "name", name);
    moor_json_set_str(o, "type", "Region");
    moor_json_set_str(o, "displayName", name);
    moor_json_set_str(o, "regionalDisplayName", name);
    struct moor_json *meta = moor_json_set(o, "metadata", moor_json_new_object());
    moor_json_set_str(meta, "regionType", "Physical");
    moor_json_set_str(meta, "regionCategory", "Recommended");
    moor_arm_reply_list(c, items, NULL);
}

/* The lists show what the caller may see, so they need no right of their own. */
static const struct moor_endpoint tenants = { MOOR_AUD_ARM, on_tenants, NULL };
static const struct moor_endpoint subscriptions = { MOOR_AUD_ARM, on_subscriptions, NULL };
static const struct moor_endpoint subscription = { MOOR_AUD_ARM, on_subscription, NULL };
static const struct moor_endpoint locations = { MOOR_AUD_ARM, on_locations,
                                                "Microsoft.Resources/subscriptions/locations/"
                                                "read" };

const struct moor_http_route moor_subscription_routes[] = {
    MOOR_ROUTE("GET", "/tenants", tenants, 0),
    MOOR_ROUTE("GET", "/subscriptions", subscriptions, 0),
    MOOR_ROUTE("GET", "/subscriptions/{sub}", subscription, 0),
    MOOR_ROUTE("GET", "/subscriptions/{sub}/locations", locations, 0),
};
const size_t moor_subscription_route_count = MOOR_COUNTOF(moor_subscription_routes);
