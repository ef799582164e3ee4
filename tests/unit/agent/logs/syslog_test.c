/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/syslog.h"

#include <string.h>

#include "check.h"
#include "logs/stamp.h"

#define NOW INT64_C(1795455570000) /* 2026-11-23T17:39:30Z */

static void check_span(struct moor_span got, const char *want)
{
    char text[256];
    size_t n = got.n < sizeof(text) - 1 ? got.n : sizeof(text) - 1;
    if (n)
        memcpy(text, got.p, n);
    text[n] = '\0';
    CHECK_STR(text, want);
}

static void messages_of_all_kinds_are_understood(void)
{
    static const struct {
        const char *in;
        unsigned facility, severity;
        const char *host, *process, *pid, *text;
        bool timed;
    } rows[] = {
        { "<34>Oct 11 22:14:15 mymachine su: 'su root' failed", 4, 2, "mymachine", "su", "",
          "'su root' failed", true },
        { "<13>Nov  3 10:00:00 root: local without host", 1, 5, "", "root", "",
          "local without host", true },
        { "<86>Nov 22 10:00:00 web sshd[4242]: Accepted", 10, 6, "web", "sshd", "4242", "Accepted",
          true },
        { "<30>2026-11-22T10:00:00.123456+01:00 web app[1]: x y", 3, 6, "web", "app", "1", "x y",
          true },
        { "<165>1 2003-10-11T22:14:15.003Z host.example evntslog 77 ID47 "
          "[ex@1 a=\"]\\\"]\" b=\"2\"][x] \xef\xbb\xbfhello",
          20, 5, "host.example", "evntslog", "77", "hello", true },
        { "<165>1 - - - - - -", 20, 5, "", "", "", "", false },
        { "<165>1 2003-10-11T22:14:15.003Z h a - - - a: b", 20, 5, "h", "a", "", "a: b", true },
        { "<14>app: no time", 1, 6, "", "app", "", "no time", false },
        { "<14>nothing like it", 1, 6, "", "", "", "nothing like it", false },
        { "plain", 1, 5, "", "", "", "plain", false },
        { "<192>high", 1, 5, "", "", "", "<192>high", false },
        { "<>x", 1, 5, "", "", "", "<>x", false },
        { "<1", 1, 5, "", "", "", "<1", false },
        { "", 1, 5, "", "", "", "", false },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        struct moor_syslog m;
        moor_syslog_parse(moor_span_str(rows[i].in), NOW, 0, &m);
        CHECK_INT(m.facility, rows[i].facility);
        CHECK_INT(m.severity, rows[i].severity);
        check_span(m.host, rows[i].host);
        check_span(m.process, rows[i].process);
        check_span(m.pid, rows[i].pid);
        check_span(m.text, rows[i].text);
        CHECK_INT(m.time_ms != INT64_MIN, rows[i].timed);
    }
}

static void a_time_without_a_year_is_of_the_nearest(void)
{
    int64_t ms = 0;
    CHECK_INT(moor_stamp_bsd(MOOR_SPAN_LIT("Nov 23 17:39:30 x"), NOW, 0, &ms), 16);
    CHECK(ms == NOW);
    CHECK(moor_stamp_bsd(MOOR_SPAN_LIT("Nov 23 18:39:30"), NOW, 3600 * 1000, &ms) == 15);
    CHECK(ms == NOW);
    /* 2026-12-31T23:59:59Z seen a second later, and the other way round. */
    int64_t new_year = INT64_C(1798761600000);
    CHECK(moor_stamp_bsd(MOOR_SPAN_LIT("Dec 31 23:59:59"), new_year, 0, &ms) &&
          ms == new_year - 1000);
    CHECK(moor_stamp_bsd(MOOR_SPAN_LIT("Jan  1 00:00:00"), new_year - 1, 0, &ms) && ms == new_year);
    CHECK_INT(moor_stamp_bsd(MOOR_SPAN_LIT("Nov 32 17:39:30"), NOW, 0, &ms), 0);
    CHECK_INT(moor_stamp_bsd(MOOR_SPAN_LIT("Nov 23 17:39:30x"), NOW, 0, &ms), 0);
}

