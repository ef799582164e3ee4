/* SPDX-License-Identifier: Apache-2.0 */
/* routes.h: the route tables of api/, one per file; routes.c puts them in order. */
#ifndef MOOR_API_ROUTES_H
#define MOOR_API_ROUTES_H

#include "api/app.h"

/* Whether {tenant} of the path is ours ("common" and "organizations" are not: there is one tenant
 * per control plane and clients name it), or answers 400 AADSTS90002 and returns false. */
bool moor_signin_is_tenant(struct moor_call *c);

/* One table a line; clang-format would join and split them anew with every one that is added. */
/* clang-format off */
#define MOOR_ROUTE_TABLES(X) \
    X(metadata) \
    X(onboard) \
    X(his) \
    X(gas) \
    X(notify) \
    X(package) \
    X(ingestion) \
    X(query) \
    X(insight) \
    X(workspace) \
    X(catalog) \
    X(signin) \
    X(subscription) \
    X(provider) \
    X(group) \
    X(machine) \
    X(extension) \
    X(run_command) \
    X(operation) \
    X(resource)
/* clang-format on */

#define MOOR_DECLARE_TABLE(name)                                                                   \
    extern const struct moor_http_route moor_##name##_routes[];                                    \
    extern const size_t moor_##name##_route_count;
MOOR_ROUTE_TABLES(MOOR_DECLARE_TABLE)

#endif
