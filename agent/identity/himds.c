/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/himds.h"

#include <stdio.h>
#include <stdlib.h>

#include "http/server.h"
#include "identity/allow.h"
#include "identity/audit.h"
#include "identity/challenge.h"
#include "identity/door.h"
#include "identity/instance.h"
#include "identity/ports.h"
#include "identity/token_exchange.h"
#include "platform/clock.h"
#include "platform/host.h"
#include "run/log.h"

/* For the other doors, key files and calls to the cloud, whatever comes in here. */
#define SPARE_FILES  24
#define UNIX_SERVICE "himds-unix" /* the service manager's name for a Unix socket */
#define SUPPORTED    "2021-02-01, 2020-06-01, 2019-11-01, 2019-08-15"

struct moor_himds {
    struct moor_identity *identity;
    struct moor_challenges *challenges;
    struct moor_audit *audit;
    struct moor_http_server *server;
    struct moor_ports *ports;
};

/* ---- the gate: what is no local client's request is turned away before anything is read ---- */

/* A browser or a forwarding proxy sends one of these; no SDK does. */
static const char *const foreign_headers[] = {
    "Origin",
    "Referer",
    "Forwarded",
    "Via",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-By",
    "X-Forwarded-Server",
    "X-Forwarded-Prefix",
    "X-Forwarded-Ssl",
    "X-Forwarded-Scheme",
    "X-Real-IP",
};

/* The names this endpoint has. Anything else is a name that somebody made point here. */
static bool is_our_host(const struct moor_himds *h, const char *host, bool local)
{
    static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };
    char want[32];
    if (host && local && moor_strcasecmp(host, names[0]) == 0)
        return true; /* a Unix socket has no port */
    for (size_t i = 0; i < MOOR_COUNTOF(names); i++) {
        (void)snprintf(want, sizeof(want), "%s:%u", names[i],
                       (unsigned)moor_ports_number(h->ports));
        if (host && moor_strcasecmp(host, want) == 0)
            return true;
    }
    return false;
}

static bool gate(void *ctx, struct moor_http_exchange *ex)
{
    const struct moor_himds *h = ctx;
    bool local = moor_http_peer(ex)->local;
    if (!is_our_host(h, moor_http_header(ex, "Host"), local)) {
        moor_http_refuse(ex, 403, "invalid_host", "The Host header is not a name of this endpoint");
        return false;
    }
    for (size_t i = 0; i < MOOR_COUNTOF(foreign_headers); i++) {
        if (!moor_http_header(ex, foreign_headers[i]))
            continue;
        moor_http_refuse(ex, 403, "forbidden", "Requests of browsers and proxies are not served");
        return false;
    }
    /* The server would serve HEAD as well: the reference product does not. */
    if (!moor_streq(moor_http_method(ex), "GET")) {
        moor_http_reply_header(ex, "Allow", "GET");
        moor_http_refuse(ex, 405, "method_not_allowed", "Only GET is served here");
        return false;
    }
    return true;
}

static void refusal(void *ctx, int status, const char *code, const char *message,
                    struct moor_buf *body)
{
    (void)ctx;
    (void)status;
    moor_buf_str(body, "{\"error\":");
    moor_buf_json_str(body, moor_span_str(code));
    moor_buf_str(body, ",\"error_description\":");
    moor_buf_json_str(body, moor_span_str(message));
    moor_buf_char(body, '}');
}

/* ---- rules of /metadata ---- */

static bool is_supported(const char *version)
{
    struct moor_span rest = MOOR_SPAN_LIT(SUPPORTED);
    while (rest.p) {
        struct moor_span one = moor_span_trim(moor_span_cut(&rest, ','));
        if (moor_span_eq_str(one, version))
            return true;
    }
    return false;
}

static bool check_metadata_rules(const struct moor_himds *h, struct moor_http_exchange *ex)
{
    const char *metadata = moor_http_header(ex, "Metadata");
    const char *version = moor_http_query(ex, "api-version");
    if (!metadata || moor_strcasecmp(metadata, "true") != 0)
        moor_http_refuse(ex, 400, "invalid_request", "Required metadata header not specified");
    else if (!version || !*version)
        moor_http_refuse(ex, 400, "invalid_request",
                         "The api-version not specified. Supported are " SUPPORTED);
    else if (!is_supported(version))
        moor_http_refuse(ex, 400, "invalid_request",
                         "The api-version is not supported. Supported are " SUPPORTED);
    else if (!moor_identity_config(h->identity))
        moor_http_refuse(ex, 503, "service_unavailable", "This machine is not connected");
    else
        return true;
    return false;
}

