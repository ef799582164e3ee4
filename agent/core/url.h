/* SPDX-License-Identifier: Apache-2.0 */
/* url.h: the parts of an absolute http(s) URL that decisions are made on. Pure; any thread. */
#ifndef MOOR_CORE_URL_H
#define MOOR_CORE_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

struct moor_url {
    bool https;
    struct moor_span host; /* without brackets; borrowed from the text */
    bool ipv6;             /* host stood in brackets */
    uint16_t port;         /* the scheme's when not written */
    struct moor_span path; /* with query and fragment; empty or starting with '/', '?', '#' */
};

/* Refuses other schemes, user information, blanks, control and non-ASCII characters, an empty
 * host, backslashes. Errors do not repeat the URL: its query may hold a secret. */
MOOR_NODISCARD moor_code moor_url_parse(const char *url, struct moor_url *out,
                                        struct moor_error *err);

/* Host and port equal, case ignored. */
bool moor_url_same_origin(const struct moor_url *a, const struct moor_url *b);

/* host is suffix, or ends in "." + suffix; case ignored. */
bool moor_host_within(struct moor_span host, const char *suffix);

/* Appends scheme, host and port; the port only when it is not the scheme's. */
void moor_buf_origin(struct moor_buf *b, const struct moor_url *u);

/* The URL without slashes at its end. */
struct moor_span moor_url_base(const char *url);

#endif
