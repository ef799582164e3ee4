/* SPDX-License-Identifier: Apache-2.0 */
/* resource.h: Resource Manager, as far as connecting needs it. Calls return when answered. */
#ifndef MOOR_CONNECT_RESOURCE_H
#define MOOR_CONNECT_RESOURCE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/secret.h"

struct moor_session;

struct moor_arm {
    struct moor_session *session;
    const char *base; /* resourceManager, no slash at the end */
    const struct moor_secret *token;
    const char *correlation_id; /* x-ms-correlation-request-id; NULL = none */
};

/* *id is in the arena. name may be an id already (answered without a call) or a display name. */
MOOR_NODISCARD moor_code moor_arm_find_subscription(const struct moor_arm *a, const char *name,
                                                    const char **id, struct moor_arena *arena,
                                                    struct moor_error *err);

/* *out NULL when there is none: the caller frees it. */
MOOR_NODISCARD moor_code moor_arm_get(const struct moor_arm *a, const char *id,
                                      const char *api_version, struct moor_json **out,
                                      struct moor_error *err);
MOOR_NODISCARD moor_code moor_arm_put(const struct moor_arm *a, const char *id,
                                      const char *api_version, const struct moor_json *body,
                                      struct moor_json **out, struct moor_error *err);
MOOR_NODISCARD moor_code moor_arm_patch(const struct moor_arm *a, const char *id,
                                        const char *api_version, const struct moor_json *body,
                                        struct moor_error *err);
/* *existed false when it was gone already. 202 (it goes on) counts as done. */
MOOR_NODISCARD moor_code moor_arm_delete(const struct moor_arm *a, const char *id,
                                         const char *api_version, bool *existed,
                                         struct moor_error *err);

#endif
