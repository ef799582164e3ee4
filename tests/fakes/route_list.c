/* SPDX-License-Identifier: Apache-2.0 */
/* Prints every route that is served, from the tables the servers are made of, so that a test that
 * walks them forgets none: door, method, pattern, who may, with a TAB between them. */
#include <stdio.h>
#include <stdlib.h>

#include "api/app.h"
#include "identity/admin.h"
#include "identity/himds.h"
#include "identity/roles_server.h"

static const char *of_token(const struct moor_http_route *r)
{
    static const char *const names[] = { [MOOR_AUD_NOBODY] = "nobody",
                                         [MOOR_AUD_PUBLIC] = "public",
                                         [MOOR_AUD_ARM] = "arm",
                                         [MOOR_AUD_SERVICE] = "service",
                                         [MOOR_AUD_INGESTION] = "ingestion",
                                         [MOOR_AUD_QUERY] = "query" };
    const struct moor_endpoint *e = r->tag;
    return names[e->audience];
}

static const char *of_administrator(const struct moor_http_route *r)
{
    return r->tag ? "public" : "administrator";
}

static const char *of_program(const struct moor_http_route *r)
{
    (void)r;
    return "program";
}

static const char *of_role(const struct moor_http_route *r)
{
    (void)r;
    return "role";
}

static void print(const char *door, const struct moor_http_route *routes, size_t count,
                  const char *(*who)(const struct moor_http_route *r))
{
    for (size_t i = 0; i < count; i++) {
        const struct moor_http_route *r = &routes[i];
        const char *method = r->flags & MOOR_ROUTE_ANY_METHOD ? "ANY" : r->method;
        printf("%s\t%s\t%s\t%s\n", door, method, r->pattern, who(r));
    }
}

int main(void)
{
    struct moor_http_route *routes = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    size_t count = 0;
    if (moor_routes_all(&routes, &count, &err)) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    print("controlplane", routes, count, of_token);
    print("himds", moor_himds_routes, moor_himds_route_count, of_program);
    print("himds.sock", moor_admin_routes, moor_admin_route_count, of_administrator);
    print("roles.sock", moor_roles_routes, moor_roles_route_count, of_role);
    free(routes);
    return 0;
}
