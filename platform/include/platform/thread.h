/* SPDX-License-Identifier: Apache-2.0 */
/* thread.h: threads, mutexes and conditions, for run/ only. */
#ifndef PLAT_THREAD_H
#define PLAT_THREAD_H

#include "base/attr.h"
#include "base/error.h"

struct plat_thread; /* opaque, heap */
struct plat_mutex;
struct plat_cond;

/* name: at most 15 characters, shown by ps. All signals are blocked in it. */
MOOR_NODISCARD moor_code plat_thread_start(const char *name, void (*fn)(void *), void *ctx,
                                           struct plat_thread **out, struct moor_error *err);
void plat_thread_join(struct plat_thread *t); /* and frees; NULL is fine */

MOOR_NODISCARD moor_code plat_mutex_new(struct plat_mutex **out, struct moor_error *err);
void plat_mutex_free(struct plat_mutex *m);
void plat_mutex_lock(struct plat_mutex *m);
void plat_mutex_unlock(struct plat_mutex *m);

MOOR_NODISCARD moor_code plat_cond_new(struct plat_cond **out, struct moor_error *err);
void plat_cond_free(struct plat_cond *c);
void plat_cond_wait(struct plat_cond *c, struct plat_mutex *m);
void plat_cond_wake(struct plat_cond *c); /* one waiter */
void plat_cond_wake_all(struct plat_cond *c);

#endif
