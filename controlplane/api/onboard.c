/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a machine gets before it is one: the onboarding script, the agent's packages, and a place
 * to say that it did not work. Nobody has signed in yet: nothing here is a secret, and what is
 * taken is only written to the log, a few lines a minute.
 */
#include "engine/onboard.h"
#include "api/routes.h"
#include "base/jsontab.h"
#include "engine/ingest.h"
#include "platform/file.h"
#include "run/log.h"

#define CA_MAX            ((size_t)64 << 10)
#define SCRIPT_MAX        ((size_t)256 << 10)
#define LOG_BODY_MAX      4096
#define FAILURES_A_MINUTE 60

static bool read_ca(struct moor_call *c, const char **pem)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(CA_MAX);
    struct moor_error err = MOOR_ERROR_INIT;
    if (plat_read_all(moor_call_fmt(c, "%s/tls/ca.pem", c->app->config.state_dir), CA_MAX, &text,
                      &err)) {
        moor_call_fail(c, &err);
        return false;
    }
    *pem = moor_arena_str(c->arena, moor_span_trim(moor_buf_view(&text)));
    return *pem != NULL;
}

static void take_query(struct moor_call *c, struct moor_onboard *o)
{
    for (const struct moor_onboard_setting *s = moor_onboard_settings; s->query; s++) {
        const char *asked = moor_http_query(c->ex, s->query);
        if (asked)
            *(const char **)(void *)((char *)o + s->offset) = asked;
    }
}

static void on_script(struct moor_call *c)
{
    const struct moor_app_config *config = &c->app->config;
    struct moor_onboard o = { .endpoint = config->base_url,
                              .cloud = config->cloud_name,
                              .tenant_id = config->tenant_id,
                              .subscription_id = config->subscription_id,
                              .location = config->location };
    struct moor_agent_list packages = { NULL, 0 };
    MOOR_AUTO(moor_buf) script = MOOR_BUF(SCRIPT_MAX);
    struct moor_error err = MOOR_ERROR_INIT;
    if (!read_ca(c, &o.ca))
        return;
    take_query(c, &o);
    if (moor_agent_list(c->app->store, c->arena, &packages, &err) ||
        moor_onboard_script(&o, &packages, moor_onboard_template, &script, &err))
        moor_call_fail(c, &err);
    else
        moor_http_reply(c->ex, 200, "text/x-shellscript; charset=utf-8", moor_buf_view(&script));
}

static void on_file(struct moor_call *c)
{
    struct moor_agent_package p;
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTO(plat_file) file = PLAT_FILE_INIT;
    /* The name is one of the index, so it is a name and no path. */
    moor_code code =
        moor_agent_get(c->app->store, moor_http_param(c->ex, "file"), c->arena, &p, &err);
    if (!code)
        code = plat_open(moor_call_fmt(c, "%s/agents/%s", c->app->config.state_dir, p.name),
                         PLAT_READ, &file, &err);
    if (code)
        moor_call_fail(c, &err);
    else
        moor_http_reply_file(c->ex, 200, "application/octet-stream", &file, 0, p.size);
}

struct failure {
    const char *subscription, *group, *tenant, *location, *correlation, *auth, *operation, *os,
        *type, *message, *name_space;
};
#define MEMBER(name, member, max)                                                                  \
    {                                                                                              \
        MOOR_F_STR, name, offsetof(struct failure, member), 0, 0, max, NULL                        \
    }
static const struct moor_json_field failure_fields[] = {
    MEMBER("subscriptionId", subscription, 64),
    MEMBER("resourceGroup", group, 90),
    MEMBER("tenantId", tenant, 64),
    MEMBER("location", location, 64),
    MEMBER("correlationId", correlation, 64),
    MEMBER("authType", auth, 64),
    MEMBER("operation", operation, 64),
    MEMBER("osType", os, 32),
    MEMBER("messageType", type, 64),
    MEMBER("message", message, 500),
    MEMBER("namespace", name_space, 64),
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape failure_shape = { sizeof(struct failure), failure_fields, 0 };

static void on_failure(struct moor_call *c)
{
    struct failure f = { .message = "" };
    struct moor_error err = MOOR_ERROR_INIT;
    const uint32_t wait = moor_quota_take(&c->app->failures, 0, FAILURES_A_MINUTE, 1, c->now_ms);
    if (wait) {
        moor_http_reply_header(c->ex, "Retry-After", moor_call_fmt(c, "%u", (unsigned)wait));
        moor_call_error(c, 429, "TooManyRequests", "enough failures were reported in this minute");
        return;
    }
    if (moor_json_decode(moor_http_body(c->ex), "log", &failure_shape, &f, c->arena, &err)) {
        moor_call_fail(c, &err);
        return;
    }
    moor_log(MOOR_LOG_WARNING, "onboarding.failed", "status", f.type, "message", f.message, "group",
             f.group, "subscription", f.subscription, "correlation", f.correlation, "auth", f.auth,
             "address", moor_http_peer(c->ex)->address, NULL);
    moor_call_empty(c, 200);
}

static const struct moor_endpoint script = { MOOR_AUD_PUBLIC, on_script, NULL };
static const struct moor_endpoint file = { MOOR_AUD_PUBLIC, on_file, NULL };
static const struct moor_endpoint failure = { MOOR_AUD_PUBLIC, on_failure, NULL };

const struct moor_http_route moor_onboard_routes[] = {
    MOOR_ROUTE("GET", "/his/onboard/linux", script, 0),
    MOOR_ROUTE("GET", "/his/onboard/files/{file}", file, 0),
    MOOR_ROUTE("PUT", "/his/log", failure, LOG_BODY_MAX),
};
const size_t moor_onboard_route_count = MOOR_COUNTOF(moor_onboard_routes);
