/* SPDX-License-Identifier: Apache-2.0 */
/* Microsoft.HybridCompute/machines. */
#include "api/machines.h"

#include <string.h>

#include "api/arm.h"
#include "api/machine_rules.h"
#include "api/routes.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "engine/live.h"
#include "platform/random.h"
#include "run/log.h"
#include "store/extensions.h"
#include "store/machines.h"
#include "store/operations.h"
#include "store/run_commands.h"

#define TYPE     "Microsoft.HybridCompute/machines"
#define BODY_MAX (256u << 10)

static struct moor_json *parse_stored(const char *text)
{
    struct moor_json *v = NULL;
    if (moor_json_parse(moor_span_str(text), &v, NULL))
        return moor_json_new_object();
    return v;
}

static void set_time(struct moor_json *o, const char *name, int64_t ms)
{
    char text[MOOR_RFC3339_LEN + 1];
    moor_rfc3339_format(ms, text);
    moor_json_set_str(o, name, text);
}

static void add_status(struct moor_call *c, struct moor_json *p, const char *vm_id)
{
    struct moor_live_status s = { .status = "AwaitingConnection" };
    struct moor_json *details = NULL;
    if (*vm_id)
        moor_live_status(c->app->live, vm_id, c->now_ms, &s);
    moor_json_set_str(p, "status", s.status);
    if (s.status_reason && *s.status_reason)
        moor_json_set_str(p, "statusReason", s.status_reason);
    if (s.agent_version && *s.agent_version)
        moor_json_set_str(p, "agentVersion", s.agent_version);
    if (s.last_change_ms)
        set_time(p, "lastStatusChange", s.last_change_ms);
    if (!s.error_details || moor_json_parse(moor_span_str(s.error_details), &details, NULL))
        details = moor_json_new_array();
    moor_json_set(p, "errorDetails", details);
}

static void add_identity(struct moor_call *c, struct moor_json *o, struct moor_json *p,
                         const struct moor_machine *m)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(64u << 10);
    struct moor_machine_keys keys = { NULL, 0 };
    moor_json_set_str(p, "vmId", m->vm_id);
    if (!moor_machine_keys_get(c->app->store, m->vm_id, &arena, &keys, NULL) && keys.count)
        moor_json_set_str(p, "clientPublicKey", keys.items[0].public_key);
    struct moor_json *identity = moor_json_set(o, "identity", moor_json_new_object());
    moor_json_set_str(identity, "type", "SystemAssigned");
    moor_json_set_str(identity, "principalId", m->principal_id);
    moor_json_set_str(identity, "tenantId", m->tenant_id);
}

/* What the agent said of itself, below what the administrator set. */
static struct moor_json *all_properties(struct moor_call *c, const struct moor_resource *r,
                                        const struct moor_machine *m)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1u << 20);
    const char *agents = NULL;
    struct moor_json *p = moor_json_new_object();
    if (*m->vm_id &&
        !moor_machine_doc_get(c->app->store, m->vm_id, "properties", &arena, &agents, NULL, NULL)) {
        moor_json_free(p);
        p = parse_stored(agents);
    }
    MOOR_AUTOPTR(moor_json) own = parse_stored(r->properties);
    if (moor_json_merge_patch(p, own, NULL))
        moor_json_set_str(p, "provisioningState", "Failed");
    return p;
}

struct moor_json *moor_machine_json(struct moor_call *c, const struct moor_resource *r,
                                    bool with_resources)
{
    struct moor_machine m = { .vm_id = "", .tenant_id = "" };
    struct moor_json *o = moor_arm_json(r);
    if (moor_machine_by_resource(c->app->store, r->id, c->arena, &m, NULL))
        m.vm_id = "";
    struct moor_json *p = moor_json_set(o, "properties", all_properties(c, r, &m));
    if (*m.vm_id)
        add_identity(c, o, p, &m);
    moor_json_set_str(p, "provisioningState", "Succeeded");
    add_status(c, p, m.vm_id);
    if (with_resources && *m.vm_id)
        moor_extension_push_all(c, m.vm_id, moor_json_set(o, "resources", moor_json_new_array()));
    return o;
}

static bool take_id(struct moor_call *c, struct moor_arm_id *id)
{
    if (moor_arm_parse(moor_http_path(c->ex), c->arena, id))
        return true;
    moor_call_error(c, 400, "InvalidResourceId", "The path is no resource id.");
    return false;
}

