/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oserr.h: operating system errors as ours. One table per system maps the number to a code:
 * "no such file" NOTFOUND, "exists" and "address in use" EXISTS, "access", "read-only" and "a link"
 * DENIED, "no memory" NOMEM, "not now" and "connection refused" TRANSIENT, "no such call"
 * UNSUPPORTED, the rest IO.
 */
#ifndef PLAT_OSERR_H
#define PLAT_OSERR_H

#include <stdint.h>

#include "base/error.h"

/* "what: text of the system"; os_code is errno or GetLastError(). Returns the mapped code. */
MOOR_NODISCARD MOOR_PRINTF(3, 4) moor_code
    plat_fail(struct moor_error *err, int32_t os_code, const char *fmt, ...);

#endif
