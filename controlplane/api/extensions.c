/* SPDX-License-Identifier: Apache-2.0 */
/* Microsoft.HybridCompute/machines/extensions: requests. What agents report is in settle.c. */
#include "api/extensions.h"

#include <string.h>

#include "api/arm.h"
#include "api/child.h"
#include "api/extension_rules.h"
#include "api/machines.h"
#include "api/protect.h"
#include "api/routes.h"
#include "engine/gallery.h"
#include "engine/live.h"
#include "run/log.h"

#define TYPE     "Microsoft.HybridCompute/machines/extensions"
#define BODY_MAX (1u << 20)

static struct moor_json *parse_stored(const char *text)
{
    struct moor_json *v = NULL;
    if (moor_json_parse(moor_span_str(text), &v, NULL))
        return moor_json_new_object();
    return v;
}

static const char *installed_version(const struct moor_extension *e, struct moor_arena *arena)
{
    MOOR_AUTOPTR(moor_json) view = parse_stored(e->reported);
    const char *v = moor_json_get_str(view, "typeHandlerVersion");
    const char *copy = v ? moor_arena_str(arena, moor_span_str(v)) : NULL;
    return copy ? copy : "";
}

/* Public face: what was asked, the state, and what the agent said last. Protected settings are
 * never in it. */
static struct moor_json *extension_json(struct moor_call *c, const struct moor_resource *r,
                                        const struct moor_extension *e)
{
    struct moor_json *o = moor_arm_json(r);
    struct moor_json *p = moor_json_edit(o, "properties");
    const char *installed = installed_version(e, c->arena);
    moor_json_set_str(p, "publisher", e->publisher);
    moor_json_set_str(p, "type", e->type);
    if (*installed || *e->version)
        moor_json_set_str(p, "typeHandlerVersion", *installed ? installed : e->version);
    moor_json_set_bool(p, "autoUpgradeMinorVersion", e->auto_upgrade_minor);
    moor_json_set_bool(p, "enableAutomaticUpgrade", e->automatic_upgrade);
    if (*e->force_tag)
        moor_json_set_str(p, "forceUpdateTag", e->force_tag);
    moor_json_set(p, "settings", parse_stored(e->settings));
    if (*e->after && !moor_streq(e->after, "[]"))
        moor_json_set(p, "provisionAfterExtensions", parse_stored(e->after));
    if (*e->reported)
        moor_json_set(p, "instanceView", parse_stored(e->reported));
    return o;
}

void moor_extension_reply(struct moor_call *c, const char *resource_id, int status)
{
    struct moor_resource r;
    struct moor_extension e;
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_resource_get(c->app->store, resource_id, c->arena, &r, &err) ||
        moor_extension_get(c->app->store, resource_id, c->arena, &e, &err)) {
        moor_call_fail(c, &err);
        return;
    }
    MOOR_AUTOPTR(moor_json) o = extension_json(c, &r, &e);
    moor_call_json(c, status, o);
}

void moor_extension_push_all(struct moor_call *c, const char *vm_id, struct moor_json *list)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(MOOR_ROWS_MAX);
    struct moor_extension_list all = { NULL, 0 };
    struct moor_resource r;
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_extension_list(c->app->store, vm_id, &arena, &all, &err))
        moor_log_error(MOOR_LOG_WARNING, "extensions.list", &err, "machine", vm_id, NULL);
    for (size_t i = 0; i < all.count; i++)
        if (!moor_resource_get(c->app->store, all.items[i].resource_id, &arena, &r, NULL))
            moor_json_push(list, extension_json(c, &r, &all.items[i]));
}

static void on_get(struct moor_call *c)
{
    struct moor_child t;
    struct moor_resource r;
    if (!moor_child_take(c, &t))
        return;
    if (moor_resource_get(c->app->store, t.id.id, c->arena, &r, NULL))
        moor_arm_not_found(c, &t.id);
    else
        moor_extension_reply(c, t.id.id, 200);
}

static void on_list(struct moor_call *c)
{
    struct moor_child t;
    if (!moor_child_take_list(c, &t, "/extensions"))
        return;
    struct moor_json *items = moor_json_new_array();
    if (*t.machine.vm_id)
        moor_extension_push_all(c, t.machine.vm_id, items);
    moor_arm_reply_list(c, items, NULL);
}

