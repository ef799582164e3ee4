/* SPDX-License-Identifier: Apache-2.0 */
/* Resource groups. Deleting one deletes what is in it. */
#include <string.h>

#include "api/arm.h"
#include "api/machines.h"
#include "api/routes.h"
#include "engine/live.h"
#include "run/log.h"
#include "store/machines.h"

#define TYPE     "Microsoft.Resources/resourceGroups"
#define ACTION   "Microsoft.Resources/subscriptions/resourceGroups/"
#define BODY_MAX (64u << 10)

static struct moor_json *group_json(const struct moor_resource *r)
{
    struct moor_json *o = moor_arm_json_brief(r);
    struct moor_json *p = moor_json_set(o, "properties", moor_json_new_object());
    moor_json_set_str(p, "provisioningState", "Succeeded");
    return o;
}

static void reply_group(struct moor_call *c, int status, const struct moor_resource *r)
{
    MOOR_AUTOPTR(moor_json) o = group_json(r);
    moor_call_json(c, status, o);
}

/* The id of the path, within our subscription; answers and returns false otherwise. */
static bool take_id(struct moor_call *c, struct moor_arm_id *id)
{
    if (!moor_arm_parse(moor_http_path(c->ex), c->arena, id)) {
        moor_call_error(c, 400, "InvalidResourceId", "The path is no resource id.");
        return false;
    }
    if (moor_strcasecmp(id->subscription, c->app->config.subscription_id) == 0)
        return true;
    moor_call_error(c, 404, "SubscriptionNotFound", "The subscription '%s' could not be found.",
                    id->subscription);
    return false;
}

/* *found false: none; an answer was given when the result is false. */
static bool load(struct moor_call *c, const struct moor_arm_id *id, struct moor_resource *r,
                 bool *found)
{
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code code = moor_resource_get(c->app->store, id->id, c->arena, r, &err);
    *found = code == MOOR_OK;
    if (!code || code == MOOR_E_NOTFOUND)
        return true;
    moor_call_fail(c, &err);
    return false;
}

static void not_found(struct moor_call *c, const struct moor_arm_id *id)
{
    moor_call_error(c, 404, "ResourceGroupNotFound", "Resource group '%s' could not be found.",
                    id->group);
}

static void on_get(struct moor_call *c)
{
    struct moor_arm_id id;
    struct moor_resource r;
    bool found = false;
    if (!take_id(c, &id) || !load(c, &id, &r, &found))
        return;
    if (!found)
        not_found(c, &id);
    else
        reply_group(c, 200, &r);
}

static void on_head(struct moor_call *c)
{
    struct moor_arm_id id;
    struct moor_resource r;
    bool found = false;
    if (take_id(c, &id) && load(c, &id, &r, &found))
        moor_call_empty(c, found ? 204 : 404);
}

static bool check_put(struct moor_call *c, const struct moor_arm_id *id,
                      const struct moor_json *body, const struct moor_resource *old,
                      const char **location)
{
    *location = moor_arm_location(c, moor_json_get_str(body, "location"));
    if (!moor_arm_name_ok(id->group, 90, "-_().")) {
        moor_call_error(c, 400, "InvalidResourceGroup",
                        "The provided resource group name '%s' is invalid: 1 to 90 letters, digits "
                        "and -_(). not ending in a dot.",
                        id->group);
        return false;
    }
    if (!*location) {
        moor_call_error(c, 400, "LocationRequired",
                        "The location property is required for this definition.");
        return false;
    }
    if (old && !moor_streq(old->location, *location)) {
        moor_call_error(c, 409, "InvalidResourceGroupLocation",
                        "Invalid resource group location '%s'. The Resource group already exists "
                        "in location '%s'.",
                        *location, old->location);
        return false;
    }
    return moor_arm_tags_ok(c, moor_json_get(body, "tags"));
}

static void store_group(struct moor_call *c, struct moor_resource *r,
                        const struct moor_resource *old)
{
    struct moor_error err = MOOR_ERROR_INIT;
    moor_arm_stamp(c, r, old);
    if (moor_resource_put(c->app->store, r, &err))
        moor_call_fail(c, &err);
    else
        reply_group(c, old ? 200 : 201, r);
}

static void on_put(struct moor_call *c)
{
    struct moor_arm_id id;
    struct moor_resource old;
    bool found = false;
    const char *location = NULL;
    if (!take_id(c, &id) || !load(c, &id, &old, &found))
        return;
    MOOR_AUTOPTR(moor_json) body = moor_call_body(c);
    if (!body || !check_put(c, &id, body, found ? &old : NULL, &location))
        return;
    struct moor_resource r = {
        .id = found ? old.id : id.id,
        .type = TYPE,
        .subscription = id.subscription,
        .group = found ? old.group : id.group,
        .name = found ? old.name : id.group,
        .location = location,
        .alias = "",
        .tags = moor_arm_text(c, moor_json_get(body, "tags")),
        .properties = "{}",
        .envelope = "{}",
    };
    store_group(c, &r, found ? &old : NULL);
}

