/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/admin.h"

#include <stdlib.h>

#include "base/jsontab.h"
#include "crypto/key.h"
#include "http/server.h"
#include "identity/door.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "run/log.h"

struct moor_admin {
    struct moor_identity *identity;
    struct moor_http_server *server;
};

struct begin_request {
    const char *vm_id, *resource_id;
    int store;               /* where the key is to be: of store_names */
    const char *client_id;   /* of the application that the machine is to be */
    const char *private_key; /* PEM; NULL: the machine's own key proves */
};
enum { STORE_DEFAULT, STORE_TPM };

/* One connect request that is being answered. */
struct pending {
    struct moor_admin *admin;
    struct moor_http_exchange *ex;
    struct begin_request begin;
};

/* The tag of a route that needs no right: one that is forgotten is the administrator's. */
static const char for_everybody = 'e';

static bool gate(void *ctx, struct moor_http_exchange *ex)
{
    (void)ctx;
    if (moor_http_tag(ex) == &for_everybody || moor_door_is_admin(ex))
        return true;
    moor_http_refuse(ex, 403, moor_code_name(MOOR_E_DENIED), "only the administrator may do this");
    return false;
}

static void get_status(void *ctx, struct moor_http_exchange *ex)
{
    const struct moor_admin *a = ctx;
    MOOR_AUTOPTR(moor_json) v = moor_identity_status(a->identity);
    moor_http_reply_json(ex, 200, v);
}

static void on_gone(void *ctx)
{
    struct pending *p = ctx;
    moor_identity_forget_caller(p->admin->identity);
}

static struct pending *new_pending(struct moor_admin *a, struct moor_http_exchange *ex)
{
    struct pending *p = moor_arena_alloc(moor_http_arena(ex), sizeof(*p));
    if (p)
        *p = (struct pending){ .admin = a, .ex = ex };
    else
        moor_http_refuse(ex, 503, moor_code_name(MOOR_E_NOMEM), "out of memory");
    return p;
}

