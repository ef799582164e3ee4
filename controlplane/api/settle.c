/* SPDX-License-Identifier: Apache-2.0 */
/* What a report does to machines/extensions. */
#include <string.h>

#include "api/arm.h"
#include "api/child.h"
#include "api/extensions.h"
#include "api/protect.h"
#include "base/timefmt.h"
#include "platform/clock.h"
#include "store/operations.h"
#include "store/resources.h"

/* Beside what Azure has: clients pass over what they do not know. */
static void add_usage(struct moor_json *view, const struct moor_extension_usage *u)
{
    if (!u->cpu_ms)
        return;
    struct moor_json *o = moor_json_set(view, "usage", moor_json_new_object());
    moor_json_set_int(o, "cpuMilliseconds", (int64_t)u->cpu_ms);
    moor_json_set_int(o, "memoryBytes", (int64_t)u->memory_bytes);
}

static const char *instance_view(const struct moor_extension *e,
                                 const struct moor_extension_report *r, struct moor_arena *arena)
{
    char time[MOOR_RFC3339_LEN + 1];
    MOOR_AUTO(moor_buf) b = MOOR_BUF(64u << 10);
    MOOR_AUTOPTR(moor_json) o = moor_json_new_object();
    moor_json_set_str(o, "name", e->name);
    moor_json_set_str(o, "type", e->type);
    moor_json_set_str(o, "typeHandlerVersion", r->installed_version);
    struct moor_json *s = moor_json_set(o, "status", moor_json_new_object());
    moor_json_set_str(s, "code", r->status_code);
    moor_json_set_str(s, "level", r->status_level);
    moor_json_set_str(s, "displayStatus", r->provisioning_state);
    moor_json_set_str(s, "message", r->status_message);
    moor_rfc3339_format(r->observed_ms, time);
    moor_json_set_str(s, "time", time);
    add_usage(o, &r->usage);
    moor_buf_json(&b, o);
    return b.failed ? NULL : moor_arena_str(arena, moor_buf_view(&b));
}

/* Gone from the machine: rows go, and the removal that was asked for has succeeded. */
static moor_code forget(struct moor_store *s, const struct moor_extension *e, int64_t now_ms,
                        struct moor_error *err)
{
    moor_code c = moor_operation_end(s, e->resource_id, MOOR_OP_SUCCEEDED, "", "", now_ms, err);
    if (!c)
        c = moor_extension_delete(s, e->resource_id, err);
    return c ? c : moor_resource_delete(s, e->resource_id, NULL, err);
}

static moor_code find(struct moor_store *s, const struct moor_machine *m, const char *name,
                      struct moor_arena *arena, struct moor_extension *out, struct moor_error *err)
{
    const char *id = moor_arena_fmt(arena, "%s/extensions/%s", m->resource_id, name);
    return id ? moor_extension_get(s, id, arena, out, err)
              : moor_fail(err, MOOR_E_NOMEM, "extension %s: over the limit on memory", name);
}

moor_code moor_extension_settle(struct moor_app *app, const struct moor_machine *m,
                                const struct moor_extension_report *r, struct moor_arena *arena,
                                struct moor_error *err)
{
    struct moor_store *s = app->store;
    struct moor_extension e;
    int64_t now_ms = plat_utc_ms();
    moor_code c = find(s, m, r->name, arena, &e, err);
    if (c)
        return c;
    if (moor_streq(r->provisioning_state, "Deleted"))
        return e.uninstall ? forget(s, &e, now_ms, err) : MOOR_OK;
    e.reported = instance_view(&e, r, arena);
    if (!e.reported)
        return moor_fail(err, MOOR_E_NOMEM, "%s: status too long", e.resource_id);
    c = moor_extension_put(s, &e, err);
    bool current = r->settings_seq == e.settings_seq;
    /* A final state about a removal can only be its failure: success is "Deleted". */
    if (c || !current || !moor_child_is_final(r->provisioning_state) ||
        (e.uninstall && moor_streq(r->provisioning_state, "Succeeded")))
        return c;
    c = moor_child_set_state(s, e.resource_id, r->provisioning_state, arena, err);
    return c ? c
             : moor_child_end(s, e.resource_id, r->provisioning_state, r->error_code,
                              r->status_message, now_ms, err);
}

moor_code moor_extension_protect_all(struct moor_app *app, const struct moor_machine *m,
                                     struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(MOOR_ROWS_MAX);
    struct moor_extension_list all = { NULL, 0 };
    bool any = false;
    moor_code c = moor_extension_list(app->store, m->vm_id, &arena, &all, err);
    for (size_t i = 0; !c && i < all.count; i++) {
        bool changed = false;
        const struct moor_protect_target target = { app, m, all.items[i].resource_id, &arena };
        c = moor_protect_encrypt(&target, &all.items[i].guarded, &changed, err);
        if (!c && changed)
            c = moor_extension_put(app->store, &all.items[i], err);
        any |= changed;
    }
    return c || !any ? c : moor_machine_touch_desired(app->store, m->vm_id, NULL, err);
}
