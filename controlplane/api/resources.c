/* SPDX-License-Identifier: Apache-2.0 */
/* Lists over all types, and any resource by its id. */
#include <string.h>

#include "api/arm.h"
#include "api/filter.h"
#include "api/providers.h"
#include "api/routes.h"
#include "api/tags.h"
#include "base/timefmt.h"

#define BODY_MAX (1u << 20)

/* Lists show a child as "machine/extension". */
static const char *list_name(struct moor_call *c, const struct moor_resource *r)
{
    struct moor_arm_id id, parent;
    struct moor_span type = moor_span_str(r->type);
    size_t slashes = 0;
    for (size_t i = 0; i < type.n; i++)
        slashes += type.p[i] == '/';
    if (slashes < 2 || !moor_arm_parse(r->id, c->arena, &id) ||
        !moor_arm_parse(id.parent, c->arena, &parent))
        return r->name;
    return moor_call_fmt(c, "%s/%s", parent.name, r->name);
}

static void set_time(struct moor_json *o, const char *name, int64_t ms)
{
    char text[MOOR_RFC3339_LEN + 1];
    moor_rfc3339_format(ms, text);
    moor_json_set_str(o, name, text);
}

/* No properties: `az resource list -o table` cannot show an item that has them. */
static struct moor_json *list_item(struct moor_call *c, const struct moor_resource *r,
                                   const char *expand)
{
    struct moor_json *o = moor_arm_json_brief(r);
    moor_json_set_str(o, "name", list_name(c, r));
    if (strstr(expand, "createdTime"))
        set_time(o, "createdTime", r->created_ms);
    if (strstr(expand, "changedTime"))
        set_time(o, "changedTime", r->updated_ms);
    if (strstr(expand, "provisioningState")) {
        MOOR_AUTOPTR(moor_json) p = NULL;
        const char *state = NULL;
        if (!moor_json_parse(moor_span_str(r->properties), &p, NULL))
            state = moor_json_get_str(p, "provisioningState");
        moor_json_set_str(o, "provisioningState", state ? state : "Succeeded");
    }
    return o;
}

static bool listed(struct moor_call *c, const struct moor_resource *r, const char *location)
{
    const struct moor_resource_type *t = moor_provider_type(r->type);
    if (!t || !t->tracked || moor_streq(r->type, "Microsoft.Resources/resourceGroups"))
        return false;
    if (location && moor_strcasecmp(location, r->location) != 0)
        return false;
    return moor_authz_allows(c->app->authz, &c->caller, moor_call_fmt(c, "%s/read", r->type),
                             r->id);
}

static void on_list(struct moor_call *c)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(MOOR_ROWS_MAX);
    const char *location = NULL, *expand = moor_http_query(c->ex, "$expand");
    struct moor_resource_filter f = { .subscription = moor_http_param(c->ex, "sub"),
                                      .after = moor_arm_skip_key(c) };
    struct moor_resource_list list = { NULL, 0, false };
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_filter_parse(moor_http_query(c->ex, "$filter"), c->arena, &f, &location, &err)) {
        moor_call_error(c, 400, "InvalidFilterInQueryString", "Invalid $filter: %s.", err.msg);
        return;
    }
    if (moor_http_param(c->ex, "group"))
        f.group = moor_http_param(c->ex, "group");
    if (location)
        location = moor_arm_location(c, location);
    if (moor_resource_list(c->app->store, &f, &arena, &list, &err)) {
        moor_call_fail(c, &err);
        return;
    }
    struct moor_json *items = moor_json_new_array();
    for (size_t i = 0; i < list.count; i++)
        if (listed(c, &list.items[i], location))
            moor_json_push(items, list_item(c, &list.items[i], expand ? expand : ""));
    moor_arm_reply_list(c, items, list.more ? list.items[list.count - 1].id : NULL);
}

/* Stored members of a plain record: everything at the top that has no place of its own. */
static const char *envelope_of(struct moor_call *c, const struct moor_json *body)
{
    static const char *const kept[] = { "kind", "sku", "identity", "plan", "managedBy", "zones" };
    MOOR_AUTOPTR(moor_json) o = moor_json_new_object();
    for (size_t i = 0; i < MOOR_COUNTOF(kept); i++)
        if (moor_json_get(body, kept[i]))
            moor_json_set(o, kept[i], moor_json_copy(moor_json_get(body, kept[i])));
    return moor_arm_text(c, o);
}

static const char *properties_of(struct moor_call *c, const struct moor_json *given)
{
    MOOR_AUTOPTR(moor_json) p = moor_json_typeof(given) == MOOR_JSON_OBJECT
                                    ? moor_json_copy(given)
                                    : moor_json_new_object();
    moor_json_set_str(p, "provisioningState", "Succeeded");
    return moor_arm_text(c, p);
}

static void reply(struct moor_call *c, int status, const struct moor_resource *r)
{
    MOOR_AUTOPTR(moor_json) o = moor_arm_json(r);
    moor_call_json(c, status, o);
}

static void store_record(struct moor_call *c, struct moor_resource *r,
                         const struct moor_resource *old)
{
    struct moor_error err = MOOR_ERROR_INIT;
    moor_arm_stamp(c, r, old);
    if (moor_resource_put(c->app->store, r, &err))
        moor_call_fail(c, &err);
    else
        reply(c, old ? 200 : 201, r);
}