/* A PUT or PATCH on its way. */
struct write {
    struct moor_child t;
    const struct moor_json *body;
    bool patch;
    bool exists;
    struct moor_resource old_row;
    struct moor_extension old;
    struct moor_extension_change change;
    bool work; /* the agent has something to do */
    char operation[37];
    uint64_t revision;
};

static moor_code conflict(struct moor_error *err, const char *name)
{
    moor_code c = moor_fail(err, MOOR_E_EXISTS,
                            "The request on extension '%s' was refused: the previous request for "
                            "this extension type is still processing. Only one instance of an "
                            "extension type may be in progress at a time for the same machine.",
                            name);
    err->http = 409;
    memcpy(err->service_code, "HCRP409", sizeof("HCRP409"));
    return c;
}

/* A handler whose newest fitting version takes several extensions of a machine. */
static moor_code is_multi(struct moor_call *c, const struct moor_extension *e, bool *out,
                          struct moor_error *err)
{
    struct moor_package_list list = { NULL, 0 };
    moor_code code = moor_package_list(c->app->store, e->publisher, e->type, c->arena, &list, err);
    const struct moor_package *best =
        code ? NULL : moor_gallery_choose(&list, e->version, e->auto_upgrade_minor);
    *out = best && best->multi_config;
    return code;
}

/* One operation per extension type and machine at a time, and one extension of it, but for
 * multi-config handlers. */
static moor_code check_idle(struct moor_call *c, const struct write *w, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(MOOR_ROWS_MAX);
    struct moor_extension_list all = { NULL, 0 };
    const struct moor_extension *now = &w->change.row;
    bool multi = false;
    moor_code code = moor_extension_list(c->app->store, w->t.machine.vm_id, &arena, &all, err);
    if (!code)
        code = is_multi(c, now, &multi, err);
    for (size_t i = 0; !code && i < all.count; i++) {
        const struct moor_extension *e = &all.items[i];
        struct moor_operation op;
        if (multi && moor_strcasecmp(e->resource_id, now->resource_id) != 0)
            continue;
        if (moor_strcasecmp(e->type, now->type) != 0 ||
            moor_strcasecmp(e->publisher, now->publisher) != 0)
            continue;
        if (!moor_operation_open(c->app->store, e->resource_id, &arena, &op, NULL))
            return conflict(err, e->name);
        if (moor_strcasecmp(e->resource_id, now->resource_id) != 0) {
            code = moor_fail(err, MOOR_E_EXISTS,
                             "The extension '%s' of type '%s' is on this machine already; it can "
                             "be added only once.",
                             e->name, e->type);
            err->http = 409;
            memcpy(err->service_code, "HCRP409", sizeof("HCRP409"));
        }
    }
    return code;
}

/* What the gallery does not have fails here, not on the machine. */
static moor_code check_published(struct moor_call *c, const struct write *w, struct moor_error *err)
{
    struct moor_package_list list = { NULL, 0 };
    const struct moor_extension *e = &w->change.row;
    moor_code code = moor_package_list(c->app->store, e->publisher, e->type, c->arena, &list, err);
    if (code || moor_gallery_choose(&list, e->version, e->auto_upgrade_minor))
        return code;
    code =
        moor_fail(err, MOOR_E_NOTFOUND,
                  "The VM extension with publisher '%s', type '%s' and version '%s' could not "
                  "be found in location '%s'.",
                  e->publisher, e->type, *e->version ? e->version : "*", w->t.machine_row.location);
    memcpy(err->service_code, "ArtifactNotFound", sizeof("ArtifactNotFound"));
    return code;
}

