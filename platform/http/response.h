/* SPDX-License-Identifier: Apache-2.0 */
/* response.h: what the headers of an answer say. Pure. */
#ifndef MOOR_HTTP_RESPONSE_H
#define MOOR_HTTP_RESPONSE_H

#include <stdint.h>

#include "http/transport.h"

/* Fills request_id and retry_after_ms from the headers. A Retry-After date counts from the
 * answer's own Date; now_utc_ms is used when it has none. */
void moor_http_response_read(struct moor_http_response *r, int64_t now_utc_ms);

#endif
