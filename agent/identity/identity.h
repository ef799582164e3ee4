/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity.h: the identity role without its doors: which machine this is (agentconfig.json and the
 * cloud it names), its key, its registration and its tokens. The three doors (himds.h,
 * roles_server.h, admin.h) ask here. Loop thread.
 */
#ifndef MOOR_IDENTITY_IDENTITY_H
#define MOOR_IDENTITY_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "core/agentconfig.h"
#include "core/cloud.h"
#include "core/settings.h"
#include "identity/tokens.h"

struct moor_loop;
struct moor_pool;
struct moor_identity;

MOOR_NODISCARD moor_code moor_identity_new(struct moor_loop *l, struct moor_pool *pool,
                                           struct moor_identity **out, struct moor_error *err);
/* Ends everything; completions of callers run with CANCELED. */
void moor_identity_free(struct moor_identity *i);
MOOR_DEFINE_AUTOPTR(moor_identity)

/* fn runs whenever what moor_identity_revision() and the like answer may be another. */
void moor_identity_on_change(struct moor_identity *i, void (*fn)(void *ctx), void *ctx);

/* Reads agentconfig.json, the cloud, localconfig.json and the key; starts or stops work when they
 * differ from what is in use. What is wrong with them is in the status, not an error here. */
void moor_identity_reload(struct moor_identity *i);

/* NULL when this machine is not connected. Valid until the next reload. */
const struct moor_agentconfig *moor_identity_config(const struct moor_identity *i);
const struct moor_cloud *moor_identity_cloud(const struct moor_identity *i);
const struct moor_settings *moor_identity_settings(const struct moor_identity *i);

/* As moor_tokens_get(), for callers outside: also fails when the machine is not connected
 * (UNSUPPORTED), and when the service does not know it any more, disabled it or found it cloned
 * (DENIED). */
MOOR_NODISCARD moor_code moor_identity_token(struct moor_identity *i, const char *audience,
                                             bool fresh, moor_token_fn done, void *ctx,
                                             struct moor_token_wait **wait, struct moor_error *err);
void moor_identity_token_cancel(struct moor_identity *i, struct moor_token_wait *wait);

/* fn says what is wrong with the local endpoint, "" = nothing; for the status. */
void moor_identity_endpoint(struct moor_identity *i, const char *(*fn)(void *ctx), void *ctx);

/* A new object, NULL when out of memory: docs/protocol/roles.md "GET /status". */
struct moor_json *moor_identity_status(const struct moor_identity *i);

/* For the other roles: docs/protocol/roles.md "GET /state". */
const char *moor_identity_revision(const struct moor_identity *i); /* "" = not heard yet */
bool moor_identity_report_wanted(const struct moor_identity *i);
bool moor_identity_connected(const struct moor_identity *i);
void moor_identity_hashes(struct moor_identity *i, const char *settings_hash,
                          const char *report_hash);

/* The resource's tags as the extensions role last told them; NULL = none. */
const struct moor_json *moor_identity_tags(const struct moor_identity *i);
void moor_identity_set_tags(struct moor_identity *i, const struct moor_json *tags); /* a copy */

/* ---- connect and disconnect; one at a time, EXISTS otherwise ---- */

/* err->code is MOOR_OK on success; public_key (base64 PKCS#1) lives during the callback. */
typedef void (*moor_identity_begin_fn)(void *ctx, const char *public_key,
                                       const struct moor_error *err);
struct moor_identity_begin {
    const char *vm_id, *resource_id;
    bool tpm;               /* the key is to be in the TPM */
    const char *client_id;  /* of an application that the machine is to be; NULL = none */
    struct moor_key *given; /* made elsewhere, proves for it, once; borrowed; NULL = none */
};
/* A key for this machine, durable before done runs: the one that is there when it was made for the
 * same vmId and place, and the TPM, if it is in one, still takes it. A machine that is connected
 * goes on with the new one. EXISTS when it is connected under another vmId. */
MOOR_NODISCARD moor_code moor_identity_begin(struct moor_identity *i,
                                             const struct moor_identity_begin *asked,
                                             moor_identity_begin_fn done, void *ctx,
                                             struct moor_error *err);

/* After agentconfig.json was written: certificate, first heartbeat. */
typedef void (*moor_identity_finish_fn)(void *ctx, const struct moor_error *err);
MOOR_NODISCARD moor_code moor_identity_finish(struct moor_identity *i, moor_identity_finish_fn done,
                                              void *ctx, struct moor_error *err);

/* The pending begin or finish goes on, but its done does not run. */
void moor_identity_forget_caller(struct moor_identity *i);

/* Stops work and removes key, certificates and tokens. */
MOOR_NODISCARD moor_code moor_identity_disconnect(struct moor_identity *i, struct moor_error *err);

#endif
