/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forget.h: tokens pass through libcurl's and libevent's buffers and cJSON's trees, and leave
 * nothing there: these libraries get memory that is wiped when they give it back
 * (platform/memory.h). OpenSSL's own is crypto/memory.h.
 */
#ifndef MOOR_HTTP_FORGET_H
#define MOOR_HTTP_FORGET_H

#include <stdbool.h>

/* First thing in main(), before any of them has been used. */
void moor_http_forget(void);

/* libcurl, once for each user of it, to be ended by curl_global_cleanup(); false: it cannot start.
 */
bool moor_http_start_curl(void);

#endif
