/* SPDX-License-Identifier: Apache-2.0 */
/* Polling of long-running operations, in both forms ARM has. */
#include "store/operations.h"

#include "api/arm.h"
#include "api/machines.h"
#include "api/routes.h"
#include "base/timefmt.h"

static const char *const status_names[] = { "InProgress", "Succeeded", "Failed", "Canceled" };

/* An operation is shown to who started it and to who may read its resource. */
static bool find_operation(struct moor_call *c, struct moor_operation *op)
{
    const char *id = moor_http_param(c->ex, "op");
    struct moor_arm_id target;
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code code = moor_operation_get(c->app->store, id, c->arena, op, &err);
    if (code && code != MOOR_E_NOTFOUND) {
        moor_call_fail(c, &err);
        return false;
    }
    bool seen = !code && moor_arm_parse(op->resource_id, c->arena, &target) &&
                (moor_streq(op->caller, c->caller.object_id) ||
                 moor_authz_allows(c->app->authz, &c->caller,
                                   moor_call_fmt(c, "%s/read", target.type), op->resource_id));
    if (!seen)
        moor_call_error(c, 404, "OperationNotFound", "The operation '%s' was not found.", id);
    return seen;
}

static void add_poll_headers(struct moor_call *c, const struct moor_operation *op)
{
    struct moor_arm_id target;
    if (moor_arm_parse(op->resource_id, c->arena, &target))
        moor_arm_accepted(c, &target, op->id);
}

static void set_time(struct moor_json *o, const char *name, int64_t ms)
{
    char text[MOOR_RFC3339_LEN + 1];
    moor_rfc3339_format(ms, text);
    moor_json_set_str(o, name, text);
}

static void on_status(struct moor_call *c)
{
    struct moor_operation op;
    if (!find_operation(c, &op))
        return;
    MOOR_AUTOPTR(moor_json) o = moor_json_new_object();
    moor_json_set_str(o, "id", moor_http_path(c->ex));
    moor_json_set_str(o, "name", op.id);
    moor_json_set_str(o, "status", status_names[op.status]);
    set_time(o, "startTime", op.started_ms);
    if (op.ended_ms)
        set_time(o, "endTime", op.ended_ms);
    if (op.status == MOOR_OP_FAILED || op.status == MOOR_OP_CANCELED) {
        struct moor_json *e = moor_json_set(o, "error", moor_json_new_object());
        moor_json_set_str(e, "code", *op.error_code ? op.error_code : "Canceled");
        moor_json_set_str(e, "message", op.error_message);
    }
    if (op.status == MOOR_OP_IN_PROGRESS)
        add_poll_headers(c, &op);
    moor_call_json(c, 200, o);
}

/* What a PUT made, as GET shows it. */
static void reply_resource(struct moor_call *c, const struct moor_operation *op)
{
    static const struct {
        const char *type;
        void (*reply)(struct moor_call *c, const char *resource_id, int status);
    } kinds[] = { { "Microsoft.HybridCompute/machines/extensions", moor_extension_reply },
                  { "Microsoft.HybridCompute/machines/runCommands", moor_run_command_reply } };
    struct moor_arm_id id;
    if (!moor_arm_parse(op->resource_id, c->arena, &id))
        id.type = "";
    for (size_t i = 0; i < MOOR_COUNTOF(kinds); i++) {
        if (moor_strcasecmp(id.type, kinds[i].type) == 0) {
            kinds[i].reply(c, op->resource_id, 200);
            return;
        }
    }
    moor_call_empty(c, 200);
}

/* While it runs 202; then what the request would have answered had it been quick. */
static void on_result(struct moor_call *c)
{
    struct moor_operation op;
    if (!find_operation(c, &op))
        return;
    if (op.status == MOOR_OP_IN_PROGRESS) {
        add_poll_headers(c, &op);
        moor_call_empty(c, 202);
    } else if (op.status != MOOR_OP_SUCCEEDED) {
        moor_call_error(c, 409, *op.error_code ? op.error_code : "Canceled", "%s",
                        op.error_message);
    } else if (op.kind == MOOR_OP_DELETE) {
        struct moor_arm_id target;
        bool group = moor_arm_parse(op.resource_id, c->arena, &target) &&
                     moor_streq(target.type, "Microsoft.Resources/resourceGroups");
        moor_call_empty(c, group ? 200 : 204);
    } else {
        reply_resource(c, &op);
    }
}

static const struct moor_endpoint status = { MOOR_AUD_ARM, on_status, NULL };
static const struct moor_endpoint result = { MOOR_AUD_ARM, on_result, NULL };

const struct moor_http_route moor_operation_routes[] = {
    MOOR_ROUTE("GET",
               "/subscriptions/{sub}/providers/Microsoft.HybridCompute/locations/{location}"
               "/operationstatus/{op}",
               status, 0),
    MOOR_ROUTE("GET",
               "/subscriptions/{sub}/providers/Microsoft.HybridCompute/locations/{location}"
               "/operationresults/{op}",
               result, 0),
    MOOR_ROUTE("GET", "/subscriptions/{sub}/operationresults/{op}", result, 0),
};
const size_t moor_operation_route_count = MOOR_COUNTOF(moor_operation_routes);
