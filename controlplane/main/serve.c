/* SPDX-License-Identifier: Apache-2.0 */
/* serve: the components of the running server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/app.h"
#include "base/text.h"
#include "engine/ingest.h"
#include "engine/live.h"
#include "main/commands.h"
#include "main/keys.h"
#include "main/state.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "platform/net.h"
#include "platform/watch.h"
#include "run/component.h"
#include "run/log.h"
#include "store/operations.h"

#define DEFAULT_LISTEN "0.0.0.0:8443"
#define BACKLOG        512
#define HOUSEKEEP_MS   (UINT64_C(300) * 1000)
#define TOKEN_KEY_MS   (INT64_C(90) * 24 * 3600 * 1000)
#define CERTIFICATE_MS (UINT64_C(6) * 3600 * 1000)
#define UNHEARD_MS     (INT64_C(90) * 60 * 1000) /* as long as Azure gives an extension */
#define OPERATIONS_MS  (INT64_C(24) * 3600 * 1000)

struct daemon {
    const struct cp_options *options;
    struct cp_state state;
    struct moor_loop *loop;
    struct moor_app app;
    struct moor_http_server *server;
    struct moor_service *service; /* set while stopping */
    struct moor_http_route *routes;
    struct moor_timer *housekeeping;
    struct plat_watch *watch; /* of the state folder */
    struct moor_watch *watch_event;
    struct plat_file only; /* held: one server per state folder */
    int listener;
    uint16_t port;
    const char *certificate, *certificate_key; /* files */
    uint64_t certificate_looked_ms;            /* monotonic */
};

/* "0.0.0.0:8443", "[::1]:0". */
static moor_code split_address(const char *text, struct moor_arena *arena, const char **address,
                               uint16_t *port, struct moor_error *err)
{
    struct moor_span s = moor_span_str(text);
    size_t at = s.n;
    uint32_t number = 0;
    while (at > 0 && s.p[at - 1] != ':')
        at--;
    if (at < 2 || moor_parse_u32(moor_span(s.p + at, s.n - at), 0, 65535, &number, NULL))
        return moor_fail(err, MOOR_E_BADINPUT, "--listen: want ADDRESS:PORT");
    struct moor_span host = moor_span(s.p, at - 1);
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = moor_span(host.p + 1, host.n - 2);
    *address = moor_arena_str(arena, host);
    *port = (uint16_t)number;
    return *address ? MOOR_OK : moor_fail(err, MOOR_E_NOMEM, "--listen: out of memory");
}

static moor_code listen_first(struct daemon *d, struct moor_error *err)
{
    const char *address = NULL;
    uint16_t port = 0;
    const char *text = d->options->listen ? d->options->listen : DEFAULT_LISTEN;
    moor_code c = split_address(text, &d->state.arena, &address, &port, err);
    return c ? c : plat_listen_tcp(address, port, BACKLOG, &d->listener, &d->port, err);
}

/* Where clients reach us: said by the administrator, or the first host and the bound port. */
static moor_code base_url(struct daemon *d, const char **url, struct moor_error *err)
{
    const char *given = d->options->public_url;
    const char *host = d->state.config.hosts.items[0];
    if (!given) {
        bool v6 = strchr(host, ':') != NULL;
        *url = moor_arena_fmt(&d->state.arena, "https://%s%s%s:%u", v6 ? "[" : "", host,
                              v6 ? "]" : "", (unsigned)d->port);
        return *url ? MOOR_OK : moor_fail(err, MOOR_E_NOMEM, "public URL: out of memory");
    }
    struct moor_span s = moor_span_str(given);
    while (s.n && s.p[s.n - 1] == '/')
        s.n--;
    if (!moor_span_starts(s, "https://") || s.n < 9 || memchr(s.p, ' ', s.n))
        return moor_fail(err, MOOR_E_BADINPUT, "--public-url: want https://HOST[:PORT]");
    *url = moor_arena_str(&d->state.arena, s);
    return *url ? MOOR_OK : moor_fail(err, MOOR_E_NOMEM, "public URL: out of memory");
}

static struct moor_http_tls tls_files(struct daemon *d)
{
    return (struct moor_http_tls){ .certificate_file = d->certificate,
                                   .key_file = d->certificate_key };
}

/* Every few hours, and on SIGHUP: a certificate that is about to end is made anew, and what is in
 * the files is served from then on. */
static void look_at_certificate(struct daemon *d)
{
    struct moor_error err = MOOR_ERROR_INIT;
    const struct moor_http_tls files = tls_files(d);
    if (cp_keys_renew_server(&d->state, &err) ||
        moor_http_server_set_certificate(d->server, &files, &err))
        moor_log_error(MOOR_LOG_ERROR, "tls.not_renewed", &err, NULL);
    d->certificate_looked_ms = plat_mono_ms();
}

