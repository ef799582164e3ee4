/* SPDX-License-Identifier: Apache-2.0 */
/* Tags of any resource: {id}/providers/Microsoft.Resources/tags/default. */
#include "api/tags.h"
#include "api/arm.h"
#include "api/machines.h"

static void reply_tags(struct moor_call *c, const struct moor_arm_id *id,
                       const struct moor_resource *r)
{
    struct moor_json *tags = NULL;
    if (moor_json_parse(moor_span_str(r->tags), &tags, NULL))
        tags = moor_json_new_object();
    MOOR_AUTOPTR(moor_json) o = moor_json_new_object();
    moor_json_set_str(o, "id", id->id);
    moor_json_set_str(o, "name", "default");
    moor_json_set_str(o, "type", "Microsoft.Resources/tags");
    struct moor_json *p = moor_json_set(o, "properties", moor_json_new_object());
    moor_json_set(p, "tags", tags);
    moor_call_json(c, 200, o);
}

/* The member whose name is the same without regard to case, under its own name. */
static const char *existing_name(const struct moor_json *tags, const char *name)
{
    const struct moor_json *v = moor_json_get_nocase(tags, name);
    return v ? moor_json_name(v) : name;
}

static void merge(struct moor_json *tags, const struct moor_json *given, bool remove)
{
    MOOR_JSON_EACH(t, given)
    {
        const char *name = existing_name(tags, moor_json_name(t));
        const char *value = moor_json_str(t);
        const char *old = moor_json_str(moor_json_get(tags, name));
        if (!remove)
            moor_json_set_str(tags, name, value ? value : "");
        else if (old && (!value || moor_streq(old, value)))
            moor_json_remove(tags, name);
    }
}

/* The new tags, or NULL when the operation is unknown. */
static struct moor_json *patched(const struct moor_resource *r, const struct moor_json *body,
                                 const struct moor_json *given)
{
    const char *operation = moor_json_get_str(body, "operation");
    struct moor_json *tags = NULL;
    if (!operation || moor_strcasecmp(operation, "Replace") == 0)
        return operation ? moor_json_copy(given) : NULL;
    bool remove = moor_strcasecmp(operation, "Delete") == 0;
    if (!remove && moor_strcasecmp(operation, "Merge") != 0)
        return NULL;
    if (moor_json_parse(moor_span_str(r->tags), &tags, NULL))
        tags = moor_json_new_object();
    merge(tags, given, remove);
    return tags;
}

static void store_tags(struct moor_call *c, const struct moor_arm_id *id,
                       const struct moor_resource *old, const struct moor_json *tags)
{
    struct moor_resource r = *old;
    struct moor_error err = MOOR_ERROR_INIT;
    if (!moor_arm_tags_ok(c, tags))
        return;
    r.tags = moor_arm_text(c, tags);
    moor_arm_stamp(c, &r, old);
    if (moor_resource_put(c->app->store, &r, &err) || moor_machine_tagged(c, &r, &err)) {
        moor_call_fail(c, &err);
        return;
    }
    reply_tags(c, id, &r);
}

static void change_tags(struct moor_call *c, const struct moor_arm_id *id,
                        const struct moor_resource *old)
{
    bool put = moor_streq(moor_http_method(c->ex), "PUT");
    MOOR_AUTOPTR(moor_json) body = moor_call_body(c);
    if (!body)
        return;
    const struct moor_json *given = moor_json_path(body, "properties.tags");
    if (moor_json_typeof(given) != MOOR_JSON_OBJECT) {
        moor_call_error(c, 400, "InvalidRequestContent",
                        "The request content is invalid: want properties.tags.");
        return;
    }
    MOOR_AUTOPTR(moor_json) tags = put ? moor_json_copy(given) : patched(old, body, given);
    if (tags)
        store_tags(c, id, old, tags);
    else
        moor_call_error(c, 400, "InvalidRequestContent",
                        "The request content is invalid: operation is Merge, Replace or Delete.");
}

void moor_tags_handle(struct moor_call *c, const struct moor_arm_id *id)
{
    static const struct {
        const char *method, *action;
    } methods[] = {
        { "GET", "Microsoft.Resources/tags/read" },
        { "PUT", "Microsoft.Resources/tags/write" },
        { "PATCH", "Microsoft.Resources/tags/write" },
        { "DELETE", "Microsoft.Resources/tags/delete" },
    };
    const char *method = moor_http_method(c->ex), *action = NULL;
    struct moor_resource r;
    struct moor_error err = MOOR_ERROR_INIT;
    for (size_t i = 0; i < MOOR_COUNTOF(methods); i++)
        if (moor_streq(methods[i].method, method))
            action = methods[i].action;
    if (!action) {
        moor_call_error(c, 405, "MethodNotAllowed", "The method '%s' is not allowed.", method);
        return;
    }
    if (!moor_call_may(c, action, id->parent))
        return;
    if (moor_resource_get(c->app->store, id->parent, c->arena, &r, &err)) {
        moor_call_fail(c, &err);
    } else if (moor_streq(method, "GET")) {
        reply_tags(c, id, &r);
    } else if (moor_streq(method, "DELETE")) {
        MOOR_AUTOPTR(moor_json) none = moor_json_new_object();
        store_tags(c, id, &r, none);
    } else {
        change_tags(c, id, &r);
    }
}
