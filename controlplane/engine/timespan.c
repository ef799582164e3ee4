/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/timespan.h"

#include "base/timefmt.h"

#define LONGEST_MS (UINT64_C(400) * 365 * 86400 * 1000)

static bool read_duration(struct moor_span s, int64_t *ms)
{
    uint64_t n = 0;
    if (moor_duration_parse(s, &n, NULL) || n > LONGEST_MS)
        return false;
    *ms = (int64_t)n;
    return true;
}

static bool read_interval(struct moor_span first, struct moor_span second,
                          struct moor_timespan *out)
{
    int64_t a = 0, b = 0;
    bool a_length = read_duration(first, &a), b_length = read_duration(second, &b);
    if ((a_length && b_length) || (!a_length && moor_rfc3339_parse(first, &a, NULL)) ||
        (!b_length && moor_rfc3339_parse(second, &b, NULL)))
        return false;
    out->from_ms = a_length ? b - a : a;
    out->to_ms = b_length ? a + b : b;
    return out->from_ms <= out->to_ms;
}

bool moor_timespan_narrow(struct moor_timespan *span, const char *text, int64_t now_ms)
{
    struct moor_timespan given = { 0, 0 };
    struct moor_span rest = moor_span_str(text);
    struct moor_span first = moor_span_cut(&rest, '/');
    int64_t length = 0;
    if (rest.p) {
        if (!read_interval(first, rest, &given))
            return false;
    } else if (read_duration(first, &length)) {
        /* A row of this very moment belongs to it. */
        given = (struct moor_timespan){ now_ms - length, now_ms + 1 };
    } else {
        return false;
    }
    if (given.from_ms > span->from_ms)
        span->from_ms = given.from_ms;
    if (given.to_ms < span->to_ms)
        span->to_ms = given.to_ms;
    return true;
}
