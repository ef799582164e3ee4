/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plane.h: the real control plane of api/ in the test's own program, called without sockets:
 * requests pass the real parser and router, and are answered before plane_call() returns.
 * Everything runs on SIDE_PLANE of the world.
 */
#ifndef MOOR_TESTS_PLANE_H
#define MOOR_TESTS_PLANE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/lifecycle.h"

#define PLANE_BASE   "https://cp.example:8443"
#define PLANE_TENANT "11111111-1111-4111-8111-111111111111"
#define PLANE_SUB    "22222222-2222-4222-8222-222222222222"

void plane_open(uint32_t heartbeat_s); /* after world_open(); exits when it cannot */
void plane_close(void);

struct plane_request {
    const char *method, *target; /* "/his/discovery?..." */
    const char *bearer;          /* NULL = none */
    const char *content_type;
    const char *body;
    uint64_t body_len;
};
struct plane_answer {
    int status;
    char *body; /* heap: free it */
    uint64_t body_len;
    char request_id[40];
    uint32_t retry_after_ms;
};
void plane_call(const struct plane_request *req, struct plane_answer *out);

/* A call of the administrator's to ARM: its status. */
int plane_arm(const char *method, const char *path, const char *body);

/* What the service thinks of the machine; NULL when it does not know it. */
const char *plane_status(const char *vm_id, const char **reason);
bool plane_forked(const char *vm_id);

/* Things an administrator or an accident does to it. */
void plane_revoke(const char *vm_id); /* every certificate of the machine ends now */
void plane_disable(const char *vm_id, bool disabled);
struct moor_lifecycle *plane_rules(void); /* of the subscription */

#endif
