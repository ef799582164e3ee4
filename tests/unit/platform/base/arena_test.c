/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdint.h>

#include "check.h"

static void memory_is_zeroed_and_aligned(void)
{
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1 << 20);
    for (size_t n = 0; n < 300; n++) {
        unsigned char *p = moor_arena_alloc(&a, n);
        if (!CHECK(p != NULL))
            return;
        CHECK((uintptr_t)p % _Alignof(max_align_t) == 0);
        for (size_t i = 0; i < n; i++)
            CHECK(p[i] == 0);
        memset(p, 0xff, n);
    }
    CHECK(moor_arena_alloc(&a, 100000) != NULL);
    CHECK(moor_arena_alloc(&a, 1) != NULL);
}

static void limit_ends_the_arena_and_drop_begins_it_anew(void)
{
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(64);
    CHECK(moor_arena_alloc(&a, 65) == NULL);
    CHECK(moor_arena_alloc(&a, 64) != NULL);
    CHECK_INT(a.used, 64);
    CHECK(moor_arena_alloc(&a, 1) == NULL);
    moor_arena_drop(&a);
    CHECK_INT(a.used, 0);
    CHECK(moor_arena_alloc(&a, 64) != NULL);
    moor_arena_drop(&a);
    moor_arena_drop(&a);
}

static void impossible_sizes_are_refused(void)
{
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(SIZE_MAX);
    CHECK(moor_arena_alloc(&a, SIZE_MAX) == NULL);
    CHECK(moor_arena_array(&a, SIZE_MAX / 2, 3) == NULL);
    CHECK(moor_arena_array(&a, 0, 8) != NULL);
    CHECK(moor_arena_array(&a, 8, 0) != NULL);
}

static void texts_are_copied_and_formatted(void)
{
    MOOR_AUTO(moor_arena) a = MOOR_ARENA(1024);
    CHECK_STR(moor_arena_str(&a, MOOR_SPAN_LIT("abc")), "abc");
    CHECK_STR(moor_arena_str(&a, MOOR_SPAN_NONE), "");
    CHECK_STR(moor_arena_fmt(&a, "%s-%d", "x", 7), "x-7");
    CHECK(moor_arena_fmt(&a, "%2000d", 1) == NULL);
}

CHECK_MAIN(CHECK_TEST(memory_is_zeroed_and_aligned),
           CHECK_TEST(limit_ends_the_arena_and_drop_begins_it_anew),
           CHECK_TEST(impossible_sizes_are_refused), CHECK_TEST(texts_are_copied_and_formatted))
