/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "check.h"
#include "logs/lines.h"

static const struct moor_row_context text_row = { 0, "box", "/a\"b", MOOR_LOG_TEXT };
/* As moor_row_add(), for a file with this one line. */
static moor_code add_row(struct moor_buf *b, const struct moor_row_context *x,
                         struct moor_span line, bool cut)
{
    struct moor_row_frame f;
    moor_row_frame_init(&f, x);
    moor_code c = moor_row_add(b, &f, line, cut, NULL);
    moor_row_frame_drop(&f);
    return c;
}

static const struct moor_row_context json_row = { 0, "box", "/a", MOOR_LOG_JSON_LINES };

static void lines_end_with_lf_and_lose_their_cr(void)
{
    struct moor_span rest = MOOR_SPAN_LIT("one\r\n\ntwo\nthr"), line;
    bool skipping = false;
    CHECK_INT(moor_cut_line(&rest, false, &skipping, &line), MOOR_CUT_LINE);
    CHECK(moor_span_eq_str(line, "one"));
    CHECK_INT(moor_cut_line(&rest, false, &skipping, &line), MOOR_CUT_LINE);
    CHECK_INT(line.n, 0);
    CHECK_INT(moor_cut_line(&rest, false, &skipping, &line), MOOR_CUT_LINE);
    CHECK(moor_span_eq_str(line, "two"));
    CHECK_INT(moor_cut_line(&rest, false, &skipping, &line), MOOR_CUT_NONE);
    CHECK(moor_span_eq_str(rest, "thr"));
    CHECK_INT(moor_cut_line(&rest, true, &skipping, &line), MOOR_CUT_LINE);
    CHECK(moor_span_eq_str(line, "thr"));
    CHECK_INT(moor_cut_line(&rest, true, &skipping, &line), MOOR_CUT_NONE);
}

static void a_line_too_long_is_cut_and_its_rest_passed_over(void)
{
    size_t n = 3 * MOOR_LINE_MAX;
    char *text = malloc(n);
    memset(text, 'x', n);
    text[n - 2] = '\n';
    struct moor_span rest = { text, MOOR_LINE_MAX + 1 }, line;
    bool skipping = false;
    /* Its end is not there yet. */
    CHECK_INT(moor_cut_line(&rest, false, &skipping, &line), MOOR_CUT_TOO_LONG);
    CHECK_INT(line.n, MOOR_LINE_MAX);
    CHECK(skipping && rest.n == 0);
    rest = (struct moor_span){ text, 100 };
    CHECK_INT(moor_cut_line(&rest, false, &skipping, &line), MOOR_CUT_SKIPPED);
    CHECK(skipping);
    rest = moor_span(text + n - 100, 100);
    CHECK_INT(moor_cut_line(&rest, false, &skipping, &line), MOOR_CUT_SKIPPED);
    CHECK(!skipping && rest.n == 1);
    /* Exactly as long as a line may be. */
    rest = (struct moor_span){ text + n - 2 - MOOR_LINE_MAX, MOOR_LINE_MAX + 1 };
    CHECK_INT(moor_cut_line(&rest, false, &skipping, &line), MOOR_CUT_LINE);
    CHECK_INT(line.n, MOOR_LINE_MAX);
    free(text);
}

static void the_same_lines_come_out_however_the_bytes_come_in(void)
{
    static const char text[] = "a\nbb\r\n\nccc\n";
    for (size_t split = 0; split < sizeof(text) - 1; split++) {
        char window[sizeof(text)];
        MOOR_AUTO(moor_buf) got = MOOR_BUF(100);
        struct moor_span rest = moor_span(text, split), line;
        bool skipping = false;
        while (moor_cut_line(&rest, false, &skipping, &line) == MOOR_CUT_LINE) {
            moor_buf_span(&got, line);
            moor_buf_char(&got, '|');
        }
        memcpy(window, rest.p, rest.n);
        memcpy(window + rest.n, text + split, sizeof(text) - 1 - split);
        rest = moor_span(window, rest.n + sizeof(text) - 1 - split);
        while (moor_cut_line(&rest, false, &skipping, &line) == MOOR_CUT_LINE) {
            moor_buf_span(&got, line);
            moor_buf_char(&got, '|');
        }
        CHECK_STR(moor_buf_cstr(&got), "a|bb||ccc|");
    }
}

