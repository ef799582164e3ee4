/* SPDX-License-Identifier: Apache-2.0 */
/* What extensions there are: Microsoft.HybridCompute/locations/L/publishers/P/extensionTypes/T. */
#include "api/arm.h"
#include "api/routes.h"
#include "base/text.h"
#include "store/packages.h"

#define LOCATIONS "Microsoft.HybridCompute/locations"

/* One level of the catalogue: what names an entry, and which entries are asked for. */
struct level {
    const char *type;
    const char *(*name)(const struct moor_package *p);
};

static const char *publisher_of(const struct moor_package *p)
{
    return p->publisher;
}
static const char *type_of(const struct moor_package *p)
{
    return p->type;
}
static const char *version_of(const struct moor_package *p)
{
    return p->version;
}

static const struct level publishers = { LOCATIONS "/publishers", publisher_of };
static const struct level types = { LOCATIONS "/publishers/extensionTypes", type_of };
static const struct level versions = { LOCATIONS "/publishers/extensionTypes/versions",
                                       version_of };

static bool asked_for(struct moor_call *c, const struct moor_package *p)
{
    const char *publisher = moor_http_param(c->ex, "publisher");
    const char *type = moor_http_param(c->ex, "type");
    const char *version = moor_http_param(c->ex, "version");
    return (!publisher || moor_strcasecmp(publisher, p->publisher) == 0) &&
           (!type || moor_strcasecmp(type, p->type) == 0) &&
           (!version || moor_streq(version, p->version));
}

static bool named_before(const struct moor_json *items, const char *name)
{
    MOOR_JSON_EACH(item, items)
    {
        if (moor_strcasecmp(moor_json_get_str(item, "name"), name) == 0)
            return true;
    }
    return false;
}

static struct moor_json *entry(struct moor_call *c, const struct level *l,
                               const struct moor_package *p, bool one)
{
    const char *name = l->name(p), *path = moor_http_path(c->ex);
    struct moor_json *o = moor_json_new_object();
    moor_json_set_str(o, "id", one ? path : moor_call_fmt(c, "%s/%s", path, name));
    moor_json_set_str(o, "name", name);
    moor_json_set_str(o, "type", l->type);
    if (l != &versions)
        return o;
    struct moor_json *uris = moor_json_new_array();
    moor_json_push(uris, moor_json_new_str(moor_call_fmt(c, "%s/packages/%s.zip",
                                                         c->app->config.base_url, p->sha256)));
    struct moor_json *properties = moor_json_set(o, "properties", moor_json_new_object());
    moor_json_set_str(properties, "version", p->version);
    moor_json_set_str(properties, "extensionType", p->type);
    moor_json_set_str(properties, "publisher", p->publisher);
    moor_json_set(properties, "extensionUris", uris);
    return o;
}

static void serve(struct moor_call *c, const struct level *l)
{
    struct moor_package_list all;
    struct moor_error err = MOOR_ERROR_INIT;
    bool one = moor_http_param(c->ex, "version") != NULL;
    if (moor_package_list(c->app->store, NULL, NULL, c->arena, &all, &err)) {
        moor_call_fail(c, &err);
        return;
    }
    struct moor_json *items = moor_json_new_array();
    for (size_t i = 0; i < all.count; i++)
        if (asked_for(c, &all.items[i]) &&
            (l == &versions || !named_before(items, l->name(&all.items[i]))))
            moor_json_push(items, entry(c, l, &all.items[i], one));
    if (one && moor_json_size(items)) {
        moor_call_json(c, 200, moor_json_first(items));
        moor_json_free(items);
    } else if (one) {
        moor_json_free(items);
        moor_call_error(c, 404, "ResourceNotFound", "No such version of the extension.");
    } else {
        moor_arm_reply_list(c, items, NULL);
    }
}

static void on_publishers(struct moor_call *c)
{
    serve(c, &publishers);
}
static void on_types(struct moor_call *c)
{
    serve(c, &types);
}
static void on_versions(struct moor_call *c)
{
    serve(c, &versions);
}

#define READ       "/read"
#define SUB        "/subscriptions/{sub}"
#define PUBLISHERS "/providers/" LOCATIONS "/{location}/publishers"
#define TYPES      PUBLISHERS "/{publisher}/extensionTypes"
#define VERSIONS   TYPES "/{type}/versions"

static const struct moor_endpoint read_publishers = { MOOR_AUD_ARM, on_publishers,
                                                      LOCATIONS "/publishers" READ };
static const struct moor_endpoint read_types = { MOOR_AUD_ARM, on_types,
                                                 LOCATIONS "/publishers/extensionTypes" READ };
static const struct moor_endpoint read_versions = { MOOR_AUD_ARM, on_versions,
                                                    LOCATIONS
                                                    "/publishers/extensionTypes/versions" READ };
/* At tenant level whoever may sign in may look: nothing of a subscription is shown. */
static const struct moor_endpoint all_publishers = { MOOR_AUD_ARM, on_publishers, NULL };
static const struct moor_endpoint all_types = { MOOR_AUD_ARM, on_types, NULL };
static const struct moor_endpoint all_versions = { MOOR_AUD_ARM, on_versions, NULL };

const struct moor_http_route moor_catalog_routes[] = {
    MOOR_ROUTE("GET", SUB PUBLISHERS, read_publishers, 0),
    MOOR_ROUTE("GET", SUB TYPES, read_types, 0),
    MOOR_ROUTE("GET", SUB VERSIONS, read_versions, 0),
    MOOR_ROUTE("GET", SUB VERSIONS "/{version}", read_versions, 0),
    MOOR_ROUTE("GET", PUBLISHERS, all_publishers, 0),
    MOOR_ROUTE("GET", TYPES, all_types, 0),
    MOOR_ROUTE("GET", VERSIONS, all_versions, 0),
    MOOR_ROUTE("GET", VERSIONS "/{version}", all_versions, 0),
};
const size_t moor_catalog_route_count = MOOR_COUNTOF(moor_catalog_routes);
