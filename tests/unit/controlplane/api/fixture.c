/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/controlplane/api/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/live.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "platform/net.h"
#include "platform/random.h"

#define VERSION "?api-version=2024-07-10"

static void ok(moor_code c, const struct moor_error *err, const char *what)
{
    if (!c)
        return;
    printf("# fixture: %s: %s\n", what, err->msg);
    exit(1);
}

static void add_principal(struct fixture *f, const char *id, const char *role)
{
    struct moor_error err = MOOR_ERROR_INIT;
    const struct moor_principal_row p = { .kind = MOOR_PRINCIPAL_APPLICATION,
                                          .object_id = id,
                                          .client_id = id,
                                          .tenant_id = FIX_TENANT,
                                          .name = role };
    const struct moor_role_assignment a = { id, moor_role_find(role)->id, id,
                                            "/subscriptions/" FIX_SUB, 0 };
    ok(moor_principal_add(f->app.store, &p, &err), &err, "principal");
    ok(moor_role_assign(f->app.store, &a, &err), &err, "role");
}

static void make_app(struct fixture *f)
{
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTO(moor_buf) key = MOOR_BUF_SECRET(32);
    f->app.config = (struct moor_app_config){ .state_dir = f->dir,
                                              .cloud_name = "Mooring",
                                              .tenant_id = FIX_TENANT,
                                              .subscription_id = FIX_SUB,
                                              .location = "local",
                                              .base_url = FIX_BASE,
                                              .arm_audience = FIX_BASE "/",
                                              .service_audience = FIX_BASE "/mooring-service",
                                              .his_url = FIX_BASE "/his",
                                              .gas_url = FIX_BASE "/gas",
                                              .notify_url = FIX_BASE "/notify",
                                              .ingestion_url = FIX_BASE,
                                              .query_url = FIX_BASE "/v1",
                                              .packages_dir = f->dir };
    ok(moor_loop_new(&f->app.loop, &err), &err, "loop");
    ok(moor_pool_new(f->app.loop, &(struct moor_pool_opts){ 0 }, &f->app.pool, &err), &err, "pool");
    ok(moor_store_open(":memory:", &f->app.store, &err), &err, "store");
    ok(moor_key_generate(MOOR_KEY_RSA_2048, &f->signing, &err), &err, "key");
    const struct moor_authz_opts authz = { f->app.store, f->signing, FIX_BASE, FIX_TENANT,
                                           f->app.config.service_audience };
    ok(moor_authz_new(&authz, &f->app.authz, &err), &err, "authz");
    ok(moor_live_new(f->app.loop, f->app.store, &f->app.live, &err), &err, "live");
    plat_random(moor_buf_room(&key, 32), 32);
    moor_buf_grew(&key, 32);
    ok(moor_secret_take(&f->app.sealing_key, &key, &err), &err, "sealing key");
    add_principal(f, FIX_OWNER, "Owner");
    add_principal(f, FIX_READER, "Reader");
}

void fixture_make(struct fixture *f)
{
    struct moor_error err = MOOR_ERROR_INIT;
    char id[37];
    int fd = -1;
    *f = (struct fixture){ .arena = MOOR_ARENA(64u << 20) };
    plat_random_uuid(id);
    f->dir = moor_arena_fmt(&f->arena, "/tmp/moor-api-%.8s", id);
    f->socket = moor_arena_fmt(&f->arena, "%s/s", f->dir);
    ok(plat_make_dirs(f->dir, PLAT_OWNER_ONLY, &err), &err, "folder");
    make_app(f);
    ok(moor_routes_all(&f->routes, &f->route_count, &err), &err, "routes");
    const struct moor_http_server_opts opts = { .routes = f->routes,
                                                .route_count = f->route_count,
                                                .ctx = &f->app,
                                                .finish = moor_app_finish,
                                                .refusal = moor_app_refusal };
    ok(moor_http_server_new(f->app.loop, &opts, &f->server, &err), &err, "server");
    ok(plat_listen_unix(f->socket, 0600, 16, &fd, &err), &err, "socket");
    ok(moor_http_server_listen(f->server, fd, &err), &err, "listen");
    const struct moor_http_client_opts client = { .user_agent = "test" };
    ok(moor_http_client_new(f->app.loop, &client, &f->client, &err), &err, "client");
    f->owner = fixture_token(f, FIX_OWNER, FIX_BASE "/");
    f->reader = fixture_token(f, FIX_READER, FIX_BASE "/");
}

