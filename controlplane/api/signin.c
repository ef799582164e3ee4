/* SPDX-License-Identifier: Apache-2.0 */
/* The token and device code endpoints: form in, token, code or Entra's error out. */
#include "authz/signin.h"
#include "authz/device.h"

#include <string.h>

#include "api/routes.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "engine/restore.h"
#include "run/log.h"

#define FORM_MAX  (64u << 10)
#define FIELD_MAX (16u << 10)

#define UNKNOWN_APPLICATION 700016

bool moor_signin_is_tenant(struct moor_call *c)
{
    const char *tenant = moor_http_param(c->ex, "tenant");
    if (moor_strcasecmp(tenant, c->app->config.tenant_id) == 0)
        return true;
    MOOR_AUTOPTR(moor_json) o = moor_json_new_object();
    moor_json_set_str(o, "error", "invalid_tenant");
    moor_json_set_str(o, "error_description",
                      "AADSTS90002: Tenant not found. Check to make sure you have the correct "
                      "tenant ID and are signing into the correct cloud.");
    struct moor_json *codes = moor_json_set(o, "error_codes", moor_json_new_array());
    moor_json_push(codes, moor_json_new_int(90002));
    moor_call_json(c, 400, o);
    return false;
}

struct form {
    const char *fields[8]; /* in the order of form_names */
    struct moor_secret client_secret;
};
enum {
    FORM_GRANT_TYPE,
    FORM_CLIENT_ID,
    FORM_ASSERTION,
    FORM_ASSERTION_TYPE,
    FORM_SCOPE,
    FORM_RESOURCE,
    FORM_DEVICE_CODE
};
static const char *const form_names[] = {
    "grant_type", "client_id", "client_assertion", "client_assertion_type",
    "scope",      "resource",  "device_code",
};

static void form_drop(struct form *f)
{
    moor_secret_drop(&f->client_secret);
}

MOOR_NODISCARD static moor_code take_field(struct form *f, struct moor_span name,
                                           struct moor_span value, struct moor_arena *arena,
                                           struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(FIELD_MAX);
    moor_code c = moor_percent_decode(value, true, &text, err);
    if (c)
        return c;
    if (moor_span_eq_str(name, "client_secret"))
        return moor_secret_take(&f->client_secret, &text, err);
    for (size_t i = 0; i < MOOR_COUNTOF(form_names); i++) {
        if (!moor_span_eq_str(name, form_names[i]))
            continue;
        if (f->fields[i])
            return moor_fail(err, MOOR_E_BADINPUT, "%s: given twice", form_names[i]);
        f->fields[i] = moor_arena_str(arena, moor_buf_view(&text));
        return f->fields[i] ? MOOR_OK : moor_fail(err, MOOR_E_NOMEM, "form: too long");
    }
    return MOOR_OK;
}

static moor_code read_form(struct moor_span body, struct form *f, struct moor_arena *arena,
                           struct moor_error *err)
{
    while (body.n > 0) {
        struct moor_span value = moor_span_cut(&body, '&');
        struct moor_span name = moor_span_cut(&value, '=');
        moor_code c = take_field(f, name, value, arena, err);
        if (c)
            return c;
    }
    return MOOR_OK;
}

static void reply_refusal(struct moor_call *c, const struct moor_signin_refusal *r)
{
    struct moor_date d;
    moor_date_from_ms(c->now_ms, &d);
    const char *id = moor_http_request_id(c->ex);
    const char *when = moor_call_fmt(c, "%04d-%02d-%02d %02d:%02d:%02dZ", d.year, d.month, d.day,
                                     d.hour, d.minute, d.second);
    MOOR_AUTOPTR(moor_json) o = moor_json_new_object();
    moor_json_set_str(o, "error", r->oauth);
    moor_json_set_str(o, "error_description",
                      moor_call_fmt(c, "AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
                                    r->number, r->text, id, id, when));
    struct moor_json *codes = moor_json_set(o, "error_codes", moor_json_new_array());
    moor_json_push(codes, moor_json_new_int(r->number));
    moor_json_set_str(o, "timestamp", when);
    moor_json_set_str(o, "trace_id", id);
    moor_json_set_str(o, "correlation_id", id);
    moor_call_json(c, r->status, o);
}

