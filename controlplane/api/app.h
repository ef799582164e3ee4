/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app.h: what every route of the control plane shares.
 *
 * A file of api/ exports one table and its count, listed in api/routes.c:
 *
 *   static const struct moor_endpoint heartbeat = { MOOR_AUD_SERVICE, on_heartbeat };
 *   const struct moor_http_route moor_his_routes[] = {
 *       MOOR_ROUTE("POST", "/his/machines/{vmId}/heartbeat", heartbeat, 4096),
 *   };
 *   const size_t moor_his_route_count = MOOR_COUNTOF(moor_his_routes);
 *
 * moor_call_dispatch() (api/call.c) authenticates by the endpoint's audience before the handler
 * runs, so a route cannot forget it: an endpoint without audience admits nobody. For SERVICE it
 * also compares {vmId} with the caller's machine (404 MachineNotFound otherwise); for ARM it checks
 * api-version and, when the endpoint names an action, the right to it on the path.
 */
#ifndef MOOR_API_APP_H
#define MOOR_API_APP_H

#include <stdint.h>

#include "authz/authz.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/secret.h"
#include "crypto/cert.h"
#include "crypto/key.h"
#include "engine/ingest.h"
#include "engine/lifecycle.h"
#include "engine/placement.h"
#include "http/server.h"
#include "run/loop.h"
#include "run/pool.h"
#include "store/store.h"

struct moor_live;   /* engine/: heartbeats in memory, waiters */
struct moor_quotas; /* engine/: what data collection rules may take in a minute */

/* Fixed by init and the command line; strings live as long as the app. */
struct moor_app_config {
    const char *state_dir;
    const char *cloud_name; /* "Mooring" */
    const char *tenant_id;
    const char *subscription_id;
    const char *location;                       /* default location: "local" */
    const char *base_url;                       /* "https://host:port", no slash at the end */
    const char *arm_audience;                   /* base_url + "/" */
    const char *service_audience;               /* base_url + "/mooring-service" */
    const char *his_url, *gas_url, *notify_url; /* base_url + "/his" ... */
    const char *ingestion_url;                  /* base_url */
    const char *query_url;                      /* base_url + "/v1" */
    const char *packages_dir;                   /* state_dir + "/packages" */
    struct moor_lifecycle lifecycle;            /* of machines' identities */
    struct moor_placement placement;            /* where they belong, what they must run */
};

struct moor_app {
    struct moor_loop *loop;
    struct moor_pool *pool;
    struct moor_store *store;
    struct moor_authz *authz;
    struct moor_live *live;
    struct moor_quotas *quotas;
    struct moor_app_config config;
    struct moor_quota failures;    /* reported by machines that could not be onboarded */
    struct moor_cert *identity_ca; /* issues machines' certificates */
    struct moor_key *identity_ca_key;
    struct moor_cert *gallery_cert; /* signs packages: EKU codeSigning */
    struct moor_key *gallery_key;
    struct moor_secret sealing_key; /* 32 bytes */
};

/* One request on its way; lives as long as the exchange, in its arena. */
struct moor_call {
    struct moor_app *app;
    struct moor_http_exchange *ex;
    struct moor_arena *arena;
    struct moor_principal caller; /* nobody on public routes */
    const char *api_version;      /* "" when not given */
    int64_t now_ms;               /* wall clock at the start */
};

struct moor_endpoint {
    moor_audience audience;
    void (*handle)(struct moor_call *c); /* answers now or later, exactly once */
    const char *action;                  /* ARM: checked on the path; NULL = the handler checks */
};
#define MOOR_ROUTE(method_, pattern_, endpoint_, body_max_)                                        \
    {                                                                                              \
        .method = (method_), .pattern = (pattern_), .handler = moor_call_dispatch,                 \
        .body_max = (body_max_), .tag = &(endpoint_)                                               \
    }
void moor_call_dispatch(void *app, struct moor_http_exchange *ex);

/* The server's hooks: headers for every answer, the body of its own refusals. */
void moor_app_finish(void *ctx, struct moor_http_exchange *ex);
void moor_app_refusal(void *ctx, int status, const char *code, const char *message,
                      struct moor_buf *body);
void moor_error_body(struct moor_buf *b, const char *code, const char *message);

/* api/routes.c: all tables in one, freed by the caller of moor_http_server_free. */
MOOR_NODISCARD moor_code moor_routes_all(struct moor_http_route **routes, size_t *count,
                                         struct moor_error *err);

/* Answers. An error's http and service_code are used when set, else its code decides: BADINPUT 400,
 * NOTFOUND 404, EXISTS 409, DENIED 403, THROTTLED 429, TRANSIENT 503, else 500 (logged, text
 * withheld). */
void moor_call_json(struct moor_call *c, int status, const struct moor_json *body);
void moor_call_empty(struct moor_call *c, int status);
MOOR_PRINTF(4, 5)
void moor_call_error(struct moor_call *c, int status, const char *code, const char *fmt, ...);
void moor_call_fail(struct moor_call *c, const struct moor_error *err);
/* 503: who is unknown may be younger than the backup that is being restored (engine/restore.h). */
void moor_call_restoring(struct moor_call *c);
/* The body as JSON, or answers 400 InvalidRequestContent and returns NULL. Free it. */
MOOR_NODISCARD struct moor_json *moor_call_body(struct moor_call *c);
/* The right to an action on a scope, or answers 403 AuthorizationFailed and returns false. */
MOOR_NODISCARD bool moor_call_may(struct moor_call *c, const char *action, const char *scope);
/* The api-version is one that the action's resource type has, or answers 400 and returns false.
 * Done by the dispatcher for endpoints that name an action; lists that filter do it themselves. */
MOOR_NODISCARD bool moor_call_serves(struct moor_call *c, const char *action);
/* A text in the call's arena; "" when it is full. */
MOOR_PRINTF(2, 3) const char *moor_call_fmt(struct moor_call *c, const char *fmt, ...);

#endif
