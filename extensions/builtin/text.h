/* SPDX-License-Identifier: Apache-2.0 */
/* text.h: names and texts that come from elsewhere. Pure. */
#ifndef MOOR_BUILTIN_TEXT_H
#define MOOR_BUILTIN_TEXT_H

#include <stddef.h>

#include "base/error.h"

/* The name a downloaded file gets: the last segment of the URI's path, percent-decoded; refused
 * when empty, "." or "..", or holding a slash or control character. */
MOOR_NODISCARD moor_code builtin_file_name(const char *uri, char **out, struct moor_error *err);

/* CR LF becomes LF and a byte order mark goes, in place; returns the new length. */
size_t builtin_unix_lines(char *text, size_t n);

#endif
