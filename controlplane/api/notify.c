/* SPDX-License-Identifier: Apache-2.0 */
/* The notification endpoint: a request that is answered when the desired state changes. */
#include <string.h>

#include "api/routes.h"
#include "api/service.h"
#include "base/text.h"
#include "engine/desired.h"
#include "engine/live.h"

#define WAIT_DEFAULT_S 55
#define WAIT_MAX_S     300
#define REVISION_MAX   64

struct wait {
    struct moor_call *call;
    struct moor_live_waiter *waiter;
    const char *vm_id; /* in the call's arena */
};

static void reply_revision(struct moor_call *c, const char *revision)
{
    MOOR_AUTOPTR(moor_json) o = moor_json_new_object();
    moor_json_set_str(o, "revision", revision);
    moor_call_json(c, 200, o);
}

static moor_code revision_of(struct moor_call *c, const char *vm_id, const char **out,
                             struct moor_error *err)
{
    struct moor_machine m;
    moor_code code = moor_machine_by_vm_id(c->app->store, vm_id, c->arena, &m, err);
    return code ? code
                : moor_desired_revision(c->app->store, m.desired_counter, c->arena, out, err);
}

static void on_end(void *ctx, bool changed)
{
    struct wait *w = ctx;
    struct moor_error err = MOOR_ERROR_INIT;
    const char *revision = NULL;
    w->waiter = NULL;
    if (!changed)
        moor_call_empty(w->call, 204);
    else if (revision_of(w->call, w->vm_id, &revision, &err))
        moor_call_error(w->call, 404, "MachineNotFound", "no such machine");
    else
        reply_revision(w->call, revision);
}

static void on_gone(void *ctx)
{
    struct wait *w = ctx;
    moor_live_wait_cancel(w->waiter);
    w->waiter = NULL;
}

static bool read_query(struct moor_call *c, const char **revision, uint32_t *seconds)
{
    const char *text = moor_http_query(c->ex, "seconds");
    *revision = moor_http_query(c->ex, "revision");
    *seconds = WAIT_DEFAULT_S;
    if (*revision && strlen(*revision) <= REVISION_MAX &&
        (!text || !moor_parse_u32(moor_span_str(text), 1, WAIT_MAX_S, seconds, NULL)))
        return true;
    moor_call_error(c, 400, "InvalidRequestContent",
                    "want revision (at most %d bytes) and seconds (1..%d)", REVISION_MAX,
                    WAIT_MAX_S);
    return false;
}

static void on_wait(struct moor_call *c)
{
    struct moor_machine m;
    struct moor_error err = MOOR_ERROR_INIT;
    const char *has = NULL, *is = NULL;
    uint32_t seconds = 0;
    if (!moor_service_worker(c, &m) || !read_query(c, &has, &seconds))
        return;
    struct wait *w = moor_arena_alloc(c->arena, sizeof(*w));
    if (!w || moor_desired_revision(c->app->store, m.desired_counter, c->arena, &is, &err)) {
        moor_call_fail(c, &err);
        return;
    }
    if (!moor_streq(has, is)) {
        reply_revision(c, is);
        return;
    }
    w->call = c;
    w->vm_id = m.vm_id;
    moor_code code = moor_live_wait(c->app->live, m.vm_id, m.desired_counter, seconds, on_end, w,
                                    &w->waiter, &err);
    if (code == MOOR_E_THROTTLED) {
        moor_http_reply_header(c->ex, "Retry-After", "60");
        moor_call_error(c, 503, "TooManyWaiters", "%s", err.msg);
    } else if (code) {
        moor_call_fail(c, &err);
    } else {
        moor_http_on_gone(c->ex, on_gone, w);
    }
}

static const struct moor_endpoint wait_endpoint = { MOOR_AUD_SERVICE, on_wait, NULL };

const struct moor_http_route moor_notify_routes[] = {
    MOOR_ROUTE("GET", "/notify/machines/{vmId}/wait", wait_endpoint, 0),
};
const size_t moor_notify_route_count = MOOR_COUNTOF(moor_notify_routes);
