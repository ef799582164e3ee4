/* SPDX-License-Identifier: Apache-2.0 */
/* run.c: the process that is the command: marks it as started, runs the shell, keeps its result. */
#include "verbs.h"

#include "platform/file.h"
#include "platform/process.h"
#include "run/child.h"
#include "run/loop.h"

#include <inttypes.h>
#include <string.h>

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
static moor_code mark_started(const struct customscript_place *p, struct moor_error *err)
{
    MOOR_AUTO(plat_file) marker = PLAT_FILE_INIT;
    MOOR_AUTO(moor_buf) who = MOOR_BUF(64);
    struct plat_process_id me;
    moor_code c = plat_process_identify(0, &me, err);
    if (c == MOOR_OK)
        c = plat_create_new(p->started, PLAT_OWNER_ONLY, &marker, err);
    if (c != MOOR_OK)
        return c;
    moor_buf_fmt(&who, "%" PRId64 " %" PRIu64 "\n", me.pid, me.start);
    c = plat_append(&marker, moor_buf_view(&who), err);
    if (c == MOOR_OK)
        c = plat_sync(&marker, err);
    return c == MOOR_OK ? plat_sync_dir(p->data, err) : c;
}

static moor_code open_output(const struct customscript_place *p, const char *name,
                             struct plat_file *out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    moor_buf_fmt(&path, "%s/%s", p->work, name);
    return plat_open(moor_buf_cstr(&path), PLAT_APPEND, out, err);
}

/* The command line is in a file, since argv is readable by every local user. The shell in between
 * runs a script without an interpreter line too. */
static moor_code start_shell(const struct customscript_place *p, char *const *env, struct run *run,
                             struct moor_child **child, struct moor_error *err)
{
    MOOR_AUTO(plat_file) out = PLAT_FILE_INIT;
    MOOR_AUTO(plat_file) errors = PLAT_FILE_INIT;
    moor_code c = open_output(p, "stdout", &out, err);
    if (c == MOOR_OK)
        c = open_output(p, "stderr", &errors, err);
    if (c != MOOR_OK)
        return c;
    const char *const argv[] = { "/bin/sh", "-c", "exec \"$0\"", p->script, NULL };
    const struct moor_child_opts opts = {
        .spawn = { .argv = argv,
                   .env = (const char *const *)env,
                   .cwd = p->work,
                   .out = &out,
                   .err = &errors },
    };
    return moor_child_start(run->loop, &opts, on_end, run, child, err);
}

static moor_code keep_result(const struct customscript_place *p, const struct plat_exit *how,
                             struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(64);
    moor_buf_fmt(&text, "%s %d\n", how->signaled ? "signal" : "exit", how->code);
    return plat_write_atomic(p->result, moor_buf_view(&text), PLAT_OWNER_ONLY, err);
}

int customscript_run(const struct customscript_place *p, char *const *env)
{
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTOPTR(moor_loop) loop = NULL;
    MOOR_AUTOPTR(moor_child) child = NULL;
    if (moor_loop_new(&loop, &err) != MOOR_OK)
        return CUSTOMSCRIPT_EXIT_FAILED;
    struct run run = { .loop = loop };
    moor_code c = mark_started(p, &err);
    if (c == MOOR_E_EXISTS)
        return CUSTOMSCRIPT_EXIT_OK;
    if (c == MOOR_OK)
        c = start_shell(p, env, &run, &child, &err);
    if (c != MOOR_OK) {
        /* 126: what a shell says of a program it cannot start. */
        run.result.how = (struct plat_exit){ false, 126 };
    } else if (moor_loop_run(loop, &err) != MOOR_OK) {
        return CUSTOMSCRIPT_EXIT_FAILED;
    }
    return keep_result(p, &run.result.how, &err) == MOOR_OK ? CUSTOMSCRIPT_EXIT_OK
                                                            : CUSTOMSCRIPT_EXIT_FAILED;
}
