/* SPDX-License-Identifier: Apache-2.0 */
#include "base/timefmt.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MS_PER_SECOND INT64_C(1000)
#define MS_PER_DAY    (86400 * MS_PER_SECOND)
#define LAST_MS       INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

static const char day_names[] = "SunMonTueWedThuFriSat";
static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/*
 * Days since 1970-01-01 and back, for the Gregorian calendar. Both count years from 1 March, so
 * that the leap day is the last of its year, and group them by 400 (146097 days); 719468 is the
 * number of days from 0000-03-01 to 1970-01-01.
 */
static int64_t days_from_date(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_from_days(int64_t days, struct moor_date *d)
{
    int64_t z = days + 719468;
    int64_t era = z / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    d->day = (int)(doy - (153 * mp + 2) / 5 + 1);
    d->month = (int)(mp < 10 ? mp + 3 : mp - 9);
    d->year = (int)(yoe + era * 400 + (d->month <= 2));
    d->weekday = (int)((days + 4) % 7);
}

static int days_in_month(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool date_in_range(const struct moor_date *d)
{
    return d->year >= 1970 && d->year <= 9999 && d->month >= 1 && d->month <= 12 && d->day >= 1 &&
           d->day <= days_in_month(d->year, d->month) && d->hour >= 0 && d->hour <= 23 &&
           d->minute >= 0 && d->minute <= 59 && d->second >= 0 && d->second <= 60 &&
           d->milli >= 0 && d->milli <= 999;
}

void moor_date_from_ms(int64_t ms, struct moor_date *out)
{
    if (ms < 0)
        ms = 0;
    if (ms > LAST_MS)
        ms = LAST_MS;
    struct moor_date d = { .milli = (int)(ms % MS_PER_SECOND) };
    date_from_days(ms / MS_PER_DAY, &d);
    int second = (int)(ms % MS_PER_DAY / MS_PER_SECOND);
    d.hour = second / 3600;
    d.minute = second / 60 % 60;
    d.second = second % 60;
    *out = d;
}

int64_t moor_date_to_ms(const struct moor_date *d)
{
    MOOR_ASSERT(date_in_range(d));
    int64_t seconds = days_from_date(d->year, d->month, d->day) * 86400;
    seconds += d->hour * 3600 + d->minute * 60 + d->second;
    return seconds * MS_PER_SECOND + d->milli;
}

/* Moves n digits from the front of s into *out; false when there are fewer. */
static bool take_digits(struct moor_span *s, size_t n, int *out)
{
    if (s->n < n)
        return false;
    int v = 0;
    for (size_t i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9')
            return false;
        v = v * 10 + (s->p[i] - '0');
    }
    *out = v;
    *s = (struct moor_span){ s->p + n, s->n - n };
    return true;
}

static bool take_char(struct moor_span *s, const char *any_of)
{
    if (s->n == 0 || s->p[0] == '\0' || !strchr(any_of, s->p[0]))
        return false;
    *s = (struct moor_span){ s->p + 1, s->n - 1 };
    return true;
}

/* A point and digits, of which three count. No point is no fraction; a point alone is false. */
static bool take_fraction(struct moor_span *s, int *milli)
{
    *milli = 0;
    if (!take_char(s, "."))
        return true;
    int digit = 0;
    int weight = 100;
    size_t count = 0;
    for (; take_digits(s, 1, &digit); count++) {
        *milli += digit * weight;
        weight /= 10;
    }
    return count > 0;
}

/* "Z", "+hh:mm" or "-hh:mm" as minutes to subtract. */
static bool take_offset(struct moor_span *s, int *minutes)
{
    *minutes = 0;
    if (take_char(s, "Zz"))
        return true;
    bool west = s->n > 0 && s->p[0] == '-';
    int h = 0, m = 0;
    if (!take_char(s, "+-") || !take_digits(s, 2, &h) || !take_char(s, ":") ||
        !take_digits(s, 2, &m) || h > 23 || m > 59)
        return false;
    *minutes = (h * 60 + m) * (west ? -1 : 1);
    return true;
}

static bool take_clock(struct moor_span *s, struct moor_date *d)
{
    return take_digits(s, 2, &d->hour) && take_char(s, ":") && take_digits(s, 2, &d->minute) &&
           take_char(s, ":") && take_digits(s, 2, &d->second);
}

static bool rfc3339(struct moor_span s, int64_t *ms)
{
    struct moor_date d = { 0 };
    int offset = 0;
    bool read = take_digits(&s, 4, &d.year) && take_char(&s, "-") && take_digits(&s, 2, &d.month) &&
                take_char(&s, "-") && take_digits(&s, 2, &d.day) && take_char(&s, "Tt") &&
                take_clock(&s, &d) && take_fraction(&s, &d.milli) && take_offset(&s, &offset);
    if (!read || s.n > 0 || !date_in_range(&d))
        return false;
    int64_t utc = moor_date_to_ms(&d) - offset * 60 * MS_PER_SECOND;
    if (utc < 0 || utc > LAST_MS)
        return false;
    *ms = utc;
    return true;
}

moor_code moor_rfc3339_parse(struct moor_span s, int64_t *ms, struct moor_error *err)
{
    if (!rfc3339(s, ms))
        return moor_fail(err, MOOR_E_BADINPUT, "want a time like 2026-11-22T17:19:30Z");
    return MOOR_OK;
}

void moor_rfc3339_format(int64_t ms, char out[MOOR_RFC3339_LEN + 1])
{
    struct moor_date d;
    moor_date_from_ms(ms, &d);
    /* Wide enough for any int, which is what the compiler must assume. */
    char text[96];
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", d.year, d.month, d.day,
             d.hour, d.minute, d.second, d.milli);
    memcpy(out, text, MOOR_RFC3339_LEN);
    out[MOOR_RFC3339_LEN] = '\0';
}

void moor_buf_rfc3339(struct moor_buf *b, int64_t ms)
{
    char text[MOOR_RFC3339_LEN + 1];
    moor_rfc3339_format(ms, text);
    if (strcmp(text + 19, ".000Z") == 0)
        memcpy(text + 19, "Z", sizeof "Z");
    moor_buf_str(b, text);
}

/* One of the names of three letters in list: its index from 0. */
static bool take_name(struct moor_span *s, const char *list, int *index)
{
    for (int i = 0; list[3 * i]; i++) {
        if (s->n < 3 || memcmp(s->p, list + 3 * i, 3) != 0)
            continue;
        *index = i;
        *s = (struct moor_span){ s->p + 3, s->n - 3 };
        return true;
    }
    return false;
}

static bool http_date(struct moor_span s, struct moor_date *d)
{
    int month = 0;
    bool read = take_name(&s, day_names, &d->weekday) && take_char(&s, ",") && take_char(&s, " ") &&
                take_digits(&s, 2, &d->day) && take_char(&s, " ") &&
                take_name(&s, month_names, &month) && take_char(&s, " ") &&
                take_digits(&s, 4, &d->year) && take_char(&s, " ") && take_clock(&s, d);
    d->month = month + 1;
    return read && moor_span_eq_str(s, " GMT") && date_in_range(d);
}

moor_code moor_http_date_parse(struct moor_span s, int64_t *ms, struct moor_error *err)
{
    struct moor_date d = { 0 };
    if (!http_date(s, &d) || moor_date_to_ms(&d) > LAST_MS)
        return moor_fail(err, MOOR_E_BADINPUT, "want a date like Sun, 22 Nov 2026 17:19:30 GMT");
    *ms = moor_date_to_ms(&d);
    return MOOR_OK;
}

void moor_buf_http_date(struct moor_buf *b, int64_t ms)
{
    struct moor_date d;
    moor_date_from_ms(ms, &d);
    moor_buf_fmt(b, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", day_names + 3 * d.weekday, d.day,
                 month_names + 3 * (d.month - 1), d.year, d.hour, d.minute, d.second);
}

struct duration_unit {
    char letter;
    bool after_t;
    uint64_t ms;
};
static const struct duration_unit duration_units[] = {
    { 'W', false, 7 * 86400000ULL },
    { 'D', false, 86400000 },
    { 'H', true, 3600000 },
    { 'M', true, 60000 },
    { 'S', true, 1000 },
};

/* At most 10 digits: enough, and five products of them with a unit stay below 2^64. */
static bool take_count(struct moor_span *s, uint64_t *out)
{
    uint64_t v = 0;
    int digit = 0;
    size_t n = 0;
    for (; n < 10 && take_digits(s, 1, &digit); n++)
        v = v * 10 + (uint64_t)digit;
    *out = v;
    return n > 0;
}

/* One part such as "30M"; *next is the first unit allowed and moves behind the one found. */
static bool take_duration_part(struct moor_span *s, bool after_t, size_t *next, uint64_t *ms)
{
    uint64_t count = 0;
    int milli = 0;
    if (!take_count(s, &count))
        return false;
    bool fraction = s->n > 0 && s->p[0] == '.';
    if (!take_fraction(s, &milli) || s->n == 0)
        return false;
    for (size_t i = *next; i < MOOR_COUNTOF(duration_units); i++) {
        const struct duration_unit *unit = &duration_units[i];
        if (unit->letter != s->p[0] || unit->after_t != after_t)
            continue;
        *s = (struct moor_span){ s->p + 1, s->n - 1 };
        *next = i + 1;
        *ms += count * unit->ms + (uint64_t)milli;
        return !fraction || unit->letter == 'S';
    }
    return false;
}

moor_code moor_duration_parse(struct moor_span s, uint64_t *ms, struct moor_error *err)
{
    uint64_t total = 0;
    size_t next = 0;
    bool ok = take_char(&s, "P") && s.n > 0;
    while (ok && s.n > 0 && s.p[0] != 'T')
        ok = take_duration_part(&s, false, &next, &total);
    if (ok && take_char(&s, "T")) {
        ok = s.n > 0;
        while (ok && s.n > 0)
            ok = take_duration_part(&s, true, &next, &total);
    }
    if (!ok)
        return moor_fail(err, MOOR_E_BADINPUT, "want a duration like P1D or PT12H30M");
    *ms = total;
    return MOOR_OK;
}