/* ---- GET /metadata/identity/oauth2/token ---- */

bool moor_himds_reserved(const char *resource, const char *service_audience)
{
    struct moor_span own = moor_span_str(service_audience);
    struct moor_span asked = moor_span_str(resource);
    while (own.n && own.p[own.n - 1] == '/')
        own.n--;
    return own.n && asked.n >= own.n && moor_span_eq_nocase(moor_span(asked.p, own.n), own) &&
           (asked.n == own.n || asked.p[own.n] == '/');
}

/* Printable ASCII without a blank: a blank would make two scopes of one. */
static bool is_resource(const char *s)
{
    size_t n = 0;
    while (s && s[n] > ' ' && s[n] < 0x7f && s[n] != '"' && s[n] != '\\')
        n++;
    return n > 0 && n <= MOOR_TOKEN_AUDIENCE_MAX && s[n] == '\0';
}

static bool refused(const struct moor_himds *h, const struct moor_http_exchange *ex,
                    const char *resource)
{
    moor_audit_note(h->audit, moor_http_caller(ex), resource, "forbidden");
    return false;
}

static bool check_token_rules(const struct moor_himds *h, struct moor_http_exchange *ex)
{
    static const char *const selectors[] = { "client_id", "object_id", "msi_res_id" };
    const char *resource = moor_http_query(ex, "resource");
    for (size_t i = 0; i < MOOR_COUNTOF(selectors); i++) {
        if (!moor_http_query(ex, selectors[i]))
            continue;
        moor_http_refuse(ex, 404, "identity_not_found",
                         "User-assigned identities are not available on this machine");
        return false;
    }
    if (!is_resource(resource)) {
        moor_http_refuse(ex, 400, "invalid_request", "Query variable 'resource' is required");
        return false;
    }
    if (moor_himds_reserved(resource, moor_identity_cloud(h->identity)->service_audience)) {
        moor_http_refuse(ex, 403, "forbidden",
                         "Tokens for the agent's own service are not given to programs (rule: "
                         "service audience)");
        return refused(h, ex, resource);
    }
    if (!moor_allow_audience(&moor_identity_settings(h->identity)->identity_audiences,
                             moor_http_caller(ex), resource)) {
        moor_http_refuse(ex, 403, "forbidden",
                         "This user may not have tokens for this audience (setting "
                         "identity.audiences)");
        return refused(h, ex, resource);
    }
    return true;
}

struct token_request {
    struct moor_himds *himds;
    struct moor_challenge *challenge;
    const char *resource;
};

struct error_answer {
    moor_code code;
    int status;
    const char *error;
};
static const struct error_answer error_answers[] = {
    { MOOR_E_TRANSIENT, 503, "temporarily_unavailable" },
    { MOOR_E_PROXY, 503, "temporarily_unavailable" },
    { MOOR_E_UNTRUSTED, 503, "temporarily_unavailable" },
    { MOOR_E_PROTOCOL, 503, "temporarily_unavailable" },
    { MOOR_E_TIMEOUT, 504, "temporarily_unavailable" },
    { MOOR_E_THROTTLED, 429, "too_many_requests" },
    { MOOR_E_CANCELED, 503, "temporarily_unavailable" },
    { MOOR_E_UNSUPPORTED, 503, "service_unavailable" },
    { MOOR_E_DENIED, 403, "access_denied" },
    { MOOR_E_REMOTE, 400, "invalid_request" },
};

static void refuse_token(struct moor_http_exchange *ex, const struct moor_error *err)
{
    static const struct error_answer other = { MOOR_E_BUG, 500, "server_error" };
    const struct error_answer *a = &other;
    for (size_t i = 0; i < MOOR_COUNTOF(error_answers); i++)
        if (error_answers[i].code == err->code)
            a = &error_answers[i];
    if (a->status == 429 || a->status == 503) {
        char seconds[16];
        (void)snprintf(seconds, sizeof(seconds), "%u", (err->retry_after_ms + 999U) / 1000U + 1U);
        moor_http_reply_header(ex, "Retry-After", seconds);
    }
    bool said = a->status < 500 && err->service_code[0];
    moor_http_refuse(ex, a->status, said ? err->service_code : a->error, err->msg);
}

