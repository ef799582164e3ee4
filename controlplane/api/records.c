/* SPDX-License-Identifier: Apache-2.0 */
#include "api/records.h"

#include "engine/live.h"
#include "run/log.h"

#define PROPERTIES_MAX ((size_t)512 << 10)
#define LIST_PAGE      200u

static struct moor_json *stored_object(const char *text)
{
    struct moor_json *v = NULL;
    if (!text || moor_json_parse(moor_span_str(text), &v, NULL))
        v = moor_json_new_object();
    return v;
}

moor_code moor_record_touch(struct moor_record_change *change, const char *machine_id,
                            struct moor_error *err)
{
    struct moor_call *c = change->call;
    struct moor_machine m;
    uint64_t revision = 0;
    moor_code code = moor_machine_by_resource(c->app->store, machine_id, c->arena, &m, err);
    if (code == MOOR_E_NOTFOUND)
        return MOOR_OK;
    if (code || (code = moor_machine_touch_desired(c->app->store, m.vm_id, &revision, err)))
        return code;
    struct moor_touched *t = moor_arena_alloc(c->arena, sizeof(*t));
    if (!t)
        return moor_fail(err, MOOR_E_NOMEM, "%s: no memory", machine_id);
    *t = (struct moor_touched){ m.vm_id, revision, change->touched };
    change->touched = t;
    return MOOR_OK;
}

static void tell(const struct moor_record_change *change)
{
    for (const struct moor_touched *t = change->touched; t; t = t->next)
        moor_live_changed(change->call->app->live, t->vm_id, t->revision);
}

static const char *envelope_of(struct moor_record_change *change)
{
    static const char *const kept[] = { "kind", "sku", "identity" };
    MOOR_AUTOPTR(moor_json) o = stored_object(change->old ? change->old->envelope : NULL);
    for (size_t i = 0; i < MOOR_COUNTOF(kept); i++) {
        const struct moor_json *v = moor_json_get(change->body, kept[i]);
        if (v)
            moor_json_set(o, kept[i], moor_json_copy(v));
    }
    return moor_arm_text(change->call, o);
}

/* PUT: what is given. PATCH: merged over what is there. */
static moor_code take_properties(struct moor_record_change *change, bool patch,
                                 struct moor_error *err)
{
    const struct moor_json *given = moor_json_get(change->body, "properties");
    bool object = moor_json_typeof(given) == MOOR_JSON_OBJECT;
    if (given && !object)
        return moor_fail(err, MOOR_E_BADINPUT, "properties: want an object");
    if (!patch) {
        change->properties = object ? moor_json_copy(given) : moor_json_new_object();
        return MOOR_OK;
    }
    change->properties = stored_object(change->old->properties);
    return object ? moor_json_merge_patch(change->properties, given, err) : MOOR_OK;
}

static moor_code write_row(struct moor_record_change *change, const char *location, bool patch,
                           struct moor_error *err)
{
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    MOOR_AUTOSTR text = NULL;
    struct moor_call *c = change->call;
    const struct moor_resource *old = change->old;
    const struct moor_json *tags = moor_json_get(change->body, "tags");
    moor_code code = moor_store_begin(c->app->store, &tx, err);
    if (code || (code = take_properties(change, patch, err)) ||
        (code = change->kind->complete(change, err)) ||
        (code = moor_json_print(change->properties, PROPERTIES_MAX, &text, err)))
        return code;
    change->row = (struct moor_resource){
        .id = old ? old->id : change->id.id,
        .type = change->kind->type,
        .subscription = change->id.subscription,
        .group = change->id.group,
        .name = old ? old->name : change->id.name,
        .location = location,
        .alias = change->alias ? change->alias : "",
        .tags = patch && !tags ? old->tags : moor_arm_text(c, tags),
        .properties = moor_arena_str(c->arena, moor_span_str(text)),
        .envelope = envelope_of(change),
    };
    if (!change->row.properties)
        return moor_fail(err, MOOR_E_NOMEM, "%s: no memory", change->id.id);
    moor_arm_stamp(c, &change->row, old);
    code = moor_resource_put(c->app->store, &change->row, err);
    if (!code && change->kind->written)
        code = change->kind->written(change, err);
    return code ? code : moor_store_commit(&tx, err);
}

/* Where it is, or NULL after an answer. */
static const char *location_of(struct moor_record_change *change, bool patch)
{
    struct moor_call *c = change->call;
    const struct moor_resource *old = change->old;
    const char *location = moor_arm_location(c, moor_json_get_str(change->body, "location"));
    if (!change->kind->tracked || (patch && !location))
        return old ? old->location : "";
    if (!location) {
        moor_call_error(c, 400, "LocationRequired",
                        "The location property is required for this definition.");
        return NULL;
    }
    if (old && !moor_streq(old->location, location)) {
        moor_call_error(c, 409, "InvalidResourceLocation",
                        "The resource '%s' already exists in location '%s'.", old->name,
                        old->location);
        return NULL;
    }
    return location;
}