static void a_row_has_the_columns_of_the_table(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(1 << 20);
    const struct moor_syslog_origin from = { NOW, "box", "192.0.2.1" };
    struct moor_syslog m;
    moor_syslog_parse(MOOR_SPAN_LIT("<38>Nov 23 17:00:00 web sshd[7]: \"hi\"\n"), NOW, 0, &m);
    moor_syslog_row_add(&b, &m, &from, false);
    CHECK_STR(moor_buf_cstr(&b),
              "{\"TimeGenerated\":\"2026-11-23T17:39:30.000Z\",\"EventTime\":\"2026-11-23T17:00:00."
              "000Z\","
              "\"Facility\":\"auth\",\"SeverityLevel\":\"info\",\"HostName\":\"web\",\"Computer\":"
              "\"web\","
              "\"HostIP\":\"192.0.2.1\",\"ProcessName\":\"sshd\",\"ProcessID\":7,"
              "\"SyslogMessage\":\"\\\"hi\\\"\",\"CollectorHostName\":\"box\",\"SourceSystem\":"
              "\"Linux\"}");
}

static void a_filter_takes_what_the_rule_names(void)
{
    static const char *const names[] = { "auth", "LOCAL7", "mark" };
    static const char *const levels[] = { "Error", "Critical" };
    static const char *const all[] = { "*" };
    static const char *const bad[] = { "nobody" };
    const struct moor_str_list none = { NULL, 0 };
    struct moor_syslog_filter f;
    CHECK_INT(moor_syslog_filter_make(&(struct moor_str_list){ names, 3 },
                                      &(struct moor_str_list){ levels, 2 }, &f, NULL),
              MOOR_OK);
    CHECK(moor_syslog_wanted(&f, &(struct moor_syslog){ .facility = 4, .severity = 3 }));
    CHECK(moor_syslog_wanted(&f, &(struct moor_syslog){ .facility = 23, .severity = 2 }));
    CHECK(!moor_syslog_wanted(&f, &(struct moor_syslog){ .facility = 3, .severity = 3 }));
    CHECK(!moor_syslog_wanted(&f, &(struct moor_syslog){ .facility = 4, .severity = 4 }));
    CHECK_INT(moor_syslog_filter_make(&(struct moor_str_list){ all, 1 }, &none, &f, NULL), MOOR_OK);
    CHECK(moor_syslog_wanted(&f, &(struct moor_syslog){ .facility = 0, .severity = 7 }));
    CHECK_INT(moor_syslog_filter_make(&(struct moor_str_list){ bad, 1 }, &none, &f, NULL),
              MOOR_E_BADINPUT);
}

/* All messages of a stream that comes in pieces of so many bytes, joined by '|', '!' when cut. */
static void frame_all(struct moor_span in, size_t piece, struct moor_buf *out)
{
    struct moor_syslog_frames f = { 0, false };
    MOOR_AUTO(moor_buf) have = MOOR_BUF(MOOR_SYSLOG_MAX * 4);
    for (size_t at = 0; at < in.n || have.len > 0;) {
        size_t n = in.n - at < piece ? in.n - at : piece;
        moor_buf_add(&have, in.p + at, n);
        at += n;
        struct moor_span rest = moor_buf_view(&have), m;
        bool cut = false;
        while (moor_syslog_frame(&f, &rest, at == in.n, &m, &cut)) {
            moor_buf_add(out, m.p, m.n < 40 ? m.n : 40);
            moor_buf_char(out, cut ? '!' : '|');
        }
        CHECK(rest.n <= MOOR_SYSLOG_MAX + 16);
        moor_buf_eat(&have, have.len - rest.n);
        if (at == in.n)
            break;
    }
}

