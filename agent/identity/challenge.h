/* SPDX-License-Identifier: Apache-2.0 */
/*
 * challenge.h: proof that a local caller may read the tokens folder: a random key in a file that
 * the group himds can read, to be sent back once, by the user it was made for.
 *
 * A key lives MOOR_CHALLENGE_LIFE_MS and ends with its first successful use, and its file with it.
 * The number is bounded, in all and for each user; whoever has too many gets no more, and nobody's
 * key makes room for another's. Files left over from before a start are removed. Loop thread.
 */
#ifndef MOOR_IDENTITY_CHALLENGE_H
#define MOOR_IDENTITY_CHALLENGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/span.h"
#include "platform/caller.h"

struct moor_loop;
struct moor_challenges;
struct moor_challenge; /* one key while a caller's request with it is being answered */

#define MOOR_CHALLENGE_LIFE_MS      60000
#define MOOR_CHALLENGES_MAX         16384
#define MOOR_CHALLENGES_PER_USER    12288 /* callers nobody knows are one user together */
#define MOOR_CHALLENGE_RANDOM_BYTES 34

struct moor_challenges_opts {
    struct moor_loop *loop;
    const char *folder; /* copied; made if missing, taken from other writers, emptied of *.key */
    unsigned max;       /* keys out at once; 0 = MOOR_CHALLENGES_MAX, which is the most */
    unsigned per_user;  /* 0 = MOOR_CHALLENGES_PER_USER */
};
MOOR_NODISCARD moor_code moor_challenges_new(const struct moor_challenges_opts *opts,
                                             struct moor_challenges **out, struct moor_error *err);
/* Removes every file. */
void moor_challenges_free(struct moor_challenges *c);
MOOR_DEFINE_AUTOPTR(moor_challenges)

/* Makes a key file for who; *path is valid until the next call. THROTTLED when who has too many, or
 * all places are taken. */
MOOR_NODISCARD moor_code moor_challenges_issue(struct moor_challenges *c,
                                               const struct plat_caller *who, const char **path,
                                               struct moor_error *err);

/* The challenge with this key, or NULL when it is wrong, another user's, run out, used, or in use.
 * The caller ends it with one of the next two. */
struct moor_challenge *moor_challenges_take(struct moor_challenges *c,
                                            const struct plat_caller *who, struct moor_span key);
void moor_challenges_use_up(struct moor_challenges *c, struct moor_challenge *one);
/* The request failed for a reason that may go away: the same key may be sent again. */
void moor_challenges_give_back(struct moor_challenges *c, struct moor_challenge *one);

#endif
