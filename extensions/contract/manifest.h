/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest.h: HandlerManifest.json, read as leniently as handlers in the field need: a byte order
 * mark, booleans as text in any case, keys nobody knows. Pure.
 */
#ifndef MOOR_CONTRACT_MANIFEST_H
#define MOOR_CONTRACT_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/span.h"

#define MOOR_MANIFEST_NAME "HandlerManifest.json"
#define MOOR_MANIFEST_MAX  (64 * 1024)

typedef enum moor_handler_verb {
    MOOR_VERB_INSTALL,
    MOOR_VERB_UPDATE,
    MOOR_VERB_ENABLE,
    MOOR_VERB_DISABLE,
    MOOR_VERB_UNINSTALL,
    MOOR_VERB_COUNT_
} moor_handler_verb;
const char *moor_handler_verb_name(moor_handler_verb v); /* "install" ... */

struct moor_manifest {
    const char *command[MOOR_VERB_COUNT_]; /* leading "/" removed; never NULL or "" */
    bool report_heartbeat;
    bool update_with_install; /* the default, and "UpdateWithInstall" in any case */
    bool continue_on_update_failure;
    bool supports_multiple_extensions;
    uint32_t cpu_quota_percent; /* resourceLimits; 0 = not said */
    uint32_t memory_quota_mb;
    /* signingInfo, "" when absent: what a signed package says it is. */
    const char *signing_publisher, *signing_type, *signing_version;
};

/* Strings land in the arena. */
MOOR_NODISCARD moor_code moor_manifest_parse(struct moor_span text, struct moor_manifest *out,
                                             struct moor_arena *arena, struct moor_error *err);

#endif
