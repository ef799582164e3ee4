/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.h: one machine with the agent's real registration, key store and tokens, on a side of the
 * world of its own. Its network is plane_call(), unless it is cut.
 */
#ifndef MOOR_TESTS_NODE_H
#define MOOR_TESTS_NODE_H

#include "http/transport.h"
#include "identity/keystore.h"
#include "identity/registration.h"
#include "identity/tokens.h"
#include "unit/lifetime/world.h"

/* Its renewals are 8 h after the half of a certificate's life: in the middle of a day. */
#define NODE_VM_ID "8a1f5d0e-2f5c-4c52-9e38-0d8b8a5c9f08"
#define NODE_GROUP "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/rg"
#define NODE_ID    NODE_GROUP "/providers/Microsoft.HybridCompute/machines/web01"

typedef enum node_call {
    NODE_BEAT,
    NODE_CERTIFICATE,
    NODE_SIGN_IN,
    NODE_OTHER,
    NODE_CALLS
} node_call;

struct node {
    struct moor_http_transport http; /* first: the functions get the node back from it */
    side side;
    bool cut; /* nothing it sends arrives */
    /* Within these TLS succeeds, by the node's own clock; 0 = always. */
    int64_t tls_from_ms, tls_until_ms;
    struct moor_http_call *calls;
    struct moor_timer *timer; /* brings the answers */
    struct moor_keystore keys;
    struct moor_tokens *tokens;
    struct moor_pool *pool;
    struct moor_agentconfig config;
    struct moor_cloud cloud;
    struct moor_settings settings;
    struct moor_registration *reg;
    unsigned sent[NODE_CALLS];     /* tried, also in vain */
    unsigned answered[NODE_CALLS]; /* with 200 */
};

/* Resource group, key, resource, first certificate and beat. */
void node_connect(struct node *n, side s);
/* The certs folder of another node as it is now, on hardware of its own: then it starts. */
void node_copy(struct node *n, side s, const struct node *from);
void node_close(struct node *n);

/* What the identity role does when its service is restarted. */
void node_restart(struct node *n);

/* A token can be had for a local program: from the cache or, after some turns, from the cloud. */
bool node_has_token(struct node *n);

/* "Connected" ..., as `show` says it, and what it knows of its service. */
const char *node_status(const struct node *n);
const struct moor_registration_state *node_state(const struct node *n);

#endif
