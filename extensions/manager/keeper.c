/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/run_files.h"
#include "platform/account.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "platform/self.h"
#include "platform/watch.h"
#include "run/child.h"
#include "run/log.h"
#include "run/loop.h"

#define TRIM_MS     2000 /* between looks at the size of the output */
#define LIST_MAX    160  /* variables or arguments */
#define CUT_MARK    "[the beginning was left out]\n"
#define SCRIPT_HEAD 2

struct moor_keeper {
    struct moor_loop *loop;
    char id[MOOR_RUN_ID_LEN + 1];
    void (*done)(void *ctx);
    void *ctx;
    struct moor_child *child;
    struct plat_file out, err;
    struct plat_file lock; /* held: this keeper lives */
    struct plat_watch *watch;
    struct moor_watch *watch_event;
    struct moor_timer *look;
    bool ending;
    int why; /* moor_run_how of an end that we made */
};

void moor_keeper_free(struct moor_keeper *k)
{
    if (!k)
        return;
    moor_child_free(k->child);
    moor_watch_free(k->watch_event);
    plat_watch_free(k->watch);
    moor_timer_free(k->look);
    plat_file_drop(&k->out);
    plat_file_drop(&k->err);
    plat_file_drop(&k->lock);
    free(k);
}

/* How the script's process looks from outside. */
struct setting {
    struct moor_arena *arena;
    const char *env[LIST_MAX + 1];
    size_t env_count;
    const char *argv[LIST_MAX + 3];
    const char *cwd;
    bool failed;
};

/* A later value of the same name replaces the earlier one. */
static void set_variable(struct setting *s, const char *name, const char *value)
{
    size_t n = strlen(name), at = 0;
    while (at < s->env_count && !(strncmp(s->env[at], name, n) == 0 && s->env[at][n] == '='))
        at++;
    const char *text = value ? moor_arena_fmt(s->arena, "%s=%s", name, value) : NULL;
    if (!value)
        return;
    if (!text || at >= LIST_MAX) {
        s->failed = true;
        return;
    }
    s->env[at] = text;
    if (at == s->env_count)
        s->env_count++;
}

