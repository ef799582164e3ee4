/* SPDX-License-Identifier: Apache-2.0 */
/* schema.h: the tables of SQLite, as steps from one schema version to the next. For store/ only. */
#ifndef MOOR_STORE_SCHEMA_H
#define MOOR_STORE_SCHEMA_H

#include <stddef.h>

/* steps[i] takes a database from version i to i + 1; a released step never changes. */
extern const char *const moor_sqlite_steps[];
extern const size_t moor_sqlite_step_count;

#endif
