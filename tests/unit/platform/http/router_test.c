/* SPDX-License-Identifier: Apache-2.0 */
#include "http/router.h"

#include "check.h"

static const struct moor_http_route routes[] = {
    { .method = "GET", .pattern = "/" },
    { .method = "GET", .pattern = "/subscriptions" },
    { .method = "GET", .pattern = "/subscriptions/{sub}/resourceGroups/{group}" },
    { .method = "PUT", .pattern = "/subscriptions/{sub}/resourceGroups/{group}" },
    { .method = "POST", .pattern = "/subscriptions/{sub}/resourceGroups/{group}" },
    { .method = "GET", .pattern = "/packages/{file}" },
    { .method = "GET", .pattern = "/any/{rest...}", .flags = MOOR_ROUTE_ANY_METHOD },
};

struct row {
    const char *method, *target;
    int route; /* -1: none, -2: not allowed */
    const char *param, *value;
};

static void requests_take_their_routes(void)
{
    static const struct row rows[] = {
        { "GET", "/", 0, NULL, NULL },
        { "HEAD", "/", 0, NULL, NULL },
        { "GET", "/SUBSCRIPTIONS/", 1, NULL, NULL },
        { "GET", "//subscriptions//S1/resourcegroups/G%201", 2, "group", "G 1" },
        { "GET", "/subscriptions/S1/resourcegroups/G1", 2, "sub", "S1" },
        { "PUT", "/subscriptions/S1/resourceGroups/G1?x=y", 3, "sub", "S1" },
        { "DELETE", "/subscriptions/S1/resourceGroups/G1", -2, NULL, NULL },
        { "GET", "/subscriptions/S1/resourceGroups", -1, NULL, NULL },
        { "GET", "/subscriptions/S1/resourceGroups/G1/x", -1, NULL, NULL },
        { "GET", "/subscriptionsx", -1, NULL, NULL },
        { "POST", "/subscriptions", -2, NULL, NULL },
        { "GET", "/packages", -1, NULL, NULL },
        { "GET", "/packages/abc.zip", 5, "file", "abc.zip" },
        { "DELETE", "/any", 6, "rest", "" },
        { "PATCH", "/any/a//b%20c/D", 6, "rest", "a/b c/D" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
        MOOR_AUTO(moor_buf) allow = MOOR_BUF(256);
        struct moor_target t;
        struct moor_route_match m = { 0 };
        CHECK_INT(moor_target_parse(rows[i].target, &arena, &t), MOOR_REFUSE_NOTHING);
        moor_refusal r =
            moor_route_find(routes, MOOR_COUNTOF(routes), rows[i].method, &t, &arena, &m, &allow);
        int route = r == MOOR_REFUSE_NO_ROUTE      ? -1
                    : r == MOOR_REFUSE_NOT_ALLOWED ? -2
                                                   : (int)(m.route - routes);
        if (!CHECK_INT(route, rows[i].route))
            printf("# %s %s\n", rows[i].method, rows[i].target);
        const char *value = NULL;
        for (size_t p = 0; rows[i].param && p < m.param_count; p++)
            if (moor_streq(m.params[p].name, rows[i].param))
                value = m.params[p].value;
        CHECK(moor_streq(value, rows[i].value));
    }
}

static void methods_of_the_path_are_named_once(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    MOOR_AUTO(moor_buf) allow = MOOR_BUF(256);
    struct moor_target t;
    struct moor_route_match m;
    CHECK_INT(moor_target_parse("/subscriptions/S/resourceGroups/G", &arena, &t),
              MOOR_REFUSE_NOTHING);
    CHECK_INT(moor_route_find(routes, MOOR_COUNTOF(routes), "DELETE", &t, &arena, &m, &allow),
              MOOR_REFUSE_NOT_ALLOWED);
    CHECK_STR(moor_buf_cstr(&allow), "GET, HEAD, PUT, POST");
}

CHECK_MAIN(CHECK_TEST(requests_take_their_routes), CHECK_TEST(methods_of_the_path_are_named_once))
