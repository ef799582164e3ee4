/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to every request before its handler, and how handlers answer. */
#include <stdarg.h>
#include <string.h>

#include "api/app.h"
#include "api/providers.h"
#include "base/timefmt.h"
#include "platform/clock.h"
#include "run/log.h"

#define ERROR_BODY_MAX 8192

const char *moor_call_fmt(struct moor_call *c, const char *fmt, ...)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(16u << 10);
    va_list ap;
    va_start(ap, fmt);
    moor_buf_vfmt(&b, fmt, ap);
    va_end(ap);
    const char *s = moor_arena_str(c->arena, moor_buf_view(&b));
    return s ? s : "";
}

void moor_call_json(struct moor_call *c, int status, const struct moor_json *body)
{
    moor_http_reply_json(c->ex, status, body);
}

void moor_call_empty(struct moor_call *c, int status)
{
    moor_http_reply(c->ex, status, NULL, MOOR_SPAN_NONE);
}

/* ARM's error shape; serverTime beside it, which the service protocol asks for. */
void moor_error_body(struct moor_buf *b, const char *code, const char *message)
{
    moor_buf_str(b, "{\"error\":{\"code\":");
    moor_buf_json_str(b, moor_span_str(code));
    moor_buf_str(b, ",\"message\":");
    moor_buf_json_str(b, moor_span_str(message));
    moor_buf_str(b, ",\"target\":null,\"details\":[]},\"serverTime\":\"");
    moor_buf_rfc3339(b, plat_utc_ms());
    moor_buf_str(b, "\"}");
}

static void reply_error(struct moor_http_exchange *ex, int status, const char *code,
                        const char *message)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(ERROR_BODY_MAX);
    moor_error_body(&b, code, message);
    moor_http_reply(ex, status, "application/json; charset=utf-8", moor_buf_view(&b));
}

void moor_call_error(struct moor_call *c, int status, const char *code, const char *fmt, ...)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(2048);
    va_list ap;
    va_start(ap, fmt);
    moor_buf_vfmt(&b, fmt, ap);
    va_end(ap);
    reply_error(c->ex, status, code, moor_buf_cstr(&b));
}

struct mapping {
    moor_code code;
    int status;
    const char *name;
};
static const struct mapping mappings[] = {
    { MOOR_E_BADINPUT, 400, "BadRequest" },       { MOOR_E_NOTFOUND, 404, "ResourceNotFound" },
    { MOOR_E_EXISTS, 409, "Conflict" },           { MOOR_E_DENIED, 403, "Forbidden" },
    { MOOR_E_THROTTLED, 429, "TooManyRequests" }, { MOOR_E_TRANSIENT, 503, "ServiceUnavailable" },
};

void moor_call_fail(struct moor_call *c, const struct moor_error *err)
{
    for (size_t i = 0; i < MOOR_COUNTOF(mappings); i++) {
        const struct mapping *m = &mappings[i];
        if (m->code != err->code)
            continue;
        if (m->status == 429 || m->status == 503)
            moor_http_reply_header(c->ex, "Retry-After", "5");
        moor_call_error(c, err->http ? err->http : m->status,
                        *err->service_code ? err->service_code : m->name, "%s", err->msg);
        return;
    }
    moor_log_error(MOOR_LOG_ERROR, "request.failed", err, "path", moor_http_path(c->ex), NULL);
    moor_call_error(c, 500, "InternalServerError", "The server failed; its log says why.");
}

void moor_call_restoring(struct moor_call *c)
{
    moor_http_reply_header(c->ex, "Retry-After", "60");
    moor_call_error(c, 503, "ServiceUnavailable", "The service is being restored.");
}

struct moor_json *moor_call_body(struct moor_call *c)
{
    struct moor_json *body = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_json_parse(moor_http_body(c->ex), &body, &err)) {
        moor_call_error(c, 400, "InvalidRequestContent", "The request content is invalid: %s.",
                        err.msg);
        return NULL;
    }
    if (moor_json_typeof(body) != MOOR_JSON_OBJECT) {
        moor_json_free(body);
        moor_call_error(c, 400, "InvalidRequestContent",
                        "The request content is invalid: want a JSON object.");
        return NULL;
    }
    return body;
}

bool moor_call_may(struct moor_call *c, const char *action, const char *scope)
{
    if (moor_authz_allows(c->app->authz, &c->caller, action, scope))
        return true;
    moor_call_error(c, 403, "AuthorizationFailed",
                    "The client '%s' with object id '%s' does not have authorization to perform "
                    "action '%s' over scope '%s' or the scope is invalid. If access was recently "
                    "granted, please refresh your credentials.",
                    c->caller.client_id, c->caller.object_id, action, scope);
    return false;
}