static void reply_grant(struct moor_call *c, const struct moor_signin_grant *g)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF_SECRET(32u << 10);
    moor_buf_fmt(&b, "{\"token_type\":\"Bearer\",\"expires_in\":%u,\"ext_expires_in\":%u,",
                 g->expires_in_s, g->expires_in_s);
    moor_buf_fmt(&b, "\"expires_on\":%lld,\"access_token\":\"%s\"}",
                 (long long)c->now_ms / 1000 + g->expires_in_s, moor_buf_cstr(&g->token));
    moor_http_reply_header(c->ex, "Cache-Control", "no-store");
    moor_http_reply(c->ex, 200, "application/json; charset=utf-8", moor_buf_view(&b));
}

static void decide(struct moor_call *c, const struct form *f, moor_issuer issuer)
{
    struct moor_signin_request req = {
        .grant_type = f->fields[FORM_GRANT_TYPE],
        .client_id = f->fields[FORM_CLIENT_ID],
        .client_secret = &f->client_secret,
        .client_assertion = f->fields[FORM_ASSERTION],
        .client_assertion_type = f->fields[FORM_ASSERTION_TYPE],
        .scope = f->fields[FORM_SCOPE],
        .resource = f->fields[FORM_RESOURCE],
        .device_code = f->fields[FORM_DEVICE_CODE],
        .issuer = issuer,
    };
    struct moor_signin_grant grant = { .token = MOOR_BUF_SECRET(16u << 10) };
    struct moor_signin_refusal refusal = { 0 };
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code code = moor_signin(c->app->authz, &req, c->now_ms, &grant, &refusal, &err);
    if (!code) {
        reply_grant(c, &grant);
    } else if (code == MOOR_E_DENIED && refusal.number) {
        const bool waiting = moor_streq(refusal.oauth, "authorization_pending");
        moor_log(waiting ? MOOR_LOG_DEBUG : MOOR_LOG_NOTICE, "signin.refused", "reason",
                 moor_call_fmt(c, "AADSTS%d", refusal.number), "client",
                 moor_uuid_valid(moor_span_str(req.client_id)) ? req.client_id : "?", NULL);
        if (refusal.number == UNKNOWN_APPLICATION && moor_restoring(c->app->store))
            moor_call_restoring(c);
        else
            reply_refusal(c, &refusal);
    } else {
        moor_call_fail(c, &err);
    }
    moor_buf_drop(&grant.token);
}

static void reply_codes(struct moor_call *c, const struct moor_device_codes *codes)
{
    const char *page = moor_call_fmt(c, "%s/device", c->app->config.base_url);
    MOOR_AUTO(moor_buf) b = MOOR_BUF_SECRET(4096);
    moor_buf_fmt(&b, "{\"device_code\":\"%s\",\"user_code\":\"%s\",",
                 moor_buf_cstr(&codes->device_code), codes->user_code);
    moor_buf_fmt(&b, "\"verification_uri\":\"%s\",\"expires_in\":%d,\"interval\":%d,", page,
                 MOOR_DEVICE_LIFE_S, MOOR_DEVICE_INTERVAL_S);
    moor_buf_fmt(&b, "\"message\":\"To sign in, open %s and follow it with the code %s.\"}", page,
                 codes->user_code);
    moor_http_reply_header(c->ex, "Cache-Control", "no-store");
    moor_http_reply(c->ex, 200, "application/json; charset=utf-8", moor_buf_view(&b));
}

