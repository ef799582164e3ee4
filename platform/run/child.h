/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child.h: a program run from the loop: deadline, captured output, one callback at its end.
 *
 * Only the exit of the started process counts; what it left running in the background is left
 * alone, and the end of its output is not waited for. At the deadline its whole tree is killed.
 */
#ifndef MOOR_RUN_CHILD_H
#define MOOR_RUN_CHILD_H

#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"
#include "base/span.h"
#include "platform/process.h"

struct moor_loop;
struct moor_child;

struct moor_child_result {
    struct plat_exit how;
    bool timed_out;
};
typedef void (*moor_child_fn)(void *ctx, const struct moor_child_result *r);

struct moor_child_opts {
    struct plat_spawn spawn;
    uint64_t timeout_ms; /* 0 = none */
};

/* Copies what it needs of opts. fn runs once, on the loop, unless the child is freed before. */
MOOR_NODISCARD moor_code moor_child_start(struct moor_loop *l, const struct moor_child_opts *opts,
                                          moor_child_fn fn, void *ctx, struct moor_child **out,
                                          struct moor_error *err);
const struct plat_process *moor_child_process(const struct moor_child *c);
void moor_child_kill(struct moor_child *c); /* the tree; fn follows with timed_out = false */
/* Forgets it: fn will not run; the process goes on. The loop still waits for its end, so that no
 * zombie stays. Before the loop is freed. */
void moor_child_free(struct moor_child *c);
MOOR_DEFINE_AUTOPTR(moor_child)

#endif