static void unauthorized(struct moor_call *c, moor_audience audience, const struct moor_error *err)
{
    const char *challenge =
        audience == MOOR_AUD_ARM
            ? moor_call_fmt(c,
                            "Bearer authorization_uri=\"%s/%s\", error=\"invalid_token\", "
                            "error_description=\"%s\"",
                            c->app->config.base_url, c->app->config.tenant_id, err->msg)
            : "Bearer";
    moor_http_reply_header(c->ex, "WWW-Authenticate", challenge);
    moor_call_error(c, 401,
                    audience == MOOR_AUD_SERVICE ? "InvalidAuthenticationToken"
                    : *err->service_code         ? err->service_code
                                                 : "AuthenticationFailed",
                    "%s", err->msg);
}

static bool authenticate(struct moor_call *c, moor_audience audience)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (audience == MOOR_AUD_PUBLIC)
        return true;
    moor_code code =
        moor_authz_authenticate(c->app->authz, moor_http_header(c->ex, "Authorization"), audience,
                                c->now_ms, c->arena, &c->caller, &err);
    if (!code)
        return true;
    if (code == MOOR_E_DENIED)
        unauthorized(c, audience, &err);
    else
        moor_call_fail(c, &err);
    return false;
}

/* A machine speaks for itself only. To anybody else it does not exist. */
static bool is_own_machine(struct moor_call *c)
{
    const char *vm_id = moor_http_param(c->ex, "vmId");
    if (c->caller.kind != MOOR_PRINCIPAL_MACHINE || (vm_id && !moor_streq(vm_id, c->caller.vm_id)))
        moor_call_error(c, 404, "MachineNotFound", "no such machine");
    else if (c->caller.disabled)
        moor_call_error(c, 403, "MachineDisabled", "this machine is disabled");
    else
        return true;
    return false;
}

static bool is_version(const char *v)
{
    static const char shape[] = "dddd-dd-dd";
    size_t i = 0;
    for (; shape[i]; i++)
        if (shape[i] == 'd' ? v[i] < '0' || v[i] > '9' : v[i] != shape[i])
            return false;
    if (v[i] == '\0')
        return true;
    if (v[i++] != '-' || v[i] == '\0')
        return false;
    for (; v[i]; i++)
        if (v[i] < 'a' || v[i] > 'z')
            return false;
    return true;
}

static bool has_version(struct moor_call *c, const struct moor_endpoint *e)
{
    if (!*c->api_version) {
        moor_call_error(c, 400, "MissingApiVersionParameter",
                        "The api-version query parameter (?api-version=) is required for all "
                        "requests.");
        return false;
    }
    if (!is_version(c->api_version)) {
        moor_call_error(c, 400, "InvalidApiVersionParameter", "The api-version '%s' is invalid.",
                        c->api_version);
        return false;
    }
    return !e->action || moor_call_serves(c, e->action);
}

bool moor_call_serves(struct moor_call *c, const char *action)
{
    const char *supported = NULL;
    if (moor_providers_serve(action, c->api_version, c->arena, &supported))
        return true;
    moor_call_error(c, 400, "NoRegisteredProviderFound",
                    "No registered resource provider found for API version '%s'. The supported "
                    "api-versions are '%s'.",
                    c->api_version, supported ? supported : "");
    return false;
}

static bool arm_checks(struct moor_call *c, const struct moor_endpoint *e)
{
    if (!has_version(c, e))
        return false;
    return !e->action || moor_call_may(c, e->action, moor_http_path(c->ex));
}

void moor_call_dispatch(void *app, struct moor_http_exchange *ex)
{
    const struct moor_endpoint *e = moor_http_tag(ex);
    struct moor_call *c = moor_arena_alloc(moor_http_arena(ex), sizeof(*c));
    if (!c || !e) {
        reply_error(ex, 503, "ServiceUnavailable", "The server is short of memory.");
        return;
    }
    const char *version = moor_http_query(ex, "api-version");
    *c = (struct moor_call){ .app = app,
                             .ex = ex,
                             .arena = moor_http_arena(ex),
                             .caller = { .resource_id = "", .name = "" },
                             .api_version = version ? version : "",
                             .now_ms = plat_utc_ms() };
    if (!authenticate(c, e->audience))
        return;
    if (e->audience == MOOR_AUD_SERVICE && !is_own_machine(c))
        return;
    if (e->audience == MOOR_AUD_ARM && !arm_checks(c, e))
        return;
    e->handle(c);
}
