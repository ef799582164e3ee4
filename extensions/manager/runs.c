/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/runs.h"

#include <stdio.h>
#include <string.h>

#include "core/policy.h"
#include "http/retry.h"
#include "manager/internal.h"
#include "manager/record.h"
#include "manager/run_job.h"
#include "manager/run_plan.h"
#include "manager/run_transfer.h"
#include "platform/clock.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "platform/random.h"
#include "run/log.h"

#define RECORD_AGAIN_MS 30000
#define LOOK_MS         3000 /* between looks at the output of what runs */
#define LAUNCH_TRIES    3
#define FETCH_TRIES     6
#define SEND_TRIES      4
#define STEPS_MAX       8 /* of one run in one round */
#define REASON_MAX      1000
#define HANDLER         MOOR_POLICY_RUN_PUBLISHER "." MOOR_POLICY_RUN_TYPE
#define TASKS_MAX       8192

static const struct moor_desired_run *goal_of(const struct moor_manager *m,
                                              const struct moor_run *r)
{
    for (size_t i = 0; i < m->desired.run_count; i++)
        if (strcmp(m->desired.runs[i].execution_id, r->id) == 0)
            return &m->desired.runs[i];
    return NULL;
}

static void save(struct moor_run *r)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_run_save(r, &err) != MOOR_OK)
        moor_log_error(MOOR_LOG_ERROR, "run-command.not-saved", &err, "execution", r->id, NULL);
}

/* A job that no keeper took has secrets in it. */
static void drop_job(const struct moor_run *r)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_run_forget(r->id, &err) != MOOR_OK)
        moor_log_error(MOOR_LOG_WARNING, "run-command.job-left", &err, "execution", r->id, NULL);
}

static void unwatch(struct moor_run *r)
{
    if (r->watch)
        plat_watch_remove(r->manager->watch, r->watch);
    r->watch = 0;
}

static void settle(struct moor_run *r, int state, const char *error_code, const char *message)
{
    moor_run_settle(r, state, error_code, message);
    drop_job(r);
    unwatch(r);
    save(r);
}

/* Without it the look at what runs finds it, later. */
static void watch(struct moor_run *r)
{
    MOOR_AUTOSTR folder = NULL;
    if (r->watch || moor_run_path(r->id, NULL, &folder, NULL) != MOOR_OK ||
        plat_watch_add(r->manager->watch, folder, &r->watch, NULL) != MOOR_OK)
        return;
}

static void wait(struct moor_run *r, uint64_t delay_ms)
{
    r->not_before_ms = plat_mono_ms() + delay_ms;
    moor_manager_later(r->manager, delay_ms);
}

static void retry(struct moor_run *r, const struct moor_error *err)
{
    static const struct moor_retry_policy policy = { 1000, 30000, 20 };
    wait(r, moor_retry_delay_ms(&policy, err, r->tries, plat_random_below(UINT32_MAX)));
}

/* The script */

static void script_failed(struct moor_run *r, const struct moor_error *err)
{
    bool corrupt = strcmp(err->service_code, "PackageCorrupt") == 0;
    if (!corrupt && moor_error_retry(err) == MOOR_RETRY_BACKOFF && ++r->tries < FETCH_TRIES) {
        moor_log_error(MOOR_LOG_WARNING, "script.retry", err, "execution", r->id, NULL);
        retry(r, err);
        return;
    }
    settle(r, MOOR_RUN_FAILED, corrupt ? "ScriptCorrupt" : "ScriptDownloadFailed", err->msg);
}

static void on_script(struct moor_manager *m, struct moor_run *r, const struct moor_error *err)
{
    if (err->code != MOOR_OK)
        script_failed(r, err);
    else
        r->tries = 0;
    moor_manager_later(m, 0);
}

static void fetch_script(struct moor_run *r, const struct moor_desired_run *goal)
{
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTO(moor_secret) url = MOOR_SECRET_INIT;
    moor_code c = moor_run_uri_of(goal, MOOR_RUN_URI_SCRIPT, &url, &err);
    if (c == MOOR_OK)
        c = moor_run_fetch_script(r->manager, r, &url, goal->source.sha256, on_script, &err);
    if (c != MOOR_OK)
        script_failed(r, &err);
}

