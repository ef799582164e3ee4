/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c: prepares, has the command run, reports its end. */
#include "builtin/handler.h"
#include "builtin/stand.h"

#include "platform/file.h"
#include "platform/process.h"
#include "run/child.h"
#include "run/loop.h"

#include <string.h>

#define ORPHAN_LOOK_MS 1000 /* how often a command whose starter died is looked after */
#define RUN_TRIES      3

struct worker {
    const struct builtin_place *place;
    struct moor_loop *loop;
    struct moor_timer *look, *refresh, *hand_over;
    struct moor_child *child;
    char *const *env;
    unsigned runs;
    bool handed_over;
    struct moor_error err;
};

static void on_run_end(void *ctx, const struct moor_child_result *r);

static moor_code start_run(struct worker *w, struct moor_error *err)
{
    const char *const argv[] = { w->place->program, "run", NULL };
    const struct moor_child_opts opts = {
        .spawn = { .argv = argv, .env = (const char *const *)w->env, .cwd = w->place->root },
    };
    moor_child_free(w->child);
    w->child = NULL;
    w->runs++;
    return moor_child_start(w->loop, &opts, on_run_end, w, &w->child, err);
}

static void on_run_end(void *ctx, const struct moor_child_result *r)
{
    struct worker *w = ctx;
    (void)r;
    moor_timer_arm(w->look, 0);
}

/* Not started yet: start it. Started and alive: look again later. Else it has ended. */
static void on_look(void *ctx)
{
    struct worker *w = ctx;
    if (!plat_exists(w->place->started)) {
        if (w->runs < RUN_TRIES && start_run(w, &w->err) == MOOR_OK)
            return;
        if (w->err.code == MOOR_OK) {
            moor_code c = moor_fail(&w->err, MOOR_E_IO, "the command cannot be started");
            (void)c;
        }
    } else if (!plat_exists(w->place->result) && builtin_alive(w->place)) {
        moor_timer_arm(w->look, ORPHAN_LOOK_MS);
        return;
    }
    moor_loop_stop(w->loop);
}

/* Told again, so that it is not stale. */
static moor_code report_running(const struct builtin_place *p, struct moor_error *err)
{
    struct builtin_stand stand;
    builtin_stand_read(p, &stand);
    stand.how = BUILTIN_RUNNING;
    return p->handler->report(p, &stand, err);
}

static void on_refresh(void *ctx)
{
    struct worker *w = ctx;
    moor_code c = report_running(w->place, NULL);
    (void)c;
    moor_timer_arm(w->refresh, w->place->handler->refresh_ms);
}

static void on_hand_over(void *ctx)
{
    struct worker *w = ctx;
    w->handed_over = true;
    moor_loop_stop(w->loop);
}

static moor_code make_timers(struct worker *w, bool foreground, struct moor_error *err)
{
    moor_code c = moor_timer_new(w->loop, on_look, w, &w->look, err);
    if (c == MOOR_OK)
        c = moor_timer_new(w->loop, on_refresh, w, &w->refresh, err);
    if (c == MOOR_OK)
        c = moor_timer_new(w->loop, on_hand_over, w, &w->hand_over, err);
    if (c != MOOR_OK)
        return c;
    moor_timer_arm(w->look, 0);
    moor_timer_arm(w->refresh, w->place->handler->refresh_ms);
    if (foreground)
        moor_timer_arm(w->hand_over, w->place->handler->foreground_ms);
    return MOOR_OK;
}

/* Starts the command unless it was started, and waits for its end either way. */
static moor_code await_command(const struct builtin_place *p, char *const *env, bool foreground,
                               bool *handed_over, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_loop) loop = NULL;
    moor_code c = moor_loop_new(&loop, err);
    if (c != MOOR_OK)
        return c;
    struct worker w = { .place = p, .loop = loop, .env = env };
    c = make_timers(&w, foreground, err);
    if (c == MOOR_OK)
        c = moor_loop_run(loop, err);
    if (c == MOOR_OK && w.err.code != MOOR_OK) {
        *err = w.err;
        c = w.err.code;
    }
    *handed_over = w.handed_over;
    moor_child_free(w.child);
    moor_timer_free(w.hand_over);
    moor_timer_free(w.refresh);
    moor_timer_free(w.look);
    return c;
}

static moor_code start_background(const struct builtin_place *p, char *const *env,
                                  struct moor_error *err)
{
    const char *const argv[] = { p->program, "worker", NULL };
    const struct plat_spawn how = { .argv = argv, .env = (const char *const *)env, .cwd = p->root };
    MOOR_AUTO(plat_process) child = PLAT_PROCESS_INIT;
    return plat_spawn(&how, &child, err);
}

static moor_code report_end(const struct builtin_place *p, struct moor_error *err)
{
    struct builtin_stand stand;
    builtin_stand_read(p, &stand);
    moor_code c = p->handler->report(p, &stand, err);
    return c == MOOR_OK ? plat_remove(p->script, err) : c;
}

static moor_code work(const struct builtin_place *p, char *const *env, bool foreground,
                      int64_t *code, bool *handed_over, struct moor_error *err)
{
    moor_code c = plat_exists(p->started) ? MOOR_OK : p->handler->prepare(p, env, code, err);
    if (c == MOOR_OK)
        c = await_command(p, env, foreground, handed_over, err);
    return c == MOOR_OK && !*handed_over ? report_end(p, err) : c;
}

static bool is_told(const struct builtin_place *p)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(4 * MOOR_STATUS_MAX);
    struct moor_handler_status reported;
    return builtin_reported(p, &reported, &arena) && p->handler->ended(&reported);
}

/* What an instance forgot must not start again. */
static bool is_unwanted(const struct builtin_place *p)
{
    return p->handler->instances && builtin_last_seq(p) != p->seq;
}

int builtin_worker(const struct builtin_place *p, char *const *env, bool foreground)
{
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTO(plat_file) lock = PLAT_FILE_INIT;
    int64_t code = BUILTIN_CODE_SYSTEM;
    bool handed_over = false;
    moor_code c = plat_make_dirs(p->work, PLAT_OWNER_ONLY, &err);
    if (c == MOOR_OK)
        c = plat_lock_file(p->lock, &lock, &err);
    if (c == MOOR_E_EXISTS || is_unwanted(p) || is_told(p))
        return BUILTIN_EXIT_OK; /* somebody is at it, or was */
    if (c == MOOR_OK)
        c = work(p, env, foreground, &code, &handed_over, &err);
    if (c == MOOR_OK && handed_over) {
        plat_file_drop(&lock);
        c = start_background(p, env, &err);
    }
    if (c == MOOR_OK)
        return BUILTIN_EXIT_OK;
    const struct builtin_stand stand = { .how = BUILTIN_REFUSED, .code = code, .why = err.msg };
    c = p->handler->report(p, &stand, NULL);
    return c == MOOR_OK ? BUILTIN_EXIT_OK : BUILTIN_EXIT_FAILED;
}

moor_code builtin_cancel(const struct builtin_place *p, struct moor_error *err)
{
    MOOR_AUTO(plat_file) lock = PLAT_FILE_INIT;
    moor_code c = plat_make_dirs(p->data, PLAT_OWNER_ONLY, err);
    if (c == MOOR_OK)
        c = builtin_kill(p, err);
    if (c == MOOR_OK)
        c = plat_lock_file_wait(p->lock, &lock, err);
    /* The worker told, unless it was killed, too. */
    if (c == MOOR_OK && plat_exists(p->started) && !is_told(p))
        c = report_end(p, err);
    return c;
}