static void reply_machine(struct moor_call *c, const struct moor_resource *r)
{
    MOOR_AUTOPTR(moor_json) o = moor_machine_json(c, r, true);
    moor_call_json(c, 200, o);
}

static void on_get(struct moor_call *c)
{
    struct moor_arm_id id;
    struct moor_resource r;
    struct moor_error err = MOOR_ERROR_INIT;
    if (!take_id(c, &id) || !moor_arm_group_exists(c, &id))
        return;
    moor_code code = moor_resource_get(c->app->store, id.id, c->arena, &r, &err);
    if (code == MOOR_E_NOTFOUND)
        moor_arm_not_found(c, &id);
    else if (code)
        moor_call_fail(c, &err);
    else
        reply_machine(c, &r);
}

static void on_list(struct moor_call *c)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(MOOR_ROWS_MAX);
    struct moor_resource_filter f = { .subscription = moor_http_param(c->ex, "sub"),
                                      .group = moor_http_param(c->ex, "group"),
                                      .type = TYPE,
                                      .after = moor_arm_skip_key(c),
                                      .limit = 200 };
    struct moor_resource_list list = { NULL, 0, false };
    struct moor_error err = MOOR_ERROR_INIT;
    if (!moor_call_serves(c, TYPE "/read"))
        return;
    if (moor_resource_list(c->app->store, &f, &arena, &list, &err)) {
        moor_call_fail(c, &err);
        return;
    }
    struct moor_json *items = moor_json_new_array();
    for (size_t i = 0; i < list.count; i++)
        if (moor_authz_allows(c->app->authz, &c->caller, TYPE "/read", list.items[i].id))
            moor_json_push(items, moor_machine_json(c, &list.items[i], false));
    moor_arm_reply_list(c, items, list.more ? list.items[list.count - 1].id : NULL);
}

/* One PUT or PATCH on its way. */
struct write {
    struct moor_arm_id id;
    const struct moor_json *body;
    struct moor_resource old, row;
    struct moor_machine machine; /* vm_id "" = none yet */
    bool exists;
    uint64_t revision; /* to tell the waiter, 0 = nothing changed for it */
};

static moor_code add_machine(struct moor_call *c, struct write *w, const struct moor_enrolment *e,
                             struct moor_error *err)
{
    struct moor_store *s = c->app->store;
    char client_id[37], object_id[37];
    plat_random_uuid(client_id);
    plat_random_uuid(object_id);
    struct moor_principal_row p = { .kind = MOOR_PRINCIPAL_MACHINE,
                                    .object_id = object_id,
                                    .client_id = client_id,
                                    .tenant_id = c->app->config.tenant_id,
                                    .name = w->id.name,
                                    .vm_id = e->vm_id,
                                    .resource_id = w->row.id,
                                    .created_ms = c->now_ms };
    struct moor_machine m = { .vm_id = e->vm_id,
                              .resource_id = w->row.id,
                              .tenant_id = c->app->config.tenant_id,
                              .client_id = client_id,
                              .principal_id = object_id,
                              .created_ms = c->now_ms,
                              .desired_counter = 1 };
    moor_code code = moor_machine_forget(s, e->vm_id, err);
    if (!code)
        code = moor_principal_add(s, &p, err);
    if (!code)
        code = moor_machine_add(s, &m, err);
    if (!code)
        code = moor_machine_key_set(s, e->vm_id, e->public_key, MOOR_KEY_CURRENT, c->now_ms, err);
    return code;
}

/* Who the machine is: set once, then the service's; see machine_rules.h. */
static moor_code apply_identity(struct moor_call *c, struct write *w, struct moor_error *err)
{
    struct moor_enrolment e = { "", "" };
    struct moor_machine other = { .vm_id = "" };
    struct moor_machine_keys keys = { NULL, 0 };
    struct moor_store *s = c->app->store;
    moor_code code = moor_machine_given(w->body, c->arena, &e, err);
    if (!code && *w->machine.vm_id)
        code = moor_machine_keys_get(s, w->machine.vm_id, c->arena, &keys, err);
    if (code)
        return code;
    if (*w->machine.vm_id)
        return moor_machine_same(&e, w->machine.vm_id, &keys, err);
    if (!*e.vm_id)
        return MOOR_OK;
    code = moor_machine_by_vm_id(s, e.vm_id, c->arena, &other, err);
    if (code && code != MOOR_E_NOTFOUND)
        return code;
    code =
        moor_machine_may_take(&e, code ? NULL : &other, c->app->config.tenant_id, c->now_ms, err);
    return code ? code : add_machine(c, w, &e, err);
}

