/* SPDX-License-Identifier: Apache-2.0 */
/* RunCommandHandlerLinux: each instance is a script, run once per sequence number. */
#include "builtin/download.h"
#include "builtin/handler.h"
#include "builtin/text.h"
#include "settings.h"

#include "base/jsontab.h"
#include "base/timefmt.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#define JOB_MAX    (16 * (size_t)MOOR_SETTINGS_MAX)
#define SCRIPT_FD  "/proc/self/fd/3"
#define SIGNAL_BIT 128 /* a shell's exit code for a signal */

static moor_code read_job(const struct builtin_place *p, struct runcommand_job *job,
                          struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTO(moor_secret) clear = MOOR_SECRET_INIT;
    struct moor_handler_settings s = { 0 };
    moor_code c = builtin_settings_read(p, &s, &clear, arena, err);
    if (c != MOOR_OK)
        return c;
    return runcommand_job_read(moor_span_str(s.public_settings), moor_secret_reveal(&clear), job,
                               arena, err);
}

static moor_code find_user(const struct runcommand_job *job, struct plat_account *out,
                           struct moor_error *err)
{
    if (!job->user)
        return MOOR_OK;
    moor_code c = plat_find_account(job->user, out, err);
    return c == MOOR_OK ? c : moor_context(err, "runAsUser");
}

/* The signature is a part of the URI already. */
static moor_code authorize(void *ctx, const char *uri, struct moor_buf *url,
                           const struct moor_secret **bearer, struct moor_error *err)
{
    (void)ctx;
    (void)bearer;
    moor_buf_str(url, uri);
    return moor_buf_ok(url, "source.scriptUri", err);
}

static moor_code fetch_script(const struct builtin_place *p, const struct runcommand_job *job,
                              char *const *env, struct moor_error *err)
{
    const struct builtin_download script = { .what = "source.scriptUri",
                                             .user_agent = "RunCommand",
                                             .uris = &job->script_uri,
                                             .count = 1,
                                             .folder = p->data,
                                             .name = strrchr(p->script, '/') + 1,
                                             .max = RUNCOMMAND_SCRIPT_MAX,
                                             .authorize = authorize };
    return builtin_download(&script, env, err);
}

static moor_code write_script(const struct builtin_place *p, const char *script,
                              struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(RUNCOMMAND_SCRIPT_MAX);
    moor_buf_str(&text, script);
    moor_code c = moor_buf_ok(&text, "source.script", err);
    if (c != MOOR_OK)
        return c;
    moor_buf_cut(&text, builtin_unix_lines(text.data, text.len));
    return builtin_write_script(p, moor_buf_view(&text), err);
}

static moor_code prepare(const struct builtin_place *p, char *const *env, int64_t *code,
                         struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA_SECRET(JOB_MAX);
    MOOR_AUTO(plat_account) user = PLAT_ACCOUNT_INIT;
    struct runcommand_job job;
    *code = BUILTIN_CODE_SETTINGS;
    moor_code c = read_job(p, &job, &arena, err);
    if (c == MOOR_OK)
        c = find_user(&job, &user, err);
    if (c != MOOR_OK)
        return c;
    *code = job.script ? BUILTIN_CODE_SYSTEM : BUILTIN_CODE_DOWNLOAD;
    c = job.script ? write_script(p, job.script, err) : fetch_script(p, &job, env, err);
    if (c == MOOR_OK && job.user)
        c = plat_set_owner(p->script, user.uid, user.gid, err);
    return c;
}

/* A growing list of "NAME=value". */
struct variables {
    struct moor_arena *arena;
    const char **list;
    size_t n;
    bool failed;
};

/* A later value of the same name replaces the earlier one. */
static void set(struct variables *v, const char *name, const char *value)
{
    size_t n = strlen(name), at = 0;
    while (at < v->n && !(strncmp(v->list[at], name, n) == 0 && v->list[at][n] == '='))
        at++;
    v->list[at] = moor_arena_fmt(v->arena, "%s=%s", name, value);
    v->failed = v->failed || !v->list[at];
    if (v->failed)
        v->list[at] = "";
    if (at == v->n)
        v->n++;
}

static void set_all(struct variables *v, const struct moor_obj_list *parameters)
{
    const struct runcommand_parameter *p = parameters->items;
    for (size_t i = 0; i < parameters->count; i++)
        if (*p[i].name)
            set(v, p[i].name, p[i].value);
}