/* The keeper */

static void unit_of(const struct moor_run *r, struct moor_buf *out)
{
    moor_buf_launch_unit(out, r->manager->launcher, HANDLER, 0, r->id, 0);
}

/* How it ended is in its folder: its unit may go. */
static void forget_unit(const struct moor_run *r)
{
    MOOR_AUTO(moor_buf) unit = MOOR_BUF(256);
    unit_of(r, &unit);
    moor_launch_forget(r->manager->launcher, moor_buf_cstr(&unit));
}

static void on_keeper_gone(void *ctx, const struct moor_launch_end *end)
{
    struct moor_run *r = ctx;
    char why[512];
    moor_launched_free(r->launched);
    r->launched = NULL;
    forget_unit(r);
    if (!moor_run_exists(r->id, "started")) {
        (void)snprintf(why, sizeof(why), "the script's keeper did not start: %s",
                       end->error ? end->error->msg : "it ended at once");
        if (++r->tries < LAUNCH_TRIES)
            wait(r, 1000);
        else
            settle(r, MOOR_RUN_FAILED, "InternalError", why);
    }
    moor_manager_later(r->manager, 0);
}

static moor_code launch(struct moor_run *r, struct moor_error *err)
{
    struct moor_manager *m = r->manager;
    MOOR_AUTO(moor_buf) unit = MOOR_BUF(256);
    MOOR_AUTO(moor_buf) root = MOOR_BUF(4096);
    MOOR_AUTO(plat_file) log = PLAT_FILE_INIT;
    MOOR_AUTOSTR log_path = NULL;
    bool trial = *plat_dirs_root() != '\0';
    moor_buf_fmt(&root, "MOORING_ROOT=%s", plat_dirs_root());
    unit_of(r, &unit);
    moor_code c = moor_run_path(r->id, "keeper.log", &log_path, err);
    if (c == MOOR_OK)
        c = plat_open(log_path, PLAT_APPEND, &log, err);
    if (c != MOOR_OK)
        return c;
    const char *const argv[] = {
        m->program, "command", "--execution", r->id, trial ? NULL : "--service", NULL
    };
    const char *const env[] = { trial ? moor_buf_cstr(&root) : NULL, NULL };
    const struct moor_launch how = {
        .unit = moor_buf_cstr(&unit),
        .handler = HANDLER,
        .description = "Mooring run command",
        .limits = { .tasks_max = TASKS_MAX },
        .argv = argv,
        .env = env,
        .cwd = "/",
        .out = &log,
        .err = &log,
    };
    return moor_launch(m->launcher, &how, on_keeper_gone, r, &r->launched, err);
}

static void start(struct moor_run *r, const struct moor_desired_run *goal)
{
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code c = moor_run_prepare(goal, &err);
    if (c == MOOR_E_NOTFOUND && goal->user) {
        settle(r, MOOR_RUN_FAILED, "UserNotFound", err.msg);
        return;
    }
    watch(r);
    if (c == MOOR_OK)
        c = launch(r, &err);
    if (c == MOOR_OK)
        return;
    if (moor_error_retry(&err) != MOOR_RETRY_NEVER && ++r->tries < LAUNCH_TRIES)
        retry(r, &err);
    else
        settle(r, MOOR_RUN_FAILED, "InternalError", err.msg);
}

/* What the keeper left */

static void note_start(struct moor_run *r)
{
    int64_t ms = 0;
    r->tries = 0;
    if (r->record.start_ms == 0 && moor_run_read_started(r->id, &ms, NULL) == MOOR_OK)
        r->record.start_ms = ms;
}

static void notice(struct moor_run *r)
{
    note_start(r);
    r->record.state = MOOR_RUN_RUNNING;
    watch(r);
    save(r);
    moor_log(MOOR_LOG_NOTICE, "run-command.started", "name", r->record.name, "execution", r->id,
             NULL);
}

