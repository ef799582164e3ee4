/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/attr.h"
#include "check.h"
#include "logs/transform.h"

#define ROW                                                                                        \
    "{\"TimeGenerated\":\"2026-11-22T10:00:00Z\",\"RawData\":\"GET /a?x=1 took 15 ms, by Ann\","   \
    "\"Level\":3,\"Ratio\":0.5,\"Ok\":true,\"Props\":{\"user\":\"ann\",\"deep\":{\"n\":7}},"       \
    "\"Text\":\"{\\\"a\\\":1}\",\"Big\":12345678901234567890}"

/* The row after the transform; "" = filtered out, or the error. */
static void run(const char *text, const char *row, struct moor_buf *out)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(MOOR_TRANSFORM_BYTES);
    struct moor_error e = MOOR_ERROR_INIT;
    struct moor_transform *t = NULL;
    bool kept = false;
    moor_buf_reset(out);
    if (moor_transform_parse(moor_span_str(text), &arena, &t, &e) != MOOR_OK ||
        moor_transform_row(t, moor_span_str(row), out, &kept, &e) != MOOR_OK)
        moor_buf_str(out, e.msg);
}

struct pair {
    const char *text, *want;
};

static void check_pairs(const struct pair *pairs, size_t count, const char *before,
                        const char *after, const char *row)
{
    MOOR_AUTO(moor_buf) out = MOOR_BUF(1 << 20);
    for (size_t i = 0; i < count; i++) {
        char text[512];
        (void)snprintf(text, sizeof(text), "%s%s%s", before, pairs[i].text, after);
        run(text, row, &out);
        if (!CHECK_STR(moor_buf_cstr(&out), pairs[i].want))
            printf("# %s\n", text);
    }
}

static void expressions_have_their_values(void)
{
    static const struct pair pairs[] = {
        { "Level", "{\"v\":3}" },
        { "Big", "{\"v\":12345678901234567890}" },
        { "1 + 2 * 3 - 4 / 2", "{\"v\":5}" },
        { "-Level + 10", "{\"v\":7}" },
        { "7 / 2", "{\"v\":3}" },
        { "7 / 2.0", "{\"v\":3.5}" },
        { "1 / 0", "{\"v\":null}" },
        { "(1 + 2) * 3", "{\"v\":9}" },
        { "Ratio * 4", "{\"v\":2}" },
        { "Props.deep.n", "{\"v\":7}" },
        { "Props['user']", "{\"v\":\"ann\"}" },
        { "['Props'].none", "{\"v\":null}" },
        { "parse_json(Text).a", "{\"v\":1}" },
        { "tostring(Props)", "{\"v\":\"{\\\"user\\\":\\\"ann\\\",\\\"deep\\\":{\\\"n\\\":7}}\"}" },
        { "strcat('a', 1, true, null, 'b')", "{\"v\":\"a1trueb\"}" },
        { "toupper('gr\xc3\xb6n')", "{\"v\":\"GR\xc3\xb6N\"}" },
        { "substring('gr\xc3\xb6ner', 2, 2)", "{\"v\":\"\xc3\xb6n\"}" },
        { "strlen('gr\xc3\xb6n')", "{\"v\":4}" },
        { "tolong(' 12 ')", "{\"v\":12}" },
        { "tolong('x')", "{\"v\":null}" },
        { "tobool('TRUE')", "{\"v\":true}" },
        { "toreal('1.5')", "{\"v\":1.5}" },
        { "iif(Ok, 'yes', 'no')", "{\"v\":\"yes\"}" },
        { "isempty(None) and isnull(None)", "{\"v\":true}" },
        { "isnotempty(Text) or 1 == 2", "{\"v\":true}" },
        { "'it\\'s' == \"it's\"", "{\"v\":true}" },
        { "@'a\\b'", "{\"v\":\"a\\\\b\"}" },
    };
    check_pairs(pairs, MOOR_COUNTOF(pairs), "source | project v = ", "", ROW);
}

static void predicates_choose_rows(void)
{
    static const struct {
        const char *text;
        bool kept;
    } cases[] = {
        { "Level == 3", true },
        { "Level != 3", false },
        { "Level >= 3 and Level <= 3", true },
        { "Level > 3 or Level < 3", false },
        { "Level == '3'", false },
        { "RawData contains 'TOOK'", true },
        { "RawData contains_cs 'TOOK'", false },
        { "RawData !contains 'TOOK'", false },
        { "RawData has 'too'", false },
        { "RawData has 'took'", true },
        { "RawData !has_cs 'Took'", true },
        { "RawData startswith 'get'", true },
        { "RawData endswith_cs 'ann'", false },
        { "Props.user in ('bob', 'ann')", true },
        { "Props.user in~ ('ANN')", true },
        { "Props.user !in ('bob', 'ann')", false },
        { "Props.user =~ 'ANN'", true },
        { "None == ''", true },
        { "None != 'x'", true },
        { "None > 1", false },
        { "not(Ok)", false },
        { "not(Ok) or Ratio == 0.5", true },
        { "TimeGenerated >= '2026-11-22'", true },
    };
    MOOR_AUTO(moor_buf) out = MOOR_BUF(1 << 20);
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++) {
        char text[512];
        (void)snprintf(text, sizeof(text), "source | where %s", cases[i].text);
        run(text, ROW, &out);
        if (!CHECK_STR(moor_buf_cstr(&out), cases[i].kept ? ROW : ""))
            printf("# %s\n", text);
    }
}