static moor_code load(struct moor_call *c, struct write *w, struct moor_error *err)
{
    w->machine = (struct moor_machine){ .vm_id = "" };
    moor_code code = moor_resource_get(c->app->store, w->id.id, c->arena, &w->old, err);
    w->exists = !code;
    if (code == MOOR_E_NOTFOUND)
        return MOOR_OK;
    if (!code)
        code = moor_machine_by_resource(c->app->store, w->id.id, c->arena, &w->machine, err);
    if (code == MOOR_E_NOTFOUND) {
        w->machine.vm_id = "";
        return MOOR_OK;
    }
    return code;
}

static const char *envelope_of(struct moor_call *c, const struct moor_json *body,
                               const struct write *w)
{
    const char *kind = moor_json_get_str(body, "kind");
    MOOR_AUTOPTR(moor_json) o = parse_stored(w->exists ? w->old.envelope : "{}");
    if (kind && *kind && strlen(kind) <= 32)
        moor_json_set_str(o, "kind", kind);
    return moor_arm_text(c, o);
}

static void fill_row(struct moor_call *c, struct write *w, const char *location, bool patch)
{
    const struct moor_json *tags = moor_json_get(w->body, "tags");
    MOOR_AUTOPTR(moor_json) props =
        patch ? parse_stored(w->old.properties) : moor_json_new_object();
    moor_machine_take_own(props, moor_json_get(w->body, "properties"));
    w->row = (struct moor_resource){
        .id = w->exists ? w->old.id : w->id.id,
        .type = TYPE,
        .subscription = w->id.subscription,
        .group = w->id.group,
        .name = w->exists ? w->old.name : w->id.name,
        .location = location,
        .alias = "",
        .tags = patch && !tags ? w->old.tags : moor_arm_text(c, tags),
        .properties = moor_arm_text(c, props),
        .envelope = envelope_of(c, w->body, w),
    };
    moor_arm_stamp(c, &w->row, w->exists ? &w->old : NULL);
}

static moor_code touch_if_tagged(struct moor_call *c, struct write *w, struct moor_error *err)
{
    if (!w->exists || !*w->machine.vm_id || moor_streq(w->old.tags, w->row.tags))
        return MOOR_OK;
    return moor_machine_touch_desired(c->app->store, w->machine.vm_id, &w->revision, err);
}

static bool check_location(struct moor_call *c, const struct write *w, bool patch,
                           const char **location)
{
    const char *given = moor_json_get_str(w->body, "location");
    *location = given ? moor_arm_location(c, given) : w->exists && patch ? w->old.location : NULL;
    if (!*location) {
        moor_call_error(c, 400, "LocationRequired",
                        "The location property is required for this definition.");
        return false;
    }
    if (w->exists && !moor_streq(*location, w->old.location)) {
        moor_call_error(c, 409, "InvalidResourceLocation",
                        "The resource '%s' already exists in location '%s' in resource group '%s'. "
                        "A resource with the same name cannot be created in location '%s'.",
                        w->old.name, w->old.location, w->old.group, *location);
        return false;
    }
    return true;
}

/* Everything between begin and commit. False when it has answered. */
static bool write_machine(struct moor_call *c, struct write *w, bool patch)
{
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    struct moor_error err = MOOR_ERROR_INIT;
    const char *location = NULL;
    moor_code code = moor_store_begin(c->app->store, &tx, &err);
    if (!code)
        code = load(c, w, &err);
    if (code) {
        moor_call_fail(c, &err);
        return false;
    }
    if (patch && !w->exists) {
        moor_arm_not_found(c, &w->id);
        return false;
    }
    if (!check_location(c, w, patch, &location))
        return false;
    fill_row(c, w, location, patch);
    code = apply_identity(c, w, &err);
    if (!code)
        code = moor_resource_put(c->app->store, &w->row, &err);
    if (!code)
        code = touch_if_tagged(c, w, &err);
    if (!code)
        code = moor_store_commit(&tx, &err);
    if (code)
        moor_call_fail(c, &err);
    return !code;
}