/* What the agent gave this handler, the user's own, and the parameters. */
static const char *const *make_env(const struct runcommand_job *job, char *const *env,
                                   const struct plat_account *user, struct moor_arena *arena)
{
    size_t inherited = 0;
    while (env[inherited])
        inherited++;
    size_t room = inherited + 5 + job->parameters.count + job->secrets.count;
    struct variables v = { arena, moor_arena_array(arena, room, sizeof(*v.list)), 0, false };
    if (!v.list)
        return NULL;
    for (; v.n < inherited; v.n++)
        v.list[v.n] = env[v.n];
    if (user->name) {
        set(&v, "HOME", user->home);
        set(&v, "USER", user->name);
        set(&v, "LOGNAME", user->name);
        set(&v, "SHELL", user->shell);
    }
    set_all(&v, &job->parameters);
    set_all(&v, &job->secrets);
    return v.failed ? NULL : v.list;
}

/* A text without "#!" is for the shell that people write for. */
static const char *shell_for(const struct plat_file *script)
{
    char head[2] = "";
    size_t got = 0;
    if (plat_read_at(script, 0, head, sizeof(head), &got, NULL) == MOOR_OK && got == sizeof(head) &&
        memcmp(head, "#!", sizeof(head)) == 0)
        return NULL;
    return plat_exists("/bin/bash") ? "/bin/bash" : "/bin/sh";
}

static const char *const *make_argv(const struct runcommand_job *job, const char *shell,
                                    const char *script, struct moor_arena *arena)
{
    const struct runcommand_parameter *p = job->parameters.items;
    const char **argv = moor_arena_array(arena, job->parameters.count + 3, sizeof(*argv));
    size_t n = 0;
    if (!argv)
        return NULL;
    if (shell)
        argv[n++] = shell;
    argv[n++] = script;
    for (size_t i = 0; i < job->parameters.count; i++)
        if (!*p[i].name)
            argv[n++] = p[i].value;
    argv[n] = NULL;
    return argv;
}

/* The settings are read and decrypted once more: secrets go from there into the environment, and
 * nowhere else. Another user does not get through to the script's folder, but gets the file. */
static moor_code command(const struct builtin_place *p, char *const *env,
                         struct builtin_command *out, struct moor_arena *arena,
                         struct moor_error *err)
{
    struct plat_spawn *how = &out->opts.spawn;
    struct runcommand_job job;
    moor_code c = read_job(p, &job, arena, err);
    if (c == MOOR_OK)
        c = find_user(&job, &out->user, err);
    if (c == MOOR_OK)
        c = plat_open(p->script, PLAT_READ, &out->script, err);
    if (c != MOOR_OK)
        return c;
    how->argv = make_argv(&job, shell_for(&out->script), job.user ? SCRIPT_FD : p->script, arena);
    how->env = make_env(&job, env, &out->user, arena);
    if (!how->argv || !how->env)
        return moor_fail(err, MOOR_E_NOMEM, "parameters: out of memory");
    how->cwd = p->work;
    if (job.user) {
        how->cwd = plat_exists(out->user.home) ? out->user.home : "/";
        how->user = &out->user;
        how->extra = &out->script;
    }
    out->opts.timeout_ms = (uint64_t)job.timeout_s * 1000;
    return MOOR_OK;
}

static const struct {
    const char *state, *message;
} words[] = {
    [BUILTIN_RUNNING] = { "Running", "Execution in progress" },
    [BUILTIN_REFUSED] = { "Failed", NULL },
    [BUILTIN_EXITED] = { "Failed", "Execution completed with an error" },
    [BUILTIN_SIGNALED] = { "Failed", "The script was ended by a signal" },
    [BUILTIN_TIMED_OUT] = { "TimedOut", "The script took longer than timeoutInSeconds" },
    [BUILTIN_CANCELED] = { "Canceled", "The script was ended: it is no longer asked for" },
    [BUILTIN_LOST] = { "Failed", "The process that ran the script was killed; the script was "
                                 "started once and its exit code is unknown" },
};

static void add_text(struct moor_buf *b, const char *name, const char *value)
{
    moor_buf_fmt(b, "\"%s\":", name);
    moor_buf_json_str(b, moor_span_str(value));
    moor_buf_char(b, ',');
}