void fixture_drop(struct fixture *f)
{
    moor_json_free(f->body);
    moor_http_client_free(f->client);
    moor_http_server_free(f->server);
    free(f->routes);
    moor_live_free(f->app.live);
    moor_pool_free(f->app.pool);
    moor_authz_free(f->app.authz);
    moor_key_free(f->signing);
    moor_store_free(f->app.store);
    moor_loop_free(f->app.loop);
    moor_secret_drop(&f->app.sealing_key);
    if (plat_remove_tree(f->dir, NULL))
        printf("# %s stays\n", f->dir);
    moor_arena_drop(&f->arena);
}

const char *fixture_token(struct fixture *f, const char *object_id, const char *resource)
{
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_principal_row p;
    MOOR_AUTO(moor_buf) token = MOOR_BUF(16u << 10);
    uint32_t life = 0;
    ok(moor_principal_by_object(f->app.store, object_id, &f->arena, &p, &err), &err, "principal");
    ok(moor_authz_issue(f->app.authz, &p, resource, MOOR_ISSUER_ADFS, plat_utc_ms(), &token, &life,
                        &err),
       &err, "token");
    return moor_arena_str(&f->arena, moor_buf_view(&token));
}

struct wait {
    struct fixture *f;
    bool done;
};

static const char *keep(struct fixture *f, const struct moor_http_response *r, const char *name)
{
    const char *v = moor_http_response_header(r, name);
    return v ? moor_arena_str(&f->arena, moor_span_str(v)) : "";
}

static void answered(void *ctx, const struct moor_http_response *r, const struct moor_error *err)
{
    struct wait *w = ctx;
    struct fixture *f = w->f;
    w->done = true;
    f->status = 0;
    if (!r) {
        printf("# no answer: %s\n", err->msg);
        return;
    }
    f->status = r->status;
    f->location = keep(f, r, "location");
    f->async = keep(f, r, "azure-asyncoperation");
    f->challenge = keep(f, r, "www-authenticate");
    f->retry_after = keep(f, r, "retry-after");
    if (r->body.n && moor_json_parse(r->body, &f->body, NULL))
        f->body = NULL;
}

int fixture_call(struct fixture *f, const char *token, const char *method, const char *target,
                 const char *body)
{
    struct wait w = { f, false };
    struct moor_http_call *call = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTO(moor_secret) bearer = MOOR_SECRET_INIT;
    moor_json_free(f->body);
    f->body = NULL;
    if (token)
        ok(moor_secret_set(&bearer, moor_span_str(token), &err), &err, "token");
    struct moor_http_request req = { .method = method,
                                     .url = moor_arena_fmt(&f->arena, "http://cp%s", target),
                                     .unix_socket = f->socket,
                                     .bearer = token ? &bearer : NULL,
                                     .body = moor_span_str(body),
                                     .timeout_ms = 10000 };
    ok(moor_http_send(moor_http_client_transport(f->client), &req, answered, &w, &call, &err), &err,
       "request");
    while (!w.done)
        moor_loop_turn(f->app.loop);
    return f->status;
}

const char *fixture_text(const struct fixture *f, const char *dotted)
{
    const char *s = moor_json_str(moor_json_path(f->body, dotted));
    return s ? s : "";
}

static void put(struct fixture *f, const char *target, const char *body, int want)
{
    int status = fixture_call(f, f->owner, "PUT", target, body);
    if (status == want)
        return;
    printf("# fixture: PUT %s: %d\n", target, status);
    exit(1);
}

void fixture_machine(struct fixture *f, const char *vm_id)
{
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTOPTR(moor_key) key = NULL;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(4096);
    ok(moor_key_generate(MOOR_KEY_RSA_2048, &key, &err), &err, "key");
    ok(moor_key_public_pkcs1(key, &text, &err), &err, "key");
    put(f, FIX_GROUP VERSION, "{\"location\":\"local\"}", 201);
    put(f, FIX_MACHINE VERSION,
        moor_arena_fmt(&f->arena,
                       "{\"location\":\"local\",\"properties\":{\"vmId\":\"%s\","
                       "\"clientPublicKey\":\"%s\"}}",
                       vm_id, moor_buf_cstr(&text)),
        200);
}

const char *fixture_path(struct fixture *f, const char *url)
{
    if (!moor_span_starts(moor_span_str(url), FIX_BASE))
        return "/";
    return moor_arena_str(&f->arena, moor_span_str(url + strlen(FIX_BASE)));
}