static void write_record(struct moor_record_change *change, bool patch)
{
    struct moor_call *c = change->call;
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTOPTR(moor_json) body = moor_call_body(c);
    change->body = body;
    if (!body || !moor_arm_tags_ok(c, moor_json_get(body, "tags")) ||
        !moor_arm_group_exists(c, &change->id))
        return;
    if (!moor_arm_name_ok(change->id.name, change->kind->name_max, change->kind->name_chars)) {
        moor_call_error(c, 400, "InvalidResourceName", "The name '%s' is invalid.",
                        change->id.name);
        return;
    }
    const char *location = location_of(change, patch);
    if (!location)
        return;
    moor_code code = write_row(change, location, patch, &err);
    moor_json_free(change->properties);
    if (code) {
        moor_call_fail(c, &err);
        return;
    }
    tell(change);
    moor_log(MOOR_LOG_NOTICE, "resource.put", "id", change->row.id, "by", c->caller.object_id,
             NULL);
    MOOR_AUTOPTR(moor_json) o = moor_arm_json(&change->row);
    moor_call_json(c, change->old ? 200 : 201, o);
}

static moor_code remove_row(struct moor_record_change *change, struct moor_error *err)
{
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    struct moor_store *s = change->call->app->store;
    moor_code code = moor_store_begin(s, &tx, err);
    if (!code && change->kind->removing)
        code = change->kind->removing(change, err);
    if (!code)
        code = moor_resource_delete(s, change->old->id, NULL, err);
    return code ? code : moor_store_commit(&tx, err);
}

static void remove_record(struct moor_record_change *change)
{
    struct moor_call *c = change->call;
    struct moor_error err = MOOR_ERROR_INIT;
    if (!change->old) {
        moor_call_empty(c, 204);
        return;
    }
    if (remove_row(change, &err)) {
        moor_call_fail(c, &err);
        return;
    }
    tell(change);
    moor_log(MOOR_LOG_NOTICE, "resource.deleted", "id", change->old->id, "by", c->caller.object_id,
             NULL);
    moor_call_empty(c, 200);
}

static void show_record(struct moor_record_change *change)
{
    MOOR_AUTOPTR(moor_json) o = moor_arm_json(change->old);
    moor_call_json(change->call, 200, o);
}

static void by_method(struct moor_record_change *change, const char *method)
{
    bool put = moor_streq(method, "PUT");
    if (moor_streq(method, "DELETE"))
        remove_record(change);
    else if (!put && !change->old)
        moor_arm_not_found(change->call, &change->id);
    else if (put || moor_streq(method, "PATCH"))
        write_record(change, !put);
    else
        show_record(change);
}

static const char *verb_of(const char *method)
{
    if (moor_streq(method, "GET") || moor_streq(method, "HEAD"))
        return "read";
    if (moor_streq(method, "PUT") || moor_streq(method, "PATCH"))
        return "write";
    return moor_streq(method, "DELETE") ? "delete" : NULL;
}

void moor_record_serve(struct moor_call *c, const struct moor_record_kind *kind)
{
    struct moor_record_change change = { .call = c, .kind = kind };
    struct moor_resource row;
    struct moor_error err = MOOR_ERROR_INIT;
    const char *method = moor_http_method(c->ex), *verb = verb_of(method);
    if (!verb) {
        moor_call_error(c, 405, "MethodNotAllowed", "The method '%s' is not allowed.", method);
        return;
    }
    if (!moor_arm_parse(moor_http_path(c->ex), c->arena, &change.id)) {
        moor_call_error(c, 404, "NotFound", "No such resource.");
        return;
    }
    if (!moor_call_may(c, moor_call_fmt(c, "%s/%s", kind->type, verb), change.id.id))
        return;
    moor_code code = moor_resource_get(c->app->store, change.id.id, c->arena, &row, &err);
    if (code && code != MOOR_E_NOTFOUND) {
        moor_call_fail(c, &err);
        return;
    }
    change.old = code ? NULL : &row;
    by_method(&change, method);
}

void moor_record_list(struct moor_call *c, const char *type)
{
    struct moor_resource_list rows;
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_resource_filter filter = { .subscription = moor_http_param(c->ex, "sub"),
                                           .group = moor_http_param(c->ex, "group"),
                                           .type = type,
                                           .after = moor_arm_skip_key(c),
                                           .limit = LIST_PAGE };
    if (moor_resource_list(c->app->store, &filter, c->arena, &rows, &err)) {
        moor_call_fail(c, &err);
        return;
    }
    struct moor_json *items = moor_json_new_array();
    for (size_t i = 0; i < rows.count; i++)
        if (moor_authz_allows(c->app->authz, &c->caller, moor_call_fmt(c, "%s/read", type),
                              rows.items[i].id))
            moor_json_push(items, moor_arm_json(&rows.items[i]));
    moor_arm_reply_list(c, items, rows.more ? rows.items[rows.count - 1].id : NULL);
}
