/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timefmt.h: points in time and durations as text. Pure: no clock is read here (platform/clock.h).
 * A point in time is int64_t milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
 */
#ifndef MOOR_BASE_TIMEFMT_H
#define MOOR_BASE_TIMEFMT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

struct moor_date {
    int year, month, day;     /* 1970..9999, 1..12, 1..31 */
    int hour, minute, second; /* second 0..60 when parsed, 0..59 when formatted */
    int milli;
    int weekday; /* 0 = Sunday */
};

/* Points outside 1970..9999 become the nearest that is inside, here and in the formatters. */
void moor_date_from_ms(int64_t ms, struct moor_date *out);
int64_t moor_date_to_ms(const struct moor_date *d); /* fields must be in range */

/* RFC 3339 with 'T' or 't', any fraction (cut to milliseconds), 'Z' or an offset. */
MOOR_NODISCARD moor_code moor_rfc3339_parse(struct moor_span s, int64_t *ms,
                                            struct moor_error *err);
#define MOOR_RFC3339_LEN 24                                           /* 2026-11-22T17:19:30.123Z */
void moor_rfc3339_format(int64_t ms, char out[MOOR_RFC3339_LEN + 1]); /* with milliseconds */
void moor_buf_rfc3339(struct moor_buf *b, int64_t ms);                /* milliseconds if not 0 */

/* RFC 9110 IMF-fixdate, as in Date and Retry-After: "Sun, 22 Nov 2026 17:19:30 GMT". */
MOOR_NODISCARD moor_code moor_http_date_parse(struct moor_span s, int64_t *ms,
                                              struct moor_error *err);
void moor_buf_http_date(struct moor_buf *b, int64_t ms);

/* ISO 8601 durations of weeks, days and smaller parts ("P1D", "PT12H30M", "PT0.5S"); years and
 * months are refused, since they have no length. Only seconds may have a fraction, which is cut
 * to milliseconds. */
MOOR_NODISCARD moor_code moor_duration_parse(struct moor_span s, uint64_t *ms,
                                             struct moor_error *err);

#endif
