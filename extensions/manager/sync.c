/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/sync.h"

#include "base/arena.h"
#include "base/buf.h"
#include "core/roles.h"
#include "core/service.h"
#include "http/retry.h"
#include "platform/random.h"
#include "run/log.h"
#include "run/loop.h"

#include <stdlib.h>
#include <string.h>

#define REVISION_MAX 64

typedef enum job { JOB_DISCOVERY, JOB_CERTIFICATE, JOB_DESIRED, JOB_REPORT, JOB_COUNT } job;
static const char *const job_names[JOB_COUNT + 1] = { "discovery", "settings certificate",
                                                      "desired state", "report", "sync" };

struct moor_sync {
    struct moor_loop *loop;
    struct moor_sync_opts o;
    struct moor_timer *again, *listen_again;
    struct moor_secret token;
    char *gas;                     /* NULL until discovery */
    char *state;                   /* last state of the identity role */
    char have[REVISION_MAX + 1];   /* revision of the owner's document */
    char hinted[REVISION_MAX + 1]; /* revision the identity role last named */
    bool wanted[JOB_COUNT];
    bool busy, waiting, report_forced;
    job current;
    char report_hash[65];
    struct moor_http_call *call;
    unsigned failures, listen_failures;
};

static void advance(struct moor_sync *s);
static void listen(struct moor_sync *s);

static void keep(char *to, const char *from)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(REVISION_MAX);
    moor_buf_str(&b, from);
    memcpy(to, moor_buf_cstr(&b), strlen(moor_buf_cstr(&b)) + 1);
}

static void back_off(struct moor_sync *s, const struct moor_error *err)
{
    static const struct moor_retry_policy policy = { 2000, 300000, 20 };
    if (s->failures == 0)
        moor_log_error(MOOR_LOG_WARNING, "sync.failed", err, "call", job_names[s->current], NULL);
    moor_secret_drop(&s->token);
    if (strcmp(err->service_code, "WrongRegion") == 0)
        s->wanted[JOB_DISCOVERY] = true;
    s->waiting = true;
    moor_timer_arm(s->again,
                   moor_retry_delay_ms(&policy, err, s->failures++, plat_random_below(UINT32_MAX)));
}

static void succeeded(struct moor_sync *s)
{
    if (s->failures > 0)
        moor_log(MOOR_LOG_INFO, "sync.recovered", NULL);
    s->failures = 0;
}

static moor_code on_discovery(struct moor_sync *s, const struct moor_http_response *r,
                              struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(64 * 1024);
    struct moor_service_endpoints e;
    moor_code c = moor_service_read_discovery(r->body, &e, &arena, err);
    if (c != MOOR_OK)
        return c;
    if (!moor_cloud_allows_url(s->o.cloud, e.gas))
        return moor_fail(err, MOOR_E_DENIED,
                         "discovery: gasEndpoint: lies outside the cloud's registered hosts");
    char *gas = moor_strdup(e.gas);
    if (!gas)
        return moor_fail(err, MOOR_E_NOMEM, "discovery: out of memory");
    free(s->gas);
    s->gas = gas;
    return MOOR_OK;
}

static moor_code on_certificate(struct moor_sync *s, const struct moor_http_response *r,
                                struct moor_error *err)
{
    (void)s;
    (void)r;
    (void)err;
    return MOOR_OK;
}

static moor_code on_desired(struct moor_sync *s, const struct moor_http_response *r,
                            struct moor_error *err)
{
    if (r->status == 304) {
        keep(s->hinted, s->have);
        s->o.on_ready(s->o.ctx);
        return MOOR_OK;
    }
    MOOR_AUTO(moor_buf) revision = MOOR_BUF(REVISION_MAX);
    const char *etag = moor_http_response_header(r, "etag");
    for (const char *p = etag ? etag : ""; *p; p++) {
        if (*p != '"')
            moor_buf_char(&revision, *p);
    }
    moor_code c = moor_buf_ok(&revision, "desired state: ETag", err);
    if (c == MOOR_OK)
        c = s->o.on_desired(s->o.ctx, r->body, err);
    if (c != MOOR_OK)
        return c;
    keep(s->have, moor_buf_cstr(&revision));
    keep(s->hinted, s->have);
    if (s->o.wants_certificate(s->o.ctx))
        s->wanted[JOB_CERTIFICATE] = true;
    s->o.on_ready(s->o.ctx);
    return MOOR_OK;
}

static moor_code on_report(struct moor_sync *s, const struct moor_http_response *r,
                           struct moor_error *err)
{
    (void)r;
    (void)err;
    s->report_forced = false;
    s->o.on_reported(s->o.ctx, s->report_hash);
    return MOOR_OK;
}

static moor_code (*const readers[JOB_COUNT])(struct moor_sync *s,
                                             const struct moor_http_response *r,
                                             struct moor_error *err) = {
    [JOB_DISCOVERY] = on_discovery,
    [JOB_CERTIFICATE] = on_certificate,
    [JOB_DESIRED] = on_desired,
    [JOB_REPORT] = on_report,
};

static void on_answer(void *ctx, const struct moor_http_response *r, const struct moor_error *err)
{
    struct moor_sync *s = ctx;
    struct moor_error e = *err;
    s->call = NULL;
    s->busy = false;
    moor_code c = e.code;
    if (c == MOOR_OK)
        c = moor_service_check(r, job_names[s->current], &e);
    if (c == MOOR_OK)
        c = readers[s->current](s, r, &e);
    if (c != MOOR_OK) {
        s->wanted[s->current] = true;
        back_off(s, &e);
        return;
    }
    succeeded(s);
    advance(s);
}

