/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <stdlib.h>

#include "check.h"

typedef moor_code parser(struct moor_span, struct moor_json **, struct moor_error *);

/* Parses and prints compactly; "" when refused. */
static char *reprint(parser *parse, struct moor_span text)
{
    MOOR_AUTOPTR(moor_json) v = NULL;
    char *out = NULL;
    if (parse(text, &v, NULL) != MOOR_OK || moor_json_print(v, 1 << 20, &out, NULL) != MOOR_OK)
        return moor_strdup("");
    return out;
}

static void check_refusal(parser *parse, struct moor_span text, const char *want)
{
    struct moor_json *v = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK_INT(parse(text, &v, &err), MOOR_E_BADINPUT);
    CHECK_STR(err.msg, want);
    CHECK(v == NULL);
    moor_json_free(v);
}

static void every_rule_is_refused_with_its_place(void)
{
    static const struct {
        struct moor_span in;
        const char *want;
    } rows[] = {
        { MOOR_SPAN_LIT(""), "line 1 column 1: unexpected end" },
        { MOOR_SPAN_LIT(" \n "), "line 2 column 2: unexpected end" },
        { MOOR_SPAN_LIT("{} x"), "line 1 column 4: text behind the value" },
        { MOOR_SPAN_LIT("{}{}"), "line 1 column 3: text behind the value" },
        { MOOR_SPAN_LIT("1\0"), "line 1 column 2: text behind the value" },
        { MOOR_SPAN_LIT("{}\0"), "line 1 column 3: text behind the value" },
        { MOOR_SPAN_LIT("{\"a\":1,\n \"b\":2,\n      \"a\":3}"),
          "line 3 column 7: duplicate name" },
        { MOOR_SPAN_LIT("{\"a\":1,\"\\u0061\":2}"), "line 1 column 8: duplicate name" },
        { MOOR_SPAN_LIT("{\"\\n\":1,\"\\u000A\":2}"), "line 1 column 9: duplicate name" },
        { MOOR_SPAN_LIT("{\"\xf0\x9f\x98\x80\":1,\"\\uD83D\\uDE00\":2}"),
          "line 1 column 8: duplicate name" },
        { MOOR_SPAN_LIT("{\"\xc3\xbc\":1,\"\\u00fc\":2}"), "line 1 column 8: duplicate name" },
        { MOOR_SPAN_LIT("{\"\":1,\"\":2}"), "line 1 column 7: duplicate name" },
        { MOOR_SPAN_LIT("{\"x\":{\"b\":1,\"c\":0,\"c\":1,\"b\":0}}"),
          "line 1 column 19: duplicate name" },
        { MOOR_SPAN_LIT("\"a\0b\""), "line 1 column 3: NUL byte" },
        { MOOR_SPAN_LIT("\0"), "line 1 column 1: NUL byte" },
        { MOOR_SPAN_LIT("\"x\\u0000y\""), "line 1 column 3: \\u0000 in a string" },
        { MOOR_SPAN_LIT("{\"x\\u0000\":1}"), "line 1 column 4: \\u0000 in a string" },
        { MOOR_SPAN_LIT("\"\xff\""), "line 1 column 2: invalid UTF-8" },
        { MOOR_SPAN_LIT("\"\xc0\xaf\""), "line 1 column 2: invalid UTF-8" },
        { MOOR_SPAN_LIT("\"\xed\xa0\x80\""), "line 1 column 2: invalid UTF-8" },
        { MOOR_SPAN_LIT("\"\xe2\x82\""), "line 1 column 2: invalid UTF-8" },
        { MOOR_SPAN_LIT("\"\xf4\x90\x80\x80\""), "line 1 column 2: invalid UTF-8" },
        { MOOR_SPAN_LIT("\"\\uD800\""), "line 1 column 2: unpaired surrogate" },
        { MOOR_SPAN_LIT("\"\\uDC00\""), "line 1 column 2: unpaired surrogate" },
        { MOOR_SPAN_LIT("\"\\uD800\\u0041\""), "line 1 column 2: unpaired surrogate" },
        { MOOR_SPAN_LIT("\"\\uD800\\uD800\""), "line 1 column 2: unpaired surrogate" },
        { MOOR_SPAN_LIT("\"\\uDC00\\uD800\""), "line 1 column 2: unpaired surrogate" },
        { MOOR_SPAN_LIT("\"\\uD800"), "line 1 column 2: unpaired surrogate" },
        { MOOR_SPAN_LIT("\"\\u00g0\""),
          "line 1 column 2: want four hexadecimal digits behind \\u" },
        { MOOR_SPAN_LIT("\"\\u00"), "line 1 column 2: want four hexadecimal digits behind \\u" },
        { MOOR_SPAN_LIT("\"\\x41\""), "line 1 column 2: unknown escape in a string" },
        { MOOR_SPAN_LIT("\"\\\0\""), "line 1 column 2: unknown escape in a string" },
        { MOOR_SPAN_LIT("\"\\"), "line 1 column 3: unexpected end" },
        { MOOR_SPAN_LIT("\"abc"), "line 1 column 5: unexpected end" },
        { MOOR_SPAN_LIT("\"\xe2\x82\xac\n\""), "line 1 column 3: control character in a string" },
        { MOOR_SPAN_LIT("\"\t\""), "line 1 column 2: control character in a string" },
        { MOOR_SPAN_LIT("1e999"), "line 1 column 1: number out of range" },
        { MOOR_SPAN_LIT("-1e309"), "line 1 column 1: number out of range" },
        { MOOR_SPAN_LIT("[1, 01]"), "line 1 column 5: badly written number" },
        { MOOR_SPAN_LIT("1."), "line 1 column 1: badly written number" },
        { MOOR_SPAN_LIT("1.e1"), "line 1 column 1: badly written number" },
        { MOOR_SPAN_LIT(".5"), "line 1 column 1: badly written number" },
        { MOOR_SPAN_LIT("+1"), "line 1 column 1: badly written number" },
        { MOOR_SPAN_LIT("-"), "line 1 column 1: badly written number" },
        { MOOR_SPAN_LIT("-a"), "line 1 column 1: badly written number" },
        { MOOR_SPAN_LIT("1e"), "line 1 column 1: badly written number" },
        { MOOR_SPAN_LIT("1e+"), "line 1 column 1: badly written number" },
        { MOOR_SPAN_LIT("1-1"), "line 1 column 1: badly written number" },
        { MOOR_SPAN_LIT("0x10"), "line 1 column 2: text behind the value" },
        { MOOR_SPAN_LIT("1111111111111111111111111111111111111111111111111111111111111111"),
          "line 1 column 1: number of more than 63 characters" },
        { MOOR_SPAN_LIT("NaN"), "line 1 column 1: want a value" },
        { MOOR_SPAN_LIT("True"), "line 1 column 1: want a value" },
        { MOOR_SPAN_LIT("nul"), "line 1 column 1: want a value" },
        { MOOR_SPAN_LIT("\xef\xbb\xbf{}"), "line 1 column 1: byte order mark" },
        { MOOR_SPAN_LIT("{\"a\":1,}"), "line 1 column 8: want a name in quotes" },
        { MOOR_SPAN_LIT("{a:1}"), "line 1 column 2: want a name in quotes" },
        { MOOR_SPAN_LIT("{\"a\" 1}"), "line 1 column 6: want ':'" },
        { MOOR_SPAN_LIT("{\"a\":}"), "line 1 column 6: want a value" },
        { MOOR_SPAN_LIT("{\"a\":1 \"b\":2}"), "line 1 column 8: want ',' or '}'" },
        { MOOR_SPAN_LIT("{"), "line 1 column 2: unexpected end" },
        { MOOR_SPAN_LIT("{\"a\""), "line 1 column 5: unexpected end" },
        { MOOR_SPAN_LIT("{\"a\":"), "line 1 column 6: unexpected end" },
        { MOOR_SPAN_LIT("{\"a\":1"), "line 1 column 7: unexpected end" },
        { MOOR_SPAN_LIT("{\"a\":1,"), "line 1 column 8: unexpected end" },
        { MOOR_SPAN_LIT("[1,]"), "line 1 column 4: want a value" },
        { MOOR_SPAN_LIT("[1 2]"), "line 1 column 4: want ',' or ']'" },
        { MOOR_SPAN_LIT("[1}"), "line 1 column 3: want ',' or ']'" },
        { MOOR_SPAN_LIT("["), "line 1 column 2: unexpected end" },
        { MOOR_SPAN_LIT("// x\n1"), "line 1 column 1: want a value" },
        { MOOR_SPAN_LIT("\f1"), "line 1 column 1: want a value" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++)
        check_refusal(moor_json_parse, rows[i].in, rows[i].want);
    struct moor_json *v = NULL;
    CHECK_INT(moor_json_parse(MOOR_SPAN_NONE, &v, NULL), MOOR_E_BADINPUT);
    CHECK(v == NULL);
}

static void accepted_documents_print_compactly_and_in_order(void)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        { " null ", "null" },
        { "\t\r\n true", "true" },
        { "false", "false" },
        { "0", "0" },
        { "-0", "0" },
        { "-12", "-12" },
        { "1e2", "100" },
        { "1E+2", "100" },
        { "1.50", "1.5" },
        { "0.1", "0.1" },
        { "1e-7", "1e-07" },
        { "1e21", "1e+21" },
        { "9007199254740991", "9007199254740991" },
        { "\"\"", "\"\"" },
        { "\"\\/\\\\\\\"\\b\\f\\n\\r\\t\"", "\"/\\\\\\\"\\b\\f\\n\\r\\t\"" },
        { "\"\\u00e4\\uD83D\\uDE00\\u007f\"", "\"\xc3\xa4\xf0\x9f\x98\x80\x7f\"" },
        { "[]", "[]" },
        { "{}", "{}" },
        { "[ 1 , [ ] , { } ]", "[1,[],{}]" },
        { "{ \"b\" : 1 , \"a\" : { \"b\" : null } , \"A\" : 2 }",
          "{\"b\":1,\"a\":{\"b\":null},\"A\":2}" },
        { "[{\"a\":1},{\"a\":1}]", "[{\"a\":1},{\"a\":1}]" },
        { "{\"a\":{\"a\":1},\"aa\":1,\"\":0}", "{\"a\":{\"a\":1},\"aa\":1,\"\":0}" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        MOOR_AUTOSTR got = reprint(moor_json_parse, moor_span_str(rows[i].in));
        CHECK_STR(got, rows[i].want);
    }
}

