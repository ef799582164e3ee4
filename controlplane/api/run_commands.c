/* SPDX-License-Identifier: Apache-2.0 */
/* Microsoft.HybridCompute/machines/runCommands: requests. What agents report is in run_settle.c. */
#include "api/run_commands.h"

#include <string.h>

#include "api/arm.h"
#include "api/child.h"
#include "api/machines.h"
#include "api/protect.h"
#include "api/routes.h"
#include "api/run_command_rules.h"
#include "api/service.h"
#include "base/text.h"
#include "engine/live.h"
#include "platform/random.h"
#include "run/log.h"
#include "store/run_commands.h"

#define TYPE         "Microsoft.HybridCompute/machines/runCommands"
#define BODY_MAX     (1u << 20)
#define SECRET_MAX   (512u << 10)
#define WRITE_MAX    (8u << 20) /* bytes of rows and texts of one request on one run command */
#define EACH_MAX     100u       /* run commands of a machine, finished ones too */
#define OPEN_MAX     64u        /* of those, not finished */
#define OPEN_BYTES   (2u << 20) /* what they may take of the desired state */
#define EXPIRES_MS   (24ll * 60 * 60 * 1000)
#define LIMIT_CODE   "RunCommandLimitExceeded"
#define PENDING_VIEW "{\"executionState\":\"Pending\"}"

/* What was asked, the state, and what the agent said last. */
static struct moor_json *run_command_json(const struct moor_resource *r,
                                          const struct moor_run_command *row)
{
    struct moor_json *o = moor_arm_json(r);
    struct moor_json *p = moor_json_edit(o, "properties");
    struct moor_json *view = NULL;
    MOOR_AUTOPTR(moor_json) spec = NULL;
    if (moor_json_parse(moor_span_str(row->spec), &spec, NULL))
        spec = NULL;
    MOOR_JSON_EACH(member, spec)
    moor_json_set(p, moor_json_name(member), moor_json_copy(member));
    if (moor_json_parse(moor_span_str(row->reported), &view, NULL) == MOOR_OK)
        moor_json_set(p, "instanceView", view);
    return o;
}

void moor_run_command_reply(struct moor_call *c, const char *resource_id, int status)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(WRITE_MAX);
    struct moor_resource r;
    struct moor_run_command row;
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_resource_get(c->app->store, resource_id, &arena, &r, &err) ||
        moor_run_command_get(c->app->store, resource_id, &arena, &row, &err)) {
        moor_call_fail(c, &err);
        return;
    }
    MOOR_AUTOPTR(moor_json) o = run_command_json(&r, &row);
    moor_call_json(c, status, o);
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
        moor_run_command_reply(c, t.id.id, 200);
}

static void on_list(struct moor_call *c)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(MOOR_ROWS_MAX);
    struct moor_run_command_list all = { NULL, 0 };
    struct moor_child t;
    struct moor_resource r;
    struct moor_error err = MOOR_ERROR_INIT;
    if (!moor_child_take_list(c, &t, "/runCommands"))
        return;
    if (moor_run_command_list(c->app->store, t.machine.vm_id, &arena, &all, &err)) {
        moor_call_fail(c, &err);
        return;
    }
    struct moor_json *items = moor_json_new_array();
    for (size_t i = 0; i < all.count; i++)
        if (!moor_resource_get(c->app->store, all.items[i].resource_id, &arena, &r, NULL))
            moor_json_push(items, run_command_json(&r, &all.items[i]));
    moor_arm_reply_list(c, items, NULL);
}

/* A PUT or PATCH on its way. */
struct write {
    struct moor_child t;
    const struct moor_json *body;
    struct moor_arena *arena;
    bool patch, exists;
    struct moor_resource old_row;
    struct moor_run_command row; /* the old one, then the new one */
    bool work;                   /* the agent has something to do */
    char operation[37];
    uint64_t revision;
};

static moor_code load(struct moor_call *c, struct write *w, struct moor_error *err)
{
    struct moor_store *s = c->app->store;
    moor_code code = moor_resource_get(s, w->t.id.id, w->arena, &w->old_row, err);
    if (!code)
        code = moor_run_command_get(s, w->t.id.id, w->arena, &w->row, err);
    w->exists = !code;
    if (w->exists)
        return MOOR_OK;
    if (code != MOOR_E_NOTFOUND || w->patch)
        return code;
    w->row = (struct moor_run_command){ .resource_id = w->t.id.id,
                                        .vm_id = w->t.machine.vm_id,
                                        .name = w->t.id.name };
    moor_protect_clear(&w->row.guarded);
    return MOOR_OK;
}