static void put_record(struct moor_call *c, const struct moor_arm_id *id,
                       const struct moor_resource_type *t, const struct moor_resource *old)
{
    MOOR_AUTOPTR(moor_json) body = moor_call_body(c);
    if (!body || !moor_arm_tags_ok(c, moor_json_get(body, "tags")) || !moor_arm_group_exists(c, id))
        return;
    const char *location = moor_arm_location(c, moor_json_get_str(body, "location"));
    if (t->tracked && !location) {
        moor_call_error(c, 400, "LocationRequired",
                        "The location property is required for this definition.");
        return;
    }
    if (old && location && !moor_streq(old->location, location)) {
        moor_call_error(c, 409, "InvalidResourceLocation",
                        "The resource '%s' already exists in location '%s'.", old->name,
                        old->location);
        return;
    }
    struct moor_resource r = {
        .id = old ? old->id : id->id,
        .type = moor_call_fmt(c, "%s/%s", t->provider, t->name),
        .subscription = id->subscription,
        .group = id->group,
        .name = old ? old->name : id->name,
        .location = location ? location : "",
        .alias = old ? old->alias : "",
        .tags = moor_arm_text(c, moor_json_get(body, "tags")),
        .properties = properties_of(c, moor_json_get(body, "properties")),
        .envelope = envelope_of(c, body),
    };
    store_record(c, &r, old);
}

static void patch_record(struct moor_call *c, const struct moor_resource *old)
{
    MOOR_AUTOPTR(moor_json) body = moor_call_body(c);
    MOOR_AUTOPTR(moor_json) p = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    if (!body || !moor_arm_tags_ok(c, moor_json_get(body, "tags")))
        return;
    struct moor_resource r = *old;
    if (moor_json_get(body, "tags"))
        r.tags = moor_arm_text(c, moor_json_get(body, "tags"));
    if (moor_json_get(body, "properties")) {
        if (moor_json_parse(moor_span_str(old->properties), &p, &err) ||
            moor_json_merge_patch(p, moor_json_get(body, "properties"), &err)) {
            moor_call_fail(c, &err);
            return;
        }
        r.properties = properties_of(c, p);
    }
    store_record(c, &r, old);
}

static void delete_record(struct moor_call *c, const struct moor_resource *old)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (!old)
        moor_call_empty(c, 204);
    else if (moor_resource_delete(c->app->store, old->id, NULL, &err))
        moor_call_fail(c, &err);
    else
        moor_call_empty(c, 200);
}

static void serve(struct moor_call *c, const struct moor_arm_id *id,
                  const struct moor_resource_type *t)
{
    const char *method = moor_http_method(c->ex);
    struct moor_resource row;
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code code = moor_resource_get(c->app->store, id->id, c->arena, &row, &err);
    const struct moor_resource *old = code ? NULL : &row;
    bool read = moor_streq(method, "GET") || moor_streq(method, "HEAD");
    if (code && code != MOOR_E_NOTFOUND)
        moor_call_fail(c, &err);
    else if (!old && (read || moor_streq(method, "PATCH")))
        moor_arm_not_found(c, id);
    else if (read)
        reply(c, 200, old);
    else if (!t->generic)
        moor_call_error(c, 405, "MethodNotAllowed", "The method '%s' is not allowed on '%s'.",
                        method, id->type);
    else if (moor_streq(method, "PUT"))
        put_record(c, id, t, old);
    else if (moor_streq(method, "PATCH"))
        patch_record(c, old);
    else
        delete_record(c, old);
}

static const char *verb_of(const char *method)
{
    static const struct {
        const char *method, *verb;
    } verbs[] = { { "GET", "read" },
                  { "HEAD", "read" },
                  { "PUT", "write" },
                  { "PATCH", "write" },
                  { "DELETE", "delete" } };
    for (size_t i = 0; i < MOOR_COUNTOF(verbs); i++)
        if (moor_streq(verbs[i].method, method))
            return verbs[i].verb;
    return NULL;
}

static void on_any(struct moor_call *c)
{
    struct moor_arm_id id;
    const char *verb = verb_of(moor_http_method(c->ex));
    if (!moor_arm_parse(moor_http_path(c->ex), c->arena, &id)) {
        moor_call_error(c, 404, "NotFound", "No such route.");
        return;
    }
    if (moor_strcasecmp(id.type, "Microsoft.Resources/tags") == 0 &&
        moor_strcasecmp(id.name, "default") == 0) {
        moor_tags_handle(c, &id);
        return;
    }
    const struct moor_resource_type *t = moor_provider_type(id.type);
    if (!verb || !moor_call_may(c, moor_call_fmt(c, "%s/%s", id.type, verb), id.id)) {
        if (!verb)
            moor_call_error(c, 404, "NotFound", "No such action.");
    } else if (!t) {
        moor_call_error(c, 404, "InvalidResourceType",
                        "The resource type '%s' could not be found in the namespace.", id.type);
    } else {
        serve(c, &id, t);
    }
}

#define SUB "/subscriptions/{sub}"

/* What may be seen decides a list; the right on any other path is checked on its own type. */
static const struct moor_endpoint list_all = { MOOR_AUD_ARM, on_list, NULL };
static const struct moor_endpoint any = { MOOR_AUD_ARM, on_any, NULL };

const struct moor_http_route moor_resource_routes[] = {
    MOOR_ROUTE("GET", SUB "/resources", list_all, 0),
    MOOR_ROUTE("GET", SUB "/resourcegroups/{group}/resources", list_all, 0),
    { .method = "GET",
      .pattern = SUB "/{rest...}",
      .handler = moor_call_dispatch,
      .body_max = BODY_MAX,
      .flags = MOOR_ROUTE_ANY_METHOD,
      .tag = &any },
};
const size_t moor_resource_route_count = MOOR_COUNTOF(moor_resource_routes);
