/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/lifetime/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"
#include "identity/hostcloud.h"
#include "platform/clock.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "platform/host.h"
#include "run/pool.h"
#include "unit/lifetime/plane.h"

#define LOCAL_AUDIENCE "https://vault.example"

static const char *const url_parts[NODE_CALLS] = {
    [NODE_BEAT] = "/heartbeat",
    [NODE_CERTIFICATE] = "/certificate",
    [NODE_SIGN_IN] = "/oauth2/",
    [NODE_OTHER] = "",
};

static void need(moor_code c, const struct moor_error *err, const char *what)
{
    if (!c)
        return;
    printf("# node: %s: %s\n", what, err->msg);
    exit(1);
}

/* ---- hardware (linked in the place of plat_host_read) ---- */

void __real_plat_host_read(struct plat_host *out);
void __wrap_plat_host_read(struct plat_host *out);

/* Looking at the real host once an hour for 400 days is most of the time otherwise. */
void __wrap_plat_host_read(struct plat_host *out)
{
    static struct plat_host seen;
    if (!seen.os_type[0])
        __real_plat_host_read(&seen);
    *out = seen;
    (void)snprintf(out->machine_id, sizeof(out->machine_id), "%032d", (int)world_side());
    (void)snprintf(out->smbios_uuid, sizeof(out->smbios_uuid), "0000000%d-1111", (int)world_side());
    (void)snprintf(out->macs[0], sizeof(out->macs[0]), "52:54:00:00:00:0%d", (int)world_side());
    out->mac_count = 1;
}

/* ---- network ---- */

struct moor_http_call {
    struct moor_http_call *next;
    moor_http_done_fn done;
    void *ctx;
    node_call kind;
    struct plane_answer answer; /* status 0: none came */
};

static node_call kind_of(const char *url)
{
    node_call k = 0;
    while (!strstr(url, url_parts[k]))
        k++;
    return k;
}

static bool tls_succeeds(const struct node *n)
{
    int64_t now = plat_utc_ms();
    return !n->tls_until_ms || (now >= n->tls_from_ms && now < n->tls_until_ms);
}

static moor_code node_send(struct moor_http_transport *t, const struct moor_http_request *req,
                           moor_http_done_fn done, void *ctx, struct moor_http_call **out,
                           struct moor_error *err)
{
    struct node *n = (struct node *)(void *)t;
    struct moor_http_call *c = calloc(1, sizeof(*c));
    if (!c)
        return moor_fail(err, MOOR_E_NOMEM, "call: out of memory");
    *c = (struct moor_http_call){ .done = done, .ctx = ctx, .kind = kind_of(req->url) };
    n->sent[c->kind]++;
    if (!n->cut && tls_succeeds(n)) {
        const struct plane_request r = {
            .method = req->method,
            .target = req->url + strlen(PLANE_BASE),
            .bearer = req->bearer ? moor_secret_reveal(req->bearer).p : NULL,
            .content_type = req->content_type ? req->content_type : "application/json",
            .body = req->body.p,
            .body_len = req->body.n,
        };
        plane_call(&r, &c->answer);
    }
    struct moor_http_call **last = &n->calls;
    while (*last)
        last = &(*last)->next;
    *last = c;
    moor_timer_arm(n->timer, 0);
    *out = c;
    return MOOR_OK;
}

static void node_cancel(struct moor_http_transport *t, struct moor_http_call *c)
{
    struct node *n = (struct node *)(void *)t;
    struct moor_http_call **p = &n->calls;
    while (*p != c)
        p = &(*p)->next;
    *p = c->next;
    free(c->answer.body);
    free(c);
}

static void bring_answers(void *ctx)
{
    struct node *n = ctx;
    while (n->calls) {
        struct moor_http_call *c = n->calls;
        struct moor_error err = MOOR_ERROR_INIT;
        struct moor_http_response r = { .status = c->answer.status,
                                        .body = moor_span(c->answer.body, c->answer.body_len),
                                        .retry_after_ms = c->answer.retry_after_ms };
        n->calls = c->next;
        memcpy(r.request_id, c->answer.request_id, sizeof(r.request_id));
        if (!r.status)
            err.code = moor_fail(&err, MOOR_E_TRANSIENT, "the network is down");
        if (r.status == 200)
            n->answered[c->kind]++;
        c->done(c->ctx, r.status ? &r : NULL, &err);
        free(c->answer.body);
        free(c);
    }
}

/* ---- the machine ---- */

static void on_change(void *ctx)
{
    (void)ctx;
}

static void start(struct node *n)
{
    static const struct moor_host_cloud none = { .provider = "" };
    struct moor_error err = MOOR_ERROR_INIT;
    const struct moor_registration_opts opts = {
        .loop = world_loop(n->side),
        .pool = n->pool,
        .http = &n->http,
        .config = &n->config,
        .cloud = &n->cloud,
        .settings = &n->settings,
        .keys = &n->keys,
        .tokens = n->tokens,
        .guest_of = &none,
        .changed = on_change,
        .ctx = n,
    };
    moor_tokens_load(n->tokens, &n->keys);
    need(moor_registration_new(&opts, &n->reg, &err), &err, "registration");
}