static void a_text_row_is_json_whatever_the_line_holds(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(1 << 20);
    CHECK_INT(add_row(&b, &text_row, MOOR_SPAN_LIT("x \xff\0\t\"\\ \xc3\xbc"), false), MOOR_OK);
    MOOR_AUTOPTR(moor_json) v = NULL;
    CHECK_INT(moor_json_parse(moor_buf_view(&b), &v, NULL), MOOR_OK);
    CHECK_STR(moor_json_get_str(v, "RawData"), "x \xef\xbf\xbd\xef\xbf\xbd\t\"\\ \xc3\xbc");
    CHECK_STR(moor_json_get_str(v, "FilePath"), "/a\"b");
    CHECK_STR(moor_json_get_str(v, "Computer"), "box");
    CHECK_STR(moor_json_get_str(v, "TimeGenerated"), "1970-01-01T00:00:00.000Z");
    CHECK(!memchr(b.data, '\n', b.len));
}

static void a_cut_row_ends_in_its_mark_and_is_whole_utf8(void)
{
    for (size_t lead = 0; lead < 4; lead++) {
        char *text = malloc(MOOR_LINE_MAX);
        memset(text, 'x', lead);
        for (size_t at = lead; at < MOOR_LINE_MAX; at++)
            text[at] = "\xf0\x9f\x98\x80"[(at - lead) % 4];
        MOOR_AUTO(moor_buf) b = MOOR_BUF(1 << 20);
        MOOR_AUTOPTR(moor_json) v = NULL;
        CHECK_INT(add_row(&b, &text_row, moor_span(text, MOOR_LINE_MAX), true), MOOR_OK);
        CHECK_INT(moor_json_parse(moor_buf_view(&b), &v, NULL), MOOR_OK);
        struct moor_span raw = moor_span_str(moor_json_get_str(v, "RawData"));
        CHECK(raw.n <= MOOR_LINE_MAX && raw.n > MOOR_LINE_MAX - 16);
        CHECK(moor_span_ends(raw, "\xf0\x9f\x98\x80" MOOR_LINE_MARK));
        free(text);
    }
}

static void a_json_row_is_the_line_with_a_time(void)
{
    static const struct {
        const char *line, *want;
    } cases[] = {
        { " {\"a\":1.50} ", "{\"TimeGenerated\":\"1970-01-01T00:00:00.000Z\",\"a\":1.50}" },
        { "{}", "{\"TimeGenerated\":\"1970-01-01T00:00:00.000Z\"}" },
        { "{\"TimeGenerated\":\"x\"}", "{\"TimeGenerated\":\"x\"}" },
        { "{\"a\":\"\xff\"}",
          "{\"TimeGenerated\":\"1970-01-01T00:00:00.000Z\",\"a\":\"\xef\xbf\xbd\"}" },
        { "[1]", NULL },
        { "x", NULL },
        { "{\"a\":1}{", NULL },
        { "{\"a\":1,\"a\":2}", NULL },
        { "", NULL },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++) {
        MOOR_AUTO(moor_buf) b = MOOR_BUF(1000);
        moor_code c = add_row(&b, &json_row, moor_span_str(cases[i].line), false);
        CHECK_INT(c, cases[i].want ? MOOR_OK : MOOR_E_BADINPUT);
        CHECK_STR(moor_buf_cstr(&b), cases[i].want ? cases[i].want : "");
    }
}

static void blanks_are_no_record(void)
{
    CHECK(moor_line_is_blank(MOOR_SPAN_NONE));
    CHECK(moor_line_is_blank(MOOR_SPAN_LIT(" \t\0\0")));
    CHECK(!moor_line_is_blank(MOOR_SPAN_LIT(" x")));
}

CHECK_MAIN(CHECK_TEST(lines_end_with_lf_and_lose_their_cr),
           CHECK_TEST(a_line_too_long_is_cut_and_its_rest_passed_over),
           CHECK_TEST(the_same_lines_come_out_however_the_bytes_come_in),
           CHECK_TEST(a_text_row_is_json_whatever_the_line_holds),
           CHECK_TEST(a_cut_row_ends_in_its_mark_and_is_whole_utf8),
           CHECK_TEST(a_json_row_is_the_line_with_a_time), CHECK_TEST(blanks_are_no_record))
