/* SPDX-License-Identifier: Apache-2.0 */
#include <event2/event.h>
#include <stdlib.h>

#include "loop_internal.h"
#include "platform/clock.h"

#define DISARMED SIZE_MAX
/* The system's wait does not count the time a machine sleeps, our clock does: after a resume a
 * timer that became due meanwhile fires within an hour, or with the next other one. */
#define LOOK_AGAIN_MS 3600000

struct moor_timer {
    struct moor_timers *owner;
    void (*fn)(void *ctx);
    void *ctx;
    uint64_t due, seq;
    size_t at; /* index in the heap */
};

static bool before(const struct moor_timer *a, const struct moor_timer *b)
{
    return a->due != b->due ? a->due < b->due : a->seq < b->seq;
}

static void place(struct moor_timers *t, size_t i, struct moor_timer *timer)
{
    t->heap[i] = timer;
    timer->at = i;
}

/* Moves the timer at i to where it belongs, up or down. */
static void sift(struct moor_timers *t, size_t i)
{
    struct moor_timer *moving = t->heap[i];
    while (i > 0 && before(moving, t->heap[(i - 1) / 2])) {
        place(t, i, t->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < t->count && before(t->heap[child + 1], t->heap[child]))
            child++;
        if (child >= t->count || !before(t->heap[child], moving))
            break;
        place(t, i, t->heap[child]);
        i = child;
    }
    place(t, i, moving);
}

static void take_out(struct moor_timers *t, struct moor_timer *timer)
{
    size_t i = timer->at;
    timer->at = DISARMED;
    t->count--;
    if (i == t->count)
        return;
    place(t, i, t->heap[t->count]);
    sift(t, i);
}

/* Sets the event to the first timer, or takes it away: an alarm for nothing is a wake-up. */
static void set_alarm(struct moor_timers *t)
{
    uint64_t first = moor_timers_next(t);
    if (first == t->set_for)
        return;
    t->set_for = first;
    if (first == UINT64_MAX) {
        MOOR_ASSERT(event_del(t->alarm) == 0);
        return;
    }
    uint64_t now = plat_mono_ms(), wait = first > now ? first - now : 0;
    if (wait > LOOK_AGAIN_MS)
        wait = LOOK_AGAIN_MS;
    const struct timeval tv = { (time_t)(wait / 1000), (suseconds_t)(wait % 1000 * 1000) };
    MOOR_ASSERT(event_add(t->alarm, &tv) == 0);
}

static void on_alarm(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    struct moor_timers *t = ctx;
    t->set_for = UINT64_MAX; /* it has fired */
    moor_timers_run(t);
}

moor_code moor_timers_init(struct moor_timers *t, struct event_base *base, struct moor_error *err)
{
    *t = (struct moor_timers){ .set_for = UINT64_MAX };
    t->alarm = event_new(base, -1, 0, on_alarm, t);
    return t->alarm ? MOOR_OK : moor_fail(err, MOOR_E_NOMEM, "timers: out of memory");
}

void moor_timers_drop(struct moor_timers *t)
{
    MOOR_ASSERT(t->existing == 0);
    if (t->alarm)
        event_free(t->alarm);
    free(t->heap);
    *t = (struct moor_timers){ 0 };
}

uint64_t moor_timers_next(const struct moor_timers *t)
{
    return t->count > 0 ? t->heap[0]->due : UINT64_MAX;
}

void moor_timers_run(struct moor_timers *t)
{
    /* What is armed meanwhile waits for the next turn, or a timer of 0 ms would starve the rest. */
    uint64_t now = plat_mono_ms(), armed_before = t->next_seq;
    while (t->count > 0 && t->heap[0]->due <= now && t->heap[0]->seq < armed_before) {
        struct moor_timer *timer = t->heap[0];
        take_out(t, timer);
        /* May free the timer. */
        timer->fn(timer->ctx);
    }
    set_alarm(t);
}

moor_code moor_timer_new(struct moor_loop *l, void (*fn)(void *ctx), void *ctx,
                         struct moor_timer **out, struct moor_error *err)
{
    struct moor_timers *t = moor_loop_timers(l);
    struct moor_timer *timer = calloc(1, sizeof(*timer));
    if (timer && t->existing == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 16;
        struct moor_timer **more = realloc(t->heap, cap * sizeof(struct moor_timer *));
        if (!more) {
            free(timer);
            timer = NULL;
        } else {
            t->heap = more;
            t->cap = cap;
        }
    }
    if (!timer)
        return moor_fail(err, MOOR_E_NOMEM, "timer: out of memory");
    *timer = (struct moor_timer){ .owner = t, .fn = fn, .ctx = ctx, .at = DISARMED };
    t->existing++;
    *out = timer;
    return MOOR_OK;
}

void moor_timer_arm(struct moor_timer *timer, uint64_t delay_ms)
{
    struct moor_timers *t = timer->owner;
    uint64_t now = plat_mono_ms();
    timer->due = delay_ms < UINT64_MAX - 1 - now ? now + delay_ms : UINT64_MAX - 1;
    timer->seq = t->next_seq++;
    if (timer->at == DISARMED)
        place(t, t->count++, timer);
    sift(t, timer->at);
    set_alarm(t);
}

void moor_timer_disarm(struct moor_timer *timer)
{
    if (timer->at == DISARMED)
        return;
    take_out(timer->owner, timer);
    set_alarm(timer->owner);
}

bool moor_timer_armed(const struct moor_timer *timer)
{
    return timer->at != DISARMED;
}

void moor_timer_free(struct moor_timer *timer)
{
    if (!timer)
        return;
    moor_timer_disarm(timer);
    timer->owner->existing--;
    free(timer);
}
