/* SPDX-License-Identifier: Apache-2.0 */
/* router.h: which route a request takes. Pure; see moor_http_route in server.h for the rules. */
#ifndef MOOR_HTTP_ROUTER_H
#define MOOR_HTTP_ROUTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "http/refusal.h"
#include "http/server.h"
#include "http/target.h"

struct moor_route_match {
    const struct moor_http_route *route;   /* NULL: none */
    const struct moor_target_pair *params; /* in the arena; of route */
    size_t param_count;
};

/* NOTHING and a route; NO_ROUTE; NOT_ALLOWED when the path is there with other methods, which are
 * then appended to allow ("GET, HEAD, PUT"); NO_MEMORY. */
MOOR_NODISCARD moor_refusal moor_route_find(const struct moor_http_route *routes, size_t count,
                                            const char *method, const struct moor_target *t,
                                            struct moor_arena *arena, struct moor_route_match *out,
                                            struct moor_buf *allow);

#endif