static void begin_device(struct moor_call *c, const struct form *f, moor_issuer issuer)
{
    struct moor_device_codes codes = { .device_code = MOOR_BUF_SECRET(128) };
    struct moor_signin_refusal refusal = { 0 };
    struct moor_error err = MOOR_ERROR_INIT;
    (void)issuer; /* the one that redeems decides */
    moor_code code =
        moor_device_begin(c->app->store, f->fields[FORM_CLIENT_ID], f->fields[FORM_SCOPE],
                          moor_http_peer(c->ex)->address, c->now_ms, &codes, &refusal, &err);
    if (!code) {
        moor_log(MOOR_LOG_NOTICE, "device.asked", "code", codes.user_code, "peer",
                 moor_http_peer(c->ex)->address, NULL);
        reply_codes(c, &codes);
    } else if (code == MOOR_E_DENIED && refusal.number) {
        reply_refusal(c, &refusal);
    } else {
        moor_call_fail(c, &err);
    }
    moor_buf_drop(&codes.device_code);
}

static void with_form(struct moor_call *c, moor_issuer issuer,
                      void (*fn)(struct moor_call *c, const struct form *f, moor_issuer issuer))
{
    struct form f = { .client_secret = MOOR_SECRET_INIT };
    struct moor_error err = MOOR_ERROR_INIT;
    if (read_form(moor_http_body(c->ex), &f, c->arena, &err)) {
        struct moor_signin_refusal r = { 400, 900144, "invalid_request",
                                         "The request body is not a readable form." };
        reply_refusal(c, &r);
    } else {
        fn(c, &f, issuer);
    }
    form_drop(&f);
}

static void on_token_adfs(struct moor_call *c)
{
    with_form(c, MOOR_ISSUER_ADFS, decide);
}

static void on_device_adfs(struct moor_call *c)
{
    with_form(c, MOOR_ISSUER_ADFS, begin_device);
}

static void on_token_tenant(struct moor_call *c)
{
    if (moor_signin_is_tenant(c))
        with_form(c, MOOR_ISSUER_TENANT, decide);
}

static void on_device_tenant(struct moor_call *c)
{
    if (moor_signin_is_tenant(c))
        with_form(c, MOOR_ISSUER_TENANT, begin_device);
}

/* The decision is taken where the administrator is already trusted: on the host. */
static void on_device_page(struct moor_call *c)
{
    static const char page[] =
        "Somebody wants to connect a machine with the code you were shown.\n\n"
        "If that is you, give the code to the administrator of this control plane, who runs on\n"
        "its host:\n\n"
        "    mooring-controlplane device approve CODE --as CLIENT-ID\n\n"
        "Never pass on a code that another person sent you.\n";
    moor_http_reply(c->ex, 200, "text/plain; charset=utf-8", moor_span(page, sizeof(page) - 1));
}

static const struct moor_endpoint token_adfs = { MOOR_AUD_PUBLIC, on_token_adfs, NULL };
static const struct moor_endpoint token_tenant = { MOOR_AUD_PUBLIC, on_token_tenant, NULL };
static const struct moor_endpoint device_adfs = { MOOR_AUD_PUBLIC, on_device_adfs, NULL };
static const struct moor_endpoint device_tenant = { MOOR_AUD_PUBLIC, on_device_tenant, NULL };
static const struct moor_endpoint device_page = { MOOR_AUD_PUBLIC, on_device_page, NULL };

const struct moor_http_route moor_signin_routes[] = {
    MOOR_ROUTE("POST", "/adfs/oauth2/token", token_adfs, FORM_MAX),
    MOOR_ROUTE("POST", "/{tenant}/oauth2/v2.0/token", token_tenant, FORM_MAX),
    MOOR_ROUTE("POST", "/{tenant}/oauth2/token", token_tenant, FORM_MAX),
    MOOR_ROUTE("POST", "/adfs/oauth2/devicecode", device_adfs, FORM_MAX),
    MOOR_ROUTE("POST", "/{tenant}/oauth2/v2.0/devicecode", device_tenant, FORM_MAX),
    MOOR_ROUTE("GET", "/device", device_page, 0),
};
const size_t moor_signin_route_count = MOOR_COUNTOF(moor_signin_routes);
