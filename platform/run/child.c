/* SPDX-License-Identifier: Apache-2.0 */
#include "run/child.h"

#include <stdlib.h>

#include "run/loop_internal.h"

struct moor_child {
    struct moor_loop *loop;
    struct moor_child *next; /* among the forgotten */
    struct plat_process process;
    struct moor_watch *exit;
    struct moor_timer *deadline;
    bool timed_out;
    moor_child_fn fn; /* NULL: forgotten, waited for only so that no zombie stays */
    void *ctx;
};

static void release(struct moor_child *c)
{
    moor_watch_free(c->exit);
    moor_timer_free(c->deadline);
    plat_process_drop(&c->process);
    free(c);
}

static void drop_forgotten(struct moor_child *c)
{
    struct moor_child **at = moor_loop_forgotten(c->loop);
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    release(c);
}

/* False when it still runs. After true the child may be freed. */
static bool finish(struct moor_child *c)
{
    struct moor_child_result r = { .timed_out = c->timed_out };
    bool ended = false;
    /* Somebody else waited for our child: all there is to say is that it is gone. */
    if (plat_process_poll(&c->process, &ended, &r.how, NULL) != MOOR_OK) {
        ended = true;
        r.how = (struct plat_exit){ .signaled = false, .code = -1 };
    }
    if (!ended)
        return false;
    if (!c->fn) {
        drop_forgotten(c);
        return true;
    }
    moor_watch_free(c->exit);
    c->exit = NULL;
    moor_timer_disarm(c->deadline);
    /* May free the child. */
    c->fn(c->ctx, &r);
    return true;
}

static void on_exit_event(void *ctx)
{
    (void)finish(ctx);
}

static void on_deadline(void *ctx)
{
    struct moor_child *c = ctx;
    /* It may have ended just in time; what it left in the background is not ours to kill then. */
    if (finish(c))
        return;
    c->timed_out = true;
    plat_process_kill_tree(&c->process);
}

moor_code moor_child_start(struct moor_loop *l, const struct moor_child_opts *opts,
                           moor_child_fn fn, void *ctx, struct moor_child **out,
                           struct moor_error *err)
{
    MOOR_AUTOPTR(moor_child) c = calloc(1, sizeof(*c));
    if (!c)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", opts->spawn.argv[0]);
    c->process = (struct plat_process)PLAT_PROCESS_INIT;
    c->loop = l;
    c->fn = fn;
    c->ctx = ctx;
    moor_code code = moor_timer_new(l, on_deadline, c, &c->deadline, err);
    if (code == MOOR_OK)
        code = plat_spawn(&opts->spawn, &c->process, err);
    if (code != MOOR_OK)
        return code;
    code = moor_watch_new(l, c->process.exit_fd_, on_exit_event, c, &c->exit, err);
    if (code != MOOR_OK) {
        /* Nobody would be told of its end. */
        plat_process_kill_tree(&c->process);
        return code;
    }
    if (opts->timeout_ms)
        moor_timer_arm(c->deadline, opts->timeout_ms);
    *out = MOOR_TAKE(c);
    return MOOR_OK;
}

const struct plat_process *moor_child_process(const struct moor_child *c)
{
    return &c->process;
}

void moor_child_kill(struct moor_child *c)
{
    plat_process_kill_tree(&c->process);
}

void moor_child_free(struct moor_child *c)
{
    if (!c)
        return;
    if (!c->exit) { /* ended, or never started */
        release(c);
        return;
    }
    struct moor_child **list = moor_loop_forgotten(c->loop);
    moor_timer_free(c->deadline);
    c->deadline = NULL;
    c->fn = NULL;
    c->next = *list;
    *list = c;
}

void moor_children_drop(struct moor_loop *l)
{
    struct moor_child **list = moor_loop_forgotten(l);
    while (*list) {
        struct moor_child *c = *list;
        *list = c->next;
        release(c);
    }
}
