/* SPDX-License-Identifier: Apache-2.0 */
/*
 * challenge.h: proof that a local caller may read the tokens folder: a random key in a file that
 * the group himds can read, to be sent back once.
 *
 * A key lives CHALLENGE_LIFE_MS, ends with its first successful use, and is bounded in number:
 * when all places are taken the oldest gives way, unless it is too young to have been used by an
 * honest caller. Files left over from before a start are removed. Loop thread.
 */
#ifndef MOOR_IDENTITY_CHALLENGE_H
#define MOOR_IDENTITY_CHALLENGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/span.h"

struct moor_loop;
struct moor_challenges;
struct moor_challenge; /* one key while a caller's request with it is being answered */

#define MOOR_CHALLENGE_LIFE_MS  60000
#define MOOR_CHALLENGES_MAX     256
#define MOOR_CHALLENGE_YOUNG_MS 2000

/* folder is copied, made if missing, and emptied of *.key files. */
MOOR_NODISCARD moor_code moor_challenges_new(struct moor_loop *l, const char *folder,
                                             struct moor_challenges **out, struct moor_error *err);
/* Removes every file. */
void moor_challenges_free(struct moor_challenges *c);
MOOR_DEFINE_AUTOPTR(moor_challenges)

/* Makes a key file; *path is valid until the next call. THROTTLED when all places are young. */
MOOR_NODISCARD moor_code moor_challenges_issue(struct moor_challenges *c, const char **path,
                                               struct moor_error *err);

/* The challenge with this key, or NULL when it is wrong, run out, used, or in use. The caller ends
 * it with one of the next two. */
struct moor_challenge *moor_challenges_take(struct moor_challenges *c, struct moor_span key);
void moor_challenges_use_up(struct moor_challenges *c, struct moor_challenge *one);
/* The request failed for a reason that may go away: the same key may be sent again. */
void moor_challenges_give_back(struct moor_challenges *c, struct moor_challenge *one);

#endif