/* Protected settings of the new row, and whether they are others than before. */
static moor_code apply_protected(struct moor_call *c, struct write *w, bool *changed,
                                 struct moor_error *err)
{
    struct moor_extension *e = &w->change.row;
    MOOR_AUTO(moor_buf) clear = MOOR_BUF_SECRET(512u << 10);
    *changed = false;
    if (w->change.protected_given == MOOR_PROTECTED_ABSENT)
        return MOOR_OK;
    if (w->change.protected_given == MOOR_PROTECTED_NONE) {
        *changed = moor_protect_any(&e->guarded);
        moor_protect_clear(&e->guarded);
        return MOOR_OK;
    }
    moor_buf_json_canonical(&clear, w->change.protected_settings);
    moor_code code = moor_buf_ok(&clear, "properties.protectedSettings", err);
    const struct moor_protect_target target = { c->app, &w->t.machine, e->resource_id, c->arena };
    return code ? code
                : moor_protect_set(&target, moor_buf_view(&clear), &e->guarded, changed, err);
}

static moor_code start_work(struct moor_call *c, struct write *w, struct moor_error *err)
{
    struct moor_store *s = c->app->store;
    moor_code code = check_idle(c, w, err);
    if (!code)
        code = check_published(c, w, err);
    if (!code)
        code = moor_operation_start(s, MOOR_OP_PUT, w->change.row.resource_id, c->caller.object_id,
                                    c->now_ms, w->operation, err);
    if (!code)
        code = moor_machine_touch_desired(s, w->t.machine.vm_id, &w->revision, err);
    return code;
}

static moor_code load(struct moor_call *c, struct write *w, struct moor_error *err)
{
    struct moor_store *s = c->app->store;
    moor_code code = moor_resource_get(s, w->t.id.id, c->arena, &w->old_row, err);
    if (!code)
        code = moor_extension_get(s, w->t.id.id, c->arena, &w->old, err);
    w->exists = !code;
    if (code == MOOR_E_NOTFOUND && w->patch)
        return code;
    return code == MOOR_E_NOTFOUND ? MOOR_OK : code;
}

static moor_code decide(struct moor_call *c, struct write *w, struct moor_error *err)
{
    bool protected_changed = false;
    const char *installed = w->exists ? installed_version(&w->old, c->arena) : "";
    moor_code code = moor_extension_change(w->body, w->exists ? &w->old : NULL, installed, w->patch,
                                           c->arena, &w->change, err);
    if (code)
        return code;
    struct moor_extension *e = &w->change.row;
    if (!w->exists) {
        e->resource_id = w->t.id.id;
        e->name = w->t.id.name;
        e->vm_id = w->t.machine.vm_id;
        e->reported = "";
        moor_protect_clear(&e->guarded);
    }
    code = apply_protected(c, w, &protected_changed, err);
    w->work = !w->exists || w->change.differs || protected_changed ||
              !moor_child_state_is(&w->old_row, "Succeeded");
    if (w->work)
        e->settings_seq++;
    e->updated_ms = c->now_ms;
    return code;
}

static moor_code write_rows(struct moor_call *c, struct write *w, struct moor_error *err)
{
    struct moor_resource r;
    moor_code code = load(c, w, err);
    if (!code)
        code = decide(c, w, err);
    if (!code && w->work)
        code = start_work(c, w, err);
    if (code)
        return code;
    const struct moor_child_row row = {
        .target = &w->t,
        .type = TYPE,
        .state = w->work ? w->exists ? "Updating" : "Creating" : NULL,
        .body = w->body,
        .patch = w->patch,
        .old = w->exists ? &w->old_row : NULL,
    };
    moor_child_fill(c, &row, &r);
    code = moor_resource_put(c->app->store, &r, err);
    return code ? code : moor_extension_put(c->app->store, &w->change.row, err);
}

static void on_write(struct moor_call *c)
{
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    struct write w = { .patch = moor_streq(moor_http_method(c->ex), "PATCH") };
    struct moor_error err = MOOR_ERROR_INIT;
    if (!moor_child_take(c, &w.t))
        return;
    MOOR_AUTOPTR(moor_json) body = moor_call_body(c);
    w.body = body;
    if (!body || !moor_child_writable(c, &w.t, "extension", body))
        return;
    moor_code code = moor_store_begin(c->app->store, &tx, &err);
    if (!code)
        code = write_rows(c, &w, &err);
    if (!code)
        code = moor_store_commit(&tx, &err);
    if (code == MOOR_E_NOTFOUND && !*err.service_code) {
        moor_arm_not_found(c, &w.t.id);
        return;
    }
    if (code) {
        moor_call_fail(c, &err);
        return;
    }
    if (!w.work) {
        moor_extension_reply(c, w.t.id.id, 200);
        return;
    }
    moor_live_changed(c->app->live, w.t.machine.vm_id, w.revision);
    moor_log(MOOR_LOG_NOTICE, "extension.put", "id", w.change.row.resource_id, "by",
             c->caller.object_id, NULL);
    moor_arm_accepted(c, &w.t.id, w.operation);
    moor_call_empty(c, 202);
}