static void numbers_beyond_a_double_keep_their_digits(void)
{
    static const char *const texts[] = {
        "[12345678901234567890,1,0.12345678901234567890,9007199254740993]",
        "{\"a\":1,\"b\":[2,-18446744073709551615],\"c\":1e-400,\"d\":3}",
        "0.30000000000000004",
        "[0.30000000000000000,8507201400000000,-1.7976931348623157e+308,5e-324]",
        "111111111111111111111111111111111111111111111111111111111111111",
    };
    for (size_t i = 0; i < MOOR_COUNTOF(texts); i++) {
        MOOR_AUTOSTR got = reprint(moor_json_parse, moor_span_str(texts[i]));
        CHECK_STR(got, texts[i]);
    }
    MOOR_AUTOPTR(moor_json) v = NULL;
    CHECK_INT(moor_json_parse(MOOR_SPAN_LIT("[9007199254740993,9007199254740992]"), &v, NULL),
              MOOR_OK);
    const struct moor_json *first = moor_json_first(v);
    CHECK(!moor_json_equal(first, moor_json_next(first)));
    MOOR_AUTOPTR(moor_json) copy = moor_json_copy(first);
    CHECK(moor_json_equal(first, copy));
}

static void nesting_ends_at_64(void)
{
    char text[200];
    for (size_t depth = 63; depth <= 66; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        MOOR_AUTOPTR(moor_json) v = NULL;
        struct moor_error err = MOOR_ERROR_INIT;
        moor_code c = moor_json_parse(moor_span(text, 2 * depth), &v, &err);
        CHECK_INT(c, depth <= 64 ? MOOR_OK : MOOR_E_BADINPUT);
        CHECK_STR(err.msg, depth <= 64 ? "" : "line 1 column 65: nesting deeper than 64");
    }
    MOOR_AUTO(moor_buf) b = MOOR_BUF(2000);
    for (int i = 0; i < 65; i++)
        moor_buf_str(&b, "{\"a\":");
    struct moor_json *v = NULL;
    CHECK_INT(moor_json_parse(moor_buf_view(&b), &v, NULL), MOOR_E_BADINPUT);
}