static void make(struct node *n, side s)
{
    static const char *const suffixes[] = { "cp.example" };
    struct moor_error err = MOOR_ERROR_INIT;
    *n = (struct node){ .http = { node_send, node_cancel }, .side = s };
    n->keys = (struct moor_keystore)MOOR_KEYSTORE_INIT;
    n->config = (struct moor_agentconfig){ .cloud = "Test",
                                           .tenant_id = PLANE_TENANT,
                                           .location = "local",
                                           .resource_id = NODE_ID,
                                           .vm_id = NODE_VM_ID };
    n->cloud = (struct moor_cloud){ .name = "Test",
                                    .resource_manager = PLANE_BASE,
                                    .login_endpoint = PLANE_BASE,
                                    .token_endpoint = PLANE_BASE "/{tenant}/oauth2/v2.0/token",
                                    .his_endpoint = PLANE_BASE "/his",
                                    .service_audience = PLANE_BASE "/mooring-service",
                                    .host_suffixes = { suffixes, 1 } };
    need(moor_timer_new(world_loop(s), bring_answers, n, &n->timer, &err), &err, "timer");
    need(moor_pool_new(world_loop(s), NULL, &n->pool, &err), &err, "pool");
    need(moor_tokens_new(world_loop(s), &n->tokens, &err), &err, "tokens");
}

static void register_key(const struct moor_key *key)
{
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTO(moor_buf) text = MOOR_BUF(1024);
    MOOR_AUTO(moor_buf) body = MOOR_BUF(4096);
    need(moor_key_public_pkcs1(key, &text, &err), &err, "public key");
    moor_buf_fmt(&body,
                 "{\"location\":\"local\",\"properties\":{\"vmId\":\"" NODE_VM_ID "\","
                 "\"clientPublicKey\":\"%s\"}}",
                 moor_buf_cstr(&text));
    (void)plane_arm("PUT", NODE_GROUP, "{\"location\":\"local\"}");
    (void)plane_arm("PUT", NODE_ID, moor_buf_cstr(&body));
}

void node_connect(struct node *n, side s)
{
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_key *key = NULL;
    side before = world_enter(s);
    make(n, s);
    need(moor_key_generate(MOOR_KEY_RSA_2048, &key, &err), &err, "key");
    register_key(key);
    need(moor_keystore_create(&n->keys, key, NODE_VM_ID, NODE_ID, &err), &err, "key store");
    start(n);
    (void)world_enter(before);
}

struct copy {
    side from, to;
};

static bool copy_file(void *ctx, const char *name, const struct plat_stat *st)
{
    const struct copy *c = ctx;
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTO(moor_buf) bytes = MOOR_BUF_SECRET(65536);
    MOOR_AUTOSTR from = NULL;
    MOOR_AUTOSTR to = NULL;
    (void)st;
    (void)world_enter(c->from);
    need(plat_path(PLAT_DIR_CERTS, &from, &err, "%s", name), &err, name);
    need(plat_read_all(from, 65536, &bytes, &err), &err, name);
    (void)world_enter(c->to);
    need(plat_path(PLAT_DIR_CERTS, &to, &err, "%s", name), &err, name);
    need(plat_write_atomic(to, moor_buf_view(&bytes), PLAT_OWNER_ONLY, &err), &err, name);
    return true;
}

void node_copy(struct node *n, side s, const struct node *from)
{
    struct copy c = { from->side, s };
    struct moor_error err = MOOR_ERROR_INIT;
    side before = world_enter(s);
    make(n, s);
    need(plat_make_dirs(plat_dir_path(PLAT_DIR_CERTS), PLAT_OWNER_ONLY, &err), &err, "certs");
    (void)world_enter(from->side);
    need(plat_list_dir(plat_dir_path(PLAT_DIR_CERTS), copy_file, &c, &err), &err, "copy");
    (void)world_enter(s);
    need(moor_keystore_load(&n->keys, &err), &err, "key store");
    start(n);
    (void)world_enter(before);
}

void node_close(struct node *n)
{
    side before = world_enter(n->side);
    moor_registration_free(n->reg);
    moor_tokens_free(n->tokens);
    moor_pool_free(n->pool);
    moor_keystore_drop(&n->keys);
    moor_timer_free(n->timer);
    (void)world_enter(before);
}

void node_restart(struct node *n)
{
    struct moor_error err = MOOR_ERROR_INIT;
    side before = world_enter(n->side);
    moor_registration_free(n->reg);
    n->reg = NULL;
    need(moor_keystore_load(&n->keys, &err), &err, "key store");
    start(n);
    (void)world_enter(before);
}

static void on_token(void *ctx, const struct moor_token *token, const struct moor_error *err)
{
    (void)err;
    *(bool *)ctx = token != NULL;
}

bool node_has_token(struct node *n)
{
    static bool got;
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_token_wait *wait = NULL;
    side before = world_enter(n->side);
    got = false;
    if (node_state(n)->standing == MOOR_STANDING_GOOD &&
        moor_tokens_get(n->tokens, LOCAL_AUDIENCE, false, on_token, &got, &wait, &err) == MOOR_OK &&
        wait)
        world_run_until(world_now());
    (void)world_enter(before);
    return got;
}

const char *node_status(const struct node *n)
{
    side before = world_enter(n->side);
    const char *status = moor_registration_status(n->reg);
    (void)world_enter(before);
    return status;
}

const struct moor_registration_state *node_state(const struct node *n)
{
    return moor_registration_state(n->reg);
}
