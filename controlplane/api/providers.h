/* SPDX-License-Identifier: Apache-2.0 */
/* providers.h: the resource types this control plane knows, with their api-versions. */
#ifndef MOOR_API_PROVIDERS_H
#define MOOR_API_PROVIDERS_H

#include <stdbool.h>

#include "base/arena.h"
#include "http/server.h"

struct moor_resource_type {
    const char *provider;            /* "Microsoft.HybridCompute" */
    const char *name;                /* "machines/extensions" */
    const char *const *api_versions; /* newest first, NULL at the end */
    bool any_version; /* any well-formed version is served; api_versions are what is listed */
    bool generic;     /* a plain record: PUT, PATCH and DELETE by id need no code of their own */
    bool tracked;     /* has a location and tags */
};

/* type: "Microsoft.HybridCompute/machines/extensions". NULL when unknown. */
const struct moor_resource_type *moor_provider_type(const char *type);

/* Whether the type an action is about serves the api-version. Actions on unknown types are
 * served. *supported lists the versions when the answer is no. */
bool moor_providers_serve(const char *action, const char *api_version, struct moor_arena *arena,
                          const char **supported);

extern const struct moor_http_route moor_provider_routes[];
extern const size_t moor_provider_route_count;

#endif
