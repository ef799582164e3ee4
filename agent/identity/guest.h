/* SPDX-License-Identifier: Apache-2.0 */
/* guest.h: the one look at the cloud (hostcloud.h) of a role's life, when it starts. Loop thread.
 */
#ifndef MOOR_IDENTITY_GUEST_H
#define MOOR_IDENTITY_GUEST_H

#include "identity/hostcloud.h"

struct moor_pool;
struct moor_guest;

/* changed is called once, on the loop, when the look is over. */
MOOR_NODISCARD moor_code moor_guest_new(struct moor_loop *l, struct moor_pool *pool,
                                        void (*changed)(void *ctx), void *ctx,
                                        struct moor_guest **out, struct moor_error *err);
void moor_guest_free(struct moor_guest *g); /* NULL is fine */

bool moor_guest_looking(const struct moor_guest *g);
const struct moor_host_cloud *moor_guest_cloud(const struct moor_guest *g); /* never NULL */

#endif