/* The key that signs tokens is replaced when it is old, or was replaced by a command. */
static moor_code take_token_keys(struct daemon *d, int64_t at_age_ms, struct moor_error *err)
{
    struct cp_token_keys k = { NULL, NULL };
    moor_code c = at_age_ms ? cp_keys_rotate_token(&d->state, at_age_ms, err) : MOOR_OK;
    if (!c)
        c = cp_keys_load_token(&d->state, &k, err);
    if (!c)
        c = moor_authz_set_keys(d->app.authz, k.key, k.previous, err);
    cp_token_keys_drop(&k);
    return c;
}

static void look_at_keys(struct daemon *d)
{
    struct moor_error err = MOOR_ERROR_INIT;
    look_at_certificate(d);
    if (take_token_keys(d, TOKEN_KEY_MS, &err))
        moor_log_error(MOOR_LOG_ERROR, "tokens.key_not_replaced", &err, NULL);
}

static void on_reload(void *ctx)
{
    look_at_keys(ctx);
    moor_log(MOOR_LOG_NOTICE, "keys.reloaded", NULL);
}

static void housekeeping(void *ctx)
{
    struct daemon *d = ctx;
    struct moor_error err = MOOR_ERROR_INIT;
    int64_t now = plat_utc_ms();
    if (moor_operation_expire(d->state.store, now - UNHEARD_MS, now, NULL, &err) ||
        moor_operation_purge(d->state.store, now - OPERATIONS_MS, &err))
        moor_log_error(MOOR_LOG_WARNING, "operations.housekeeping", &err, NULL);
    if (plat_mono_ms() - d->certificate_looked_ms >= CERTIFICATE_MS)
        look_at_keys(d);
    moor_timer_arm(d->housekeeping, HOUSEKEEP_MS);
}

MOOR_NODISCARD static moor_code start_app(struct moor_service *service, void *ctx,
                                          struct moor_error *err)
{
    struct daemon *d = ctx;
    struct cp_state *s = &d->state;
    const char *url = NULL;
    moor_code c = base_url(d, &url, err);
    if (c)
        return c;
    d->app.config = cp_state_app_config(s, url);
    d->app.loop = moor_service_loop(service);
    d->app.store = s->store;
    d->app.identity_ca = s->identity_ca;
    d->app.identity_ca_key = s->identity_ca_key;
    d->app.gallery_cert = s->gallery_cert;
    d->app.gallery_key = s->gallery_key;
    moor_secret_move(&d->app.sealing_key, &s->sealing_key);
    const struct moor_authz_opts authz = { .store = s->store,
                                           .signing_key = s->token_key,
                                           .base_url = d->app.config.base_url,
                                           .tenant_id = d->app.config.tenant_id,
                                           .service_audience = d->app.config.service_audience };
    c = moor_authz_new(&authz, &d->app.authz, err);
    if (!c)
        c = take_token_keys(d, 0, err);
    if (!c)
        c = moor_pool_new(d->app.loop, &(struct moor_pool_opts){ .threads = 2 }, &d->app.pool, err);
    if (!c)
        c = moor_live_new(d->app.loop, s->store, &d->app.live, err);
    if (!c) {
        moor_live_period(d->app.live, s->config.lifecycle.heartbeat_s);
        moor_live_max_waiters(d->app.live, s->config.max_waiters);
    }
    if (!c)
        c = moor_quotas_new(s->config.ingestion_requests, s->config.ingestion_bytes, &d->app.quotas,
                            err);
    if (!c)
        c = moor_timer_new(d->app.loop, housekeeping, d, &d->housekeeping, err);
    if (!c)
        moor_timer_arm(d->housekeeping, HOUSEKEEP_MS);
    return c;
}

static void on_notice(void *ctx, int32_t id, const char *name)
{
    bool *changed = ctx;
    *changed = *changed || id == -1 || strcmp(name, CP_DATABASE) == 0;
}

/* Another process has closed the database: a command beside the server, which may have published
 * something that machines wait for. */
static void on_watch(void *ctx)
{
    struct daemon *d = ctx;
    struct moor_error err = MOOR_ERROR_INIT;
    bool changed = false;
    plat_watch_read(d->watch, on_notice, &changed);
    if (changed && moor_live_look(d->app.live, &err))
        moor_log_error(MOOR_LOG_WARNING, "waiters.not_woken", &err, NULL);
}

