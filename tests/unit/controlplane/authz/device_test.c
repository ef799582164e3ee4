/* SPDX-License-Identifier: Apache-2.0 */
#include "authz/device.h"

#include <stdio.h>
#include <stdlib.h>

#include "check.h"

#define NOW    INT64_C(1900000000000)
#define END    (NOW + MOOR_DEVICE_LIFE_S * INT64_C(1000))
#define TENANT "11111111-1111-4111-8111-111111111111"
#define APP    "22222222-2222-4222-8222-222222222222"
#define OID    "33333333-3333-4333-8333-333333333333"
#define PUBLIC "44444444-4444-4444-8444-444444444444"
#define ARM    "https://cp.example:8443/"

struct world {
    struct moor_store *store;
    struct moor_authz *authz;
    struct moor_key *signing;
    struct moor_arena arena;
    struct moor_device_codes codes;
    struct moor_signin_refusal refusal;
};

static void ok(moor_code c)
{
    if (!CHECK(c == MOOR_OK))
        exit(1);
}

static void world_make(struct world *w)
{
    const struct moor_principal_row p = { .kind = MOOR_PRINCIPAL_APPLICATION,
                                          .object_id = OID,
                                          .client_id = APP,
                                          .tenant_id = TENANT,
                                          .name = "n",
                                          .vm_id = "",
                                          .resource_id = "" };
    *w = (struct world){ .arena = MOOR_ARENA(1u << 20),
                         .codes = { .device_code = MOOR_BUF_SECRET(128) } };
    ok(moor_store_open(":memory:", &w->store, NULL));
    ok(moor_key_generate(MOOR_KEY_RSA_2048, &w->signing, NULL));
    const struct moor_authz_opts opts = { w->store, w->signing, "https://cp.example:8443", TENANT,
                                          ARM "mooring-service" };
    ok(moor_authz_new(&opts, &w->authz, NULL));
    ok(moor_principal_add(w->store, &p, NULL));
}

static void world_drop(struct world *w)
{
    moor_buf_drop(&w->codes.device_code);
    moor_authz_free(w->authz);
    moor_key_free(w->signing);
    moor_store_free(w->store);
    moor_arena_drop(&w->arena);
}

static moor_code begin(struct world *w, const char *peer, int64_t now_ms)
{
    return moor_device_begin(w->store, PUBLIC, "openid " ARM "/.default", peer, now_ms, &w->codes,
                             &w->refusal, NULL);
}

static moor_code decide(struct world *w, int64_t now_ms)
{
    char code[MOOR_USER_CODE_LETTERS + 1];
    ok(moor_user_code_read(w->codes.user_code, code, NULL));
    return moor_device_decide(w->store, code, MOOR_DEVICE_APPROVED, OID, now_ms, NULL);
}

/* "" for a token, else the error's name. */
static const char *redeem(struct world *w, int64_t now_ms)
{
    const struct moor_signin_request req = { .grant_type = MOOR_DEVICE_GRANT,
                                             .client_id = PUBLIC,
                                             .device_code = moor_buf_cstr(&w->codes.device_code) };
    struct moor_signin_grant grant = { .token = MOOR_BUF_SECRET(16384) };
    moor_code c = moor_signin(w->authz, &req, now_ms, &grant, &w->refusal, NULL);
    moor_buf_drop(&grant.token);
    return c == MOOR_OK ? "" : w->refusal.oauth;
}

static void a_code_ends_with_its_time(void)
{
    struct world w;
    world_make(&w);
    ok(begin(&w, "p", NOW));
    CHECK_STR(redeem(&w, END - 1), "authorization_pending");
    CHECK_STR(redeem(&w, END), "expired_token");
    CHECK(decide(&w, END) == MOOR_E_NOTFOUND);
    ok(begin(&w, "p", NOW));
    ok(decide(&w, END - 1));
    CHECK_STR(redeem(&w, END), "expired_token");
    CHECK_STR(redeem(&w, END - 1), "");
    CHECK_STR(redeem(&w, END - 1), "expired_token");
    world_drop(&w);
}

static void who_asks_too_often_is_slowed_down(void)
{
    struct world w;
    world_make(&w);
    ok(begin(&w, "p", NOW));
    CHECK_STR(redeem(&w, NOW + 1), "authorization_pending");
    CHECK_STR(redeem(&w, NOW + 1000), "slow_down");
    CHECK_STR(redeem(&w, NOW + 2000), "authorization_pending");
    CHECK_STR(redeem(&w, NOW - 5000), "authorization_pending"); /* the clock went back */
    world_drop(&w);
}

static void codes_that_wait_are_few_and_ended_ones_make_room(void)
{
    struct world w;
    world_make(&w);
    for (int i = 0; i < MOOR_DEVICE_ALL_MAX; i++) {
        char peer[16];
        (void)snprintf(peer, sizeof(peer), "p%d", i / MOOR_DEVICE_PEER_MAX);
        ok(begin(&w, peer, NOW));
    }
    CHECK(begin(&w, "p0", NOW) == MOOR_E_DENIED);
    CHECK_INT(w.refusal.status, 429);
    CHECK(begin(&w, "another", NOW) == MOOR_E_DENIED);
    ok(begin(&w, "p0", END));
    world_drop(&w);
}

static void a_code_is_read_as_people_type_it(void)
{
    static const char *const good[] = { "WDJBMJHT", "wdjb-mjht", "W D J B M J H T", "WDJB--MJHT" };
    static const char *const bad[] = {
        "", "WDJB", "WDJBMJHTX", "WDJBMJHA", "WDJB_MJHT", "1DJBMJHT"
    };
    char code[MOOR_USER_CODE_LETTERS + 1];
    for (size_t i = 0; i < MOOR_COUNTOF(good); i++) {
        CHECK(moor_user_code_read(good[i], code, NULL) == MOOR_OK);
        CHECK_STR(code, "WDJBMJHT");
    }
    for (size_t i = 0; i < MOOR_COUNTOF(bad); i++)
        CHECK(moor_user_code_read(bad[i], code, NULL) == MOOR_E_BADINPUT);
}

CHECK_MAIN(CHECK_TEST(a_code_ends_with_its_time), CHECK_TEST(who_asks_too_often_is_slowed_down),
           CHECK_TEST(codes_that_wait_are_few_and_ended_ones_make_room),
           CHECK_TEST(a_code_is_read_as_people_type_it))
