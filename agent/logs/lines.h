/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lines.h: bytes of a file cut into lines, and lines made into rows. Pure; any thread.
 *
 * A line ends with LF; a CR before it belongs to the end. A line of more than MOOR_LINE_MAX bytes
 * is cut: its first part is a line of its own, the rest up to its LF is passed over.
 */
#ifndef MOOR_LOGS_LINES_H
#define MOOR_LOGS_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "logs/rules.h"

#define MOOR_LINE_MAX  ((size_t)64 * 1024)
#define MOOR_LINE_MARK "...[cut]" /* the end of RawData of a line that was cut */

typedef enum moor_cut {
    MOOR_CUT_NONE,     /* no whole line: come back with more bytes */
    MOOR_CUT_LINE,     /* a line */
    MOOR_CUT_TOO_LONG, /* a line's first MOOR_LINE_MAX bytes; what follows of it is passed over */
    MOOR_CUT_SKIPPED   /* bytes of a cut line were passed over, no line */
} moor_cut;

/* The next line of *rest, which moves behind it. *skipping is the state between calls: set while
 * the rest of a cut line is passed over. last: there will be no more bytes, an unfinished line is
 * one too. */
moor_cut moor_cut_line(struct moor_span *rest, bool last, bool *skipping, struct moor_span *line);

/* The next record: as moor_cut_line(), but when a line begins with such a time, the lines behind it
 * that do not are part of its record. settled: nothing more is expected of the last record, though
 * an unfinished line is still none. start NULL: each line is a record. */
moor_cut moor_cut_record(struct moor_span *rest, const struct moor_stamp_format *start,
                         bool settled, bool last, bool *skipping, struct moor_span *record);

struct moor_row_context {
    int64_t now_ms; /* TimeGenerated */
    const char *computer;
    const char *path; /* FilePath of text rows */
    int format;       /* moor_log_format */
};

/* What all rows of a file have in common, made once. */
struct moor_row_frame {
    int format;
    struct moor_buf time;  /* "TimeGenerated":"..." */
    struct moor_buf after; /* what follows the line's text */
};
void moor_row_frame_init(struct moor_row_frame *f, const struct moor_row_context *x);
void moor_row_frame_drop(struct moor_row_frame *f);

/* Appends the row of one line: a JSON object without a line feed in it. Text: TimeGenerated,
 * RawData, FilePath, Computer. JSON: the line's object, with TimeGenerated when it has none;
 * BADINPUT, and nothing appended, when it is not an object. NUL bytes become U+FFFD as other bytes
 * that are no UTF-8 do. Errors of memory are the buffer's. */
MOOR_NODISCARD moor_code moor_row_add(struct moor_buf *b, const struct moor_row_frame *f,
                                      struct moor_span line, bool cut, struct moor_error *err);

/* Appends the line as it may stand in a row: bytes that are no UTF-8, and NUL, become U+FFFD. NUL
 * is UTF-8, but few who read JSON take it. */
void moor_line_clean(struct moor_buf *b, struct moor_span line);

/* Nothing to send: empty, blanks only, or a run of NUL bytes (a hole a writer left). */
bool moor_line_is_blank(struct moor_span line);

#endif
