/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the whole route table: who may call what. */
#include <stdlib.h>

#include "check.h"
#include "unit/controlplane/api/fixture.h"

/* The only routes that look at no token. The service's certificate route takes a proof instead. */
static const char *const public_routes[] = {
    "POST /adfs/oauth2/devicecode",
    "POST /{tenant}/oauth2/v2.0/devicecode",
    "GET /device",
    "GET /metadata/endpoints",
    "GET /adfs/.well-known/openid-configuration",
    "GET /discovery/keys",
    "GET /adfs/discovery/keys",
    "GET /{tenant}/v2.0/.well-known/openid-configuration",
    "GET /{tenant}/.well-known/openid-configuration",
    "GET /{tenant}/discovery/v2.0/keys",
    "POST /adfs/oauth2/token",
    "POST /{tenant}/oauth2/v2.0/token",
    "POST /{tenant}/oauth2/token",
    "GET /his/discovery",
    "POST /his/machines/{vmId}/certificate",
    "GET /his/onboard/linux",
    "GET /his/onboard/files/{file}",
    "PUT /his/log",
};

static bool is_public(const struct moor_http_route *r, struct moor_arena *arena)
{
    const char *name = moor_arena_fmt(arena, "%s %s", r->method, r->pattern);
    for (size_t i = 0; i < MOOR_COUNTOF(public_routes); i++)
        if (moor_streq(public_routes[i], name))
            return true;
    return false;
}

/* The pattern with something in place of every name, and an api-version. */
static const char *target_of(const struct moor_http_route *r, struct moor_arena *arena)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(1024);
    struct moor_span rest = moor_span_str(r->pattern);
    while (rest.n > 0) {
        struct moor_span part = moor_span_cut(&rest, '/');
        if (part.n == 0)
            continue;
        moor_buf_char(&b, '/');
        if (moor_span_eq_str(part, "{sub}"))
            moor_buf_str(&b, FIX_SUB);
        else if (moor_span_starts(part, "{"))
            moor_buf_str(&b, "x");
        else
            moor_buf_span(&b, part);
    }
    moor_buf_str(&b, "?api-version=2024-07-10");
    return moor_arena_str(arena, moor_buf_view(&b));
}

static void expect_401(struct fixture *f, const struct moor_http_route *r, const char *token,
                       const char *whose)
{
    int status = fixture_call(f, token, r->method, target_of(r, &f->arena),
                              moor_streq(r->method, "GET") ? NULL : "{}");
    if (!CHECK(status == 401))
        printf("# %s %s with %s answered %d\n", r->method, r->pattern, whose, status);
    CHECK(moor_span_starts(moor_span_str(f->challenge), "Bearer"));
}

static void every_route_but_the_public_ones_refuses_nobody(void)
{
    struct fixture f;
    size_t closed = 0, open = 0;
    fixture_make(&f);
    const char *elsewhere = fixture_token(&f, FIX_OWNER, "https://elsewhere.example");
    for (size_t i = 0; i < f.route_count; i++) {
        const struct moor_http_route *r = &f.routes[i];
        if (is_public(r, &f.arena)) {
            open++;
            continue;
        }
        closed++;
        expect_401(&f, r, NULL, "no token");
        expect_401(&f, r, "eyJhbGciOiJub25lIn0.e30.", "an unsigned token");
        expect_401(&f, r, elsewhere, "a token for another audience");
    }
    printf("# %zu routes closed, %zu public\n", closed, open);
    CHECK(closed > 30);
    fixture_drop(&f);
}

static void every_route_goes_through_the_dispatcher_and_names_an_audience(void)
{
    struct moor_http_route *routes = NULL;
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1u << 20);
    size_t count = 0;
    CHECK(moor_routes_all(&routes, &count, NULL) == MOOR_OK);
    for (size_t i = 0; i < count; i++) {
        const struct moor_endpoint *e = routes[i].tag;
        CHECK(routes[i].handler == moor_call_dispatch && e && e->handle);
        CHECK(e->audience != MOOR_AUD_NOBODY);
        CHECK((e->audience == MOOR_AUD_PUBLIC) == is_public(&routes[i], &arena));
    }
    free(routes);
}

static void a_reader_changes_nothing(void)
{
    struct fixture f;
    fixture_make(&f);
    for (size_t i = 0; i < f.route_count; i++) {
        const struct moor_http_route *r = &f.routes[i];
        const struct moor_endpoint *e = r->tag;
        if (e->audience != MOOR_AUD_ARM || moor_streq(r->method, "GET") ||
            moor_streq(r->method, "HEAD"))
            continue;
        int status = fixture_call(&f, f.reader, r->method, target_of(r, &f.arena), "{}");
        if (!CHECK(status == 403))
            printf("# %s %s answered %d\n", r->method, r->pattern, status);
    }
    fixture_drop(&f);
}

static void an_application_is_no_machine(void)
{
    struct fixture f;
    fixture_make(&f);
    const char *token = fixture_token(&f, FIX_OWNER, f.app.config.service_audience);
    for (size_t i = 0; i < f.route_count; i++) {
        const struct moor_http_route *r = &f.routes[i];
        const struct moor_endpoint *e = r->tag;
        if (e->audience != MOOR_AUD_SERVICE)
            continue;
        CHECK_INT(fixture_call(&f, token, r->method, target_of(r, &f.arena), "{}"), 404);
        CHECK_STR(fixture_text(&f, "error.code"), "MachineNotFound");
    }
    fixture_drop(&f);
}

static void api_version_is_asked_for_and_checked(void)
{
    struct fixture f;
    fixture_make(&f);
    const char *machines = "/subscriptions/" FIX_SUB "/providers/Microsoft.HybridCompute/machines";
    CHECK_INT(fixture_call(&f, f.owner, "GET", machines, NULL), 400);
    CHECK_STR(fixture_text(&f, "error.code"), "MissingApiVersionParameter");
    const char *odd = moor_arena_fmt(&f.arena, "%s?api-version=now", machines);
    CHECK_INT(fixture_call(&f, f.owner, "GET", odd, NULL), 400);
    CHECK_STR(fixture_text(&f, "error.code"), "InvalidApiVersionParameter");
    const char *old = moor_arena_fmt(&f.arena, "%s?api-version=2001-01-01", machines);
    CHECK_INT(fixture_call(&f, f.owner, "GET", old, NULL), 400);
    CHECK_STR(fixture_text(&f, "error.code"), "NoRegisteredProviderFound");
    const char *good = moor_arena_fmt(&f.arena, "%s?api%%2Dversion=2021-05-20", machines);
    CHECK_INT(fixture_call(&f, f.owner, "GET", good, NULL), 200);
    fixture_drop(&f);
}

CHECK_MAIN(CHECK_TEST(every_route_but_the_public_ones_refuses_nobody),
           CHECK_TEST(every_route_goes_through_the_dispatcher_and_names_an_audience),
           CHECK_TEST(a_reader_changes_nothing), CHECK_TEST(an_application_is_no_machine),
           CHECK_TEST(api_version_is_asked_for_and_checked))
