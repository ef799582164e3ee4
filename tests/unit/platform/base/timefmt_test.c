/* SPDX-License-Identifier: Apache-2.0 */
#include "base/timefmt.h"

#include "check.h"

#define LAST_MS INT64_C(253402300799999)

/* Every day to 2110, then every 13th to the end of 9999: weekday, fields and back. */
static void the_calendar_goes_there_and_back(void)
{
    int64_t ms = 0;
    int weekday = 4;
    size_t wrong = 0;
    while (ms <= LAST_MS) {
        struct moor_date d;
        moor_date_from_ms(ms, &d);
        wrong += d.weekday != weekday || d.hour || moor_date_to_ms(&d) != ms;
        int step = d.year <= 2110 ? 1 : 13;
        ms += step * INT64_C(86400000);
        weekday = (weekday + step) % 7;
    }
    CHECK_INT(wrong, 0);
    CHECK(ms > LAST_MS && ms <= LAST_MS + 13 * INT64_C(86400000));
}

static void known_dates_are_met(void)
{
    static const struct {
        int64_t ms;
        const char *text;
        int weekday;
    } rows[] = {
        { 0, "1970-01-01T00:00:00.000Z", 4 },
        { 951782400000, "2000-02-29T00:00:00.000Z", 2 },
        { 951868799999, "2000-02-29T23:59:59.999Z", 2 },
        { 951868800000, "2000-03-01T00:00:00.000Z", 3 },
        { 1709164800000, "2024-02-29T00:00:00.000Z", 4 },
        { 4107542399000, "2100-02-28T23:59:59.000Z", 0 },
        { 4107542400000, "2100-03-01T00:00:00.000Z", 1 },
        { 1795367970123, "2026-11-22T17:19:30.123Z", 0 },
        { 2147483648000, "2038-01-19T03:14:08.000Z", 2 },
        { LAST_MS, "9999-12-31T23:59:59.999Z", 5 },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        char text[MOOR_RFC3339_LEN + 1];
        moor_rfc3339_format(rows[i].ms, text);
        CHECK_STR(text, rows[i].text);
        int64_t ms = -1;
        CHECK_INT(moor_rfc3339_parse(moor_span_str(rows[i].text), &ms, NULL), MOOR_OK);
        CHECK_INT(ms, rows[i].ms);
        struct moor_date d;
        moor_date_from_ms(rows[i].ms, &d);
        CHECK_INT(d.weekday, rows[i].weekday);
    }
}

static void points_outside_the_range_are_moved_to_its_ends(void)
{
    char text[MOOR_RFC3339_LEN + 1];
    moor_rfc3339_format(INT64_MIN, text);
    CHECK_STR(text, "1970-01-01T00:00:00.000Z");
    moor_rfc3339_format(INT64_MAX, text);
    CHECK_STR(text, "9999-12-31T23:59:59.999Z");
}

static void times_of_other_writers_are_read(void)
{
    static const struct {
        const char *in;
        int64_t ms; /* -1: refused */
    } rows[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "1970-01-01t00:00:00z", 0 },
        { "1970-01-01T00:00:00.1Z", 100 },
        { "1970-01-01T00:00:00.1239999Z", 123 },
        { "1970-01-01T00:00:00.0000000000000000000000001Z", 0 },
        { "1970-01-01T01:30:00+01:30", 0 },
        { "1970-01-01T01:30:00.1234567+01:30", 123 },
        { "1969-12-31T23:00:00-01:00", -1 },
        { "1970-01-01T00:00:00-01:00", 3600000 },
        { "1970-01-01T00:00:00-00:00", 0 },
        { "2016-12-31T23:59:60Z", 1483228800000 },
        { "9999-12-31T23:59:60Z", -1 },
        { "9999-12-31T23:59:59-00:01", -1 },
        { "1970-01-01T00:00:00+00:01", -1 },
        { "2023-02-29T00:00:00Z", -1 },
        { "2100-02-29T00:00:00Z", -1 },
        { "2026-04-31T00:00:00Z", -1 },
        { "2026-00-01T00:00:00Z", -1 },
        { "2026-13-01T00:00:00Z", -1 },
        { "2026-01-00T00:00:00Z", -1 },
        { "2026-01-01T24:00:00Z", -1 },
        { "2026-01-01T00:60:00Z", -1 },
        { "2026-01-01T00:00:61Z", -1 },
        { "2026-01-01 00:00:00Z", -1 },
        { "2026-01-01T00:00:00", -1 },
        { "2026-01-01T00:00:00.Z", -1 },
        { "2026-01-01T00:00:00,5Z", -1 },
        { "2026-01-01T00:00:00+24:00", -1 },
        { "2026-01-01T00:00:00+00:60", -1 },
        { "2026-01-01T00:00:00+0000", -1 },
        { "2026-01-01T00:00:00Z ", -1 },
        { " 2026-01-01T00:00:00Z", -1 },
        { "2026-1-01T00:00:00Z", -1 },
        { "02026-01-01T00:00:00Z", -1 },
        { "2026-01-01", -1 },
        { "", -1 },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        int64_t ms = 42;
        moor_code c = moor_rfc3339_parse(moor_span_str(rows[i].in), &ms, NULL);
        if (!CHECK_INT(c, rows[i].ms < 0 ? MOOR_E_BADINPUT : MOOR_OK))
            printf("# %s\n", rows[i].in);
        CHECK_INT(ms, rows[i].ms < 0 ? 42 : rows[i].ms);
    }
    int64_t ms = 0;
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK_INT(moor_rfc3339_parse(MOOR_SPAN_LIT("now"), &ms, &err), MOOR_E_BADINPUT);
    CHECK_STR(err.msg, "want a time like 2026-11-22T17:19:30Z");
    CHECK_INT(moor_rfc3339_parse(MOOR_SPAN_LIT("1970-01-01\0 00:00:00Z"), &ms, NULL),
              MOOR_E_BADINPUT);
}

