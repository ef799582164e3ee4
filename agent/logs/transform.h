/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transform.h: what a rule wants done with rows before they are sent, in a part of Kusto's
 * language:
 *
 *   source | where P | extend a = E, b = E | project a, b = E | project-away a, b
 *          | project-rename new = old | parse E with * "text" name:long "text" name
 *
 * Expressions: columns (a, ["a b"]) and members of theirs (a.b), texts, numbers, true, false, null;
 * and, or, not(); == != =~ !~ < <= > >= + - * / %; contains has startswith endswith (each with ! in
 * front and _cs behind), in, !in, in~, !in~; the functions of transform_run.c. Anything else is
 * refused where it stands: it is the service's.
 *
 * A column that is not there is null: as a text it is empty, of numbers it is none. Pure; a parsed
 * transform may be used by one thread at a time.
 */
#ifndef MOOR_LOGS_TRANSFORM_H
#define MOOR_LOGS_TRANSFORM_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

#define MOOR_TRANSFORM_TEXT_MAX ((size_t)15360)      /* Azure's limit */
#define MOOR_TRANSFORM_BYTES    ((size_t)512 * 1024) /* a parsed one has room in so many */

struct moor_transform; /* lives in the arena given to parse */

/* BADINPUT names what is not understood and where: "column 10: summarize: ...". */
MOOR_NODISCARD moor_code moor_transform_parse(struct moor_span text, struct moor_arena *arena,
                                              struct moor_transform **out, struct moor_error *err);

/* Appends what becomes of the row, a JSON object; nothing, and *kept false, when it is filtered
 * out. BADINPUT: it is none. */
MOOR_NODISCARD moor_code moor_transform_row(const struct moor_transform *t, struct moor_span row,
                                            struct moor_buf *out, bool *kept,
                                            struct moor_error *err);

#endif