static void columns_come_and_go(void)
{
    static const struct pair pairs[] = {
        { "", "{\"a\":1,\"b\":\"x\"}" },
        { "| extend c = a + 1, a = 5", "{\"a\":5,\"b\":\"x\",\"c\":2}" },
        { "| project b, n = a, none", "{\"b\":\"x\",\"n\":1}" },
        { "| project-away a, none", "{\"b\":\"x\"}" },
        { "| project-rename c = a", "{\"b\":\"x\",\"c\":1}" },
        { "| where a == 1 | extend ['d e'] = b // why\n | project ['d e']", "{\"d e\":\"x\"}" },
        { "| where a == 2 | extend c = 1", "" },
    };
    check_pairs(pairs, MOOR_COUNTOF(pairs), "source ", "", "{\"a\":1,\"b\":\"x\"}");
}

static void texts_are_taken_apart(void)
{
    static const struct pair pairs[] = {
        { "with Verb ' ' Path ' took ' Ms:long ' ms' *",
          "{\"Verb\":\"GET\",\"Path\":\"/a?x=1\",\"Ms\":15}" },
        { "with * 'took ' Ms:long * 'by ' Who", "{\"Ms\":15,\"Who\":\"Ann\"}" },
        { "with * 'x=' X:real ' ' *", "{\"X\":1}" },
        { "with 'POST ' Path", "{\"Path\":null}" },
        { "with Verb ' /a'", "{\"Verb\":null}" },
        { "with * 'by ' Who:long", "{\"Who\":null}" },
    };
    check_pairs(pairs, MOOR_COUNTOF(pairs), "source | parse RawData ",
                " | project-away TimeGenerated, "
                "RawData, Level, Ratio, Ok, Props, Text, Big",
                ROW);
}

static void what_is_not_ours_is_refused_where_it_stands(void)
{
    static const struct pair pairs[] = {
        { "", "column 1: the end: want 'source' here" },
        { "Syslog", "column 1: Syslog: want 'source' here" },
        { "source | summarize count() by a",
          "column 10: summarize: is no operator that is run on the machine: want where, extend, "
          "project, project-away, project-rename or parse" },
        { "source | project-keep a",
          "column 10: project-keep: is no operator that is run on the machine: want where, extend, "
          "project, project-away, project-rename or parse" },
        { "source | where a matches regex 'x'",
          "column 18: matches: is no operator that is run on the machine" },
        { "source | where a between (1 .. 2)",
          "column 18: between: is no operator that is run on the machine" },
        { "source | extend a = extract('x', 1, b)",
          "column 21: extract: is no function that is run on the machine" },
        { "source | extend a = strlen()", "column 21: strlen: has another number of arguments" },
        { "source | where ago(5m) < b",
          "column 16: ago: is no function that is run on the machine" },
        { "source | where a > 5m", "column 20: 5m: is no number" },
        { "source | where (a == 1", "column 23: the end: want ')' here" },
        { "source | where a == 'x", "column 21: 'x: want an expression" },
        { "source | where a == '\\x'",
          "column 21: \\x: is no text: want \\\\ \\\" \\' \\n \\t or \\r behind a backslash" },
        { "source | extend a", "column 18: the end: want '=' here" },
        { "source | where a == 1 b", "column 23: b: want '|' here" },
        { "source | project a;", "column 19: ;: want '|' here" },
        { "source | parse a with b c", "column 25: c: want a text between" },
        { "source | parse a with * b", "column 25: b: want a text between" },
        { "source | parse a with 'x'", "column 26: the end: want a column to fill" },
        { "source | parse kind=simple a with", "column 34: the end: want a column to fill" },
        { "source | parse kind=regex a with b", "column 21: regex: want 'simple' here" },
        { "let a = 1; source", "column 1: let: want 'source' here" },
    };
    check_pairs(pairs, MOOR_COUNTOF(pairs), "", "", ROW);
    MOOR_AUTO(moor_buf) deep = MOOR_BUF(1 << 20), out = MOOR_BUF(1 << 20);
    moor_buf_str(&deep, "source | where ");
    for (int i = 0; i < 5000; i++)
        moor_buf_char(&deep, '(');
    run(moor_buf_cstr(&deep), ROW, &out);
    CHECK_STR(moor_buf_cstr(&out), "column 80: (: is nested too deep");
}

static const struct check_test tests[] = {
    CHECK_TEST(expressions_have_their_values),
    CHECK_TEST(predicates_choose_rows),
    CHECK_TEST(columns_come_and_go),
    CHECK_TEST(texts_are_taken_apart),
    CHECK_TEST(what_is_not_ours_is_refused_where_it_stands),
};

int main(void)
{
    return check_run(tests, MOOR_COUNTOF(tests));
}
