/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connect.h: making this machine a cloud resource, and undoing it. Every step may be repeated: a
 * run that was killed is finished by the next one with the same parameters.
 */
#ifndef MOOR_CONNECT_CONNECT_H
#define MOOR_CONNECT_CONNECT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/jsontab.h"
#include "connect/progress.h"
#include "connect/signin.h"
#include "core/agentconfig.h"
#include "core/azcm.h"
#include "core/cloud.h"

struct moor_session;

struct moor_connect_params {
    const struct moor_cloud *cloud;
    struct moor_credential who;
    const char *tenant_id;    /* of the resource; NULL = as the resource or the token says */
    const char *subscription; /* id or display name */
    const char *group;
    const char *location;
    const char *name;
    const char *tags;               /* JSON object text; NULL = none */
    const char *correlation_id;     /* NULL = none */
    const char *private_link_scope; /* resource id, NULL = none */
    bool key_in_tpm;
    /* The machine is to be this application of the cloud's directory, and makes no use of a Mooring
     * service; NULL = the service gives it an identity. */
    const char *client_id;
    /* Of a resource that was made beforehand: nobody signs in. NULL = make one. */
    const char *vm_id;
    const struct moor_secret *private_key; /* PEM: the key it was registered with */
};

struct moor_connect_result {
    struct moor_agentconfig config; /* strings in the arena */
    bool was_connected;             /* nothing had to be done */
    struct moor_str_list changed;   /* of the resource of a connected machine; see mend.h */
};

/* On failure *azcm says which step it was, everything made is undone, and progress told what
 * remains. The caller is root, or owns MOORING_ROOT. */
MOOR_NODISCARD moor_code moor_connect(struct moor_session *s,
                                      const struct moor_connect_params *params,
                                      const struct moor_progress *progress,
                                      struct moor_connect_result *out, struct moor_arena *arena,
                                      moor_azcm *azcm, struct moor_error *err);

/* The same for a machine that is connected already as config says: asks the identity role, and does
 * what may be missing. strict: a heartbeat is sent in every case, so that MOOR_OK means the service
 * has just heard this machine. */
MOOR_NODISCARD moor_code moor_connect_settle(struct moor_session *s,
                                             const struct moor_agentconfig *config, bool strict,
                                             const struct moor_progress *progress,
                                             struct moor_connect_result *out,
                                             struct moor_arena *arena, moor_azcm *azcm,
                                             struct moor_error *err);

struct moor_disconnect_params {
    const struct moor_cloud *cloud; /* NULL with local_only */
    struct moor_credential who;
    bool local_only;
    bool remove_extensions; /* and wait until this machine has uninstalled them */
};
/* Deletes the resource, then key, certificates, tokens and agentconfig.json of this machine.
 * config is what agentconfig.json says; NULL: it is gone or unreadable (local_only). */
MOOR_NODISCARD moor_code moor_disconnect(struct moor_session *s,
                                         const struct moor_agentconfig *config,
                                         const struct moor_disconnect_params *params,
                                         const struct moor_progress *progress, moor_azcm *azcm,
                                         struct moor_error *err);

#endif
