/* SPDX-License-Identifier: Apache-2.0 */
#include "run/loop.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <signal.h>
#include <stdlib.h>

#include "loop_internal.h"
#include "platform/service.h"
#include "platform/thread.h"

struct post {
    struct post *next;
    void (*fn)(void *ctx);
    void *ctx;
};

struct hook {
    void (*fn)(void *ctx);
    void *ctx;
};

struct moor_loop {
    struct event_base *base;
    struct moor_timers timers;
    struct moor_child *forgotten;
    bool stopped;

    struct plat_mutex *lock; /* of what is below */
    struct post *first, **last;
    struct event *posted;

    struct hook on_stop, on_reload;
    struct event *signals[3];
};

static void run_posts(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    struct moor_loop *l = ctx;
    /* What the functions post runs in the next turn. */
    plat_mutex_lock(l->lock);
    struct post *p = l->first;
    l->first = NULL;
    l->last = &l->first;
    plat_mutex_unlock(l->lock);
    while (p) {
        struct post *next = p->next;
        void (*fn)(void *) = p->fn;
        void *fn_ctx = p->ctx;
        free(p);
        fn(fn_ctx);
        p = next;
    }
}

static struct event_base *new_base(void)
{
    /* Exact and uncached time: an alarm that comes a little early is a wake-up for nothing. */
    struct event_config *config = event_config_new();
    if (!config)
        return NULL;
    struct event_base *base = NULL;
    if (event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER) == 0 &&
        event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME) == 0)
        base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

moor_code moor_loop_new(struct moor_loop **out, struct moor_error *err)
{
    if (evthread_use_pthreads() != 0)
        return moor_fail(err, MOOR_E_UNSUPPORTED, "event loop: no threads");
    plat_service_quiet_pipes();
    MOOR_AUTOPTR(moor_loop) l = calloc(1, sizeof(*l));
    if (!l)
        return moor_fail(err, MOOR_E_NOMEM, "event loop: out of memory");
    l->last = &l->first;
    moor_code c = plat_mutex_new(&l->lock, err);
    if (c != MOOR_OK)
        return c;
    l->base = new_base();
    l->posted = l->base ? event_new(l->base, -1, 0, run_posts, l) : NULL;
    if (!l->posted)
        return moor_fail(err, MOOR_E_IO, "event loop: cannot be made");
    c = moor_timers_init(&l->timers, l->base, err);
    if (c == MOOR_OK)
        *out = MOOR_TAKE(l);
    return c;
}

void moor_loop_free(struct moor_loop *l)
{
    if (!l)
        return;
    moor_children_drop(l);
    moor_timers_drop(&l->timers);
    for (size_t i = 0; i < MOOR_COUNTOF(l->signals); i++)
        if (l->signals[i])
            event_free(l->signals[i]);
    if (l->posted)
        event_free(l->posted);
    while (l->first) {
        struct post *p = l->first;
        l->first = p->next;
        free(p);
    }
    if (l->base) {
        /* libevent frees a connection in a deferred callback: one turn lets those run. */
        (void)event_base_loop(l->base, EVLOOP_NONBLOCK);
        event_base_free(l->base);
    }
    plat_mutex_free(l->lock);
    free(l);
}

static moor_code turn(struct moor_loop *l, int flags, struct moor_error *err)
{
    if (event_base_loop(l->base, flags) < 0)
        return moor_fail(err, MOOR_E_IO, "event loop: the system's wait failed");
    return MOOR_OK;
}

moor_code moor_loop_run(struct moor_loop *l, struct moor_error *err)
{
    moor_code c = MOOR_OK;
    while (c == MOOR_OK && !l->stopped)
        c = turn(l, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY, err);
    l->stopped = false;
    return c;
}

void moor_loop_turn(struct moor_loop *l)
{
    MOOR_ASSERT(turn(l, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY, NULL) == MOOR_OK);
}

