/* SPDX-License-Identifier: Apache-2.0 */
/* download.h: fetching files, one after another, each retried a few times. Blocks. */
#ifndef MOOR_BUILTIN_DOWNLOAD_H
#define MOOR_BUILTIN_DOWNLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/secret.h"

/* Writes the address to ask, a secret from then on, and says whose token goes along, if any. */
typedef moor_code (*builtin_authorize_fn)(void *ctx, const char *uri, struct moor_buf *url,
                                          const struct moor_secret **bearer,
                                          struct moor_error *err);

struct builtin_download {
    const char *what; /* the setting that has the URIs: errors name it and never a URI */
    const char *user_agent;
    const char *const *uris;
    size_t count;
    const char *folder;
    const char *name; /* of the one file; NULL = each by the last part of its URI */
    uint64_t max;     /* bytes of a file; 0 = 2 GiB */
    bool keep_line_ends;
    builtin_authorize_fn authorize;
    void *ctx;
};

/* Through the proxy that the agent hands on in env. Files are executable by their owner; scripts
 * get Unix line ends unless said otherwise. */
MOOR_NODISCARD moor_code builtin_download(const struct builtin_download *what, char *const *env,
                                          struct moor_error *err);

#endif
