/* SPDX-License-Identifier: Apache-2.0 */
/* run.c: the process that is the command: marks it as started, runs it, keeps its result. */
#include "builtin/handler.h"
#include "builtin/stand.h"

#include "platform/file.h"
#include "platform/process.h"
#include "run/child.h"
#include "run/loop.h"

static void builtin_command_drop(struct builtin_command *c)
{
    plat_account_drop(&c->user);
    plat_file_drop(&c->script);
}
MOOR_DEFINE_AUTO(builtin_command)

struct run {
    struct moor_loop *loop;
    struct moor_child_result result;
};

static void on_end(void *ctx, const struct moor_child_result *r)
{
    struct run *run = ctx;
    run->result = *r;
    moor_loop_stop(run->loop);
}

/* EXISTS: somebody was first. */
static moor_code mark_started(const struct builtin_place *p, struct moor_error *err)
{
    MOOR_AUTO(plat_file) marker = PLAT_FILE_INIT;
    MOOR_AUTO(moor_buf) who = MOOR_BUF(96);
    struct plat_process_id me;
    moor_code c = plat_process_identify(0, &me, err);
    if (c == MOOR_OK)
        c = plat_create_new(p->started, PLAT_OWNER_ONLY, &marker, err);
    if (c != MOOR_OK)
        return c;
    builtin_buf_process(&who, &me);
    c = plat_append(&marker, moor_buf_view(&who), err);
    if (c == MOOR_OK)
        c = plat_sync(&marker, err);
    return c == MOOR_OK ? plat_sync_dir(p->data, err) : c;
}

static moor_code open_output(const struct builtin_place *p, const char *name, struct plat_file *out,
                             struct moor_error *err)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    moor_buf_fmt(&path, "%s/%s", p->work, name);
    return plat_open(moor_buf_cstr(&path), PLAT_APPEND, out, err);
}

/* So that it can be ended when this process is gone; it runs on where that cannot be noted. */
static void note_child(const struct builtin_place *p, const struct moor_child *child)
{
    MOOR_AUTO(moor_buf) who = MOOR_BUF(96);
    struct plat_process_id id;
    if (plat_process_identify(moor_child_process(child)->pid, &id, NULL) != MOOR_OK)
        return; /* it has ended */
    builtin_buf_process(&who, &id);
    moor_code c = plat_write_atomic(p->child, moor_buf_view(&who), PLAT_OWNER_ONLY, NULL);
    (void)c;
}

static moor_code start(const struct builtin_place *p, char *const *env, struct run *run,
                       struct moor_child **child, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA_SECRET(16 * MOOR_SETTINGS_MAX);
    MOOR_AUTO(builtin_command) command = { .user = PLAT_ACCOUNT_INIT, .script = PLAT_FILE_INIT };
    MOOR_AUTO(plat_file) out = PLAT_FILE_INIT;
    MOOR_AUTO(plat_file) errors = PLAT_FILE_INIT;
    moor_code c = open_output(p, "stdout", &out, err);
    if (c == MOOR_OK)
        c = open_output(p, "stderr", &errors, err);
    if (c == MOOR_OK)
        c = p->handler->command(p, env, &command, &arena, err);
    if (c != MOOR_OK)
        return c;
    command.opts.spawn.out = &out;
    command.opts.spawn.err = &errors;
    c = moor_child_start(run->loop, &command.opts, on_end, run, child, err);
    if (c == MOOR_OK)
        note_child(p, *child);
    return c;
}

static builtin_how how_of(const struct moor_child_result *r)
{
    if (r->timed_out)
        return BUILTIN_TIMED_OUT;
    return r->how.signaled ? BUILTIN_SIGNALED : BUILTIN_EXITED;
}

int builtin_run(const struct builtin_place *p, char *const *env)
{
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTOPTR(moor_loop) loop = NULL;
    MOOR_AUTOPTR(moor_child) child = NULL;
    if (moor_loop_new(&loop, &err) != MOOR_OK)
        return BUILTIN_EXIT_FAILED;
    struct run run = { .loop = loop };
    moor_code c = mark_started(p, &err);
    if (c == MOOR_E_EXISTS)
        return BUILTIN_EXIT_OK;
    if (c == MOOR_OK)
        c = start(p, env, &run, &child, &err);
    if (c != MOOR_OK) {
        /* 126: what a shell says of a program it cannot start. */
        run.result.how = (struct plat_exit){ false, 126 };
    } else if (moor_loop_run(loop, &err) != MOOR_OK) {
        return BUILTIN_EXIT_FAILED;
    }
    c = builtin_result_write(p, how_of(&run.result), run.result.how.code, &err);
    return c == MOOR_OK ? BUILTIN_EXIT_OK : BUILTIN_EXIT_FAILED;
}
