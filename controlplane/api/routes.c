/* SPDX-License-Identifier: Apache-2.0 */
#include "api/routes.h"

#include <stdlib.h>
#include <string.h>

struct table {
    const struct moor_http_route *routes;
    const size_t *count;
};

/* Routes are tried in order: those that take any path below a subscription come last. */
#define TABLE(name) { moor_##name##_routes, &moor_##name##_route_count },
static const struct table tables[] = { MOOR_ROUTE_TABLES(TABLE) };

moor_code moor_routes_all(struct moor_http_route **routes, size_t *count, struct moor_error *err)
{
    size_t total = 0, at = 0;
    for (size_t i = 0; i < MOOR_COUNTOF(tables); i++)
        total += *tables[i].count;
    struct moor_http_route *all = calloc(total ? total : 1, sizeof(*all));
    if (!all)
        return moor_fail(err, MOOR_E_NOMEM, "routes: out of memory");
    for (size_t i = 0; i < MOOR_COUNTOF(tables); i++) {
        memcpy(all + at, tables[i].routes, *tables[i].count * sizeof(*all));
        at += *tables[i].count;
    }
    *routes = all;
    *count = total;
    return MOOR_OK;
}
