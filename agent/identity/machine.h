/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine.h: the documents that say which machine this is, read together: agentconfig.json, the
 * cloud it names, localconfig.json. Immutable once read. Blocking, small files; loop thread.
 */
#ifndef MOOR_IDENTITY_MACHINE_H
#define MOOR_IDENTITY_MACHINE_H

#include "base/arena.h"
#include "base/error.h"
#include "core/agentconfig.h"
#include "core/cloud.h"
#include "core/settings.h"
#include "http/client.h"

struct moor_machine {
    struct moor_arena arena; /* of the three below */
    struct moor_agentconfig config;
    struct moor_cloud cloud;
    struct moor_settings settings;
    struct moor_proxy proxy;
    struct moor_error settings_error; /* why local policy is closed; code 0: it is as written */
};

/* Broken local settings stop nothing: see moor_settings_load_closed(). NOTFOUND when this machine
 * is not connected. */
MOOR_NODISCARD moor_code moor_machine_load(struct moor_machine **out, struct moor_error *err);
void moor_machine_free(struct moor_machine *m);
MOOR_DEFINE_AUTOPTR(moor_machine)

/* Where the new settings do not tell which proxy is meant, the former one goes on. */
void moor_machine_keep_proxy(struct moor_machine *m, const struct moor_machine *former);

/* Whether b may take a's place without anything being started anew. */
bool moor_machine_unchanged(const struct moor_machine *a, const struct moor_machine *b);

/* A client with the cloud's trust and the settings' proxy. */
MOOR_NODISCARD moor_code moor_machine_client(const struct moor_machine *m, struct moor_loop *l,
                                             struct moor_http_client **out, struct moor_error *err);

#endif