/* Marks it for removal; the rows go when the agent says it is gone (settle.c). */
static moor_code delete_rows(struct moor_call *c, struct moor_child *t, char operation[37],
                             uint64_t *revision, struct moor_error *err)
{
    struct moor_store *s = c->app->store;
    struct moor_extension e;
    struct moor_resource r;
    struct moor_operation open;
    moor_code code = moor_resource_get(s, t->id.id, c->arena, &r, err);
    if (!code)
        code = moor_extension_get(s, t->id.id, c->arena, &e, err);
    if (code)
        return code;
    if (e.uninstall && !moor_operation_open(s, t->id.id, c->arena, &open, NULL)) {
        memcpy(operation, open.id, 37);
        return MOOR_OK;
    }
    code = moor_operation_end(s, t->id.id, MOOR_OP_CANCELED, "OperationPreempted",
                              "The extension was deleted meanwhile.", c->now_ms, err);
    if (!code)
        code = moor_operation_start(s, MOOR_OP_DELETE, t->id.id, c->caller.object_id, c->now_ms,
                                    operation, err);
    e.uninstall = true;
    e.settings_seq++; /* a removal that failed is tried again when it is asked for again */
    e.updated_ms = c->now_ms;
    r.properties = moor_child_properties(c->arena, "Deleting");
    if (!code)
        code = moor_extension_put(s, &e, err);
    if (!code)
        code = moor_resource_put(s, &r, err);
    return code ? code : moor_machine_touch_desired(s, t->machine.vm_id, revision, err);
}

static void on_delete(struct moor_call *c)
{
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    struct moor_child t;
    struct moor_error err = MOOR_ERROR_INIT;
    char operation[37] = "";
    uint64_t revision = 0;
    if (!moor_child_take(c, &t))
        return;
    moor_code code = moor_store_begin(c->app->store, &tx, &err);
    if (!code)
        code = delete_rows(c, &t, operation, &revision, &err);
    if (code == MOOR_E_NOTFOUND) {
        moor_call_empty(c, 204);
        return;
    }
    if (!code)
        code = moor_store_commit(&tx, &err);
    if (code) {
        moor_call_fail(c, &err);
        return;
    }
    if (revision)
        moor_live_changed(c->app->live, t.machine.vm_id, revision);
    moor_log(MOOR_LOG_NOTICE, "extension.delete", "id", t.id.id, "by", c->caller.object_id, NULL);
    moor_arm_accepted(c, &t.id, operation);
    moor_call_empty(c, 202);
}

#define LIST                                                                                       \
    "/subscriptions/{sub}/resourcegroups/{group}/providers/Microsoft.HybridCompute/machines/"      \
    "{machine}/extensions"

static const struct moor_endpoint list_extensions = { MOOR_AUD_ARM, on_list, TYPE "/read" };
static const struct moor_endpoint get_extension = { MOOR_AUD_ARM, on_get, TYPE "/read" };
static const struct moor_endpoint write_extension = { MOOR_AUD_ARM, on_write, TYPE "/write" };
static const struct moor_endpoint delete_extension = { MOOR_AUD_ARM, on_delete, TYPE "/delete" };

const struct moor_http_route moor_extension_routes[] = {
    MOOR_ROUTE("GET", LIST, list_extensions, 0),
    MOOR_ROUTE("GET", LIST "/{extension}", get_extension, 0),
    MOOR_ROUTE("PUT", LIST "/{extension}", write_extension, BODY_MAX),
    MOOR_ROUTE("PATCH", LIST "/{extension}", write_extension, BODY_MAX),
    MOOR_ROUTE("DELETE", LIST "/{extension}", delete_extension, BODY_MAX),
};
const size_t moor_extension_route_count = MOOR_COUNTOF(moor_extension_routes);
