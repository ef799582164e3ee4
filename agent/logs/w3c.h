/* SPDX-License-Identifier: Apache-2.0 */
/*
 * w3c.h: W3C extended log files, as IIS writes them: lines of values whose meaning the last
 * "#Fields:" before them tells, made into rows of the W3CIISLog table. Pure, but for the last.
 *
 * Times are UTC: fields date and time, or time and the day of "#Date:". "-" is no value.
 * Fields that the table has no column for are left out.
 */
#ifndef MOOR_LOGS_W3C_H
#define MOOR_LOGS_W3C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "platform/file.h"

#define MOOR_W3C_FIELDS_MAX 64
#define MOOR_W3C_DAY        10

/* What the lines with '#' said so far; zeroed: nothing. */
struct moor_w3c {
    unsigned char fields[MOOR_W3C_FIELDS_MAX]; /* rows of w3c.c's table */
    size_t count;
    bool too_many; /* the table's values cannot be told apart */
    char day[MOOR_W3C_DAY + 1];
};

bool moor_w3c_is_directive(struct moor_span line);
/* Returns whether it was "#Fields:". */
bool moor_w3c_directive(struct moor_w3c *w, struct moor_span line);

struct moor_w3c_origin {
    int64_t now_ms; /* for lines that say no time */
    const char *computer;
};
/* Appends a row: TimeGenerated, Computer, and a column for each value. BADINPUT, and
 * nothing appended: no "#Fields:" came before, or they are not as many. */
MOOR_NODISCARD moor_code moor_w3c_row_add(struct moor_buf *b, const struct moor_w3c *w,
                                          struct moor_span line, const struct moor_w3c_origin *from,
                                          struct moor_error *err);

/* What the directives before offset say, for who goes on there. *fields_at, the place of the last
 * "#Fields:", is looked at when it is before offset, else searched for, backwards; UINT64_MAX:
 * there is none. Blocking. */
MOOR_NODISCARD moor_code moor_w3c_resume(struct moor_w3c *w, const struct plat_file *f,
                                         uint64_t offset, uint64_t *fields_at,
                                         struct moor_error *err);

#endif