static moor_code build(struct moor_sync *s, struct moor_service_request *out, bool *due,
                       struct moor_error *err)
{
    const char *vm = s->o.config->vm_id;
    MOOR_AUTO(moor_buf) body = MOOR_BUF(MOOR_REPORT_MAX);
    *due = true;
    switch (s->current) {
    case JOB_DISCOVERY:
        return moor_service_discovery(s->o.cloud->his_endpoint, s->o.config->location, out, err);
    case JOB_CERTIFICATE:
        return moor_service_settings_certificate(s->gas, vm, s->o.settings_cert, out, err);
    case JOB_DESIRED:
        return moor_service_desired_state(s->gas, vm, s->have, out, err);
    case JOB_REPORT:
        *due = s->o.make_report(s->o.ctx, s->report_forced, &body, s->report_hash);
        if (!*due)
            return MOOR_OK;
        return moor_service_report(s->gas, vm, moor_buf_view(&body), out, err);
    case JOB_COUNT:
        break;
    }
    return moor_fail(err, MOOR_E_BUG, "sync: no such job");
}

static void start(struct moor_sync *s)
{
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTO(moor_service_request) req = { 0 };
    bool due = false;
    s->wanted[s->current] = false;
    moor_code c = build(s, &req, &due, &err);
    if (c == MOOR_OK && !due) {
        s->busy = false;
        advance(s);
        return;
    }
    if (c == MOOR_OK)
        c = moor_service_send(s->o.transport, &req, s->current == JOB_DISCOVERY ? NULL : &s->token,
                              on_answer, s, &s->call, &err);
    if (c != MOOR_OK) {
        s->busy = false;
        s->wanted[s->current] = true;
        back_off(s, &err);
    }
}

static void on_token(void *ctx, struct moor_secret *token, int64_t expires_ms,
                     const struct moor_error *err)
{
    struct moor_sync *s = ctx;
    (void)expires_ms;
    if (!token) {
        s->busy = false;
        back_off(s, err);
        return;
    }
    moor_secret_move(&s->token, token);
    start(s);
}

/* The identity role caches tokens, so a fresh one is asked for whenever work begins. */
static void advance(struct moor_sync *s)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (s->busy || s->waiting)
        return;
    for (s->current = JOB_DISCOVERY; s->current < JOB_COUNT && !s->wanted[s->current];)
        s->current++;
    if (s->current == JOB_COUNT)
        return;
    s->busy = true;
    if (s->current == JOB_DISCOVERY) {
        start(s);
        return;
    }
    if (moor_roles_token(s->o.roles, s->o.cloud->service_audience, on_token, s, &err) != MOOR_OK) {
        s->busy = false;
        back_off(s, &err);
    }
}

static void on_again(void *ctx)
{
    struct moor_sync *s = ctx;
    s->waiting = false;
    advance(s);
}

static void on_state(void *ctx, const struct moor_roles_state *state, const struct moor_error *err)
{
    static const struct moor_retry_policy policy = { 1000, 60000, 20 };
    struct moor_sync *s = ctx;
    char *copy = state ? moor_strdup(state->state) : NULL;
    if (!copy) {
        moor_timer_arm(s->listen_again, moor_retry_delay_ms(&policy, err, s->listen_failures++,
                                                            plat_random_below(UINT32_MAX)));
        return;
    }
    free(s->state);
    s->state = copy;
    s->listen_failures = 0;
    if (*state->revision)
        keep(s->hinted, state->revision);
    if (strcmp(s->hinted, s->have) != 0)
        s->wanted[JOB_DESIRED] = true;
    if (state->report_wanted)
        s->wanted[JOB_REPORT] = s->report_forced = true;
    advance(s);
    listen(s);
}

static void listen(struct moor_sync *s)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_roles_wait(s->o.roles, s->state ? s->state : "", on_state, s, &err) != MOOR_OK)
        on_state(s, NULL, &err);
}

static void on_listen_again(void *ctx)
{
    listen(ctx);
}

moor_code moor_sync_new(struct moor_loop *l, const struct moor_sync_opts *opts,
                        struct moor_sync **out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_sync) s = calloc(1, sizeof(*s));
    if (!s)
        return moor_fail(err, MOOR_E_NOMEM, "sync: out of memory");
    s->loop = l;
    s->o = *opts;
    keep(s->have, opts->revision);
    moor_code c = moor_timer_new(l, on_again, s, &s->again, err);
    if (c == MOOR_OK)
        c = moor_timer_new(l, on_listen_again, s, &s->listen_again, err);
    if (c != MOOR_OK)
        return c;
    for (size_t i = 0; i < JOB_COUNT; i++)
        s->wanted[i] = true;
    moor_timer_arm(s->again, 0);
    s->waiting = true;
    moor_timer_arm(s->listen_again, 0);
    *out = MOOR_TAKE(s);
    return MOOR_OK;
}

void moor_sync_free(struct moor_sync *s)
{
    if (!s)
        return;
    moor_http_cancel(s->o.transport, s->call);
    moor_timer_free(s->again);
    moor_timer_free(s->listen_again);
    moor_secret_drop(&s->token);
    free(s->gas);
    free(s->state);
    free(s);
}

void moor_sync_report(struct moor_sync *s)
{
    s->wanted[JOB_REPORT] = true;
    advance(s);
}

const struct moor_secret *moor_sync_token(const struct moor_sync *s)
{
    return &s->token;
}
