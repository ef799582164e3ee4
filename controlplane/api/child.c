/* SPDX-License-Identifier: Apache-2.0 */
#include "api/child.h"

#include <string.h>

#include "store/operations.h"

static bool take_machine(struct moor_call *c, struct moor_child *t, const char *path)
{
    struct moor_error err = MOOR_ERROR_INIT;
    t->machine = (struct moor_machine){ .vm_id = "" };
    if (!moor_arm_parse(path, c->arena, &t->machine_id)) {
        moor_call_error(c, 400, "InvalidResourceId", "The path is no resource id.");
        return false;
    }
    if (!moor_arm_group_exists(c, &t->machine_id))
        return false;
    moor_code code =
        moor_resource_get(c->app->store, t->machine_id.id, c->arena, &t->machine_row, &err);
    if (code == MOOR_E_NOTFOUND) {
        moor_call_error(c, 404, "ParentResourceNotFound",
                        "Failed to perform the operation on a nested resource. Parent resource "
                        "'%s' not found.",
                        t->machine_id.name);
        return false;
    }
    if (!code)
        code =
            moor_machine_by_resource(c->app->store, t->machine_id.id, c->arena, &t->machine, &err);
    if (code == MOOR_E_NOTFOUND)
        t->machine.vm_id = "";
    else if (code)
        moor_call_fail(c, &err);
    return !code || code == MOOR_E_NOTFOUND;
}

bool moor_child_take(struct moor_call *c, struct moor_child *out)
{
    if (!moor_arm_parse(moor_http_path(c->ex), c->arena, &out->id)) {
        moor_call_error(c, 400, "InvalidResourceId", "The path is no resource id.");
        return false;
    }
    return take_machine(c, out, out->id.parent);
}

bool moor_child_take_list(struct moor_call *c, struct moor_child *out, const char *tail)
{
    const char *path = moor_http_path(c->ex);
    return take_machine(c, out, moor_call_fmt(c, "%.*s", (int)(strlen(path) - strlen(tail)), path));
}

bool moor_child_writable(struct moor_call *c, const struct moor_child *t, const char *what,
                         const struct moor_json *body)
{
    if (!*t->machine.vm_id) {
        moor_call_error(c, 409, "MachineNotConnected",
                        "The machine '%s' has no agent yet: connect it first.",
                        t->machine_row.name);
        return false;
    }
    if (!moor_arm_name_ok(t->id.name, 64, "-_.")) {
        moor_call_error(c, 400, "InvalidResourceName",
                        "The %s name '%s' is invalid: 1 to 64 letters, digits and -_. not "
                        "ending in a dot.",
                        what, t->id.name);
        return false;
    }
    return moor_arm_tags_ok(c, moor_json_get(body, "tags"));
}

const char *moor_child_properties(struct moor_arena *arena, const char *state)
{
    return moor_arena_fmt(arena, "{\"provisioningState\":\"%s\"}", state);
}

bool moor_child_state_is(const struct moor_resource *r, const char *state)
{
    struct moor_json *p = NULL;
    bool is = moor_json_parse(moor_span_str(r->properties), &p, NULL) == MOOR_OK &&
              moor_streq(moor_json_get_str(p, "provisioningState"), state);
    moor_json_free(p);
    return is;
}

moor_code moor_child_set_state(struct moor_store *s, const char *resource_id, const char *state,
                               struct moor_arena *arena, struct moor_error *err)
{
    struct moor_resource r;
    moor_code c = moor_resource_get(s, resource_id, arena, &r, err);
    if (c)
        return c;
    r.properties = moor_child_properties(arena, state);
    if (!r.properties)
        return moor_fail(err, MOOR_E_NOMEM, "%s: over the limit on memory", resource_id);
    return moor_resource_put(s, &r, err);
}

static const struct {
    const char *state;
    moor_op_status status;
} finals[] = { { "Succeeded", MOOR_OP_SUCCEEDED },
               { "Failed", MOOR_OP_FAILED },
               { "Canceled", MOOR_OP_CANCELED } };

bool moor_child_is_final(const char *state)
{
    for (size_t i = 0; i < MOOR_COUNTOF(finals); i++)
        if (moor_streq(state, finals[i].state))
            return true;
    return false;
}

moor_code moor_child_end(struct moor_store *s, const char *resource_id, const char *state,
                         const char *error_code, const char *message, int64_t now_ms,
                         struct moor_error *err)
{
    moor_op_status status = MOOR_OP_CANCELED;
    for (size_t i = 0; i < MOOR_COUNTOF(finals); i++)
        if (moor_streq(state, finals[i].state))
            status = finals[i].status;
    bool good = status == MOOR_OP_SUCCEEDED;
    return moor_operation_end(s, resource_id, status, good ? "" : error_code, good ? "" : message,
                              now_ms, err);
}

void moor_child_fill(struct moor_call *c, const struct moor_child_row *w, struct moor_resource *out)
{
    const struct moor_json *tags = moor_json_get(w->body, "tags");
    const struct moor_child *t = w->target;
    *out = (struct moor_resource){
        .id = w->old ? w->old->id : t->id.id,
        .type = w->type,
        .subscription = t->id.subscription,
        .group = t->machine_row.group,
        .name = w->old ? w->old->name : t->id.name,
        .location = t->machine_row.location,
        .alias = "",
        .tags = w->patch && !tags ? w->old->tags : moor_arm_text(c, tags),
        .properties = w->state ? moor_child_properties(c->arena, w->state) : w->old->properties,
        .envelope = "{}",
    };
    moor_arm_stamp(c, out, w->old);
}