static void take_end(struct moor_run *r)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_run_end end = { .code = 0 };
    note_start(r);
    if (moor_run_read_end(r->id, &end, &arena, &err) != MOOR_OK) {
        settle(r, MOOR_RUN_FAILED, "Interrupted", err.msg);
        return;
    }
    (void)moor_run_read_output(r);
    moor_run_take_end(r, &end);
    drop_job(r);
    unwatch(r);
    save(r);
    if (!r->launched)
        forget_unit(r); /* an earlier manager's */
}

/* Nobody is left who would end it at its time: it ends now. */
static void lose(struct moor_run *r)
{
    struct plat_process_id child;
    bool restarted = moor_run_restarted(r->id);
    note_start(r);
    if (!restarted && moor_run_read_child(r->id, &child, NULL) == MOOR_OK)
        plat_process_kill_tree_id(&child);
    (void)moor_run_read_output(r);
    settle(r, MOOR_RUN_FAILED, "Interrupted",
           restarted ? "this machine restarted while the script ran"
                     : "the process that kept the script was killed; how the script ended is not "
                       "known");
    if (!r->launched)
        forget_unit(r);
}

static void ask_to_cancel(struct moor_run *r)
{
    MOOR_AUTOSTR path = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    (void)moor_record_permitted(MOOR_TRAIL_BY_CLOUD, MOOR_POLICY_END_COMMAND, r->record.name,
                                r->id); /* an end does not wait for the log */
    moor_code c = moor_run_path(r->id, "cancel", &path, &err);
    if (c == MOOR_OK)
        c = plat_write_atomic(path, MOOR_SPAN_NONE, PLAT_OWNER_ONLY, &err);
    if (c != MOOR_OK)
        moor_log_error(MOOR_LOG_ERROR, "run-command.not-cancelled", &err, "execution", r->id, NULL);
}

/* Its output, to where it was asked */

/* What became of the script stands; that its output did not arrive is said beside it. */
static void give_up_sending(struct moor_run *r, const char *what, const struct moor_error *err)
{
    char text[REASON_MAX];
    (void)snprintf(text, sizeof(text), "%.400s%s%s was not sent: %.448s", r->record.message,
                   *r->record.message ? "; " : "", what, err->msg);
    moor_run_say(r, text);
    save(r);
}

static void sent(struct moor_run *r, const struct moor_error *err)
{
    bool output = !r->output_sent; /* the first of both */
    const struct moor_desired_run *goal = goal_of(r->manager, r);
    if (output && goal && !goal->output_uri)
        output = false;
    if (err->code != MOOR_OK && moor_error_retry(err) == MOOR_RETRY_BACKOFF &&
        ++r->tries < SEND_TRIES) {
        retry(r, err);
        return;
    }
    if (err->code != MOOR_OK)
        give_up_sending(r, output ? "outputBlobUri: output" : "errorBlobUri: output", err);
    r->tries = 0;
    *(output ? &r->output_sent : &r->error_sent) = true;
}

static void on_sent(struct moor_manager *m, struct moor_run *r, const struct moor_error *err)
{
    sent(r, err);
    moor_manager_later(m, 0);
}

static void send_stream(struct moor_run *r, const struct moor_desired_run *goal, bool output)
{
    struct moor_error err = MOOR_ERROR_INIT;
    MOOR_AUTO(moor_secret) url = MOOR_SECRET_INIT;
    moor_code c =
        moor_run_uri_of(goal, output ? MOOR_RUN_URI_OUTPUT : MOOR_RUN_URI_ERROR, &url, &err);
    if (c == MOOR_OK)
        c = moor_run_send_stream(r->manager, r, &url, output ? "stdout" : "stderr", on_sent, &err);
    if (c != MOOR_OK)
        sent(r, &err);
}

/* One round */