MOOR_NODISCARD static moor_code start_watch(struct moor_service *service, void *ctx,
                                            struct moor_error *err)
{
    struct daemon *d = ctx;
    int32_t id = 0;
    moor_code c = plat_watch_new(&d->watch, err);
    if (!c)
        c = plat_watch_add(d->watch, d->state.dir, &id, err);
    return c ? c
             : moor_watch_new(moor_service_loop(service), plat_watch_fd(d->watch), on_watch, d,
                              &d->watch_event, err);
}

static void release_watch(void *ctx)
{
    struct daemon *d = ctx;
    moor_watch_free(d->watch_event);
    plat_watch_free(d->watch);
}

static void release_app(void *ctx)
{
    struct daemon *d = ctx;
    moor_timer_free(d->housekeeping);
    moor_quotas_free(d->app.quotas);
    moor_live_free(d->app.live);
    moor_pool_free(d->app.pool);
    moor_authz_free(d->app.authz);
    moor_secret_drop(&d->app.sealing_key);
}

static moor_code announce(struct daemon *d, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) line = MOOR_BUF(1024);
    moor_buf_fmt(&line, "%s\n", d->app.config.base_url);
    moor_code c = plat_write_atomic(cp_state_path(&d->state, "endpoint"), moor_buf_view(&line),
                                    PLAT_WORLD_READ, err);
    if (c)
        return c;
    printf("listening on %s\n", d->app.config.base_url);
    (void)fflush(stdout);
    return MOOR_OK;
}

MOOR_NODISCARD static moor_code start_server(struct moor_service *service, void *ctx,
                                             struct moor_error *err)
{
    struct daemon *d = ctx;
    size_t count = 0;
    d->certificate = cp_state_path(&d->state, "tls/server.pem");
    d->certificate_key = cp_state_path(&d->state, "tls/server.key");
    d->certificate_looked_ms = plat_mono_ms();
    const struct moor_http_tls tls = tls_files(d);
    moor_code c = moor_routes_all(&d->routes, &count, err);
    if (c)
        return c;
    const struct moor_http_server_opts opts = {
        .limits = { .connections_max = 20000, .connections_per_peer = 10000 },
        .tls = &tls,
        .routes = d->routes,
        .route_count = count,
        .ctx = &d->app,
        .finish = moor_app_finish,
        .code_header = "x-ms-error-code",
        .refusal = moor_app_refusal,
    };
    c = moor_http_server_new(moor_service_loop(service), &opts, &d->server, err);
    if (!c)
        c = moor_http_server_listen(d->server, d->listener, err);
    if (!c)
        d->listener = -1;
    if (!c)
        c = moor_loop_on_reload(moor_service_loop(service), on_reload, d, err);
    return c ? c : announce(d, err);
}

static void drained(void *ctx)
{
    const struct daemon *d = ctx;
    moor_component_stopped(d->service, "server");
}

static void stop_server(struct moor_service *service, void *ctx)
{
    struct daemon *d = ctx;
    d->service = service;
    moor_live_end_waits(d->app.live);
    moor_http_server_drain(d->server, drained, d);
}

static void release_server(void *ctx)
{
    struct daemon *d = ctx;
    moor_http_server_free(d->server);
    free(d->routes);
}

static const struct moor_component components[] = {
    { "app", start_app, NULL, release_app },
    { "watch", start_watch, NULL, release_watch },
    { "server", start_server, stop_server, release_server },
};

static moor_code run(struct daemon *d, struct moor_error *err)
{
    moor_code c = cp_state_ensure(d->options, &d->state, err);
    if (!c)
        c = plat_lock_file(cp_state_path(&d->state, "serving"), &d->only, err);
    if (c == MOOR_E_EXISTS)
        return moor_fail(err, c, "%s: another server runs on it", d->state.dir);
    if (!c)
        c = listen_first(d, err);
    if (!c)
        c = moor_loop_new(&d->loop, err);
    return c ? c : moor_service_run(d->loop, components, MOOR_COUNTOF(components), d, err);
}

int cp_run_serve(const struct cp_options *o)
{
    struct daemon d = { .options = o,
                        .state = CP_STATE_INIT,
                        .only = PLAT_FILE_INIT,
                        .listener = -1,
                        .app = { .sealing_key = MOOR_SECRET_INIT } };
    struct moor_error err = MOOR_ERROR_INIT;
    int status = 0;
    moor_log_init("mooring-controlplane", o->verbose ? MOOR_LOG_DEBUG : MOOR_LOG_INFO);
    if (run(&d, &err))
        status = cp_complain(&err);
    plat_net_close(d.listener);
    moor_loop_free(d.loop);
    cp_state_drop(&d.state);
    plat_file_drop(&d.only);
    return status;
}
