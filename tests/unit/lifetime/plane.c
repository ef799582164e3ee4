/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/lifetime/plane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/app.h"
#include "base/text.h"
#include "engine/live.h"
#include "engine/proof.h"
#include "http/server_internal.h"
#include "platform/clock.h"
#include "store/machines.h"
#include "unit/lifetime/world.h"

#define OWNER    "33333333-3333-4333-8333-333333333333"
#define CA_MS    (INT64_C(20) * 365 * DAY_MS)
#define HEAD_MAX (64u << 10)

static struct {
    struct moor_app app;
    struct moor_key *signing;
    struct moor_http_route *routes;
    struct moor_http_server server; /* nothing listens: what an exchange asks its server for */
    struct moor_conn conn;
    char *body; /* of the last answer */
    uint64_t body_len;
} plane;

static void need(moor_code c, const struct moor_error *err, const char *what)
{
    if (!c)
        return;
    printf("# plane: %s: %s\n", what, err->msg);
    exit(1);
}

/* In the place of the connection's: the answer goes nowhere but here. */
void moor_conn_send(struct moor_conn *c, struct moor_buf *head, struct moor_buf *body)
{
    struct moor_error err = MOOR_ERROR_INIT;
    (void)c;
    plane.body_len = body->len;
    need(moor_buf_take(body, "answer", &plane.body, &err), &err, "answer");
    moor_buf_drop(head);
}

static void make_ca(struct moor_error *err)
{
    const struct moor_cert_spec spec = { .common_name = "identity CA",
                                         .subject = plane.app.identity_ca_key,
                                         .issuer_key = plane.app.identity_ca_key,
                                         .not_before_ms = WORLD_T0 - DAY_MS,
                                         .not_after_ms = WORLD_T0 + CA_MS,
                                         .ca = true };
    need(moor_cert_make(&spec, &plane.app.identity_ca, err), err, "identity CA");
}

static void add_owner(struct moor_error *err)
{
    const struct moor_principal_row p = { .kind = MOOR_PRINCIPAL_APPLICATION,
                                          .object_id = OWNER,
                                          .client_id = OWNER,
                                          .tenant_id = PLANE_TENANT,
                                          .name = "owner" };
    const struct moor_role_assignment a = { OWNER, moor_role_find("Owner")->id, OWNER,
                                            "/subscriptions/" PLANE_SUB, 0 };
    need(moor_principal_add(plane.app.store, &p, err), err, "owner");
    need(moor_role_assign(plane.app.store, &a, err), err, "role");
}

static void configure(uint32_t heartbeat_s)
{
    plane.app.config = (struct moor_app_config){
        .state_dir = "/nonexistent",
        .cloud_name = "Mooring",
        .tenant_id = PLANE_TENANT,
        .subscription_id = PLANE_SUB,
        .location = "local",
        .base_url = PLANE_BASE,
        .arm_audience = PLANE_BASE "/",
        .service_audience = PLANE_BASE "/mooring-service",
        .his_url = PLANE_BASE "/his",
        .gas_url = PLANE_BASE "/gas",
        .notify_url = PLANE_BASE "/notify",
        .ingestion_url = PLANE_BASE,
        .query_url = PLANE_BASE "/v1",
        .packages_dir = "/nonexistent",
        .lifecycle = MOOR_LIFECYCLE_DEFAULT,
    };
    plane.app.config.lifecycle.heartbeat_s = heartbeat_s;
}

void plane_open(uint32_t heartbeat_s)
{
    struct moor_error err = MOOR_ERROR_INIT;
    size_t count = 0;
    side before = world_enter(SIDE_PLANE);
    memset(&plane, 0, sizeof(plane));
    configure(heartbeat_s);
    plane.app.loop = world_loop(SIDE_PLANE);
    need(moor_pool_new(plane.app.loop, NULL, &plane.app.pool, &err), &err, "pool");
    need(moor_store_open(":memory:", &plane.app.store, &err), &err, "store");
    need(moor_key_generate(MOOR_KEY_RSA_2048, &plane.signing, &err), &err, "key");
    need(moor_key_generate(MOOR_KEY_P256, &plane.app.identity_ca_key, &err), &err, "key");
    make_ca(&err);
    const struct moor_authz_opts authz = { plane.app.store, plane.signing, PLANE_BASE, PLANE_TENANT,
                                           plane.app.config.service_audience };
    need(moor_authz_new(&authz, &plane.app.authz, &err), &err, "authz");
    need(moor_live_new(plane.app.loop, plane.app.store, &plane.app.live, &err), &err, "live");
    moor_live_period(plane.app.live, heartbeat_s);
    moor_live_max_waiters(plane.app.live, 0); /* a wait a minute would be most of the work */
    need(moor_routes_all(&plane.routes, &count, &err), &err, "routes");
    plane.server.loop = plane.app.loop;
    plane.server.opts = (struct moor_http_server_opts){ .routes = plane.routes,
                                                        .route_count = count,
                                                        .ctx = &plane.app,
                                                        .finish = moor_app_finish,
                                                        .refusal = moor_app_refusal };
    plane.server.opts.limits.head_max = HEAD_MAX;
    plane.server.opts.limits.headers_max = 64;
    plane.conn.server = &plane.server;
    add_owner(&err);
    (void)world_enter(before);
}

void plane_close(void)
{
    side before = world_enter(SIDE_PLANE);
    free(plane.routes);
    moor_live_free(plane.app.live);
    moor_authz_free(plane.app.authz);
    moor_pool_free(plane.app.pool);
    moor_cert_free(plane.app.identity_ca);
    moor_key_free(plane.app.identity_ca_key);
    moor_key_free(plane.signing);
    moor_store_free(plane.app.store);
    (void)world_enter(before);
}

