/* SPDX-License-Identifier: Apache-2.0 */
/*
 * next_key.h: the key that is to replace the machine's, made on the pool, of the same kind of
 * store, and durable in the key store before anybody hears of it. Loop thread.
 */
#ifndef MOOR_IDENTITY_NEXT_KEY_H
#define MOOR_IDENTITY_NEXT_KEY_H

#include "identity/keystore.h"

struct moor_pool;
struct moor_next_key; /* one being made */

/* Runs once, on the loop, unless the job is cancelled first; err->code is MOOR_OK when the key
 * store has it. */
typedef void (*moor_next_key_fn)(void *ctx, const struct moor_error *err);

MOOR_NODISCARD moor_code moor_next_key_make(struct moor_pool *pool, struct moor_keystore *keys,
                                            moor_key_kind kind, moor_next_key_fn done, void *ctx,
                                            struct moor_next_key **out, struct moor_error *err);
void moor_next_key_cancel(struct moor_next_key *job); /* NULL is fine; keys may go away then */

#endif