static void set_environment(struct setting *s, const struct plat_account *user,
                            const struct moor_run_job *job)
{
    static const char *const passed[] = { "IMDS_ENDPOINT", "IDENTITY_ENDPOINT" };
    const struct moor_obj_list *lists[] = { &job->parameters, &job->secrets };
    set_variable(s, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    set_variable(s, "LANG", "C.UTF-8");
    set_variable(s, "HOME", user->home);
    set_variable(s, "USER", user->name);
    set_variable(s, "LOGNAME", user->name);
    set_variable(s, "SHELL", user->shell);
    for (size_t i = 0; i < MOOR_COUNTOF(passed); i++)
        set_variable(s, passed[i], plat_environment(passed[i]));
    for (size_t l = 0; l < MOOR_COUNTOF(lists); l++) {
        const struct moor_desired_parameter *p = lists[l]->items;
        for (size_t i = 0; i < lists[l]->count; i++)
            if (*p[i].name)
                set_variable(s, p[i].name, p[i].value);
    }
}

/* A text without "#!" is for the shell that people write for. */
static const char *shell_for(const char *script)
{
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    char head[SCRIPT_HEAD] = "";
    size_t got = 0;
    if (plat_open(script, PLAT_READ, &f, NULL) == MOOR_OK &&
        plat_read_at(&f, 0, head, sizeof(head), &got, NULL) == MOOR_OK && got == SCRIPT_HEAD &&
        memcmp(head, "#!", SCRIPT_HEAD) == 0)
        return NULL;
    return plat_exists("/bin/bash") ? "/bin/bash" : "/bin/sh";
}

static void set_arguments(struct setting *s, const char *script, const struct moor_run_job *job)
{
    const struct moor_desired_parameter *p = job->parameters.items;
    const char *shell = shell_for(script);
    size_t n = 0;
    if (shell)
        s->argv[n++] = shell;
    s->argv[n++] = script;
    for (size_t i = 0; i < job->parameters.count && n < LIST_MAX; i++)
        if (!*p[i].name)
            s->argv[n++] = p[i].value;
}

static moor_code open_output(const char *id, const char *stream, struct plat_file *out,
                             struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    moor_code c = moor_run_path(id, stream, &path, err);
    return c == MOOR_OK ? plat_open(path, PLAT_APPEND, out, err) : c;
}

/* Its first half goes, so that a script that talks for ever fills no disk. The script appends: what
 * it writes meanwhile comes behind. */
static void trim(const struct plat_file *f)
{
    struct plat_stat st;
    MOOR_AUTO(moor_buf) text = MOOR_BUF((size_t)MOOR_RUN_OUTPUT_MAX);
    size_t keep = (size_t)MOOR_RUN_OUTPUT_MAX / 2, got = 0;
    if (plat_fstat(f, &st, NULL) != MOOR_OK || st.size <= MOOR_RUN_OUTPUT_MAX)
        return;
    char *room = malloc(keep);
    if (!room)
        return;
    moor_code c = plat_read_at(f, st.size - keep, room, keep, &got, NULL);
    moor_buf_str(&text, CUT_MARK);
    moor_buf_span(&text, moor_span(room, got));
    free(room);
    if (c == MOOR_OK)
        c = plat_truncate(f, 0, NULL);
    if (c == MOOR_OK)
        c = plat_append(f, moor_buf_view(&text), NULL);
    if (c != MOOR_OK)
        moor_log(MOOR_LOG_WARNING, "output.not-cut", NULL);
}

static void on_look(void *ctx)
{
    struct moor_keeper *k = ctx;
    trim(&k->out);
    trim(&k->err);
    moor_timer_arm(k->look, TRIM_MS);
}

static void finish(struct moor_keeper *k, const struct moor_run_end *end)
{
    struct moor_error err = MOOR_ERROR_INIT;
    trim(&k->out);
    trim(&k->err);
    if (moor_run_write_end(k->id, end, &err) != MOOR_OK)
        moor_log_error(MOOR_LOG_ERROR, "end.not-written", &err, "execution", k->id, NULL);
    k->done(k->ctx);
}

/* Everything below this process, orphans too. */
static void kill_all(void)
{
    struct plat_process_id self;
    if (plat_process_identify(0, &self, NULL) == MOOR_OK)
        plat_process_kill_tree_id(&self);
}

static void end_it(struct moor_keeper *k, int why)
{
    if (k->ending)
        return;
    k->ending = true;
    k->why = why;
    kill_all();
}

void moor_keeper_stop(struct moor_keeper *k)
{
    end_it(k, MOOR_RUN_END_STOPPED);
}

static void on_end(void *ctx, const struct moor_child_result *r)
{
    struct moor_keeper *k = ctx;
    struct moor_run_end end = { .how =
                                    r->how.signaled ? MOOR_RUN_END_SIGNALED : MOOR_RUN_END_EXITED,
                                .code = r->how.code,
                                .end_ms = plat_utc_ms() };
    if (r->timed_out)
        kill_all();
    if (k->ending || r->timed_out)
        end.how = k->ending ? k->why : MOOR_RUN_END_TIMED_OUT;
    finish(k, &end);
}

static void on_notice(void *ctx, int32_t id, const char *name)
{
    (void)ctx;
    (void)id;
    (void)name;
}

static void on_folder(void *ctx)
{
    struct moor_keeper *k = ctx;
    plat_watch_read(k->watch, on_notice, k);
    if (moor_run_exists(k->id, "cancel"))
        end_it(k, MOOR_RUN_END_CANCELED);
}

static moor_code watch_folder(struct moor_keeper *k, struct moor_error *err)
{
    MOOR_AUTOSTR folder = NULL;
    int32_t id = 0;
    moor_code c = moor_run_path(k->id, NULL, &folder, err);
    if (c == MOOR_OK)
        c = plat_watch_new(&k->watch, err);
    if (c == MOOR_OK)
        c = plat_watch_add(k->watch, folder, &id, err);
    if (c == MOOR_OK)
        c = moor_watch_new(k->loop, plat_watch_fd(k->watch), on_folder, k, &k->watch_event, err);
    if (c == MOOR_OK)
        c = moor_timer_new(k->loop, on_look, k, &k->look, err);
    return c;
}

static moor_code spawn(struct moor_keeper *k, const struct moor_run_job *job,
                       const struct plat_account *user, struct moor_arena *arena,
                       struct moor_error *err)
{
    MOOR_AUTOSTR script = NULL;
    struct setting s = { .arena = arena };
    struct plat_process_id child;
    moor_code c = moor_run_path(k->id, "script", &script, err);
    if (c != MOOR_OK)
        return c;
    set_environment(&s, user, job);
    set_arguments(&s, script, job);
    if (s.failed)
        return moor_fail(err, MOOR_E_NOMEM, "too many parameters");
    const struct moor_child_opts opts = {
        .spawn = { .argv = s.argv,
                   .env = s.env,
                   .cwd = plat_exists(user->home) ? user->home : "/",
                   .out = &k->out,
                   .err = &k->err,
                   .user = user },
        .timeout_ms = (uint64_t)job->timeout_s * 1000,
    };
    c = moor_child_start(k->loop, &opts, on_end, k, &k->child, err);
    if (c == MOOR_OK &&
        plat_process_identify(moor_child_process(k->child)->pid, &child, NULL) == MOOR_OK)
        c = moor_run_write_child(k->id, &child, err);
    return c;
}

static moor_code find_user(const struct moor_run_job *job, struct plat_account *out,
                           struct moor_error *err)
{
    moor_code c = plat_find_account(job->user ? job->user : "root", out, err);
    if (c == MOOR_OK && !job->user && !plat_is_admin())
        out->uid = plat_user_id(); /* a trial without rights: as ourselves */
    return c;
}

/* From the job to the running script. error_code is the name of a failure. */
static moor_code begin(struct moor_keeper *k, const char **error_code, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA_SECRET(4 * MOOR_RUN_JOB_MAX);
    MOOR_AUTO(plat_account) user = PLAT_ACCOUNT_INIT;
    struct moor_run_job job = { .user = NULL };
    *error_code = "InternalError";
    moor_code c = moor_run_take_job(k->id, &job, &arena, err);
    if (c == MOOR_OK)
        c = open_output(k->id, "stdout", &k->out, err);
    if (c == MOOR_OK)
        c = open_output(k->id, "stderr", &k->err, err);
    if (c == MOOR_OK)
        c = watch_folder(k, err);
    if (c != MOOR_OK)
        return c;
    c = find_user(&job, &user, err);
    if (c != MOOR_OK) {
        *error_code = "UserNotFound";
        return c;
    }
    c = spawn(k, &job, &user, &arena, err);
    if (c != MOOR_OK)
        return c;
    moor_timer_arm(k->look, TRIM_MS);
    on_folder(k); /* asked for before we looked */
    return MOOR_OK;
}

moor_code moor_keeper_new(struct moor_loop *l, const char *execution_id, void (*done)(void *ctx),
                          void *ctx, struct moor_keeper **out, struct moor_error *err)
{
    struct moor_error why = MOOR_ERROR_INIT;
    const char *error_code = NULL;
    MOOR_AUTOPTR(moor_keeper) k = calloc(1, sizeof(*k));
    if (!k)
        return moor_fail(err, MOOR_E_NOMEM, "run command: out of memory");
    k->loop = l;
    k->done = done;
    k->ctx = ctx;
    k->out = k->err = k->lock = (struct plat_file)PLAT_FILE_INIT;
    (void)snprintf(k->id, sizeof(k->id), "%s", execution_id);
    moor_code c = plat_keep_orphans(err);
    if (c == MOOR_OK)
        c = moor_run_mark_started(k->id, plat_utc_ms(), &k->lock, err);
    if (c != MOOR_OK)
        return c;
    if (begin(k, &error_code, &why) != MOOR_OK) {
        kill_all();
        moor_child_free(k->child);
        k->child = NULL;
        const struct moor_run_end end = { MOOR_RUN_END_FAILED, 0, plat_utc_ms(), error_code,
                                          why.msg };
        finish(k, &end);
    }
    *out = MOOR_TAKE(k);
    return MOOR_OK;
}
