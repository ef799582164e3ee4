/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h: structured logging: a stable event name and string pairs.
 *
 *   moor_log(MOOR_LOG_INFO, "extension.enabled", "name", h->name, "version", h->version, NULL);
 *
 * Log decisions and results, one line per failed operation, at the top. Never bodies, tokens,
 * keys, settings. Repeats of one event with equal fields collapse into a count. Values are escaped
 * (control characters, newlines) and cut at 1024 bytes. Any thread.
 */
#ifndef MOOR_RUN_LOG_H
#define MOOR_RUN_LOG_H

#include "base/attr.h"
#include "base/error.h"

typedef enum moor_log_level {
    MOOR_LOG_ERROR = 3,
    MOOR_LOG_WARNING = 4,
    MOOR_LOG_NOTICE = 5,
    MOOR_LOG_INFO = 6,
    MOOR_LOG_DEBUG = 7
} moor_log_level;

/* Once, before threads. program names the records ("mooringd-identity"). */
void moor_log_init(const char *program, moor_log_level level);

/* Pairs of const char *: name, value, ..., NULL. A NULL value drops the pair. */
MOOR_SENTINEL void moor_log(moor_log_level level, const char *event, ...);

/* The same with the error's parts as fields: error, code, request_id, http. */
MOOR_SENTINEL void moor_log_error(moor_log_level level, const char *event,
                                  const struct moor_error *err, ...);

#endif