static void on_patch(struct moor_call *c)
{
    struct moor_arm_id id;
    struct moor_resource old;
    bool found = false;
    if (!take_id(c, &id) || !load(c, &id, &old, &found))
        return;
    if (!found) {
        not_found(c, &id);
        return;
    }
    MOOR_AUTOPTR(moor_json) body = moor_call_body(c);
    if (!body || !moor_arm_tags_ok(c, moor_json_get(body, "tags")))
        return;
    struct moor_resource r = old;
    if (moor_json_get(body, "tags"))
        r.tags = moor_arm_text(c, moor_json_get(body, "tags"));
    store_group(c, &r, &old);
}

/* Removes machines page by page; their vmIds are told to the engine after the commit. */
static moor_code remove_machines(struct moor_call *c, const struct moor_arm_id *id,
                                 struct moor_json *vm_ids, struct moor_error *err)
{
    for (;;) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(MOOR_ROWS_MAX);
        struct moor_resource_list list = { NULL, 0, false };
        struct moor_resource_filter f = { .subscription = id->subscription,
                                          .group = id->group,
                                          .type = "Microsoft.HybridCompute/machines" };
        moor_code code = moor_resource_list(c->app->store, &f, &arena, &list, err);
        for (size_t i = 0; !code && i < list.count; i++) {
            const char *vm_id = "";
            code = moor_machine_remove(c, list.items[i].id, &arena, &vm_id, err);
            if (*vm_id)
                moor_json_push(vm_ids, moor_json_new_str(vm_id));
        }
        if (code || !list.more)
            return code;
    }
}

static moor_code remove_group(struct moor_call *c, const struct moor_arm_id *id, char op[37],
                              struct moor_json *vm_ids, struct moor_error *err)
{
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    struct moor_store *s = c->app->store;
    moor_code code = moor_store_begin(s, &tx, err);
    if (!code)
        code = moor_operation_start(s, MOOR_OP_DELETE, id->id, c->caller.object_id, c->now_ms, op,
                                    err);
    if (!code)
        code = remove_machines(c, id, vm_ids, err);
    if (!code)
        code = moor_resource_delete(s, id->id, NULL, err);
    if (!code)
        code = moor_role_unassign_below(s, id->id, err);
    if (!code)
        code = moor_operation_end(s, id->id, MOOR_OP_SUCCEEDED, "", "", c->now_ms, err);
    return code ? code : moor_store_commit(&tx, err);
}

static void on_delete(struct moor_call *c)
{
    struct moor_arm_id id;
    struct moor_resource r;
    struct moor_error err = MOOR_ERROR_INIT;
    bool found = false;
    char op[37];
    if (!take_id(c, &id) || !load(c, &id, &r, &found))
        return;
    if (!found) {
        not_found(c, &id);
        return;
    }
    MOOR_AUTOPTR(moor_json) vm_ids = moor_json_new_array();
    if (remove_group(c, &id, op, vm_ids, &err)) {
        moor_call_fail(c, &err);
        return;
    }
    MOOR_JSON_EACH(vm_id, vm_ids)
    moor_live_forget(c->app->live, moor_json_str(vm_id));
    moor_log(MOOR_LOG_NOTICE, "group.deleted", "id", r.id, "by", c->caller.object_id, NULL);
    moor_arm_accepted(c, &id, op);
    moor_call_empty(c, 202);
}

static void on_list(struct moor_call *c)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(MOOR_ROWS_MAX);
    struct moor_resource_list list = { NULL, 0, false };
    struct moor_error err = MOOR_ERROR_INIT;
    const char *sub = moor_http_param(c->ex, "sub");
    struct moor_resource_filter f = { .subscription = sub,
                                      .type = TYPE,
                                      .after = moor_arm_skip_key(c) };
    if (moor_resource_list(c->app->store, &f, &arena, &list, &err)) {
        moor_call_fail(c, &err);
        return;
    }
    struct moor_json *items = moor_json_new_array();
    for (size_t i = 0; i < list.count; i++)
        if (moor_authz_allows(c->app->authz, &c->caller, ACTION "read", list.items[i].id))
            moor_json_push(items, group_json(&list.items[i]));
    moor_arm_reply_list(c, items, list.more ? list.items[list.count - 1].id : NULL);
}

#define GROUPS "/subscriptions/{sub}/resourcegroups"

static const struct moor_endpoint list_groups = { MOOR_AUD_ARM, on_list, NULL };
static const struct moor_endpoint get_group = { MOOR_AUD_ARM, on_get, ACTION "read" };
static const struct moor_endpoint head_group = { MOOR_AUD_ARM, on_head, ACTION "read" };
static const struct moor_endpoint put_group = { MOOR_AUD_ARM, on_put, ACTION "write" };
static const struct moor_endpoint patch_group = { MOOR_AUD_ARM, on_patch, ACTION "write" };
static const struct moor_endpoint delete_group = { MOOR_AUD_ARM, on_delete, ACTION "delete" };

const struct moor_http_route moor_group_routes[] = {
    MOOR_ROUTE("GET", GROUPS, list_groups, 0),
    MOOR_ROUTE("HEAD", GROUPS "/{group}", head_group, 0),
    MOOR_ROUTE("GET", GROUPS "/{group}", get_group, 0),
    MOOR_ROUTE("PUT", GROUPS "/{group}", put_group, BODY_MAX),
    MOOR_ROUTE("PATCH", GROUPS "/{group}", patch_group, BODY_MAX),
    MOOR_ROUTE("DELETE", GROUPS "/{group}", delete_group, BODY_MAX),
};
const size_t moor_group_route_count = MOOR_COUNTOF(moor_group_routes);
