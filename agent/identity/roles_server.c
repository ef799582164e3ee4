/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/roles_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsontab.h"
#include "http/server.h"
#include "identity/door.h"
#include "identity/token_exchange.h"
#include "platform/account.h"
#include "platform/clock.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "platform/random.h"
#include "run/loop.h"

#define LOGS_USER   "mooring-logs"
#define WAIT_MS     900000 /* nothing stands between the two that would forget a connection */
#define WAITERS_MAX 32
#define STATE_LEN   40
#define HASH_MAX    64

struct waiter {
    struct waiter *next, **link;
    struct moor_roles_server *server;
    struct moor_http_exchange *ex;
    uint64_t until_ms;
};

struct moor_roles_server {
    struct moor_loop *loop;
    struct moor_identity *identity;
    struct moor_http_server *server;
    struct moor_timer *timer;
    struct waiter *waiters; /* newest first */
    unsigned waiter_count;

    /* What was last told, and under which name. The name starts with a number of this process, so
     * that a restart is news to everybody. */
    uint32_t instance;
    uint64_t version;
    char revision[65];
    bool report_wanted, connected;
};

static void state_name(const struct moor_roles_server *s, char out[STATE_LEN])
{
    (void)snprintf(out, STATE_LEN, "%08x.%llu", (unsigned)s->instance,
                   (unsigned long long)s->version);
}

static void reply_state(const struct moor_roles_server *s, struct moor_http_exchange *ex)
{
    char name[STATE_LEN];
    state_name(s, name);
    MOOR_AUTOPTR(moor_json) v = moor_json_new_object();
    moor_json_set_str(v, "state", name);
    moor_json_set_str(v, "revision", s->revision);
    moor_json_set_bool(v, "reportWanted", s->report_wanted);
    moor_json_set_bool(v, "connected", s->connected);
    moor_http_reply_json(ex, 200, v);
}

/* ---- who may ---- */

static bool is_logs_user(const struct moor_http_exchange *ex)
{
    uint32_t uid = 0;
    return plat_find_user(LOGS_USER, &uid, NULL) == MOOR_OK && moor_http_peer(ex)->uid == uid;
}

static bool gate(void *ctx, struct moor_http_exchange *ex)
{
    (void)ctx;
    if (moor_door_is_admin(ex) || is_logs_user(ex))
        return true;
    moor_http_refuse(ex, 403, moor_code_name(MOOR_E_DENIED), "this socket is for Mooring's roles");
    return false;
}

/* ---- GET /token ---- */

static void answer_token(struct moor_http_exchange *ex, void *user, const struct moor_token *token,
                         const struct moor_error *err)
{
    (void)user;
    if (!token) {
        moor_door_refuse(ex, err);
        return;
    }
    MOOR_AUTO(moor_buf) b = MOOR_BUF_SECRET(32768);
    moor_buf_str(&b, "{\"access_token\":");
    moor_buf_json_str(&b, moor_secret_reveal(token->value));
    moor_buf_fmt(&b, ",\"expires_on\":%lld}", (long long)(token->expires_ms / 1000));
    moor_http_reply(ex, 200, "application/json", moor_buf_view(&b));
}

static void get_token(void *ctx, struct moor_http_exchange *ex)
{
    struct moor_roles_server *s = ctx;
    const struct moor_cloud *cloud = moor_identity_cloud(s->identity);
    const char *resource = moor_http_query(ex, "resource");
    if (!cloud) {
        moor_http_refuse(ex, 503, moor_code_name(MOOR_E_UNSUPPORTED),
                         "this machine is not connected");
        return;
    }
    bool ingestion = moor_streq(resource, moor_cloud_ingestion_audience(cloud));
    bool service = cloud->service_audience && moor_streq(resource, cloud->service_audience);
    if (!ingestion && !(service && moor_door_is_admin(ex))) {
        moor_http_refuse(ex, 403, moor_code_name(MOOR_E_DENIED),
                         "this role gets no token for this audience");
        return;
    }
    const char *fresh = moor_http_query(ex, "fresh");
    const struct moor_token_exchange how = {
        .identity = s->identity,
        .audience = resource,
        .fresh = fresh && moor_streq(fresh, "true"),
        .answer = answer_token,
    };
    moor_token_exchange_start(ex, &how);
}

/* ---- GET /state ---- */

static void unlink_waiter(struct waiter *w)
{
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    w->server->waiter_count--;
}

static void arm(struct moor_roles_server *s)
{
    uint64_t first = 0;
    for (const struct waiter *w = s->waiters; w; w = w->next)
        if (!first || w->until_ms < first)
            first = w->until_ms;
    uint64_t now = plat_mono_ms();
    if (first)
        moor_timer_arm(s->timer, first > now ? first - now : 0);
    else
        moor_timer_disarm(s->timer);
}

/* Answers those whose time is up; all of them when the news is for all. */
static void answer_waiters(struct moor_roles_server *s, bool all)
{
    uint64_t now = plat_mono_ms();
    struct waiter *next = NULL;
    for (struct waiter *w = s->waiters; w; w = next) {
        next = w->next;
        if (!all && w->until_ms > now)
            continue;
        unlink_waiter(w);
        reply_state(s, w->ex); /* w may be gone with the exchange */
    }
    arm(s);
}

