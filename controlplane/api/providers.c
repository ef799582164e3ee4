/* SPDX-License-Identifier: Apache-2.0 */
#include "api/providers.h"

#include <string.h>

#include "api/app.h"

#define VERSIONS(...)                                                                              \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

/* az takes the first that is no preview. */
#define HYBRID_VERSIONS                                                                            \
    VERSIONS("2026-09-01", "2026-07-15", "2025-09-16-preview", "2025-01-13", "2024-11-10-preview", \
             "2024-07-31-preview", "2024-07-10", "2024-03-31-preview", "2023-10-03-preview",       \
             "2022-12-27-preview", "2022-12-27", "2022-11-10", "2022-08-11-preview", "2022-03-10", \
             "2021-05-20", "2020-08-02", "2019-12-12")
#define RESOURCES_VERSIONS                                                                         \
    VERSIONS("2025-04-01", "2024-03-01", "2022-09-01", "2021-04-01", "2020-10-01", "2019-11-01",   \
             "2016-06-01")

#define HYBRID    "Microsoft.HybridCompute"
#define RESOURCES "Microsoft.Resources"

static const struct moor_resource_type types[] = {
    { HYBRID, "machines", HYBRID_VERSIONS, false, false, true },
    { HYBRID, "machines/extensions", HYBRID_VERSIONS, false, false, true },
    { HYBRID, "machines/runCommands", HYBRID_VERSIONS, false, false, true },
    { HYBRID, "locations/operationstatus", HYBRID_VERSIONS, true, false, false },
    { HYBRID, "locations/operationresults", HYBRID_VERSIONS, true, false, false },
    { RESOURCES, "subscriptions", RESOURCES_VERSIONS, true, false, false },
    { RESOURCES, "subscriptions/resourceGroups", RESOURCES_VERSIONS, true, false, false },
    { RESOURCES, "resourceGroups", RESOURCES_VERSIONS, true, false, true },
    { RESOURCES, "resources", RESOURCES_VERSIONS, true, false, false },
    { RESOURCES, "providers", RESOURCES_VERSIONS, true, false, false },
    { RESOURCES, "tags", RESOURCES_VERSIONS, true, false, false },
    { RESOURCES, "tenants", RESOURCES_VERSIONS, true, false, false },
    { "Microsoft.Insights", "dataCollectionRules",
      VERSIONS("2023-03-11", "2022-06-01", "2021-04-01"), true, false, true },
    { "Microsoft.Insights", "dataCollectionEndpoints",
      VERSIONS("2023-03-11", "2022-06-01", "2021-04-01"), true, false, true },
    { "Microsoft.Insights", "dataCollectionRuleAssociations",
      VERSIONS("2023-03-11", "2022-06-01", "2021-04-01"), true, false, false },
    { "Microsoft.OperationalInsights", "workspaces",
      VERSIONS("2023-09-01", "2022-10-01", "2021-12-01-preview"), true, false, true },
    { "Microsoft.OperationalInsights", "workspaces/tables",
      VERSIONS("2023-09-01", "2022-10-01", "2021-12-01-preview"), true, false, false },
};

static bool is_type(const struct moor_resource_type *t, struct moor_span type)
{
    size_t n = strlen(t->provider);
    return type.n == n + 1 + strlen(t->name) && type.p[n] == '/' &&
           moor_span_eq_nocase(moor_span(type.p, n), moor_span_str(t->provider)) &&
           moor_span_eq_nocase(moor_span(type.p + n + 1, type.n - n - 1), moor_span_str(t->name));
}

static const struct moor_resource_type *find(struct moor_span type)
{
    for (size_t i = 0; i < MOOR_COUNTOF(types); i++)
        if (is_type(&types[i], type))
            return &types[i];
    return NULL;
}

const struct moor_resource_type *moor_provider_type(const char *type)
{
    return find(moor_span_str(type));
}

/* "NS/type/read" and "NS/type/verb/action" are about "NS/type". */
static const struct moor_resource_type *type_of_action(const char *action)
{
    struct moor_span s = moor_span_str(action);
    while (s.n > 0) {
        while (s.n > 0 && s.p[s.n - 1] != '/')
            s.n--;
        if (s.n > 0)
            s.n--;
        const struct moor_resource_type *t = find(s);
        if (t)
            return t;
    }
    return NULL;
}