/* Fills the row with what is asked for; *changed when that is something else than before. */
static moor_code take_body(struct moor_call *c, struct write *w, bool *changed,
                           struct moor_error *err)
{
    MOOR_AUTO(moor_buf) secret = MOOR_BUF_SECRET(SECRET_MAX);
    struct moor_run_command *row = &w->row;
    struct moor_run_command_change ch;
    bool other_secrets = false;
    moor_code code = moor_run_command_change(w->body, w->exists ? row->spec : NULL, w->patch,
                                             w->arena, &secret, &ch, err);
    if (code)
        return code;
    const struct moor_protect_target target = { c->app, &w->t.machine, row->resource_id, w->arena };
    if (ch.secrets == MOOR_RUN_SECRETS_SET) {
        code =
            moor_protect_set(&target, moor_buf_view(&secret), &row->guarded, &other_secrets, err);
    } else if (ch.secrets == MOOR_RUN_SECRETS_NONE) {
        other_secrets = moor_protect_any(&row->guarded);
        moor_protect_clear(&row->guarded);
    }
    row->spec = ch.spec;
    *changed = ch.differs || other_secrets;
    return code;
}

/* What is under way is ended by a DELETE, never silently by another PUT. */
static moor_code check_room(struct moor_call *c, const struct write *w, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(MOOR_ROWS_MAX);
    struct moor_run_command_list all = { NULL, 0 };
    size_t open = 0, bytes = strlen(w->row.spec) + w->row.guarded.blob.n;
    if (w->exists && !w->row.finished)
        return moor_service_refuse(
            err, 409, "HCRP409",
            "The run command is still processing; wait for it, or delete it first.");
    moor_code code = moor_run_command_list(c->app->store, w->t.machine.vm_id, &arena, &all, err);
    for (size_t i = 0; !code && i < all.count; i++) {
        if (all.items[i].finished)
            continue;
        open++;
        bytes += strlen(all.items[i].spec) + all.items[i].guarded.blob.n;
    }
    if (code)
        return code;
    if (!w->exists && all.count >= EACH_MAX)
        return moor_service_refuse(
            err, 409, LIMIT_CODE,
            "A machine has at most %u run commands; delete some that are done.", EACH_MAX);
    if (open >= OPEN_MAX || bytes > OPEN_BYTES)
        return moor_service_refuse(
            err, 409, LIMIT_CODE,
            "At most %u run commands of a machine, of 2 MiB together, may wait or run.", OPEN_MAX);
    return MOOR_OK;
}

static moor_code start_work(struct moor_call *c, struct write *w, struct moor_error *err)
{
    unsigned char bytes[16];
    char id[MOOR_UUID_LEN + 1];
    struct moor_run_command *row = &w->row;
    moor_code code = check_room(c, w, err);
    if (code)
        return code;
    plat_random(bytes, sizeof(bytes));
    moor_uuid_format(bytes, id);
    row->execution_id = moor_arena_str(w->arena, moor_span_str(id));
    if (!row->execution_id)
        return moor_fail(err, MOOR_E_NOMEM, "%s: over the limit on memory", row->resource_id);
    row->expires_ms = c->now_ms + EXPIRES_MS;
    row->finished = false;
    row->reported = PENDING_VIEW;
    code = moor_operation_start(c->app->store, MOOR_OP_PUT, row->resource_id, c->caller.object_id,
                                c->now_ms, w->operation, err);
    return code ? code
                : moor_machine_touch_desired(c->app->store, w->t.machine.vm_id, &w->revision, err);
}

/* The same as before is begun again only where nothing came of it. */
static moor_code decide(struct moor_call *c, struct write *w, struct moor_error *err)
{
    struct moor_operation open;
    bool changed = false;
    moor_code code = take_body(c, w, &changed, err);
    if (code)
        return code;
    bool failed = w->exists && w->row.finished && !moor_child_state_is(&w->old_row, "Succeeded");
    w->work = !w->exists || changed || w->row.removed || failed;
    if (w->work)
        return start_work(c, w, err);
    if (!moor_operation_open(c->app->store, w->row.resource_id, w->arena, &open, NULL))
        memcpy(w->operation, open.id, sizeof(w->operation));
    return MOOR_OK;
}

static moor_code write_rows(struct moor_call *c, struct write *w, struct moor_error *err)
{
    struct moor_resource r;
    moor_code code = load(c, w, err);
    if (!code)
        code = decide(c, w, err);
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
    w->row.updated_ms = c->now_ms;
    moor_child_fill(c, &row, &r);
    code = moor_resource_put(c->app->store, &r, err);
    return code ? code : moor_run_command_put(c->app->store, &w->row, err);
}

static void answer_write(struct moor_call *c, const struct write *w)
{
    if (w->work) {
        moor_live_changed(c->app->live, w->t.machine.vm_id, w->revision);
        moor_log(MOOR_LOG_NOTICE, "run-command.put", "id", w->row.resource_id, "execution",
                 w->row.execution_id, "by", c->caller.object_id, NULL);
    }
    if (!*w->operation) {
        moor_run_command_reply(c, w->t.id.id, 200);
        return;
    }
    moor_arm_accepted(c, &w->t.id, w->operation);
    moor_call_empty(c, 202);
}

