/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patience.h: waiting for what is on its way: a new principal, or a right given to it, takes
 * minutes until all of a cloud knows of it. For connect/ only.
 */
#ifndef MOOR_CONNECT_PATIENCE_H
#define MOOR_CONNECT_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "connect/progress.h"

struct moor_session;

#define MOOR_PATIENCE_MS (5ull * 60 * 1000)

struct moor_patience {
    struct moor_session *session;
    const struct moor_progress *progress;
    uint64_t end_ms; /* monotonic */
    unsigned attempts;
};

/* From now on. */
struct moor_patience moor_patience_start(struct moor_session *s, const struct moor_progress *p);

/* After a failure, which err says: waits a second, later up to 15, and answers whether to try
 * again. The first time what and the failure are told. false when the time is over, or the command
 * was interrupted or reached its limit: err then says that, with the failure behind it. */
bool moor_patience_again(struct moor_patience *p, const char *what, struct moor_error *err);

/* The sign-in does not know the application, or not its service principal: a new one is known
 * everywhere within minutes. */
bool moor_is_unknown_principal(const struct moor_error *err);

#endif