static void on_timer(void *ctx)
{
    answer_waiters(ctx, false);
}

static void on_gone(void *ctx)
{
    struct waiter *w = ctx;
    unlink_waiter(w);
    arm(w->server);
}

static void get_state(void *ctx, struct moor_http_exchange *ex)
{
    struct moor_roles_server *s = ctx;
    char name[STATE_LEN];
    const char *after = moor_http_query(ex, "after");
    state_name(s, name);
    if (!after || !moor_streq(after, name)) {
        reply_state(s, ex);
        return;
    }
    struct waiter *w =
        s->waiter_count < WAITERS_MAX ? moor_arena_alloc(moor_http_arena(ex), sizeof(*w)) : NULL;
    if (!w) {
        moor_http_refuse(ex, 503, moor_code_name(MOOR_E_NOMEM), "too many callers wait");
        return;
    }
    *w = (struct waiter){ s->waiters, &s->waiters, s, ex, plat_mono_ms() + WAIT_MS };
    if (s->waiters)
        s->waiters->link = &w->next;
    s->waiters = w;
    s->waiter_count++;
    moor_http_on_gone(ex, on_gone, w);
    arm(s);
}

void moor_roles_server_changed(struct moor_roles_server *s)
{
    const char *revision = moor_identity_revision(s->identity);
    bool wanted = moor_identity_report_wanted(s->identity);
    bool connected = moor_identity_connected(s->identity);
    if (moor_streq(revision, s->revision) && wanted == s->report_wanted &&
        connected == s->connected)
        return;
    (void)snprintf(s->revision, sizeof(s->revision), "%s", revision);
    s->report_wanted = wanted;
    s->connected = connected;
    s->version++;
    answer_waiters(s, true);
}

/* ---- PUT /hashes ---- */

struct hashes {
    const char *settings, *report, *tags;
};
static const struct moor_json_field hash_fields[] = {
    { MOOR_F_STR, "settingsHash", offsetof(struct hashes, settings), 0, 0, HASH_MAX, NULL },
    { MOOR_F_STR, "reportHash", offsetof(struct hashes, report), 0, 0, HASH_MAX, NULL },
    { MOOR_F_OBJ_JSON, "tags", offsetof(struct hashes, tags), 0, 0, 0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape hash_shape = { sizeof(struct hashes), hash_fields, 0 };

static void put_hashes(void *ctx, struct moor_http_exchange *ex)
{
    struct moor_roles_server *s = ctx;
    struct moor_error err = MOOR_ERROR_INIT;
    struct hashes h = { NULL, NULL, NULL };
    if (!moor_door_is_admin(ex)) {
        moor_http_refuse(ex, 403, moor_code_name(MOOR_E_DENIED), "for the extensions role only");
        return;
    }
    MOOR_AUTOPTR(moor_json) tags = NULL;
    moor_code c =
        moor_json_decode(moor_http_body(ex), "hashes", &hash_shape, &h, moor_http_arena(ex), &err);
    if (!c && h.tags)
        c = moor_json_parse(moor_span_str(h.tags), &tags, &err);
    if (c) {
        moor_door_refuse(ex, &err);
        return;
    }
    if (tags)
        moor_identity_set_tags(s->identity, tags);
    moor_http_reply(ex, 200, "application/json", MOOR_SPAN_LIT("{}"));
    moor_identity_hashes(s->identity, h.settings, h.report);
}

const struct moor_http_route moor_roles_routes[] = {
    { .method = "GET", .pattern = "/token", .handler = get_token },
    { .method = "GET", .pattern = "/state", .handler = get_state },
    { .method = "PUT", .pattern = "/hashes", .handler = put_hashes },
};
const size_t moor_roles_route_count = MOOR_COUNTOF(moor_roles_routes);

static moor_code open_door(struct moor_roles_server *s, struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    const struct moor_http_server_opts opts = {
        .limits = { .body_max = 32768, .connections_max = 64, .connections_per_peer = 32 },
        .routes = moor_roles_routes,
        .route_count = MOOR_COUNTOF(moor_roles_routes),
        .ctx = s,
        .gate = gate,
    };
    moor_code c = moor_http_server_new(s->loop, &opts, &s->server, err);
    if (!c)
        c = plat_path(PLAT_DIR_RUN, &path, err, "roles.sock");
    return c ? c : moor_door_listen(s->server, "roles", path, 0666, err);
}

moor_code moor_roles_server_new(struct moor_loop *l, struct moor_identity *i,
                                struct moor_roles_server **out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_roles_server) s = calloc(1, sizeof(*s));
    if (!s)
        return moor_fail(err, MOOR_E_NOMEM, "roles.sock: out of memory");
    s->loop = l;
    s->identity = i;
    plat_random(&s->instance, sizeof(s->instance));
    moor_code c = moor_timer_new(l, on_timer, s, &s->timer, err);
    if (!c)
        c = open_door(s, err);
    if (c)
        return c;
    moor_roles_server_changed(s);
    *out = MOOR_TAKE(s);
    return MOOR_OK;
}

void moor_roles_server_free(struct moor_roles_server *s)
{
    if (!s)
        return;
    moor_http_server_free(s->server); /* every waiter hears that it is gone */
    moor_timer_free(s->timer);
    free(s);
}