static void a_stream_is_cut_into_messages(void)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        { "<1>a\n<2>b\n", "<1>a|<2>b|" },
        { "4 <1>a5 <2>bb<3>c\n", "<1>a|<2>bb|<3>c|" },
        { "6 <1>a\nb4 <2>c", "<1>a\nb|<2>c|" },
        { "12 monkeys\n<1>x", "12 monkeys|<1>x|" },
        { "9 <1>abc", "<1>abc|" },
        { "\n\n", "||" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        for (size_t piece = 1; piece < 30; piece++) {
            MOOR_AUTO(moor_buf) out = MOOR_BUF(1 << 20);
            frame_all(moor_span_str(rows[i].in), piece, &out);
            CHECK_STR(moor_buf_cstr(&out), rows[i].want);
        }
    }
}

static void a_message_without_end_is_cut(void)
{
    MOOR_AUTO(moor_buf) in = MOOR_BUF(1 << 22);
    MOOR_AUTO(moor_buf) out = MOOR_BUF(1 << 20);
    moor_buf_str(&in, "200000 <1>");
    for (size_t i = 0; i < 200000 - 3; i++)
        moor_buf_char(&in, 'c');
    for (size_t i = 0; i < 200000; i++)
        moor_buf_char(&in, 'l');
    moor_buf_str(&in, "\n<2>end\n");
    frame_all(moor_buf_view(&in), 1000, &out);
    CHECK_STR(moor_buf_cstr(&out), "<1>ccccccccccccccccccccccccccccccccccccc!"
                                   "llllllllllllllllllllllllllllllllllllllll!<2>end|");
}

static void records_begin_with_the_time_that_the_rule_names(void)
{
    static const struct {
        const char *format, *line;
        bool want;
    } rows[] = {
        { "ISO 8601", "2026-11-22T17:19:30Z x", true },
        { "ISO 8601", "2026-11-22T17:19:30.123+01:00 x", true },
        { "iso 8601", "[2026-11-22T17:19:30] x", true },
        { "ISO 8601", "2026-13-22T17:19:30Z x", false },
        { "ISO 8601", " at 2026-11-22T17:19:30Z", false },
        { "yyyy-MM-ddTHH:mm:ssk", "2026-11-22T17:19:30+0100", true },
        { "YYYY-MM-DD HH:MM:SS", "2026-11-22 17:19:30,123 x", true },
        { "M/D/YYYY HH:MM:SS AM/PM", "1/2/2026 7:19:30 PM x", true },
        { "M/D/YYYY HH:MM:SS AM/PM", "1/2/2026 17:19:30 x", false },
        { "Mon DD, YYYY HH:MM:SS", "Nov 22, 2026 17:19:30 x", true },
        { "yyMMdd HH:mm:ss", "261122 17:19:30 x", true },
        { "ddMMyy HH:mm:ss", "221126 17:19:30 x", true },
        { "ddMMyy HH:mm:ss", "261322 17:19:30 x", false },
        { "MMM d HH:mm:ss", "Nov 2 17:19:30 x", true },
        { "MMM d HH:mm:ss", "Nov  2 17:19:30 x", true },
        { "dd/MMM/yyyy:HH:mm:ss zzz", "1.2.3.4 - - [22/Nov/2026:17:19:30 +0000] \"GET", true },
        { "dd/MMM/yyyy:HH:mm:ss zzz", "22/Nov/2026:17:19:30 +0000", true },
        { "dd/MMM/yyyy:HH:mm:ss zzz", "\tat a.b(c)", false },
        { "ISO 8601", "", false },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        const struct moor_stamp_format *f = moor_stamp_find(rows[i].format);
        CHECK(f);
        if (f && moor_stamp_begins(f, moor_span_str(rows[i].line)) != rows[i].want)
            CHECK_STR(rows[i].line, rows[i].want ? "is a start" : "is none");
    }
    CHECK(!moor_stamp_find("whenever"));
}

CHECK_MAIN(CHECK_TEST(messages_of_all_kinds_are_understood),
           CHECK_TEST(a_time_without_a_year_is_of_the_nearest),
           CHECK_TEST(a_row_has_the_columns_of_the_table),
           CHECK_TEST(a_filter_takes_what_the_rule_names),
           CHECK_TEST(a_stream_is_cut_into_messages), CHECK_TEST(a_message_without_end_is_cut),
           CHECK_TEST(records_begin_with_the_time_that_the_rule_names))