/* The one place where local policy decides about run commands. */
static bool allowed(const struct moor_settings *settings, const struct moor_desired_run *goal,
                    struct moor_policy_denial *out)
{
    unsigned wishes = 0;
    if (goal->source.script_uri)
        wishes |= MOOR_POLICY_SCRIPT_URI;
    if (goal->output_uri || goal->error_uri)
        wishes |= MOOR_POLICY_BLOBS;
    if (!goal->user || strcmp(goal->user, "root") == 0)
        wishes |= MOOR_POLICY_AS_ROOT;
    const struct moor_policy_request r = { .verb = MOOR_POLICY_RUN_COMMAND, .wishes = wishes };
    return moor_policy_allows(settings, &r, out);
}

static void explain(struct moor_buf *b, const struct moor_desired_run *goal,
                    const struct moor_policy_denial *why)
{
    MOOR_AUTO(moor_buf) what = MOOR_BUF(128);
    moor_buf_fmt(&what, "run command %s", goal->name);
    moor_policy_explain(b, moor_buf_cstr(&what), why);
}

/* For the audit log. */
static void describe(struct moor_buf *b, const struct moor_desired_run *goal)
{
    moor_buf_fmt(b, "%s as %s", goal->execution_id, goal->user ? goal->user : "root");
}

/* It is in the audit log before anything is done for it. */
static bool on_record(struct moor_run *r, const struct moor_desired_run *goal)
{
    MOOR_AUTO(moor_buf) detail = MOOR_BUF(512);
    if (r->record.recorded)
        return true;
    describe(&detail, goal);
    r->record.recorded = moor_record_permitted(MOOR_TRAIL_BY_CLOUD, MOOR_POLICY_RUN_COMMAND,
                                               goal->name, moor_buf_cstr(&detail));
    if (r->record.recorded)
        save(r);
    else
        wait(r, RECORD_AGAIN_MS);
    return r->record.recorded;
}

static bool has_room(const struct moor_manager *m)
{
    size_t busy = 0;
    for (size_t i = 0; i < m->runs.count; i++)
        busy +=
            m->runs.list[i]->launched != NULL || m->runs.list[i]->record.state == MOOR_RUN_RUNNING;
    return busy < MOOR_RUNS_AT_ONCE;
}

/* An end is looked for after the keeper, which writes it before it goes. */
static struct moor_run_facts look(const struct moor_run *r)
{
    struct moor_run_facts f = { .goal = goal_of(r->manager, r), .now_ms = plat_utc_ms() };
    uint64_t now = plat_mono_ms();
    f.busy = r->transfer || now < r->not_before_ms;
    if (now < r->not_before_ms)
        moor_manager_later(r->manager, r->not_before_ms - now); /* the timer was for another */
    f.started = moor_run_exists(r->id, "started");
    f.keeper_alive = f.started && moor_run_kept(r->id);
    f.ended = moor_run_exists(r->id, "end");
    f.cancel_asked = moor_run_exists(r->id, "cancel");
    if (!f.started && r->launched)
        f.busy = true;
    if (!f.started && !moor_run_final(r) && f.goal && !f.goal->bad) {
        f.script_here = moor_run_exists(r->id, "script");
        f.room = has_room(r->manager);
        f.secrets_lost =
            f.goal->protected_thumbprint &&
            !moor_settings_key_has(plat_dir_path(PLAT_DIR_HANDLERS), f.goal->protected_thumbprint);
    }
    return f;
}

static void carry_out(struct moor_run *r, const struct moor_run_step *step,
                      const struct moor_desired_run *goal)
{
    switch (step->action) {
    case MOOR_RUN_ACT_NONE:
        break;
    case MOOR_RUN_ACT_SETTLE:
        settle(r, step->state, step->error_code, step->message);
        break;
    case MOOR_RUN_ACT_FETCH:
        fetch_script(r, goal);
        break;
    case MOOR_RUN_ACT_START:
        start(r, goal);
        break;
    case MOOR_RUN_ACT_NOTICE:
        notice(r);
        break;
    case MOOR_RUN_ACT_END:
        take_end(r);
        break;
    case MOOR_RUN_ACT_LOST:
        lose(r);
        break;
    case MOOR_RUN_ACT_CANCEL:
        ask_to_cancel(r);
        break;
    case MOOR_RUN_ACT_SEND_OUTPUT:
    case MOOR_RUN_ACT_SEND_ERROR:
        send_stream(r, goal, step->action == MOOR_RUN_ACT_SEND_OUTPUT);
        break;
    }
}

