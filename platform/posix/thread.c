/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/thread.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "platform/oserr.h"

struct plat_thread {
    pthread_t id;
    void (*fn)(void *);
    void *ctx;
};
struct plat_mutex {
    pthread_mutex_t m;
};
struct plat_cond {
    pthread_cond_t c;
};

static void *run(void *arg)
{
    const struct plat_thread *t = arg;
    t->fn(t->ctx);
    return NULL;
}

moor_code plat_thread_start(const char *name, void (*fn)(void *), void *ctx,
                            struct plat_thread **out, struct moor_error *err)
{
    struct plat_thread *t = calloc(1, sizeof(*t));
    if (!t)
        return moor_fail(err, MOOR_E_NOMEM, "thread %s: out of memory", name);
    t->fn = fn;
    t->ctx = ctx;

    /* The new thread inherits the mask: signals are the loop's business alone. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int e = pthread_create(&t->id, NULL, run, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (e) {
        free(t);
        return plat_fail(err, e, "thread %s", name);
    }
    (void)pthread_setname_np(t->id, name);
    *out = t;
    return MOOR_OK;
}

void plat_thread_join(struct plat_thread *t)
{
    if (!t)
        return;
    MOOR_ASSERT(pthread_join(t->id, NULL) == 0);
    free(t);
}

moor_code plat_mutex_new(struct plat_mutex **out, struct moor_error *err)
{
    struct plat_mutex *m = calloc(1, sizeof(*m));
    if (!m)
        return moor_fail(err, MOOR_E_NOMEM, "mutex: out of memory");
    int e = pthread_mutex_init(&m->m, NULL);
    if (e) {
        free(m);
        return plat_fail(err, e, "mutex");
    }
    *out = m;
    return MOOR_OK;
}

void plat_mutex_free(struct plat_mutex *m)
{
    if (!m)
        return;
    MOOR_ASSERT(pthread_mutex_destroy(&m->m) == 0);
    free(m);
}

void plat_mutex_lock(struct plat_mutex *m)
{
    MOOR_ASSERT(pthread_mutex_lock(&m->m) == 0);
}

void plat_mutex_unlock(struct plat_mutex *m)
{
    MOOR_ASSERT(pthread_mutex_unlock(&m->m) == 0);
}

moor_code plat_cond_new(struct plat_cond **out, struct moor_error *err)
{
    struct plat_cond *c = calloc(1, sizeof(*c));
    if (!c)
        return moor_fail(err, MOOR_E_NOMEM, "condition: out of memory");
    int e = pthread_cond_init(&c->c, NULL);
    if (e) {
        free(c);
        return plat_fail(err, e, "condition");
    }
    *out = c;
    return MOOR_OK;
}

void plat_cond_free(struct plat_cond *c)
{
    if (!c)
        return;
    MOOR_ASSERT(pthread_cond_destroy(&c->c) == 0);
    free(c);
}

void plat_cond_wait(struct plat_cond *c, struct plat_mutex *m)
{
    MOOR_ASSERT(pthread_cond_wait(&c->c, &m->m) == 0);
}

void plat_cond_wake(struct plat_cond *c)
{
    MOOR_ASSERT(pthread_cond_signal(&c->c) == 0);
}

void plat_cond_wake_all(struct plat_cond *c)
{
    MOOR_ASSERT(pthread_cond_broadcast(&c->c) == 0);
}
