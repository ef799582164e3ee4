/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logs.h: the rows that ingestion appended, by workspace and table. Table definitions and data
 * collection rules are resources (resources.h, found by alias = immutableId or customerId).
 */
#ifndef MOOR_STORE_LOGS_H
#define MOOR_STORE_LOGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "store/store.h"

struct moor_log_row {
    int64_t time_ms;       /* TimeGenerated */
    struct moor_span json; /* the row as a JSON object, TimeGenerated included */
};

/* Appends all rows in the caller's transaction, or its own. table is compared without case. */
MOOR_NODISCARD moor_code moor_log_append(struct moor_store *s, const char *workspace_id,
                                         const char *table, const struct moor_log_row *rows,
                                         size_t count, int64_t received_ms, struct moor_error *err);

struct moor_log_scan {
    const char *workspace_id;
    const char *table;
    int64_t from_ms, to_ms; /* TimeGenerated in [from, to); 0, 0 = all */
    bool newest_first;
};
/* Calls fn for each row until it answers false. The row lives during the call. */
typedef bool (*moor_log_fn)(void *ctx, int64_t time_ms, struct moor_span json);
MOOR_NODISCARD moor_code moor_log_scan(struct moor_store *s, const struct moor_log_scan *scan,
                                       moor_log_fn fn, void *ctx, struct moor_error *err);
MOOR_NODISCARD moor_code moor_log_count(struct moor_store *s, const char *workspace_id,
                                        const char *table, uint64_t *rows, struct moor_error *err);
MOOR_NODISCARD moor_code moor_log_purge(struct moor_store *s, const char *workspace_id,
                                        int64_t before_ms, struct moor_error *err);

#endif
