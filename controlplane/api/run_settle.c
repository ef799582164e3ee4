/* SPDX-License-Identifier: Apache-2.0 */
/* What a report does to machines/runCommands. */
#include <string.h>

#include "api/child.h"
#include "api/protect.h"
#include "api/run_commands.h"
#include "base/timefmt.h"
#include "platform/clock.h"
#include "store/resources.h"
#include "store/run_commands.h"

#define VIEW_MAX (96u << 10)

static const char *const provisioning[] = { "Creating", "Succeeded", "Failed", "Canceled", NULL };
enum { X_PENDING, X_RUNNING, X_SUCCEEDED, X_FAILED, X_TIMED_OUT, X_CANCELED };
static const char *const execution[] = { "Pending",  "Running",  "Succeeded", "Failed",
                                         "TimedOut", "Canceled", NULL };

#define IT(member) offsetof(struct moor_run_command_report, member)
static const struct moor_json_field fields[] = {
    { MOOR_F_STR, "name", IT(name), MOOR_F_REQUIRED, 1, 64, NULL },
    { MOOR_F_UUID, "executionId", IT(execution_id), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_ENUM, "provisioningState", IT(provisioning), MOOR_F_REQUIRED, 0, 0, provisioning },
    { MOOR_F_ENUM, "executionState", IT(execution), MOOR_F_REQUIRED, 0, 0, execution },
    { MOOR_F_BOOL, "exited", IT(ran), 0, 0, 0, NULL },
    { MOOR_F_I64, "exitCode", IT(exit_code), 0, -(INT64_C(1) << 31), INT64_C(1) << 31, NULL },
    { MOOR_F_STR, "errorCode", IT(error_code), 0, 0, 64, NULL },
    { MOOR_F_STR, "executionMessage", IT(message), 0, 0, 1024, NULL },
    { MOOR_F_STR, "output", IT(output), 0, 0, 4096, NULL },
    { MOOR_F_STR, "error", IT(error), 0, 0, 4096, NULL },
    { MOOR_F_TIME, "startTime", IT(start_ms), 0, 0, 0, NULL },
    { MOOR_F_TIME, "endTime", IT(end_ms), 0, 0, 0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
const struct moor_json_shape moor_run_command_report_shape = {
    sizeof(struct moor_run_command_report), fields, 0
};

static void set_time(struct moor_json *o, const char *name, int64_t ms)
{
    char text[MOOR_RFC3339_LEN + 1];
    if (!ms)
        return;
    moor_rfc3339_format(ms, text);
    moor_json_set_str(o, name, text);
}

static const char *instance_view(const struct moor_run_command_report *r, struct moor_arena *arena)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(VIEW_MAX);
    MOOR_AUTOPTR(moor_json) o = moor_json_new_object();
    moor_json_set_str(o, "executionState", execution[r->execution]);
    moor_json_set_str(o, "executionMessage", r->message ? r->message : "");
    if (r->ran)
        moor_json_set_int(o, "exitCode", r->exit_code);
    moor_json_set_str(o, "output", r->output ? r->output : "");
    moor_json_set_str(o, "error", r->error ? r->error : "");
    set_time(o, "startTime", r->start_ms);
    set_time(o, "endTime", r->end_ms);
    moor_json_set(o, "statuses", moor_json_new_array());
    moor_buf_json(&b, o);
    return b.failed ? NULL : moor_arena_str(arena, moor_buf_view(&b));
}

static moor_code find(struct moor_store *s, const struct moor_machine *m, const char *name,
                      struct moor_arena *arena, struct moor_run_command *out,
                      struct moor_error *err)
{
    const char *id = moor_arena_fmt(arena, "%s/runCommands/%s", m->resource_id, name);
    return id ? moor_run_command_get(s, id, arena, out, err)
              : moor_fail(err, MOOR_E_NOMEM, "run command %s: over the limit on memory", name);
}

/* The machine is done with what was deleted: rows go, the removal has succeeded. */
static moor_code forget(struct moor_store *s, const char *id, int64_t now_ms,
                        struct moor_error *err)
{
    moor_code c = moor_child_end(s, id, "Succeeded", "", "", now_ms, err);
    if (!c)
        c = moor_run_command_delete(s, id, err);
    return c ? c : moor_resource_delete(s, id, NULL, err);
}

static moor_code settle(struct moor_store *s, struct moor_run_command *row,
                        const struct moor_run_command_report *r, struct moor_arena *arena,
                        struct moor_error *err)
{
    int64_t now_ms = plat_utc_ms();
    const char *state = provisioning[r->provisioning];
    const char *code = r->error_code && *r->error_code ? r->error_code : "RunCommandFailed";
    if (row->finished && row->removed)
        return forget(s, row->resource_id, now_ms, err);
    row->reported = instance_view(r, arena);
    if (!row->reported)
        return moor_fail(err, MOOR_E_NOMEM, "%s: report too long", row->resource_id);
    row->updated_ms = now_ms;
    moor_code c = moor_run_command_put(s, row, err);
    if (c || row->removed || !moor_child_is_final(state))
        return c;
    c = moor_child_set_state(s, row->resource_id, state, arena, err);
    return c ? c
             : moor_child_end(s, row->resource_id, state, code, r->message ? r->message : "",
                              now_ms, err);
}

moor_code moor_run_command_settle(struct moor_app *app, const struct moor_machine *m,
                                  const struct moor_run_command_report *r, bool *finished,
                                  struct moor_arena *arena, struct moor_error *err)
{
    struct moor_run_command row;
    *finished = false;
    moor_code c = find(app->store, m, r->name, arena, &row, err);
    if (c || row.finished || !moor_streq(row.execution_id, r->execution_id))
        return c;
    row.finished = r->execution >= X_SUCCEEDED;
    c = settle(app->store, &row, r, arena, err);
    *finished = !c && row.finished;
    return c;
}

moor_code moor_run_command_protect_all(struct moor_app *app, const struct moor_machine *m,
                                       struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(MOOR_ROWS_MAX);
    struct moor_run_command_list all = { NULL, 0 };
    moor_code c = moor_run_command_list(app->store, m->vm_id, &arena, &all, err);
    for (size_t i = 0; !c && i < all.count; i++) {
        struct moor_run_command *r = &all.items[i];
        const struct moor_protect_target target = { app, m, r->resource_id, &arena };
        bool changed = false;
        c = moor_protect_encrypt(&target, &r->guarded, &changed, err);
        if (!c && changed)
            c = moor_run_command_put(app->store, r, err);
    }
    return c;
}
