/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forwarder.h: the logs role: rules in, rows out. It looks at rules, settings and connection when
 * their folders change, and at log files when they do; with nothing to do nothing wakes it.
 * Files it keeps and the line it logs for each state: docs/protocol/rules.md. Loop thread.
 */
#ifndef MOOR_LOGS_FORWARDER_H
#define MOOR_LOGS_FORWARDER_H

#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"

struct moor_loop;
struct moor_forwarder;

struct moor_forwarder_opts {
    uint64_t queue_max; /* bytes; 0 = MOOR_QUEUE_BYTES_DEFAULT */
    uint32_t workers;   /* threads that read and compress, a flow each; 0 = 2 */
};
#define MOOR_FORWARDER_WORKERS_MAX 16

MOOR_NODISCARD moor_code moor_forwarder_new(struct moor_loop *l,
                                            const struct moor_forwarder_opts *opts,
                                            struct moor_forwarder **out, struct moor_error *err);
void moor_forwarder_free(struct moor_forwarder *f);
MOOR_DEFINE_AUTOPTR(moor_forwarder)

/* Reads everything again, and tries at once what waits. */
void moor_forwarder_reload(struct moor_forwarder *f);

/* Begins nothing more; done runs when what was under way has ended and is written down, or after
 * three seconds. */
void moor_forwarder_stop(struct moor_forwarder *f, void (*done)(void *ctx), void *ctx);

#endif