bool moor_providers_serve(const char *action, const char *api_version, struct moor_arena *arena,
                          const char **supported)
{
    const struct moor_resource_type *t = type_of_action(action);
    MOOR_AUTO(moor_buf) list = MOOR_BUF(2048);
    if (!t || t->any_version)
        return true;
    for (const char *const *v = t->api_versions; *v; v++) {
        if (moor_streq(*v, api_version))
            return true;
        moor_buf_fmt(&list, "%s%s", list.len ? ", " : "", *v);
    }
    *supported = moor_arena_str(arena, moor_buf_view(&list));
    return false;
}

static struct moor_json *type_json(const struct moor_resource_type *t, const char *location)
{
    struct moor_json *o = moor_json_new_object();
    moor_json_set_str(o, "resourceType", t->name);
    struct moor_json *locations = moor_json_set(o, "locations", moor_json_new_array());
    if (t->tracked)
        moor_json_push(locations, moor_json_new_str(location));
    struct moor_json *versions = moor_json_set(o, "apiVersions", moor_json_new_array());
    for (const char *const *v = t->api_versions; *v; v++)
        moor_json_push(versions, moor_json_new_str(*v));
    moor_json_set_str(o, "defaultApiVersion", t->api_versions[0]);
    moor_json_set_str(o, "capabilities", t->tracked ? "SupportsTags, SupportsLocation" : "None");
    return o;
}

/* The provider's document; NULL when it has no types. */
static struct moor_json *provider_json(struct moor_call *c, const char *ns)
{
    MOOR_AUTOPTR(moor_json) o = moor_json_new_object();
    const char *name = NULL;
    struct moor_json *list = moor_json_set(o, "resourceTypes", moor_json_new_array());
    for (size_t i = 0; i < MOOR_COUNTOF(types); i++) {
        if (moor_strcasecmp(types[i].provider, ns) != 0)
            continue;
        name = types[i].provider;
        moor_json_push(list, type_json(&types[i], c->app->config.location));
    }
    if (!name)
        return NULL;
    moor_json_set_str(
        o, "id",
        moor_call_fmt(c, "/subscriptions/%s/providers/%s", c->app->config.subscription_id, name));
    moor_json_set_str(o, "namespace", name);
    moor_json_set_str(o, "registrationState", "Registered");
    moor_json_set_str(o, "registrationPolicy", "RegistrationFree");
    return MOOR_TAKE(o);
}

static bool first_of_its_provider(size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (moor_streq(types[j].provider, types[i].provider))
            return false;
    return true;
}

static void on_list(struct moor_call *c)
{
    MOOR_AUTOPTR(moor_json) body = moor_json_new_object();
    struct moor_json *list = moor_json_set(body, "value", moor_json_new_array());
    for (size_t i = 0; i < MOOR_COUNTOF(types); i++)
        if (first_of_its_provider(i))
            moor_json_push(list, provider_json(c, types[i].provider));
    moor_call_json(c, 200, body);
}

/* All providers are part of this program: GET shows one, register has nothing to do. */
static void on_one(struct moor_call *c)
{
    const char *ns = moor_http_param(c->ex, "ns");
    MOOR_AUTOPTR(moor_json) body = provider_json(c, ns);
    if (!body)
        moor_call_error(c, 404, "InvalidResourceNamespace",
                        "The resource namespace '%s' is invalid.", ns);
    else
        moor_call_json(c, 200, body);
}

static const struct moor_endpoint list_providers = { MOOR_AUD_ARM, on_list,
                                                     "Microsoft.Resources/providers/read" };
static const struct moor_endpoint get_provider = { MOOR_AUD_ARM, on_one,
                                                   "Microsoft.Resources/providers/read" };
static const struct moor_endpoint register_provider = { MOOR_AUD_ARM, on_one,
                                                        "Microsoft.Resources/providers/register/"
                                                        "action" };

const struct moor_http_route moor_provider_routes[] = {
    MOOR_ROUTE("GET", "/subscriptions/{sub}/providers", list_providers, 0),
    MOOR_ROUTE("GET", "/subscriptions/{sub}/providers/{ns}", get_provider, 0),
    MOOR_ROUTE("POST", "/subscriptions/{sub}/providers/{ns}/register", register_provider, 0),
};
const size_t moor_provider_route_count = MOOR_COUNTOF(moor_provider_routes);