static void text_number(struct moor_buf *b, const char *name, int64_t n)
{
    moor_buf_fmt(b, ",\"%s\":\"%lld\"", name, (long long)n);
}

static void reply_token(struct moor_http_exchange *ex, const char *resource,
                        const struct moor_token *token)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF_SECRET(32768);
    int64_t left_ms = token->expires_ms - plat_utc_ms();
    moor_buf_str(&b, "{\"access_token\":");
    moor_buf_json_str(&b, moor_secret_reveal(token->value));
    moor_buf_str(&b, ",\"refresh_token\":\"\"");
    text_number(&b, "expires_in", left_ms > 0 ? left_ms / 1000 : 0);
    text_number(&b, "expires_on", token->expires_ms / 1000);
    text_number(&b, "not_before", token->issued_ms / 1000);
    moor_buf_str(&b, ",\"resource\":");
    moor_buf_json_str(&b, moor_span_str(resource));
    moor_buf_str(&b, ",\"token_type\":\"Bearer\"}");
    moor_http_reply_header(ex, "Cache-Control", "no-store");
    moor_http_reply(ex, 200, "application/json", moor_buf_view(&b));
}

/* The key is used up by an answer that stands; after a failure that may pass by itself clients
 * send the same key again. */
static void answer_token(struct moor_http_exchange *ex, void *user, const struct moor_token *token,
                         const struct moor_error *err)
{
    struct token_request *t = user;
    moor_audit_note(t->himds->audit, moor_http_caller(ex), t->resource,
                    token ? "token" : moor_code_name(err->code));
    bool may_pass = !token && moor_error_retry(err) == MOOR_RETRY_BACKOFF;
    if (may_pass)
        moor_challenges_give_back(t->himds->challenges, t->challenge);
    else
        moor_challenges_use_up(t->himds->challenges, t->challenge);
    if (token)
        reply_token(ex, t->resource, token);
    else
        refuse_token(ex, err);
}

static void caller_gone(void *user)
{
    struct token_request *t = user;
    moor_challenges_use_up(t->himds->challenges, t->challenge);
}

static void challenge(struct moor_himds *h, struct moor_http_exchange *ex)
{
    struct moor_error err = MOOR_ERROR_INIT;
    const char *path = NULL;
    MOOR_AUTO(moor_buf) value = MOOR_BUF(1024);
    if (moor_challenges_issue(h->challenges, moor_http_caller(ex), &path, &err)) {
        if (err.code != MOOR_E_THROTTLED)
            moor_log_error(MOOR_LOG_ERROR, "challenge.not_made", &err, NULL);
        refuse_token(ex, &err);
        return;
    }
    moor_buf_fmt(&value, "Basic realm=%s", path);
    /* Spelled as scripts that follow Azure's documentation look for it. */
    moor_http_reply_header(ex, "Www-Authenticate", moor_buf_cstr(&value));
    moor_http_refuse(ex, 401, "unauthorized",
                     "Send the content of the file named in WWW-Authenticate");
}

static void get_token(void *ctx, struct moor_http_exchange *ex)
{
    struct moor_himds *h = ctx;
    if (!check_metadata_rules(h, ex) || !check_token_rules(h, ex))
        return;
    const char *authorization = moor_http_header(ex, "Authorization");
    struct moor_challenge *one = NULL;
    if (authorization && moor_span_starts(moor_span_str(authorization), "Basic "))
        one = moor_challenges_take(h->challenges, moor_http_caller(ex),
                                   moor_span_trim(moor_span_str(authorization + 6)));
    if (!one) {
        challenge(h, ex);
        return;
    }
    struct token_request *t = moor_arena_alloc(moor_http_arena(ex), sizeof(*t));
    if (!t) {
        moor_challenges_give_back(h->challenges, one);
        moor_http_refuse(ex, 503, "temporarily_unavailable", "Out of memory");
        return;
    }
    const char *bypass = moor_http_query(ex, "bypass_cache");
    *t = (struct token_request){ h, one, moor_http_query(ex, "resource") };
    const struct moor_token_exchange how = {
        .identity = h->identity,
        .audience = t->resource,
        .fresh = bypass && moor_strcasecmp(bypass, "true") == 0,
        .answer = answer_token,
        .gone = caller_gone,
        .user = t,
    };
    moor_token_exchange_start(ex, &how);
}

/* ---- GET /metadata/instance, /agentstatus ---- */