static void large_objects_are_read_in_linear_time(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(1 << 20);
    moor_buf_char(&b, '{');
    for (int i = 0; i < 20000; i++)
        moor_buf_fmt(&b, "%s\"name%d\":%d", i ? "," : "", i, i);
    size_t end = b.len;
    moor_buf_char(&b, '}');
    MOOR_AUTOPTR(moor_json) v = NULL;
    CHECK_INT(moor_json_parse(moor_buf_view(&b), &v, NULL), MOOR_OK);
    CHECK_INT(moor_json_size(v), 20000);
    moor_buf_cut(&b, end);
    moor_buf_str(&b, ",\"name77\":0}");
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK_INT(moor_json_parse(moor_buf_view(&b), &v, &err), MOOR_E_BADINPUT);
    CHECK(strstr(err.msg, "duplicate name") != NULL);
}

static void lenient_reading_takes_comments_and_a_byte_order_mark(void)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        { "\xef\xbb\xbf{}", "{}" },
        { "// a\n{ /* b */ \"a\" : 1 // c\r\n}/**/", "{\"a\":1}" },
        { "/* \n * \"x\n */ [\"// no /* comment */ \\\" // \"]",
          "[\"// no /* comment */ \\\" // \"]" },
        { "[\"\\\\\"/*\"*/]", "[\"\\\\\"]" },
        { "{} // end", "{}" },
        { "/***/1", "1" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        MOOR_AUTOSTR got = reprint(moor_json_parse_lenient, moor_span_str(rows[i].in));
        CHECK_STR(got, rows[i].want);
    }
    check_refusal(moor_json_parse_lenient, MOOR_SPAN_LIT("[1, /* x\n"),
                  "line 1 column 5: comment without an end");
    check_refusal(moor_json_parse_lenient, MOOR_SPAN_LIT("1 /*/"),
                  "line 1 column 3: comment without an end");
    check_refusal(moor_json_parse_lenient, MOOR_SPAN_LIT("// c\n{\"a\":1,/**/\"a\":1}"),
                  "line 2 column 12: duplicate name");
    check_refusal(moor_json_parse_lenient, MOOR_SPAN_LIT("[1,]"), "line 1 column 4: want a value");
    check_refusal(moor_json_parse_lenient, MOOR_SPAN_LIT("\xef\xbb\xbf\xef\xbb\xbf{}"),
                  "line 1 column 1: byte order mark");
    check_refusal(moor_json_parse_lenient, MOOR_SPAN_LIT("// c"),
                  "line 1 column 5: unexpected end");
    check_refusal(moor_json_parse_lenient, MOOR_SPAN_LIT("1 / 2"),
                  "line 1 column 3: text behind the value");
    check_refusal(moor_json_parse_lenient, MOOR_SPAN_LIT(""), "line 1 column 1: unexpected end");
    check_refusal(moor_json_parse_lenient, MOOR_SPAN_LIT("\"abc"),
                  "line 1 column 5: unexpected end");
}

