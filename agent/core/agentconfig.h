/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agentconfig.h: <STATE>/agentconfig.json, which cloud resource this machine is. That it exists
 * means "connected". Only `mooring` run by root writes it; roles read it and watch its folder.
 * Fields and rules: docs/protocol/files.md. Blocking, but the file is small: fine on the loop.
 */
#ifndef MOOR_CORE_AGENTCONFIG_H
#define MOOR_CORE_AGENTCONFIG_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/span.h"

struct moor_agentconfig {
    uint32_t schema; /* 1 */
    const char *cloud;
    const char *tenant_id;
    const char *subscription_id;
    const char *resource_group;
    const char *resource_name;
    const char *location;
    const char *resource_id;
    const char *vm_id;          /* lower-case UUID */
    const char *client_id;      /* of the machine's identity; NULL until the service named it */
    const char *principal_id;   /* NULL as above */
    const char *identity_mode;  /* "mooring", MOOR_MODE_PRINCIPAL */
    const char *correlation_id; /* NULL = none */
};

/* The machine is an application of the cloud's directory: clouds without a Mooring service. */
#define MOOR_MODE_PRINCIPAL "service-principal"

#define MOOR_AGENTCONFIG_NAME "agentconfig.json" /* in plat_dir_path(PLAT_DIR_STATE) */

/* Strings land in the arena. NOTFOUND when this machine is not connected; BADINPUT names the rule
 * an edited file breaks; UNSUPPORTED when its schema is newer than this program. */
MOOR_NODISCARD moor_code moor_agentconfig_load(struct moor_agentconfig *out,
                                               struct moor_arena *arena, struct moor_error *err);

/* The pure half of load. */
MOOR_NODISCARD moor_code moor_agentconfig_parse(struct moor_span text, struct moor_agentconfig *out,
                                                struct moor_arena *arena, struct moor_error *err);

/* Replaces the file, readable by all. The caller is root, or owns MOORING_ROOT. */
MOOR_NODISCARD moor_code moor_agentconfig_save(const struct moor_agentconfig *in,
                                               struct moor_error *err);

/* A missing file is fine. */
MOOR_NODISCARD moor_code moor_agentconfig_remove(struct moor_error *err);

/* The same resource in the same cloud: what connecting again would not change. */
bool moor_agentconfig_same_resource(const struct moor_agentconfig *a,
                                    const struct moor_agentconfig *b);

#endif
