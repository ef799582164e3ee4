/* SPDX-License-Identifier: Apache-2.0 */
/*
 * incoming.h: a file on its way into a folder of the state: copied, hashed and on disk before
 * anything refers to it. Blocking.
 *
 *   MOOR_AUTO(moor_incoming) in = MOOR_INCOMING_INIT;
 *   if ((c = moor_incoming_copy("/tmp/x.zip", folder, &arena, &in, err)) || ... look at in.path ...
 *       (c = moor_incoming_keep(&in, folder, final, err)))
 *       return c;
 */
#ifndef MOOR_ENGINE_INCOMING_H
#define MOOR_ENGINE_INCOMING_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

#define MOOR_INCOMING_MAX (UINT64_C(2) << 30) /* bytes of one file */

struct moor_incoming {
    const char *path;   /* a hidden name in the folder; NULL = nothing there (any more) */
    const char *sha256; /* 64 hexadecimal digits, lower case; in the arena */
    uint64_t size;
};
#define MOOR_INCOMING_INIT                                                                         \
    {                                                                                              \
        NULL, NULL, 0                                                                              \
    }
/* Removes what was not kept. */
void moor_incoming_drop(struct moor_incoming *in);
MOOR_DEFINE_AUTO(moor_incoming)

/* Makes the folder when it is missing. BADINPUT for a file above the limit. */
MOOR_NODISCARD moor_code moor_incoming_copy(const char *from, const char *folder,
                                            struct moor_arena *arena, struct moor_incoming *out,
                                            struct moor_error *err);
/* Gives it its final path, in the same folder, durably; replaces what has that name. */
MOOR_NODISCARD moor_code moor_incoming_keep(struct moor_incoming *in, const char *folder,
                                            const char *final, struct moor_error *err);

#endif