static struct moor_json *parsed(const char *text)
{
    struct moor_json *v = NULL;
    CHECK_INT(moor_json_parse(moor_span_str(text), &v, NULL), MOOR_OK);
    return v;
}

static void members_are_found_by_name_and_path(void)
{
    MOOR_AUTOPTR(moor_json)
    v = parsed("{\"a\":{\"b\":{\"c\":\"deep\"}},\"A\":\"upper\",\"n\":null,\"\":\"empty\"}");
    CHECK_STR(moor_json_get_str(v, "A"), "upper");
    CHECK(moor_json_get_str(v, "a") == NULL);
    CHECK(moor_json_get(v, "B") == NULL);
    CHECK_STR(moor_json_str(moor_json_path(v, "a.b.c")), "deep");
    CHECK_STR(moor_json_str(moor_json_path(v, "")), "empty");
    CHECK(moor_json_path(v, "a.x.c") == NULL);
    CHECK(moor_json_path(v, "A.b") == NULL);
    CHECK(moor_json_get_nocase(v, "N") != NULL);
    CHECK(moor_json_typeof(moor_json_get(v, "n")) == MOOR_JSON_NULL);
    CHECK_INT(moor_json_size(v), 4);
    CHECK_STR(moor_json_name(moor_json_first(v)), "a");
}

