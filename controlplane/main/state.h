/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.h: the state folder: who this control plane is, and its keys.
 *
 * cp_state_ensure() makes what is missing and leaves the rest, so that a first start that was
 * interrupted is finished by the next one. Private keys are 0600 and never in the database.
 */
#ifndef MOOR_MAIN_STATE_H
#define MOOR_MAIN_STATE_H

#include <stdint.h>

#include "api/app.h"
#include "base/arena.h"
#include "base/jsontab.h"
#include "main/options.h"

struct cp_config {
    uint32_t schema;
    const char *cloud_name;
    const char *tenant_id, *subscription_id;
    const char *location;
    const char *admin_client_id, *admin_object_id;
    uint64_t ingestion_requests, ingestion_bytes; /* of one data collection rule in a minute */
    uint32_t max_waiters;                         /* machines that wait for news at once */
    struct moor_lifecycle lifecycle;              /* of machines' identities */
    struct moor_placement placement;
    struct moor_str_list hosts; /* in the TLS certificate; the first is in the public URL */
};

#define CP_DATABASE "controlplane.db"

struct cp_state {
    struct moor_arena arena; /* owns all strings */
    const char *dir;
    struct cp_config config;
    struct moor_store *store;
    struct moor_cert *ca;
    struct moor_key *token_key;
    struct moor_cert *identity_ca, *gallery_cert;
    struct moor_key *identity_ca_key, *gallery_key;
    struct moor_secret sealing_key;
};
void cp_state_drop(struct cp_state *s);
#define CP_STATE_INIT                                                                              \
    {                                                                                              \
        .arena = MOOR_ARENA(4u << 20)                                                              \
    }

/* Makes and loads everything. hosts and location of o change an existing configuration (a new TLS
 * certificate is issued for other hosts). */
MOOR_NODISCARD moor_code cp_state_ensure(const struct cp_options *o, struct cp_state *out,
                                         struct moor_error *err);
/* DENIED in a folder of another user's: the server could not read what this one made, and root
 * follows no name where another user may change it. */
MOOR_NODISCARD moor_code cp_state_may_write(const char *dir, struct moor_error *err);
/* Configuration and store only; NOTFOUND, saying how, when nothing was initialised. */
MOOR_NODISCARD moor_code cp_state_open(const struct cp_options *o, struct cp_state *out,
                                       struct moor_error *err);

/* <dir>/name in the state's arena; "" when that is full. */
MOOR_PRINTF(2, 3) const char *cp_state_path(struct cp_state *s, const char *fmt, ...);

/* Where the server answers: what it wrote when it began to listen, else what it will be. */
const char *cp_state_endpoint(struct cp_state *s);

/* What the API shows of itself under a base URL; strings in the arena. */
struct moor_app_config cp_state_app_config(struct cp_state *s, const char *base_url);

#endif
