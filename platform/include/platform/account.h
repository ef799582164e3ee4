/* SPDX-License-Identifier: Apache-2.0 */
/* account.h: who we are and who others are. */
#ifndef PLAT_ACCOUNT_H
#define PLAT_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"

bool plat_is_admin(void);    /* root, or an elevated administrator */
uint32_t plat_user_id(void); /* effective */
MOOR_NODISCARD moor_code plat_find_user(const char *name, uint32_t *uid, struct moor_error *err);
MOOR_NODISCARD moor_code plat_find_group(const char *name, uint32_t *gid, struct moor_error *err);
/* What a program needs to run as a user. */
struct plat_account {
    char *name, *home, *shell; /* on the heap */
    uint32_t uid, gid;
    uint32_t *groups; /* all of them */
    size_t group_count;
};
#define PLAT_ACCOUNT_INIT                                                                          \
    {                                                                                              \
        .name = NULL                                                                               \
    }
void plat_account_drop(struct plat_account *a);
MOOR_DEFINE_AUTO(plat_account)
/* NOTFOUND: no such user. Blocking: the user database may be elsewhere. */
MOOR_NODISCARD moor_code plat_find_account(const char *name, struct plat_account *out,
                                           struct moor_error *err);
/* Whether the user database counts the user among the group's members, or gives it as the user's
 * own. False when it does not know the user. */
bool plat_user_in_group(uint32_t uid, uint32_t gid);
/* No core dumps, not traceable by the same user, and without the variables by which whoever starts
 * the program could lead its libraries to other files; call first thing in main(). */
void plat_protect_process(void);

#endif
