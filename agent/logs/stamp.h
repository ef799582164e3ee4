/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stamp.h: points in time as log lines begin with them: the formats that data collection rules
 * name (settings.text.recordStartTimestampFormat), and that of RFC 3164. Pure.
 */
#ifndef MOOR_LOGS_STAMP_H
#define MOOR_LOGS_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* A known format; NULL when the name is unknown. Names as Azure writes them, in any case. */
struct moor_stamp_format;
const struct moor_stamp_format *moor_stamp_find(const char *name);

/* Whether the line begins with such a time: at its very start, or behind a '['; a web server's
 * ("dd/MMM/yyyy:HH:mm:ss zzz") behind the first '[' wherever that is. */
bool moor_stamp_begins(const struct moor_stamp_format *f, struct moor_span line);

/* "Nov  2 17:19:30" at the front, and the blank behind it: their length, 0 when it is none. A time
 * without a year is of the year that brings it nearest to now; offset_ms: local time less UTC. */
size_t moor_stamp_bsd(struct moor_span s, int64_t now_ms, int64_t offset_ms, int64_t *ms);

#endif