static void on_write(struct moor_call *c)
{
    struct write w = { .revision = 0 };
    bool patch = moor_streq(moor_http_method(c->ex), "PATCH");
    if (!take_id(c, &w.id) || !moor_arm_group_exists(c, &w.id))
        return;
    if (!moor_arm_name_ok(w.id.name, 54, "-_.")) {
        moor_call_error(c, 400, "InvalidResourceName",
                        "The machine name '%s' is invalid: 1 to 54 letters, digits and -_. not "
                        "ending in a dot.",
                        w.id.name);
        return;
    }
    MOOR_AUTOPTR(moor_json) body = moor_call_body(c);
    if (!body || !moor_arm_tags_ok(c, moor_json_get(body, "tags")))
        return;
    w.body = body;
    if (!write_machine(c, &w, patch))
        return;
    if (w.revision)
        moor_live_changed(c->app->live, w.machine.vm_id, w.revision);
    if (!w.exists)
        moor_log(MOOR_LOG_NOTICE, "machine.created", "id", w.row.id, "by", c->caller.object_id,
                 NULL);
    reply_machine(c, &w.row);
}

moor_code moor_machine_tagged(struct moor_call *c, const struct moor_resource *r,
                              struct moor_error *err)
{
    struct moor_machine m;
    uint64_t revision = 0;
    if (!moor_streq(r->type, TYPE) ||
        moor_machine_by_resource(c->app->store, r->id, c->arena, &m, NULL))
        return MOOR_OK;
    moor_code code = moor_machine_touch_desired(c->app->store, m.vm_id, &revision, err);
    if (!code)
        moor_live_changed(c->app->live, m.vm_id, revision);
    return code;
}

static moor_code cancel_operation(struct moor_call *c, const char *resource_id,
                                  struct moor_error *err)
{
    return moor_operation_end(c->app->store, resource_id, MOOR_OP_CANCELED, "MachineDeleted",
                              "The machine was deleted.", c->now_ms, err);
}

static moor_code cancel_operations(struct moor_call *c, const char *vm_id, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(MOOR_ROWS_MAX);
    struct moor_extension_list list = { NULL, 0 };
    struct moor_run_command_list runs = { NULL, 0 };
    moor_code code = moor_extension_list(c->app->store, vm_id, &arena, &list, err);
    if (!code)
        code = moor_run_command_list(c->app->store, vm_id, &arena, &runs, err);
    for (size_t i = 0; !code && i < list.count; i++)
        code = cancel_operation(c, list.items[i].resource_id, err);
    for (size_t i = 0; !code && i < runs.count; i++)
        code = cancel_operation(c, runs.items[i].resource_id, err);
    return code;
}

moor_code moor_machine_remove(struct moor_call *c, const char *resource_id,
                              struct moor_arena *arena, const char **vm_id, struct moor_error *err)
{
    struct moor_machine m = { .vm_id = "" };
    struct moor_store *s = c->app->store;
    moor_code code = moor_machine_by_resource(s, resource_id, arena, &m, err);
    if (code && code != MOOR_E_NOTFOUND)
        return code;
    *vm_id = code ? "" : m.vm_id;
    if (!code)
        code = cancel_operations(c, m.vm_id, err);
    if (!code)
        code = moor_machine_delete(s, m.vm_id, c->now_ms, err);
    if (!code || code == MOOR_E_NOTFOUND)
        code = moor_resource_delete(s, resource_id, NULL, err);
    return code ? code : moor_role_unassign_below(s, resource_id, err);
}

static void on_delete(struct moor_call *c)
{
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    struct moor_arm_id id;
    struct moor_resource r;
    struct moor_error err = MOOR_ERROR_INIT;
    const char *vm_id = "";
    if (!take_id(c, &id) || !moor_arm_group_exists(c, &id))
        return;
    moor_code code = moor_store_begin(c->app->store, &tx, &err);
    if (!code)
        code = moor_resource_get(c->app->store, id.id, c->arena, &r, &err);
    if (code == MOOR_E_NOTFOUND) {
        moor_call_empty(c, 204);
        return;
    }
    if (!code)
        code = moor_machine_remove(c, id.id, c->arena, &vm_id, &err);
    if (!code)
        code = moor_store_commit(&tx, &err);
    if (code) {
        moor_call_fail(c, &err);
        return;
    }
    if (*vm_id)
        moor_live_forget(c->app->live, vm_id);
    moor_log(MOOR_LOG_NOTICE, "machine.deleted", "id", r.id, "by", c->caller.object_id, NULL);
    moor_call_empty(c, 200);
}

/* Of POST {id}/action. */
static bool take_action_id(struct moor_call *c, struct moor_arm_id *out)
{
    const char *path = moor_http_path(c->ex);
    const char *end = strrchr(path, '/');
    return moor_arm_parse(moor_call_fmt(c, "%.*s", (int)(end ? end - path : 0), path), c->arena,
                          out);
}