static void null_and_wrong_types_answer_nothing(void)
{
    MOOR_AUTOPTR(moor_json) v = parsed("[1,\"s\",true,{}]");
    double d = 7;
    int64_t n = 7;
    bool b = true;
    CHECK(moor_json_get(NULL, "a") == NULL && moor_json_get(v, "a") == NULL);
    CHECK(moor_json_get_nocase(NULL, "a") == NULL && moor_json_path(NULL, "a") == NULL);
    CHECK(moor_json_str(NULL) == NULL && moor_json_str(v) == NULL);
    CHECK(!moor_json_number(v, &d) && !moor_json_int(NULL, &n) && !moor_json_bool(v, &b));
    CHECK(!moor_json_is_true(NULL) && !moor_json_is_true(v));
    CHECK(d > 6 && n == 7 && b);
    CHECK_INT(moor_json_size(NULL), 0);
    CHECK(moor_json_first(NULL) == NULL && moor_json_next(NULL) == NULL);
    CHECK(moor_json_name(NULL) == NULL && moor_json_name(moor_json_first(v)) == NULL);
    CHECK(moor_json_typeof(NULL) == MOOR_JSON_NULL);
    CHECK_INT(moor_json_size(moor_json_next(moor_json_first(v))), 0);
    moor_json_free(NULL);
}

static void values_are_read_by_type(void)
{
    static const struct {
        const char *in;
        bool whole;
        int64_t want;
    } rows[] = {
        { "0", true, 0 },
        { "-5", true, -5 },
        { "1e3", true, 1000 },
        { "9007199254740991", true, INT64_C(9007199254740991) },
        { "-9007199254740991", true, -INT64_C(9007199254740991) },
        { "9007199254740992", false, 0 },
        { "9007199254740993", false, 0 },
        { "9007199254740990.9", false, 0 },
        { "1.5", false, 0 },
        { "1e300", false, 0 },
        { "\"1\"", false, 0 },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        MOOR_AUTOPTR(moor_json) v = parsed(rows[i].in);
        int64_t n = 0;
        CHECK_INT(moor_json_int(v, &n), rows[i].whole);
        CHECK_INT(n, rows[i].want);
    }
    MOOR_AUTOPTR(moor_json) t = parsed("true");
    bool b = false;
    CHECK(moor_json_bool(t, &b) && b && moor_json_is_true(t));
    MOOR_AUTOPTR(moor_json) d = parsed("-1.25e2");
    double number = 0;
    CHECK(moor_json_number(d, &number) && number < -124.9 && number > -125.1);
}

static void items_are_walked_in_order(void)
{
    MOOR_AUTOPTR(moor_json) v = parsed("{\"x\":1,\"y\":2,\"z\":3}");
    MOOR_AUTO(moor_buf) b = MOOR_BUF(100);
    MOOR_JSON_EACH(item, v)
    {
        int64_t n = 0;
        CHECK(moor_json_int(item, &n));
        moor_buf_fmt(&b, "%s%d", moor_json_name(item), (int)n);
    }
    CHECK_STR(moor_buf_cstr(&b), "x1y2z3");
}

static void equality_ignores_order_of_members_only(void)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {
        { "{\"a\":1,\"b\":[1,{\"x\":null,\"y\":\"s\"}]}",
          "{\"b\":[1,{\"y\":\"s\",\"x\":null}],\"a\":1}", true },
        { "[1,2]", "[2,1]", false },
        { "[1,2]", "[1,2,3]", false },
        { "[]", "{}", false },
        { "{\"a\":1}", "{\"a\":1,\"b\":1}", false },
        { "{\"a\":1}", "{\"A\":1}", false },
        { "{\"a\":1}", "{\"a\":2}", false },
        { "1", "1.0", true },
        { "1", "1.0000000001", false },
        { "85072014e8", "8507201400000000", true },
        { "true", "false", false },
        { "null", "null", true },
        { "null", "false", false },
        { "\"a\"", "\"A\"", false },
        { "\"a\"", "\"\\u0061\"", true },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        MOOR_AUTOPTR(moor_json) a = parsed(rows[i].a);
        MOOR_AUTOPTR(moor_json) b = parsed(rows[i].b);
        CHECK_INT(moor_json_equal(a, b), rows[i].equal);
        CHECK_INT(moor_json_equal(b, a), rows[i].equal);
    }
    CHECK(moor_json_equal(NULL, NULL));
    MOOR_AUTOPTR(moor_json) null = moor_json_new_null();
    CHECK(!moor_json_equal(null, NULL));
}

