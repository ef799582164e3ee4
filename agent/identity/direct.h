/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct.h: identityMode "service-principal", for clouds without a Mooring service (Azure itself):
 * the machine is an application of the cloud's directory, whose certificate credential is a self-
 * signed one of the machine's key. There is no registration and no heartbeat; what stands for them
 * is that the sign-in gives a token. Loop thread.
 */
#ifndef MOOR_IDENTITY_DIRECT_H
#define MOOR_IDENTITY_DIRECT_H

#include "core/agentconfig.h"
#include "core/cloud.h"
#include "http/transport.h"
#include "identity/keystore.h"
#include "identity/tokens.h"

struct moor_loop;
struct moor_pool;
struct moor_direct;

/* A certificate of two years for the key, named after the application, into the key store. */
MOOR_NODISCARD moor_code moor_direct_certify(struct moor_keystore *k, const char *client_id,
                                             struct moor_error *err);

/* All of it is borrowed and must outlive it. */
struct moor_direct_opts {
    struct moor_loop *loop;
    struct moor_pool *pool;
    struct moor_http_transport *http;
    const struct moor_agentconfig *config;
    const struct moor_cloud *cloud;
    const struct moor_settings *settings;
    struct moor_keystore *keys; /* with a certificate */
    struct moor_tokens *tokens; /* gets its source here */
    void (*changed)(void *ctx);
    void *ctx;
};
/* Asks for a first token at once; after a failure again every five minutes until it has one. From
 * 60 days before the certificate's end on there is a next key with its certificate, which a warning
 * names daily: it is tried every six hours and with moor_direct_now(), and replaces the former
 * with its first token. */
MOOR_NODISCARD moor_code moor_direct_new(const struct moor_direct_opts *opts,
                                         struct moor_direct **out, struct moor_error *err);
void moor_direct_free(struct moor_direct *d); /* a pending caller hears CANCELED */
MOOR_DEFINE_AUTOPTR(moor_direct)

/* A fresh token for Resource Manager: err->code is MOOR_OK when there is one. EXISTS: one caller at
 * a time. */
typedef void (*moor_direct_fn)(void *ctx, const struct moor_error *err);
MOOR_NODISCARD moor_code moor_direct_now(struct moor_direct *d, moor_direct_fn done, void *ctx,
                                         struct moor_error *err);
void moor_direct_forget_caller(struct moor_direct *d); /* done will not run */

/* "Connected" since the sign-in gave a token, "Expired" behind the certificate's end, else
 * "Disconnected". */
const char *moor_direct_status(const struct moor_direct *d);
/* The file of the certificate that is to be added to the application; NULL while there is none. */
MOOR_NODISCARD moor_code moor_direct_next(const struct moor_direct *d, char **path,
                                          struct moor_error *err);
/* Why there is none; MOOR_OK when there is one. */
const struct moor_error *moor_direct_error(const struct moor_direct *d, int64_t *at_ms);

#endif
