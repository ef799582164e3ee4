/* SPDX-License-Identifier: Apache-2.0 */
#include "http/target.h"

#include "check.h"

static void paths_are_decoded_and_evened(void)
{
    static const struct {
        const char *raw, *path;
        size_t segments;
    } rows[] = {
        { "/", "/", 0 },
        { "///", "/", 0 },
        { "/a", "/a", 1 },
        { "//a//b/", "/a/b", 2 },
        { "/a%20b/%C3%A9", "/a b/\xc3\xa9", 2 },
        { "/a:b@c!$&'()*+,;=-._~", "/a:b@c!$&'()*+,;=-._~", 1 },
        { "/a?b/c", "/a", 1 },
        { "/...", "/...", 1 },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
        struct moor_target t;
        CHECK_INT(moor_target_parse(rows[i].raw, &arena, &t), MOOR_REFUSE_NOTHING);
        CHECK_STR(t.path, rows[i].path);
        CHECK_INT(t.segment_count, rows[i].segments);
    }
}

static void dangerous_targets_are_refused(void)
{
    static const char *const rows[] = {
        "/a%",     "/a%4",    "/a%4g",   "/%00",      "/a%2Fb",    "/a%2fb", "/a%5Cb", "/%0a",
        "/%7f",    "/.",      "/a/../b", "/a/%2e%2E", "/%2e",      "/a\\b",  "/a<b",   "/a\"b",
        "/{a}",    "/a|b",    "/a^b",    "/a`b",      "/a#b",      "/[a]",   "/%ff",   "/%c0%af",
        "/?a=%00", "/?a=%ff", "/?a=%",   "/?a={b}",   "/?a=\"b\"", "/?a#b",  "/?a\\b", "/?%zz=1",
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
        struct moor_target t;
        if (!CHECK_INT(moor_target_parse(rows[i], &arena, &t), MOOR_REFUSE_TARGET))
            printf("# %s\n", rows[i]);
    }
}

static void query_is_decoded_in_order(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    struct moor_target t;
    CHECK_INT(
        moor_target_parse("/p?api-Version=1+2%2B3&&x&y=&api-version=second&k[0]=/?", &arena, &t),
        MOOR_REFUSE_NOTHING);
    CHECK_INT(t.query_count, 5);
    CHECK_STR(moor_target_query(&t, "api-version"), "1 2+3");
    CHECK_STR(moor_target_query(&t, "x"), "");
    CHECK_STR(moor_target_query(&t, "y"), "");
    CHECK_STR(moor_target_query(&t, "K[0]"), "/?");
    CHECK(moor_target_query(&t, "z") == NULL);
}

static void small_arena_is_said_to_be_full(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(24);
    struct moor_target t;
    CHECK_INT(moor_target_parse("/a/b/c/d/e?f=g", &arena, &t), MOOR_REFUSE_NO_MEMORY);
}

CHECK_MAIN(CHECK_TEST(paths_are_decoded_and_evened), CHECK_TEST(dangerous_targets_are_refused),
           CHECK_TEST(query_is_decoded_in_order), CHECK_TEST(small_arena_is_said_to_be_full))
