/* SPDX-License-Identifier: Apache-2.0 */
/* tables.h: the columns of log tables: those that Azure defines, and custom ones. Pure. */
#ifndef MOOR_ENGINE_TABLES_H
#define MOOR_ENGINE_TABLES_H

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "engine/kql.h"

/* Columns of "Syslog", "Event", "Perf", "Heartbeat" ...; false when it is no table of Azure's. */
bool moor_table_builtin(const char *name, struct moor_kql_columns *out);

/* A list of {"name","type"} as columns, in the arena: names of letters, digits and underscores
 * beginning with a letter, at most 45 long, no reserved one, known types, no name twice. Errors
 * begin with what. */
MOOR_NODISCARD moor_code moor_table_columns(const struct moor_json *list, const char *what,
                                            struct moor_arena *arena, struct moor_kql_columns *out,
                                            struct moor_error *err);

/* What a query sees of a table: TenantId, TimeGenerated, its columns, Type, _ResourceId. */
MOOR_NODISCARD moor_code moor_table_query_columns(const struct moor_kql_columns *own,
                                                  struct moor_arena *arena,
                                                  struct moor_kql_columns *out,
                                                  struct moor_error *err);

/* Adds to list (a JSON array of {"name","type"}) the columns that it lacks; true when any. */
bool moor_table_extend(struct moor_json *list, const struct moor_kql_columns *columns);

#endif