static void milliseconds_are_written_when_there_are_any(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(100);
    moor_buf_rfc3339(&b, 1795367970000);
    moor_buf_char(&b, ' ');
    moor_buf_rfc3339(&b, 1795367970007);
    CHECK_STR(moor_buf_cstr(&b), "2026-11-22T17:19:30Z 2026-11-22T17:19:30.007Z");
}

static void http_dates_are_read_and_written(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(100);
    moor_buf_http_date(&b, 1795367970123);
    CHECK_STR(moor_buf_cstr(&b), "Sun, 22 Nov 2026 17:19:30 GMT");
    int64_t ms = 0;
    CHECK_INT(moor_http_date_parse(moor_buf_view(&b), &ms, NULL), MOOR_OK);
    CHECK_INT(ms, 1795367970000);
    CHECK_INT(moor_http_date_parse(MOOR_SPAN_LIT("Thu, 01 Jan 1970 00:00:00 GMT"), &ms, NULL),
              MOOR_OK);
    CHECK_INT(ms, 0);
    static const char *const refused[] = {
        "",
        "120",
        "Sun, 22 Nov 2026 17:19:30",
        "Sun, 22 Nov 2026 17:19:30 UTC",
        "Sun, 22 Nov 2026 17:19:30 GMT ",
        "sun, 22 Nov 2026 17:19:30 GMT",
        "Sun, 22 nov 2026 17:19:30 GMT",
        "Sun, 2 Nov 2026 17:19:30 GMT",
        "Sun, 31 Feb 2026 17:19:30 GMT",
        "Sunday, 22-Nov-26 17:19:30 GMT",
        "Sun Nov 22 17:19:30 2026",
        "Thu, 01 Jan 1969 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:60 GMT",
    };
    struct moor_error err = MOOR_ERROR_INIT;
    for (size_t i = 0; i < MOOR_COUNTOF(refused); i++) {
        if (!CHECK_INT(moor_http_date_parse(moor_span_str(refused[i]), &ms, &err), MOOR_E_BADINPUT))
            printf("# %s\n", refused[i]);
        CHECK_STR(err.msg, "want a date like Sun, 22 Nov 2026 17:19:30 GMT");
    }
    CHECK_INT(ms, 0);
}

static void durations_are_read_without_years_and_months(void)
{
    static const struct {
        const char *in;
        int64_t ms; /* -1: refused */
    } rows[] = {
        { "P1D", 86400000 },
        { "P2W", 1209600000 },
        { "P1W2DT3H4M5.006S", 788645006 },
        { "PT12H30M", 45000000 },
        { "PT0.5S", 500 },
        { "PT1.9999S", 1999 },
        { "PT0S", 0 },
        { "P0D", 0 },
        { "PT90M", 5400000 },
        { "PT36H", 129600000 },
        { "PT9999999999S", INT64_C(9999999999000) },
        { "PT99999999999S", -1 },
        { "P9999999999W", INT64_C(9999999999) * 604800000 },
        { "", -1 },
        { "P", -1 },
        { "PT", -1 },
        { "P1DT", -1 },
        { "1D", -1 },
        { "p1d", -1 },
        { "-P1D", -1 },
        { "P-1D", -1 },
        { "P1Y", -1 },
        { "P1M", -1 },
        { "P1H", -1 },
        { "PT1D", -1 },
        { "PT1", -1 },
        { "PTS", -1 },
        { "P1D1W", -1 },
        { "P1D1D", -1 },
        { "PT1S1M", -1 },
        { "PT1M1M", -1 },
        { "PT1.5H", -1 },
        { "P0.5D", -1 },
        { "PT1.S", -1 },
        { "PT.5S", -1 },
        { "PT1,5S", -1 },
        { "PT1HT1M", -1 },
        { "PT1H ", -1 },
        { "P 1D", -1 },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        uint64_t ms = 42;
        struct moor_error err = MOOR_ERROR_INIT;
        moor_code c = moor_duration_parse(moor_span_str(rows[i].in), &ms, &err);
        if (!CHECK_INT(c, rows[i].ms < 0 ? MOOR_E_BADINPUT : MOOR_OK))
            printf("# %s\n", rows[i].in);
        CHECK_INT(ms, rows[i].ms < 0 ? 42 : rows[i].ms);
        CHECK_STR(err.msg, rows[i].ms < 0 ? "want a duration like P1D or PT12H30M" : "");
    }
}

CHECK_MAIN(CHECK_TEST(the_calendar_goes_there_and_back), CHECK_TEST(known_dates_are_met),
           CHECK_TEST(points_outside_the_range_are_moved_to_its_ends),
           CHECK_TEST(times_of_other_writers_are_read),
           CHECK_TEST(milliseconds_are_written_when_there_are_any),
           CHECK_TEST(http_dates_are_read_and_written),
           CHECK_TEST(durations_are_read_without_years_and_months))
