/* SPDX-License-Identifier: Apache-2.0 */
/* timespan.h: the time a query is about, as the query API writes it. Pure. */
#ifndef MOOR_ENGINE_TIMESPAN_H
#define MOOR_ENGINE_TIMESPAN_H

#include <stdbool.h>
#include <stdint.h>

struct moor_timespan {
    int64_t from_ms, to_ms; /* [from, to) */
};
#define MOOR_TIMESPAN_ALL ((struct moor_timespan){ INT64_MIN, INT64_MAX })

/* Narrows span to text: "PT1H" (up to now), "START/END", "START/PT1H", "PT1H/END". False when it
 * is none of them; span is then unchanged. */
bool moor_timespan_narrow(struct moor_timespan *span, const char *text, int64_t now_ms);

#endif