static struct moor_json *compute(const struct moor_himds *h)
{
    return moor_instance_compute(moor_identity_config(h->identity), plat_host_os_type(),
                                 moor_identity_tags(h->identity));
}

static void get_instance(void *ctx, struct moor_http_exchange *ex)
{
    struct moor_himds *h = ctx;
    if (!check_metadata_rules(h, ex))
        return;
    MOOR_AUTOPTR(moor_json) v = moor_json_new_object();
    (void)moor_json_set(v, "compute", compute(h));
    (void)moor_json_set(v, "network", moor_json_new_object());
    moor_http_reply_json(ex, 200, v);
}

static void get_compute(void *ctx, struct moor_http_exchange *ex)
{
    struct moor_himds *h = ctx;
    if (!check_metadata_rules(h, ex))
        return;
    MOOR_AUTOPTR(moor_json) v = compute(h);
    moor_http_reply_json(ex, 200, v);
}

static void get_status(void *ctx, struct moor_http_exchange *ex)
{
    const struct moor_himds *h = ctx;
    MOOR_AUTOPTR(moor_json) v = moor_identity_status(h->identity);
    moor_http_reply_json(ex, 200, v);
}

const struct moor_http_route moor_himds_routes[] = {
    { .method = "GET", .pattern = "/metadata/identity/oauth2/token", .handler = get_token },
    { .method = "GET", .pattern = "/metadata/identity", .handler = get_token },
    { .method = "GET", .pattern = "/identity/oauth2/token", .handler = get_token },
    { .method = "GET", .pattern = "/identity", .handler = get_token },
    { .method = "GET", .pattern = "/metadata/instance", .handler = get_instance },
    { .method = "GET", .pattern = "/metadata/instance/compute", .handler = get_compute },
    { .method = "GET", .pattern = "/agentstatus", .handler = get_status },
};
const size_t moor_himds_route_count = MOOR_COUNTOF(moor_himds_routes);

/* ---- life ---- */

static moor_code open_doors(struct moor_himds *h, const struct moor_himds_opts *opts,
                            struct moor_error *err)
{
    const struct moor_http_server_opts server = {
        /* Room for everybody who may hold a key. */
        .limits = { .body_max = 1024,
                    .connections_max = MOOR_CHALLENGES_MAX,
                    .connections_per_peer = MOOR_CHALLENGES_PER_USER,
                    .spare_files = SPARE_FILES },
        .callers = true,
        .routes = moor_himds_routes,
        .route_count = MOOR_COUNTOF(moor_himds_routes),
        .ctx = h,
        .gate = gate,
        .refusal = refusal,
    };
    moor_code c = moor_http_server_new(opts->loop, &server, &h->server, err);
    if (!c)
        c = moor_ports_open(opts->loop, h->server, opts->port, &h->ports, err);
    if (c)
        return c;
    return moor_door_listen(h->server, UNIX_SERVICE, opts->socket, 0666, err);
}

moor_code moor_himds_new(const struct moor_himds_opts *opts, struct moor_himds **out,
                         struct moor_error *err)
{
    MOOR_AUTOPTR(moor_himds) h = calloc(1, sizeof(*h));
    if (!h)
        return moor_fail(err, MOOR_E_NOMEM, "local endpoint: out of memory");
    h->identity = opts->identity;
    const struct moor_challenges_opts challenges = { .loop = opts->loop,
                                                     .folder = opts->tokens_folder };
    moor_code c = moor_challenges_new(&challenges, &h->challenges, err);
    if (!c)
        c = moor_audit_new(opts->loop, opts->log_folder, &h->audit, err);
    if (!c)
        c = open_doors(h, opts, err);
    if (c)
        return c;
    *out = MOOR_TAKE(h);
    return MOOR_OK;
}

uint16_t moor_himds_port(const struct moor_himds *h)
{
    return moor_ports_number(h->ports);
}

void moor_himds_drain(struct moor_himds *h, void (*done)(void *ctx), void *ctx)
{
    moor_ports_stop(h->ports);
    moor_http_server_drain(h->server, done, ctx);
}

const char *moor_himds_problem(const struct moor_himds *h)
{
    return moor_ports_problem(h->ports);
}

void moor_himds_free(struct moor_himds *h)
{
    if (!h)
        return;
    moor_ports_free(h->ports);
    moor_http_server_free(h->server); /* ends the exchanges, and their challenges */
    moor_challenges_free(h->challenges);
    moor_audit_free(h->audit);
    free(h);
}