static void add_tail(struct moor_buf *b, const struct builtin_place *p, const char *name,
                     const char *file)
{
    MOOR_AUTO(moor_buf) tail = MOOR_BUF(32 * 1024);
    builtin_buf_tail(&tail, p, file);
    add_text(b, name, moor_buf_cstr(&tail));
}

static void add_time(struct moor_buf *b, const char *name, int64_t ms)
{
    char time[MOOR_RFC3339_LEN + 1] = "";
    if (ms)
        moor_rfc3339_format(ms, time);
    add_text(b, name, time);
}

static int64_t exit_code(const struct builtin_stand *stand)
{
    if (stand->how == BUILTIN_RUNNING)
        return 0;
    if (stand->how == BUILTIN_EXITED)
        return stand->code;
    return stand->how == BUILTIN_SIGNALED ? SIGNAL_BIT + stand->code : -1;
}

/* The instance view: what of the message is read by programs. */
static void add_view(struct moor_buf *b, const struct builtin_place *p,
                     const struct builtin_stand *stand)
{
    bool ok = stand->how == BUILTIN_EXITED && stand->code == 0;
    moor_buf_char(b, '{');
    add_text(b, "executionState", ok ? "Succeeded" : words[stand->how].state);
    add_text(b, "executionMessage",
             ok           ? "Execution completed"
             : stand->why ? stand->why
                          : words[stand->how].message);
    add_tail(b, p, "output", "stdout");
    add_tail(b, p, "error", "stderr");
    add_time(b, "startTime", stand->start_ms);
    add_time(b, "endTime", stand->end_ms);
    moor_buf_fmt(b, "\"exitCode\":%" PRId64 "}", exit_code(stand));
}

/* A script that fails is a success of this handler's, unless it is asked to be none. */
static moor_status_state state_of(const struct builtin_place *p, const struct builtin_stand *stand)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA_SECRET(JOB_MAX);
    struct runcommand_job job;
    if (stand->how == BUILTIN_REFUSED)
        return MOOR_STATUS_ERROR;
    bool known = read_job(p, &job, &arena, NULL) == MOOR_OK;
    if (stand->how == BUILTIN_RUNNING)
        return known && job.async ? MOOR_STATUS_SUCCESS : MOOR_STATUS_TRANSITIONING;
    if (stand->how == BUILTIN_EXITED && stand->code == 0)
        return MOOR_STATUS_SUCCESS;
    return known && job.failure_counts ? MOOR_STATUS_ERROR : MOOR_STATUS_SUCCESS;
}

static moor_code report(const struct builtin_place *p, const struct builtin_stand *stand,
                        struct moor_error *err)
{
    MOOR_AUTO(moor_buf) view = MOOR_BUF(MOOR_STATUS_REPORT_MAX);
    moor_status_state state = state_of(p, stand);
    bool refused = stand->how == BUILTIN_REFUSED;
    add_view(&view, p, stand);
    int64_t code = state != MOOR_STATUS_ERROR ? 0 : refused ? stand->code : BUILTIN_CODE_COMMAND;
    return builtin_report(p, p->instance ? p->instance : "RunCommand", state, code,
                          moor_buf_cstr(&view), err);
}

struct view {
    const char *state;
};
static const struct moor_json_field view_fields[] = {
    { MOOR_F_STR, "executionState", offsetof(struct view, state), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape view_shape = { sizeof(struct view), view_fields, 0 };

/* The status of one that runs in the background is a success already: the view tells. */
static bool ended(const struct moor_handler_status *reported)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(2 * MOOR_STATUS_REPORT_MAX);
    struct view view = { NULL };
    return moor_json_decode(moor_span_str(reported->message), "status", &view_shape, &view, &arena,
                            NULL) == MOOR_OK &&
           strcmp(view.state, words[BUILTIN_RUNNING].state) != 0;
}

int main(int argc, char **argv, char **env)
{
    static const struct builtin_handler handler = {
        .program = "runcommand",
        .data = "run-command-handler",
        .instances = true,
        .foreground_ms = 1000,
        .refresh_ms = 10000,
        .prepare = prepare,
        .command = command,
        .report = report,
        .ended = ended,
    };
    return builtin_main(&handler, argc, argv, env);
}