static const char *const store_names[] = { "default", "tpm", NULL };
static const struct moor_json_field begin_fields[] = {
    { MOOR_F_UUID, "vmId", offsetof(struct begin_request, vm_id), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_STR, "resourceId", offsetof(struct begin_request, resource_id), MOOR_F_REQUIRED, 1,
      512, NULL },
    { MOOR_F_ENUM, "keyStore", offsetof(struct begin_request, store), 0, 0, 0, store_names },
    { MOOR_F_UUID, "clientId", offsetof(struct begin_request, client_id), 0, 0, 0, NULL },
    { MOOR_F_STR, "privateKey", offsetof(struct begin_request, private_key), 0, 1, 8192, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape begin_shape = { sizeof(struct begin_request), begin_fields, 0 };

static void on_begun(void *ctx, const char *public_key, const struct moor_error *err)
{
    struct pending *p = ctx;
    if (err->code) {
        moor_door_refuse(p->ex, err);
        return;
    }
    MOOR_AUTOPTR(moor_json) v = moor_json_new_object();
    moor_json_set_str(v, "clientPublicKey", public_key);
    moor_json_set_str(v, "vmId", p->begin.vm_id);
    moor_http_reply_json(p->ex, 200, v);
}

/* The key made elsewhere, when there is one; its text is wiped. */
static moor_code read_given(struct begin_request *asked, struct moor_key **out,
                            struct moor_error *err)
{
    if (!asked->private_key)
        return MOOR_OK;
    struct moor_span pem = moor_span_str(asked->private_key);
    moor_code c = moor_key_from_pem(pem, out, err);
    moor_wipe((char *)(uintptr_t)asked->private_key, pem.n);
    return c;
}

static void post_begin(void *ctx, struct moor_http_exchange *ex)
{
    struct moor_admin *a = ctx;
    struct moor_error err = MOOR_ERROR_INIT;
    struct pending *p = new_pending(a, ex);
    if (!p)
        return;
    struct begin_request *asked = &p->begin;
    MOOR_AUTOPTR(moor_key) given = NULL;
    moor_code c = moor_json_decode(moor_http_body(ex), "connect request", &begin_shape, asked,
                                   moor_http_arena(ex), &err);
    if (!c)
        c = read_given(asked, &given, &err);
    if (!c)
        moor_http_on_gone(ex, on_gone, p);
    if (!c)
        c = moor_identity_begin(a->identity,
                                &(struct moor_identity_begin){ asked->vm_id, asked->resource_id,
                                                               asked->store == STORE_TPM,
                                                               asked->client_id, given },
                                on_begun, p, &err);
    if (!c)
        return;
    moor_http_on_gone(ex, NULL, NULL);
    moor_door_refuse(ex, &err);
}

static void on_finished(void *ctx, const struct moor_error *err)
{
    struct pending *p = ctx;
    if (err->code) {
        moor_door_refuse(p->ex, err);
        return;
    }
    MOOR_AUTOPTR(moor_json) v = moor_identity_status(p->admin->identity);
    moor_http_reply_json(p->ex, 200, v);
}

static void post_finish(void *ctx, struct moor_http_exchange *ex)
{
    struct moor_admin *a = ctx;
    struct moor_error err = MOOR_ERROR_INIT;
    struct pending *p = new_pending(a, ex);
    if (!p)
        return;
    moor_http_on_gone(ex, on_gone, p);
    if (!moor_identity_finish(a->identity, on_finished, p, &err))
        return;
    moor_http_on_gone(ex, NULL, NULL);
    moor_door_refuse(ex, &err);
}

static void post_disconnect(void *ctx, struct moor_http_exchange *ex)
{
    struct moor_admin *a = ctx;
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_identity_disconnect(a->identity, &err)) {
        moor_log_error(MOOR_LOG_ERROR, "disconnect.failed", &err, NULL);
        moor_door_refuse(ex, &err);
        return;
    }
    moor_http_reply(ex, 200, "application/json", MOOR_SPAN_LIT("{}"));
}

const struct moor_http_route moor_admin_routes[] = {
    { .method = "GET", .pattern = "/status", .handler = get_status, .tag = &for_everybody },
    { .method = "POST", .pattern = "/connect/begin", .handler = post_begin },
    { .method = "POST", .pattern = "/connect/finish", .handler = post_finish },
    { .method = "POST", .pattern = "/disconnect", .handler = post_disconnect },
};
const size_t moor_admin_route_count = MOOR_COUNTOF(moor_admin_routes);

moor_code moor_admin_new(struct moor_loop *l, struct moor_identity *i, struct moor_admin **out,
                         struct moor_error *err)
{
    MOOR_AUTOPTR(moor_admin) a = calloc(1, sizeof(*a));
    MOOR_AUTOSTR path = NULL;
    if (!a)
        return moor_fail(err, MOOR_E_NOMEM, "himds.sock: out of memory");
    a->identity = i;
    const struct moor_http_server_opts opts = {
        .limits = { .body_max = 16384, .connections_max = 64, .connections_per_peer = 16 },
        .routes = moor_admin_routes,
        .route_count = MOOR_COUNTOF(moor_admin_routes),
        .ctx = a,
        .gate = gate,
    };
    moor_code c = moor_http_server_new(l, &opts, &a->server, err);
    if (!c)
        c = plat_make_dirs(plat_dir_path(PLAT_DIR_SOCKS), PLAT_WORLD_READ, err);
    if (!c)
        c = plat_path(PLAT_DIR_SOCKS, &path, err, "himds.sock");
    if (!c)
        c = moor_door_listen(a->server, "himds", path, 0666, err);
    if (!c)
        *out = MOOR_TAKE(a);
    return c;
}

void moor_admin_free(struct moor_admin *a)
{
    if (!a)
        return;
    moor_http_server_free(a->server);
    free(a);
}
