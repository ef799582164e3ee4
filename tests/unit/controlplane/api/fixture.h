/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.h: a control plane's API on a private Unix socket, with a client to call it. */
#ifndef MOOR_TESTS_API_FIXTURE_H
#define MOOR_TESTS_API_FIXTURE_H

#include "api/app.h"
#include "http/client.h"
#include "store/resources.h"

#define FIX_TENANT  "11111111-1111-4111-8111-111111111111"
#define FIX_SUB     "22222222-2222-4222-8222-222222222222"
#define FIX_OWNER   "33333333-3333-4333-8333-333333333333"
#define FIX_READER  "44444444-4444-4444-8444-444444444444"
#define FIX_BASE    "https://cp.example:8443"
#define FIX_GROUP   "/subscriptions/" FIX_SUB "/resourceGroups/rg"
#define FIX_MACHINE FIX_GROUP "/providers/Microsoft.HybridCompute/machines/m1"

struct fixture {
    struct moor_app app;
    struct moor_http_server *server;
    struct moor_http_client *client;
    struct moor_http_route *routes;
    size_t route_count;
    struct moor_key *signing;
    struct moor_arena arena;
    const char *dir, *socket;
    const char *owner, *reader; /* tokens for ARM */
    /* the last answer */
    int status;
    struct moor_json *body;
    const char *location, *async, *challenge, *retry_after;
};

/* Exits when it cannot be made. */
void fixture_make(struct fixture *f);
void fixture_drop(struct fixture *f);

/* A token of the principal for a resource. */
const char *fixture_token(struct fixture *f, const char *object_id, const char *resource);

/* One request; token NULL = none; body NULL = none. The answer is in f. Returns its status. */
int fixture_call(struct fixture *f, const char *token, const char *method, const char *target,
                 const char *body);

/* FIX_GROUP with FIX_MACHINE, which has a key. */
void fixture_machine(struct fixture *f, const char *vm_id);
/* What follows FIX_BASE in an URL of the API's; in the arena. */
const char *fixture_path(struct fixture *f, const char *url);

/* Text at a dotted path of the answer, "" when there is none. */
const char *fixture_text(const struct fixture *f, const char *dotted);

#endif