/* A new key from outside: every earlier key and certificate ends here. */
static moor_code set_key(struct moor_call *c, const struct moor_arm_id *id,
                         const struct moor_json *body, struct moor_error *err)
{
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    struct moor_store *s = c->app->store;
    struct moor_machine m;
    const char *key = moor_json_get_str(body, "clientPublicKey");
    moor_code code = moor_machine_check_key(key, err);
    if (!code)
        code = moor_store_begin(s, &tx, err);
    if (!code)
        code = moor_machine_by_resource(s, id->id, c->arena, &m, err);
    if (!code)
        code = moor_machine_keys_end(s, m.vm_id, err);
    if (!code)
        code = moor_credential_delete_all(s, m.principal_id, err);
    if (!code)
        code = moor_machine_key_set(s, m.vm_id, key, MOOR_KEY_CURRENT, c->now_ms, err);
    return code ? code : moor_store_commit(&tx, err);
}

static void on_reconnect(struct moor_call *c)
{
    struct moor_arm_id id;
    struct moor_resource r;
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTOPTR(moor_json) body = moor_call_body(c);
    if (!body)
        return;
    if (!take_action_id(c, &id) || set_key(c, &id, body, &err) ||
        moor_resource_get(c->app->store, id.id, c->arena, &r, &err)) {
        moor_call_fail(c, &err);
        return;
    }
    moor_log(MOOR_LOG_NOTICE, "machine.reconnected", "id", r.id, "by", c->caller.object_id, NULL);
    reply_machine(c, &r);
}

/* What a disabled machine is told, and what it still may: docs/protocol/service.md 3.3. */
static void set_disabled(struct moor_call *c, bool disabled)
{
    struct moor_arm_id id;
    struct moor_resource r;
    struct moor_machine m;
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_store *s = c->app->store;
    if (!take_action_id(c, &id) || moor_resource_get(s, id.id, c->arena, &r, &err) ||
        moor_machine_by_resource(s, id.id, c->arena, &m, &err) ||
        moor_machine_disable(s, m.vm_id, disabled, &err)) {
        moor_call_fail(c, &err);
        return;
    }
    moor_log(MOOR_LOG_NOTICE, disabled ? "machine.disabled" : "machine.enabled", "id", r.id, "by",
             c->caller.object_id, NULL);
    reply_machine(c, &r);
}

static void on_disable(struct moor_call *c)
{
    set_disabled(c, true);
}

static void on_enable(struct moor_call *c)
{
    set_disabled(c, false);
}

#define IN_SUB   "/subscriptions/{sub}/providers/" TYPE
#define IN_GROUP "/subscriptions/{sub}/resourcegroups/{group}/providers/" TYPE

static const struct moor_endpoint list_machines = { MOOR_AUD_ARM, on_list, NULL };
static const struct moor_endpoint get_machine = { MOOR_AUD_ARM, on_get, TYPE "/read" };
static const struct moor_endpoint write_endpoint = { MOOR_AUD_ARM, on_write, TYPE "/write" };
static const struct moor_endpoint delete_machine = { MOOR_AUD_ARM, on_delete, TYPE "/delete" };
static const struct moor_endpoint reconnect = { MOOR_AUD_ARM, on_reconnect,
                                                TYPE "/reconnect/action" };
static const struct moor_endpoint disable = { MOOR_AUD_ARM, on_disable, TYPE "/disable/action" };
static const struct moor_endpoint enable = { MOOR_AUD_ARM, on_enable, TYPE "/enable/action" };

const struct moor_http_route moor_machine_routes[] = {
    MOOR_ROUTE("GET", IN_SUB, list_machines, 0),
    MOOR_ROUTE("GET", IN_GROUP, list_machines, 0),
    MOOR_ROUTE("GET", IN_GROUP "/{machine}", get_machine, 0),
    MOOR_ROUTE("PUT", IN_GROUP "/{machine}", write_endpoint, BODY_MAX),
    MOOR_ROUTE("PATCH", IN_GROUP "/{machine}", write_endpoint, BODY_MAX),
    MOOR_ROUTE("DELETE", IN_GROUP "/{machine}", delete_machine, BODY_MAX),
    MOOR_ROUTE("POST", IN_GROUP "/{machine}/reconnect", reconnect, BODY_MAX),
    MOOR_ROUTE("POST", IN_GROUP "/{machine}/disable", disable, BODY_MAX),
    MOOR_ROUTE("POST", IN_GROUP "/{machine}/enable", enable, BODY_MAX),
};
const size_t moor_machine_route_count = MOOR_COUNTOF(moor_machine_routes);
