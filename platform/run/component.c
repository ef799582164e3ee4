/* SPDX-License-Identifier: Apache-2.0 */
#include "run/component.h"

#include <string.h>

#include "base/span.h"
#include "platform/service.h"
#include "run/log.h"
#include "run/loop.h"

#define STOP_MS       5000
#define COMPONENT_MAX 32

struct moor_service {
    struct moor_loop *loop;
    const struct moor_component *table;
    void *daemon;
    size_t started;  /* components of the table that run or ran */
    size_t stopping; /* index of the one being stopped, + 1; 0 = none left */
    bool asked;      /* to stop */
    bool overdue;    /* STOP_MS are over */
    bool in_stop;    /* stop() is on the stack */
    bool stopped[COMPONENT_MAX];
    struct moor_timer *deadline;
    struct moor_timer *watchdog;
};

static bool call_stop(struct moor_service *s, size_t i)
{
    const struct moor_component *c = &s->table[i];
    if (!c->stop)
        return true;
    s->in_stop = true;
    c->stop(s, s->daemon);
    s->in_stop = false;
    return s->stopped[i];
}

/* Goes on to the next component as long as each is done at once. When time is up all are told to
 * stop and nobody is waited for. */
static void advance(struct moor_service *s)
{
    while (s->stopping > 0) {
        size_t i = s->stopping - 1;
        if (!s->stopped[i])
            s->stopped[i] = call_stop(s, i);
        if (!s->stopped[i] && !s->overdue)
            return;
        if (!s->stopped[i])
            moor_log(MOOR_LOG_WARNING, "component.left_behind", "component", s->table[i].name,
                     NULL);
        s->stopping--;
    }
    moor_loop_stop(s->loop);
}

static void on_deadline(void *ctx)
{
    struct moor_service *s = ctx;
    s->overdue = true;
    /* The one waited for was told already. */
    size_t i = s->stopping - 1;
    if (s->stopping > 0 && !s->stopped[i]) {
        moor_log(MOOR_LOG_WARNING, "component.left_behind", "component", s->table[i].name, NULL);
        s->stopping--;
    }
    advance(s);
}

static void begin_stop(void *ctx)
{
    struct moor_service *s = ctx;
    plat_service_stopping();
    moor_timer_arm(s->deadline, STOP_MS);
    s->stopping = s->started;
    advance(s);
}

/* Posted, so that a component may ask from within its own start(). */
void moor_service_stop(struct moor_service *s)
{
    if (s->asked)
        return;
    s->asked = true;
    moor_loop_post(s->loop, begin_stop, s);
}

static void on_stop_signal(void *ctx)
{
    moor_service_stop(ctx);
}

void moor_component_stopped(struct moor_service *s, const char *name)
{
    for (size_t i = 0; i < s->started; i++)
        if (moor_streq(s->table[i].name, name))
            s->stopped[i] = true;
    if (s->stopping > 0 && !s->in_stop && s->stopped[s->stopping - 1])
        advance(s);
}

struct moor_loop *moor_service_loop(struct moor_service *s)
{
    return s->loop;
}

static void on_watchdog(void *ctx)
{
    struct moor_service *s = ctx;
    plat_service_watchdog();
    moor_timer_arm(s->watchdog, plat_service_watchdog_ms());
}

static moor_code start_all(struct moor_service *s, size_t count, struct moor_error *err)
{
    while (s->started < count) {
        const struct moor_component *c = &s->table[s->started];
        moor_code code = c->start ? c->start(s, s->daemon, err) : MOOR_OK;
        if (code != MOOR_OK)
            return moor_context(err, "%s", c->name);
        s->started++;
    }
    return MOOR_OK;
}

static moor_code prepare(struct moor_service *s, struct moor_error *err)
{
    moor_code c = moor_timer_new(s->loop, on_deadline, s, &s->deadline, err);
    if (c == MOOR_OK)
        c = moor_timer_new(s->loop, on_watchdog, s, &s->watchdog, err);
    if (c == MOOR_OK)
        c = moor_loop_on_stop(s->loop, on_stop_signal, s, err);
    return c;
}

moor_code moor_service_run(struct moor_loop *l, const struct moor_component *table, size_t count,
                           void *daemon, struct moor_error *err)
{
    MOOR_ASSERT(count <= COMPONENT_MAX);
    struct moor_service s = { .loop = l, .table = table, .daemon = daemon };
    moor_code c = prepare(&s, err);
    if (c == MOOR_OK)
        c = start_all(&s, count, err);
    if (c == MOOR_OK) {
        plat_service_ready("running");
        if (plat_service_watchdog_ms() > 0)
            on_watchdog(&s);
    } else if (s.started > 0) {
        moor_service_stop(&s);
    }
    if (c == MOOR_OK || s.asked) {
        struct moor_error run_err = MOOR_ERROR_INIT;
        moor_code run = moor_loop_run(l, &run_err);
        if (c == MOOR_OK && run != MOOR_OK) {
            c = run;
            if (err)
                *err = run_err;
        }
    }
    for (size_t i = s.started; i > 0; i--)
        if (table[i - 1].release)
            table[i - 1].release(daemon);
    /* A late signal finds nobody. */
    if (moor_loop_on_stop(l, NULL, NULL, NULL) != MOOR_OK)
        moor_log(MOOR_LOG_WARNING, "service.signals_kept", NULL);
    moor_timer_free(s.watchdog);
    moor_timer_free(s.deadline);
    return c;
}