static void on_write(struct moor_call *c)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(WRITE_MAX);
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    struct write w = { .patch = moor_streq(moor_http_method(c->ex), "PATCH"), .arena = &arena };
    struct moor_error err = MOOR_ERROR_INIT;
    if (!moor_child_take(c, &w.t))
        return;
    MOOR_AUTOPTR(moor_json) body = moor_call_body(c);
    w.body = body;
    if (!body || !moor_child_writable(c, &w.t, "run command", body))
        return;
    moor_code code = moor_store_begin(c->app->store, &tx, &err);
    if (!code)
        code = write_rows(c, &w, &err);
    if (!code)
        code = moor_store_commit(&tx, &err);
    if (code == MOOR_E_NOTFOUND && !*err.service_code)
        moor_arm_not_found(c, &w.t.id);
    else if (code)
        moor_call_fail(c, &err);
    else
        answer_write(c, &w);
}

/* Ends what is in progress and begins the removal. */
static moor_code start_removal(struct moor_call *c, const char *id, char operation[37],
                               struct moor_error *err)
{
    moor_code code = moor_operation_end(c->app->store, id, MOOR_OP_CANCELED, "OperationPreempted",
                                        "The run command was deleted meanwhile.", c->now_ms, err);
    return code ? code
                : moor_operation_start(c->app->store, MOOR_OP_DELETE, id, c->caller.object_id,
                                       c->now_ms, operation, err);
}

/* What has ended, or can no longer begin, goes at once. What may be running is cancelled on the
 * machine; its rows go when the agent says so (run_settle.c). */
static moor_code delete_rows(struct moor_call *c, const struct moor_child *t,
                             struct moor_arena *arena, char operation[37], uint64_t *revision,
                             struct moor_error *err)
{
    struct moor_store *s = c->app->store;
    const char *id = t->id.id;
    struct moor_run_command row;
    struct moor_operation open;
    moor_code code = moor_run_command_get(s, id, arena, &row, err);
    if (code)
        return code;
    bool over = row.finished || (row.removed && row.expires_ms < c->now_ms);
    if (row.removed && !over && !moor_operation_open(s, id, arena, &open, NULL)) {
        memcpy(operation, open.id, 37);
        return MOOR_OK;
    }
    code = start_removal(c, id, operation, err);
    if (code)
        return code;
    if (over) {
        code = moor_operation_end(s, id, MOOR_OP_SUCCEEDED, "", "", c->now_ms, err);
        if (!code)
            code = moor_run_command_delete(s, id, err);
        return code ? code : moor_resource_delete(s, id, NULL, err);
    }
    row.removed = true;
    row.updated_ms = c->now_ms;
    code = moor_run_command_put(s, &row, err);
    if (!code)
        code = moor_child_set_state(s, id, "Deleting", arena, err);
    return code ? code : moor_machine_touch_desired(s, t->machine.vm_id, revision, err);
}

static void on_delete(struct moor_call *c)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(WRITE_MAX);
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    struct moor_child t;
    struct moor_error err = MOOR_ERROR_INIT;
    char operation[37] = "";
    uint64_t revision = 0;
    if (!moor_child_take(c, &t))
        return;
    moor_code code = moor_store_begin(c->app->store, &tx, &err);
    if (!code)
        code = delete_rows(c, &t, &arena, operation, &revision, &err);
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
    moor_log(MOOR_LOG_NOTICE, "run-command.delete", "id", t.id.id, "by", c->caller.object_id, NULL);
    moor_arm_accepted(c, &t.id, operation);
    moor_call_empty(c, 202);
}

#define LIST                                                                                       \
    "/subscriptions/{sub}/resourcegroups/{group}/providers/Microsoft.HybridCompute/machines/"      \
    "{machine}/runCommands"

static const struct moor_endpoint list_commands = { MOOR_AUD_ARM, on_list, TYPE "/read" };
static const struct moor_endpoint get_command = { MOOR_AUD_ARM, on_get, TYPE "/read" };
static const struct moor_endpoint write_command = { MOOR_AUD_ARM, on_write, TYPE "/write" };
static const struct moor_endpoint delete_command = { MOOR_AUD_ARM, on_delete, TYPE "/delete" };

const struct moor_http_route moor_run_command_routes[] = {
    MOOR_ROUTE("GET", LIST, list_commands, 0),
    MOOR_ROUTE("GET", LIST "/{command}", get_command, 0),
    MOOR_ROUTE("PUT", LIST "/{command}", write_command, BODY_MAX),
    MOOR_ROUTE("PATCH", LIST "/{command}", write_command, BODY_MAX),
    MOOR_ROUTE("DELETE", LIST "/{command}", delete_command, BODY_MAX),
};
const size_t moor_run_command_route_count = MOOR_COUNTOF(moor_run_command_routes);