static void trees_are_built_inline(void)
{
    MOOR_AUTOPTR(moor_json) root = moor_json_new_object();
    moor_json_set_str(root, "name", "a\"b");
    moor_json_set_int(root, "n", -42);
    moor_json_set_bool(root, "ok", true);
    moor_json_set_str(root, "none", NULL);
    struct moor_json *list = moor_json_set(root, "list", moor_json_new_array());
    moor_json_push(list, moor_json_new_number(0.5));
    moor_json_set_int(moor_json_push(list, moor_json_new_object()), "x", 1);
    MOOR_AUTOSTR text = NULL;
    CHECK_INT(moor_json_print(root, 1000, &text, NULL), MOOR_OK);
    CHECK_STR(text, "{\"name\":\"a\\\"b\",\"n\":-42,\"ok\":true,\"none\":null,"
                    "\"list\":[0.5,{\"x\":1}]}");
}

static void set_replaces_in_place_and_remove_takes_out(void)
{
    MOOR_AUTOPTR(moor_json) root = parsed("{\"a\":1,\"b\":2,\"c\":3}");
    moor_json_set_str(root, "b", "new");
    moor_json_remove(root, "a");
    moor_json_remove(root, "C");
    moor_json_remove(NULL, "a");
    moor_json_set(root, "d", moor_json_copy(moor_json_get(root, "b")));
    moor_json_set(root, "c", moor_json_copy(moor_json_get(root, "b")));
    CHECK_STR(moor_json_str(moor_json_edit(root, "d")), "new");
    CHECK(moor_json_edit(root, "x") == NULL && moor_json_edit(NULL, "x") == NULL);
    MOOR_AUTOSTR text = NULL;
    CHECK_INT(moor_json_print(root, 1000, &text, NULL), MOOR_OK);
    CHECK_STR(text, "{\"b\":\"new\",\"c\":\"new\",\"d\":\"new\"}");
}

static void a_copied_member_has_no_name_in_a_list(void)
{
    MOOR_AUTOPTR(moor_json) root = parsed("{\"a\":1}");
    MOOR_AUTOPTR(moor_json) list = moor_json_new_array();
    moor_json_push(list, moor_json_copy(moor_json_get(root, "a")));
    CHECK(moor_json_name(moor_json_first(list)) == NULL);
    CHECK(moor_json_copy(NULL) == NULL);
}

static void a_lost_member_makes_the_tree_unprintable(void)
{
    MOOR_AUTOPTR(moor_json) root = moor_json_new_object();
    struct moor_json *inner = moor_json_set(root, "inner", moor_json_new_object());
    CHECK(moor_json_set(inner, "x", NULL) == NULL);
    CHECK(moor_json_set(NULL, "x", moor_json_new_int(1)) == NULL);
    CHECK(moor_json_push(NULL, moor_json_new_int(1)) == NULL);
    char *text = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK_INT(moor_json_print(root, 1000, &text, &err), MOOR_E_NOMEM);
    CHECK(text == NULL);
    MOOR_AUTOPTR(moor_json) copy = moor_json_copy(root);
    CHECK_INT(moor_json_print(copy, 1000, &text, NULL), MOOR_E_NOMEM);
    CHECK_INT(moor_json_print(NULL, 1000, &text, NULL), MOOR_E_NOMEM);
    MOOR_AUTOPTR(moor_json) list = moor_json_new_array();
    CHECK(moor_json_push(list, NULL) == NULL);
    CHECK_INT(moor_json_print(list, 1000, &text, NULL), MOOR_E_NOMEM);
}

