/* SPDX-License-Identifier: Apache-2.0 */
#include "base/span.h"

#include <stdlib.h>

#include "check.h"

static void equality_compares_bytes_and_length(void)
{
    CHECK(moor_span_eq(MOOR_SPAN_NONE, MOOR_SPAN_LIT("")));
    CHECK(moor_span_eq(MOOR_SPAN_LIT("a\0b"), MOOR_SPAN_LIT("a\0b")));
    CHECK(!moor_span_eq(MOOR_SPAN_LIT("a\0b"), MOOR_SPAN_LIT("a\0c")));
    CHECK(!moor_span_eq(MOOR_SPAN_LIT("a"), MOOR_SPAN_LIT("ab")));
    CHECK(moor_span_eq_str(MOOR_SPAN_NONE, NULL));
    CHECK(moor_span_eq_nocase(MOOR_SPAN_LIT("HoSt[\xc4"), MOOR_SPAN_LIT("hOsT[\xc4")));
    CHECK(!moor_span_eq_nocase(MOOR_SPAN_LIT("["), MOOR_SPAN_LIT("{")));
    CHECK(!moor_span_eq_nocase(MOOR_SPAN_LIT("a"), MOOR_SPAN_LIT("aa")));
    CHECK(moor_span_eq_secret(MOOR_SPAN_LIT("key"), MOOR_SPAN_LIT("key")));
    CHECK(moor_span_eq_secret(MOOR_SPAN_NONE, MOOR_SPAN_NONE));
    CHECK(!moor_span_eq_secret(MOOR_SPAN_LIT("key"), MOOR_SPAN_LIT("kez")));
    CHECK(!moor_span_eq_secret(MOOR_SPAN_LIT("key"), MOOR_SPAN_LIT("keys")));
}

static void prefix_and_suffix_are_found(void)
{
    CHECK(moor_span_starts(MOOR_SPAN_LIT("https://x"), "https://"));
    CHECK(moor_span_starts(MOOR_SPAN_NONE, ""));
    CHECK(!moor_span_starts(MOOR_SPAN_LIT("ht"), "http"));
    CHECK(moor_span_ends(MOOR_SPAN_LIT("a.json"), ".json"));
    CHECK(moor_span_ends(MOOR_SPAN_NONE, ""));
    CHECK(!moor_span_ends(MOOR_SPAN_LIT("json"), ".json"));
}

static void trim_takes_blanks_at_both_ends(void)
{
    CHECK(moor_span_eq_str(moor_span_trim(MOOR_SPAN_LIT(" \t\r\n a b \n")), "a b"));
    CHECK_INT(moor_span_trim(MOOR_SPAN_LIT(" \n ")).n, 0);
    CHECK_INT(moor_span_trim(MOOR_SPAN_NONE).n, 0);
}

static void cut_walks_over_a_list(void)
{
    struct moor_span rest = MOOR_SPAN_LIT("a,,b,");
    CHECK(moor_span_eq_str(moor_span_cut(&rest, ','), "a"));
    CHECK(moor_span_eq_str(moor_span_cut(&rest, ','), ""));
    CHECK(moor_span_eq_str(moor_span_cut(&rest, ','), "b"));
    CHECK(rest.p != NULL && rest.n == 0);
    CHECK(moor_span_eq_str(moor_span_cut(&rest, ','), ""));
    CHECK(rest.p == NULL && rest.n == 0);
    CHECK_INT(moor_span_cut(&rest, ',').n, 0);
}

static void copies_are_terminated_and_refuse_nul(void)
{
    MOOR_AUTOSTR copy = NULL;
    CHECK_INT(moor_span_dup(MOOR_SPAN_LIT("text"), &copy, NULL), MOOR_OK);
    CHECK_STR(copy, "text");
    MOOR_AUTOSTR none = NULL;
    CHECK_INT(moor_span_dup(MOOR_SPAN_NONE, &none, NULL), MOOR_OK);
    CHECK_STR(none, "");
    struct moor_error err = MOOR_ERROR_INIT;
    char *untouched = NULL;
    CHECK_INT(moor_span_dup(MOOR_SPAN_LIT("a\0b"), &untouched, &err), MOOR_E_BADINPUT);
    CHECK(untouched == NULL);
    CHECK_STR(err.msg, "text holds a NUL byte");
    MOOR_AUTOSTR again = moor_strdup("again");
    CHECK_STR(again, "again");
}

static void c_strings_compare_without_case_and_with_null(void)
{
    CHECK_INT(moor_strcasecmp("ABC", "abc"), 0);
    CHECK(moor_strcasecmp("ab", "abc") < 0);
    CHECK(moor_strcasecmp("b", "A") > 0);
    CHECK(moor_strcasecmp("\xc3", "a") > 0);
    CHECK(moor_strcasecmp(NULL, "") < 0);
    CHECK(moor_strcasecmp("", NULL) > 0);
    CHECK_INT(moor_strcasecmp(NULL, NULL), 0);
    CHECK(moor_streq(NULL, NULL) && moor_streq("a", "a"));
    CHECK(!moor_streq(NULL, "") && !moor_streq("a", "A"));
}

static void take_moves_the_pointer_out(void)
{
    MOOR_AUTOSTR a = moor_strdup("moved");
    MOOR_AUTOSTR b = MOOR_TAKE(a);
    CHECK(a == NULL);
    CHECK_STR(b, "moved");
}

CHECK_MAIN(CHECK_TEST(equality_compares_bytes_and_length), CHECK_TEST(prefix_and_suffix_are_found),
           CHECK_TEST(trim_takes_blanks_at_both_ends), CHECK_TEST(cut_walks_over_a_list),
           CHECK_TEST(copies_are_terminated_and_refuse_nul),
           CHECK_TEST(c_strings_compare_without_case_and_with_null),
           CHECK_TEST(take_moves_the_pointer_out))