static void print_head(const struct plane_request *req, struct moor_buf *out)
{
    moor_buf_fmt(out, "%s %s HTTP/1.1\r\nHost: cp.example:8443\r\n", req->method, req->target);
    if (req->bearer)
        moor_buf_fmt(out, "Authorization: Bearer %s\r\n", req->bearer);
    if (req->content_type)
        moor_buf_fmt(out, "Content-Type: %s\r\n", req->content_type);
    moor_buf_fmt(out, "Content-Length: %llu\r\n\r\n", (unsigned long long)req->body_len);
}

static void dispatch(struct moor_http_exchange *ex, const struct plane_request *req)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(HEAD_MAX);
    MOOR_AUTO(moor_buf) allow = MOOR_BUF(256);
    size_t used = 0;
    moor_refusal why = 0;
    print_head(req, &text);
    if (moor_head_feed(&ex->head, moor_buf_view(&text), &used, &why) != MOOR_HEAD_DONE) {
        moor_exchange_refuse(ex, why);
        return;
    }
    why = moor_target_parse(moor_head_target(&ex->head), &ex->arena, &ex->target);
    if (!why)
        why = moor_route_find(plane.server.opts.routes, plane.server.opts.route_count,
                              moor_http_method(ex), &ex->target, &ex->arena, &ex->match, &allow);
    if (why) {
        moor_exchange_refuse(ex, why);
        return;
    }
    ex->body = (struct moor_buf)MOOR_BUF(1u << 20);
    moor_buf_span(&ex->body, moor_span(req->body, req->body_len));
    ex->body_read = true;
    ex->match.route->handler(&plane.app, ex);
}

static uint32_t retry_after_of(const struct moor_buf *headers)
{
    static const char name[] = "Retry-After: ";
    const char *at = strstr(moor_buf_cstr(headers), name);
    uint32_t seconds = 0;
    if (!at)
        return 0;
    at += strlen(name);
    if (moor_parse_u32(moor_span(at, strcspn(at, "\r")), 0, 86400, &seconds, NULL))
        return 0;
    return seconds * 1000;
}

void plane_call(const struct plane_request *req, struct plane_answer *out)
{
    side before = world_enter(SIDE_PLANE);
    struct moor_http_exchange *ex = moor_exchange_new(&plane.conn);
    MOOR_ASSERT(ex);
    dispatch(ex, req);
    MOOR_ASSERT(ex->status); /* nothing here answers later */
    *out = (struct plane_answer){ .status = ex->status,
                                  .body = plane.body,
                                  .body_len = plane.body_len,
                                  .retry_after_ms = retry_after_of(&ex->headers) };
    (void)snprintf(out->request_id, sizeof(out->request_id), "%s", ex->request_id);
    moor_exchange_free(ex);
    plane.conn.close_after = false;
    (void)world_enter(before);
}

int plane_arm(const char *method, const char *path, const char *body)
{
    side before = world_enter(SIDE_PLANE);
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1u << 20);
    MOOR_AUTO(moor_buf) target = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) token = MOOR_BUF(16u << 10);
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_principal_row owner;
    struct plane_answer answer;
    uint32_t life = 0;
    need(moor_principal_by_object(plane.app.store, OWNER, &arena, &owner, &err), &err, "owner");
    need(moor_authz_issue(plane.app.authz, &owner, PLANE_BASE "/", MOOR_ISSUER_TENANT,
                          plat_utc_ms(), &token, &life, &err),
         &err, "token");
    moor_buf_fmt(&target, "%s?api-version=2024-07-10", path);
    const struct plane_request req = { .method = method,
                                       .target = moor_buf_cstr(&target),
                                       .bearer = moor_buf_cstr(&token),
                                       .content_type = "application/json",
                                       .body = body ? body : "",
                                       .body_len = body ? strlen(body) : 0 };
    plane_call(&req, &answer);
    if (answer.status >= 300)
        printf("# %s %s: %d %s\n", method, path, answer.status, answer.body);
    free(answer.body);
    (void)world_enter(before);
    return answer.status;
}

static bool find_machine(const char *vm_id, struct moor_arena *arena, struct moor_machine *out)
{
    return moor_machine_by_vm_id(plane.app.store, vm_id, arena, out, NULL) == MOOR_OK &&
           !out->deleted_ms;
}

const char *plane_status(const char *vm_id, const char **reason)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(64u << 10);
    struct moor_machine m;
    struct moor_live_status s;
    if (!find_machine(vm_id, &arena, &m))
        return NULL;
    moor_live_status(plane.app.live, vm_id, world_now(), &s);
    *reason = s.status_reason ? s.status_reason : "";
    return s.status;
}

bool plane_forked(const char *vm_id)
{
    return moor_live_forked(plane.app.live, vm_id, world_now());
}

void plane_revoke(const char *vm_id)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(64u << 10);
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_machine m;
    if (!find_machine(vm_id, &arena, &m))
        return;
    need(moor_credential_delete_all(plane.app.store, m.principal_id, &err), &err, "revoke");
}

void plane_disable(const char *vm_id, bool disabled)
{
    struct moor_error err = MOOR_ERROR_INIT;
    need(moor_machine_disable(plane.app.store, vm_id, disabled, &err), &err, "disable");
}

struct moor_lifecycle *plane_rules(void)
{
    return &plane.app.config.lifecycle;
}