static void printing_stops_at_its_limit(void)
{
    MOOR_AUTOPTR(moor_json) v = parsed("[1,2,3]");
    MOOR_AUTOSTR text = NULL;
    CHECK_INT(moor_json_print(v, 7, &text, NULL), MOOR_OK);
    struct moor_error err = MOOR_ERROR_INIT;
    char *none = NULL;
    CHECK_INT(moor_json_print(v, 6, &none, &err), MOOR_E_NOMEM);
    CHECK_STR(err.msg, "JSON document: over the limit of 6 bytes, or out of memory");
}

static void forms_of_printing(void)
{
    MOOR_AUTOPTR(moor_json) v = parsed("{\"b\":[1,{}],\"a\":{\"z\":[],\"y\":\"t\"},\"B\":0}");
    MOOR_AUTO(moor_buf) canonical = MOOR_BUF(1000);
    moor_buf_json_canonical(&canonical, v);
    CHECK_STR(moor_buf_cstr(&canonical), "{\"B\":0,\"a\":{\"y\":\"t\",\"z\":[]},\"b\":[1,{}]}");
    MOOR_AUTO(moor_buf) pretty = MOOR_BUF(1000);
    moor_buf_json_pretty(&pretty, v);
    CHECK_STR(moor_buf_cstr(&pretty), "{\n  \"b\": [\n    1,\n    {}\n  ],\n  \"a\": {\n"
                                      "    \"z\": [],\n    \"y\": \"t\"\n  },\n  \"B\": 0\n}");
}

/* The examples of RFC 7396, appendix A, as far as both sides are objects. */
static void merge_patches_follow_the_rfc(void)
{
    static const struct {
        const char *target, *patch, *want;
    } rows[] = {
        { "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
        { "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
        { "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
        { "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}" },
        { "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
        { "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
        { "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
        { "{\"a\":\"foo\"}", "{\"a\":{\"b\":[null]}}", "{\"a\":{\"b\":[null]}}" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        MOOR_AUTOPTR(moor_json) target = parsed(rows[i].target);
        MOOR_AUTOPTR(moor_json) patch = parsed(rows[i].patch);
        CHECK_INT(moor_json_merge_patch(target, patch, NULL), MOOR_OK);
        MOOR_AUTOSTR text = NULL;
        CHECK_INT(moor_json_print(target, 1000, &text, NULL), MOOR_OK);
        CHECK_STR(text, rows[i].want);
    }
    MOOR_AUTOPTR(moor_json) list = parsed("[]");
    MOOR_AUTOPTR(moor_json) object = parsed("{}");
    CHECK_INT(moor_json_merge_patch(list, object, NULL), MOOR_E_BADINPUT);
    CHECK_INT(moor_json_merge_patch(object, list, NULL), MOOR_E_BADINPUT);
    CHECK_INT(moor_json_merge_patch(object, NULL, NULL), MOOR_E_BADINPUT);
}

CHECK_MAIN(CHECK_TEST(every_rule_is_refused_with_its_place),
           CHECK_TEST(accepted_documents_print_compactly_and_in_order),
           CHECK_TEST(numbers_beyond_a_double_keep_their_digits), CHECK_TEST(nesting_ends_at_64),
           CHECK_TEST(large_objects_are_read_in_linear_time),
           CHECK_TEST(lenient_reading_takes_comments_and_a_byte_order_mark),
           CHECK_TEST(members_are_found_by_name_and_path),
           CHECK_TEST(null_and_wrong_types_answer_nothing), CHECK_TEST(values_are_read_by_type),
           CHECK_TEST(items_are_walked_in_order),
           CHECK_TEST(equality_ignores_order_of_members_only), CHECK_TEST(trees_are_built_inline),
           CHECK_TEST(set_replaces_in_place_and_remove_takes_out),
           CHECK_TEST(a_copied_member_has_no_name_in_a_list),
           CHECK_TEST(a_lost_member_makes_the_tree_unprintable),
           CHECK_TEST(printing_stops_at_its_limit), CHECK_TEST(forms_of_printing),
           CHECK_TEST(merge_patches_follow_the_rfc))
