/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kql.h: the part of the Kusto query language that the query endpoint answers.
 *
 *   Table | where predicate | project a, b = expression | take n | count | order by a desc, b
 *
 * Expressions: columns, literals (text, long, real, bool, datetime(...), timespans such as 5m),
 * now(), ago(), + and - over numbers, datetimes and timespans; == != =~ !~ < <= > >= contains has
 * startswith endswith (each with ! in front and _cs behind), in, !in, in~, !in~; and, or, not().
 *
 * Three steps: parse (text to pipeline), bind (names and types against a table's columns), run
 * (rows pushed in, the answer's JSON out). Errors have Kusto's codes and a position. Nothing here
 * touches a store. Limits: 64 KiB of text, 32 operators, nesting of 64.
 */
#ifndef MOOR_ENGINE_KQL_H
#define MOOR_ENGINE_KQL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

#define MOOR_KQL_TEXT_MAX ((size_t)64 * 1024)
#define MOOR_KQL_ROWS_MAX 500000u

typedef enum moor_kql_type {
    MOOR_KQL_STRING,
    MOOR_KQL_LONG,
    MOOR_KQL_INT,
    MOOR_KQL_REAL,
    MOOR_KQL_BOOL,
    MOOR_KQL_DATETIME,
    MOOR_KQL_TIMESPAN,
    MOOR_KQL_GUID,
    MOOR_KQL_DYNAMIC
} moor_kql_type;
const char *moor_kql_type_name(moor_kql_type t); /* "string", "long", ... */
/* By that name or a data collection rule's ("boolean"); false when there is none. */
bool moor_kql_type_find(const char *name, moor_kql_type *out);

struct moor_kql_column {
    const char *name;
    moor_kql_type type;
};
struct moor_kql_columns {
    const struct moor_kql_column *items;
    size_t count;
};

/* Why a query is refused, for the innermost "innererror". */
struct moor_kql_error {
    const char *kind; /* "SyntaxError" or "SemanticError" */
    const char *code; /* "SYN0002", "SEM0100" ... */
    char message[320];
    unsigned line, pos; /* from 1 */
    char token[64];     /* where it stopped, "" = the end */
};

struct moor_kql; /* lives in the arena given to parse */

/* text must live as long as the query. BADINPUT fills why. */
MOOR_NODISCARD moor_code moor_kql_parse(struct moor_span text, int64_t now_ms,
                                        struct moor_arena *arena, struct moor_kql **out,
                                        struct moor_kql_error *why);
const char *moor_kql_table(const struct moor_kql *q);
/* For a table that does not exist: the error to show. */
void moor_kql_unknown_table(const struct moor_kql *q, struct moor_kql_error *why);
/* columns and what it points to must live as long as the query. */
MOOR_NODISCARD moor_code moor_kql_bind(struct moor_kql *q, const struct moor_kql_columns *columns,
                                       struct moor_kql_error *why);
/* Of the result; after bind. */
const struct moor_kql_columns *moor_kql_result(const struct moor_kql *q);
/* Whether the query looks at that column of the table, or shows it; after bind. */
bool moor_kql_uses(const struct moor_kql *q, size_t column);

struct moor_kql_run;
/* out gets the rows as a JSON array of arrays. */
MOOR_NODISCARD moor_code moor_kql_run_new(struct moor_kql *q, struct moor_buf *out,
                                          struct moor_kql_run **run, struct moor_error *err);
/* One row as a JSON object. False: no more rows are wanted, or it failed (finish says). */
bool moor_kql_feed(struct moor_kql_run *run, const struct moor_json *row);
/* Ends the array. *cut: a limit on rows or size left something out. */
MOOR_NODISCARD moor_code moor_kql_finish(struct moor_kql_run *run, bool *cut,
                                         struct moor_error *err);
void moor_kql_run_free(struct moor_kql_run *run);
MOOR_DEFINE_AUTOPTR(moor_kql_run)

#endif
