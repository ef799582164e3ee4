/* SPDX-License-Identifier: Apache-2.0 */
/* tokens_internal.h: what tokens.c and tokens_cache.c share. */
#ifndef MOOR_IDENTITY_TOKENS_INTERNAL_H
#define MOOR_IDENTITY_TOKENS_INTERNAL_H

#include "identity/tokens.h"

#define MOOR_TOKENS_MAX 32 /* audiences cached at most */

struct moor_token_entry {
    char *audience; /* heap */
    struct moor_secret value;
    int64_t issued_ms, expires_ms;
    uint64_t refresh_at; /* monotonic; 0 = not wanted */
    uint64_t ends_at;    /* monotonic: it is not served any more */
    uint64_t used_at;    /* monotonic; for eviction */
    bool used;           /* since it was fetched */
    unsigned failures;
};

/* The sealed file: one list, written and read whole. Entries read are appended to list, at most
 * max; those that are over are left out. */
MOOR_NODISCARD moor_code moor_tokens_cache_save(const struct moor_token_entry *list, size_t count,
                                                const struct moor_keystore *keys,
                                                struct moor_error *err);
MOOR_NODISCARD moor_code moor_tokens_cache_load(struct moor_token_entry *list, size_t max,
                                                size_t *count, int64_t now_ms,
                                                const struct moor_keystore *keys,
                                                struct moor_error *err);
void moor_tokens_cache_remove(void);
void moor_token_entry_drop(struct moor_token_entry *e);

#endif