static bool step_one(struct moor_run *r, const struct moor_settings *settings)
{
    MOOR_AUTO(moor_buf) denied = MOOR_BUF(REASON_MAX);
    MOOR_AUTO(moor_buf) detail = MOOR_BUF(512);
    struct moor_policy_denial why = { .rule = "" };
    struct moor_run_facts f = look(r);
    bool asked = f.goal && !f.goal->bad && !f.started && !moor_run_final(r);
    if (asked && !allowed(settings, f.goal, &why)) {
        explain(&denied, f.goal, &why);
        f.denied = moor_buf_cstr(&denied);
    }
    const struct moor_run_step step = moor_run_next(r, &f);
    bool begins = step.action == MOOR_RUN_ACT_FETCH || step.action == MOOR_RUN_ACT_START;
    if (begins && !on_record(r, f.goal))
        return false;
    if (f.denied && step.message == f.denied) {
        describe(&detail, f.goal);
        moor_record_refused(&r->manager->refusals, plat_mono_ms(), MOOR_POLICY_RUN_COMMAND,
                            f.goal->name, moor_buf_cstr(&detail), why.rule);
    }
    carry_out(r, &step, f.goal);
    r->sending = moor_run_unsent(r, &f);
    return step.action != MOOR_RUN_ACT_NONE;
}

void moor_runs_step(struct moor_manager *m, const struct moor_settings *settings)
{
    bool running = false;
    for (size_t i = 0; i < m->runs.count; i++) {
        struct moor_run *r = m->runs.list[i];
        if (moor_run_final(r) && !r->listed)
            continue;
        for (unsigned n = 0; n < STEPS_MAX && step_one(r, settings); n++)
            continue;
        if (r->record.state != MOOR_RUN_RUNNING)
            continue;
        running = true;
        (void)moor_run_read_output(r);
    }
    moor_runs_clean(&m->runs);
    if (running)
        moor_manager_later(m, LOOK_MS);
}

static void take_one(struct moor_manager *m, const struct moor_desired_run *goal)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (!*goal->execution_id || !*goal->name) {
        moor_log(MOOR_LOG_ERROR, "desired.item-refused", "reason", goal->bad, NULL);
        return;
    }
    struct moor_run *r = moor_runs_find(&m->runs, goal->execution_id);
    if (!r && moor_runs_add(&m->runs, goal->execution_id, goal->name, &r, &err) != MOOR_OK) {
        moor_log_error(MOOR_LOG_ERROR, "run-command.not-taken", &err, "name", goal->name, NULL);
        return;
    }
    r->manager = m;
    r->listed = true;
    if (goal->bad || moor_run_final(r))
        return;
    r->record.asynchronous = goal->asynchronous;
    r->record.fail_deployment = goal->fail_deployment;
    save(r);
}

void moor_runs_take(struct moor_manager *m)
{
    for (size_t i = 0; i < m->runs.count; i++)
        m->runs.list[i]->listed = false;
    for (size_t i = 0; i < m->desired.run_count; i++)
        take_one(m, &m->desired.runs[i]);
}

void moor_runs_unlink(struct moor_manager *m)
{
    for (size_t i = 0; i < m->runs.count; i++) {
        moor_run_transfer_free(m->runs.list[i]->transfer);
        m->runs.list[i]->transfer = NULL;
    }
}

moor_code moor_runs_open(struct moor_manager *m, struct moor_error *err)
{
    moor_code c = moor_runs_load(&m->runs, err);
    for (size_t i = 0; i < m->runs.count; i++)
        m->runs.list[i]->manager = m;
    return c;
}

void moor_runs_close(struct moor_manager *m)
{
    moor_runs_drop(&m->runs);
}
