/* SPDX-License-Identifier: Apache-2.0 */
#include "api/range.h"
#include "check.h"

static struct moor_range r;

static moor_range_kind read_range(const char *header)
{
    r = (struct moor_range){ 0, 0 };
    return moor_range_read(header, 100, &r);
}

static void one_range_is_a_part(void)
{
    CHECK(read_range("bytes=10-") == MOOR_RANGE_PART && r.offset == 10 && r.length == 90);
    CHECK(read_range("bytes=0-0") == MOOR_RANGE_PART && r.offset == 0 && r.length == 1);
    CHECK(read_range("bytes=90-1000") == MOOR_RANGE_PART && r.offset == 90 && r.length == 10);
    CHECK(read_range("Bytes = 5 - 9") == MOOR_RANGE_PART && r.offset == 5 && r.length == 5);
    CHECK(read_range("bytes=-30") == MOOR_RANGE_PART && r.offset == 70 && r.length == 30);
    CHECK(read_range("bytes=-300") == MOOR_RANGE_PART && r.offset == 0 && r.length == 100);
}

static void nothing_in_range_is_none(void)
{
    CHECK(read_range("bytes=100-") == MOOR_RANGE_NONE);
    CHECK(read_range("bytes=-0") == MOOR_RANGE_NONE);
    CHECK(moor_range_read("bytes=0-", 0, &r) == MOOR_RANGE_NONE);
}

static void what_is_not_understood_is_everything(void)
{
    static const char *const odd[] = { "",          "bytes",      "bytes=",    "bytes=-",
                                       "lines=1-2", "bytes=a-b",  "bytes=5-2", "bytes=1-2,4-5",
                                       "bytes=--1", "bytes=1-2-3" };
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        CHECK(read_range(odd[i]) == MOOR_RANGE_ALL);
}

CHECK_MAIN(CHECK_TEST(one_range_is_a_part), CHECK_TEST(nothing_in_range_is_none),
           CHECK_TEST(what_is_not_understood_is_everything))
