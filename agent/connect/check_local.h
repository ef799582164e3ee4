/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_local.h: whether the program that asks can have tokens from this machine's identity
 * endpoint, and what it lacks: variables, the service, the port, the right to read challenge
 * files. The whole exchange of docs/protocol/himds.md is made once; the token is thrown away. A
 * key file's content goes only to a port that the identity service holds. Blocking, up to a
 * minute: for the command line.
 */
#ifndef MOOR_CONNECT_CHECK_LOCAL_H
#define MOOR_CONNECT_CHECK_LOCAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"

struct moor_finding {
    const char *name; /* "IDENTITY_ENDPOINT", "port 127.0.0.1", "key file" ... */
    bool good;
    const char *detail; /* what was seen */
    const char *remedy; /* "" = none, or nothing to mend */
};

#define MOOR_FINDINGS_MAX 16

struct moor_local_check {
    struct moor_finding items[MOOR_FINDINGS_MAX];
    size_t count;
    bool all_good;
};

/* resource: the audience asked for; NULL: Azure Resource Manager's. Texts land in the arena. */
MOOR_NODISCARD moor_code moor_check_local(const char *resource, struct moor_local_check *out,
                                          struct moor_arena *arena, struct moor_error *err);

#endif