void moor_loop_poll(struct moor_loop *l, uint64_t *next_ms)
{
    moor_timers_run(&l->timers);
    MOOR_ASSERT(turn(l, EVLOOP_NONBLOCK, NULL) == MOOR_OK);
    *next_ms = moor_timers_next(&l->timers);
}

void moor_loop_stop(struct moor_loop *l)
{
    l->stopped = true;
    (void)event_base_loopbreak(l->base);
}

void moor_loop_post(struct moor_loop *l, void (*fn)(void *ctx), void *ctx)
{
    struct post *p = malloc(sizeof(*p));
    MOOR_ASSERT(p);
    *p = (struct post){ NULL, fn, ctx };
    plat_mutex_lock(l->lock);
    bool first = l->first == NULL;
    *l->last = p;
    l->last = &p->next;
    /* Inside the lock: afterwards the loop may be gone. */
    if (first)
        event_active(l->posted, EV_READ, 0);
    plat_mutex_unlock(l->lock);
}

struct moor_watch {
    struct event *event;
    void (*fn)(void *ctx);
    void *ctx;
    bool paused;
};

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    const struct moor_watch *w = ctx;
    w->fn(w->ctx);
}

moor_code moor_watch_new(struct moor_loop *l, int fd, void (*fn)(void *ctx), void *ctx,
                         struct moor_watch **out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_watch) w = calloc(1, sizeof(*w));
    if (!w)
        return moor_fail(err, MOOR_E_NOMEM, "descriptor watch: out of memory");
    w->fn = fn;
    w->ctx = ctx;
    w->event = event_new(l->base, fd, EV_READ | EV_PERSIST, on_readable, w);
    if (!w->event || event_add(w->event, NULL) != 0)
        return moor_fail(err, MOOR_E_IO, "descriptor %d: cannot be watched", fd);
    *out = MOOR_TAKE(w);
    return MOOR_OK;
}

void moor_watch_pause(struct moor_watch *w, bool paused)
{
    if (w->paused == paused)
        return;
    w->paused = paused;
    MOOR_ASSERT((paused ? event_del(w->event) : event_add(w->event, NULL)) == 0);
}

void moor_watch_free(struct moor_watch *w)
{
    if (!w)
        return;
    if (w->event)
        event_free(w->event);
    free(w);
}

static void on_signal(evutil_socket_t number, short what, void *ctx)
{
    (void)number;
    (void)what;
    const struct hook *h = ctx;
    if (h->fn)
        h->fn(h->ctx);
}

static moor_code add_signal(struct moor_loop *l, size_t slot, int number, struct hook *h,
                            struct moor_error *err)
{
    if (l->signals[slot])
        return MOOR_OK;
    struct event *e = evsignal_new(l->base, number, on_signal, h);
    if (!e || event_add(e, NULL) != 0) {
        if (e)
            event_free(e);
        return moor_fail(err, MOOR_E_IO, "signal %d: cannot be caught", number);
    }
    l->signals[slot] = e;
    return MOOR_OK;
}

moor_code moor_loop_on_stop(struct moor_loop *l, void (*fn)(void *ctx), void *ctx,
                            struct moor_error *err)
{
    l->on_stop = (struct hook){ fn, ctx };
    moor_code c = add_signal(l, 0, SIGTERM, &l->on_stop, err);
    return c == MOOR_OK ? add_signal(l, 1, SIGINT, &l->on_stop, err) : c;
}

moor_code moor_loop_on_reload(struct moor_loop *l, void (*fn)(void *ctx), void *ctx,
                              struct moor_error *err)
{
    l->on_reload = (struct hook){ fn, ctx };
    return add_signal(l, 2, SIGHUP, &l->on_reload, err);
}

struct event_base *moor_loop_base(struct moor_loop *l)
{
    return l->base;
}

struct moor_timers *moor_loop_timers(struct moor_loop *l)
{
    return &l->timers;
}

struct moor_child **moor_loop_forgotten(struct moor_loop *l)
{
    return &l->forgotten;
}
