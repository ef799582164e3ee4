/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manager.h: brings the extensions of this machine to where the service wants them, and says how
 * they stand.
 *
 * One step at a time: download, unpack, settings, one handler command. Every step is planned from
 * the durable state (item.h) and may be interrupted anywhere; the next plan finishes it. It works
 * without a connection on the last document it has. Loop thread.
 */
#ifndef MOOR_MANAGER_MANAGER_H
#define MOOR_MANAGER_MANAGER_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/error.h"

struct moor_loop;
struct moor_manager;

struct moor_manager_opts {
    const char *program; /* absolute path of mooringd, for the fetch role; borrowed for its life */
    bool services;       /* handler commands are services of the system's service manager */
};
MOOR_NODISCARD moor_code moor_manager_new(struct moor_loop *l, const struct moor_manager_opts *opts,
                                          struct moor_manager **out, struct moor_error *err);
/* Handler commands go on. */
void moor_manager_free(struct moor_manager *m);
MOOR_DEFINE_AUTOPTR(moor_manager)

#endif
