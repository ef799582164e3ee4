/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/folder.h"
#include "manager/internal.h"
#include "platform/clock.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "platform/self.h"
#include "run/log.h"

#define KILLED_TRIES   3
#define KILLED_WAIT_MS 1000
#define ADOPT_LOOK_MS  1000
#define STEP_AGAIN_MS  30000
#define HIMDS_PORT     "40342"

/* Removal of a folder, on the pool. */
struct removal {
    struct moor_manager *m;
    char *folder;
    struct moor_error err;
};

static void begin(struct moor_manager *m, const struct moor_item *i, const struct moor_step *step)
{
    m->busy = true;
    m->step = *step;
    (void)snprintf(m->busy_name, sizeof(m->busy_name), "%s", i->name);
    (void)snprintf(m->busy_goal, sizeof(m->busy_goal), "%s", i->goal);
}

/* The failure of a step that was done for an earlier wish says nothing about the present one. */
void moor_manager_fail_step(struct moor_manager *m, struct moor_item *i, const char *error_code,
                            int64_t code, const char *message)
{
    if (strcmp(m->busy_goal, i->goal) == 0) {
        moor_manager_fail_item(i, error_code, code, message);
        return;
    }
    moor_log(MOOR_LOG_WARNING, "step.superseded", "name", i->name, "error_code", error_code,
             "error", message, NULL);
}

static void advance(struct moor_manager *m, struct moor_item *i, const struct moor_step *step)
{
    if (step->next != MOOR_PHASE_ENABLED)
        moor_manager_unwatch(m, i); /* its folder may go */
    i->phase = step->next;
    if (step->next == MOOR_PHASE_ABSENT || step->next == MOOR_PHASE_UNINSTALLED) {
        i->version[0] = 0;
        i->settings_seq = -1;
        i->enabled_seq = -1;
        i->status[0] = 0;
    }
    if (step->next == MOOR_PHASE_UNINSTALLED)
        moor_item_settle(i, MOOR_OUTCOME_SUCCEEDED, "", 0, "Plugin uninstalled");
}

static void remove_folder(void *ctx)
{
    struct removal *r = ctx;
    moor_code c = plat_remove_tree(r->folder, &r->err);
    (void)c; /* kept in err */
}

/* The version that an update began with is the item's again. */
static void revert(struct moor_item *i)
{
    char *newer = i->version;
    i->version = i->old_version;
    i->old_version = newer;
    i->old_version[0] = 0;
    i->settings_seq = -1;
    i->enabled_seq = -1;
}

static void on_removed(void *ctx, bool cancelled)
{
    struct removal *r = ctx;
    struct moor_manager *m = r->m;
    struct moor_item *i = moor_manager_busy_item(m);
    if (i && !cancelled && r->err.code == MOOR_OK) {
        if (m->step.action == MOOR_ACT_REVERT)
            revert(i);
        if (m->step.old)
            i->old_version[0] = 0;
        advance(m, i, &m->step);
    } else if (i && !cancelled) {
        moor_manager_fail_step(m, i, "InternalError", 0, r->err.msg);
    }
    free(r->folder);
    free(r);
    moor_manager_step_done(m);
}

static bool start_removal(struct moor_manager *m, const struct moor_item *i, bool old,
                          struct moor_error *err)
{
    struct removal *r = calloc(1, sizeof(*r));
    if (!r) {
        moor_code c = moor_fail(err, MOOR_E_NOMEM, "extension %s: out of memory", i->name);
        (void)c;
        return false;
    }
    r->m = m;
    if (moor_folder_path(i, old, &r->folder, err) == MOOR_OK &&
        moor_pool_submit(m->pool, remove_folder, on_removed, r, err) == MOOR_OK)
        return true;
    free(r->folder);
    free(r);
    return false;
}

static void describe(struct moor_buf *b, const struct moor_manager *m,
                     const struct moor_command_result *r)
{
    const char *verb = moor_handler_verb_name(m->step.verb);
    if (r->timed_out)
        moor_buf_fmt(b, "%s took longer than %llu seconds and was ended", verb,
                     (unsigned long long)(moor_command_timeout_ms(m->step.verb) / 1000));
    else if (r->signaled)
        moor_buf_fmt(b, "%s was ended by signal %d", verb, r->code);
    else
        moor_buf_fmt(b, "%s ended with exit code %d", verb, r->code);
    moor_buf_fmt(b, "\n%s", r->output);
}

static void command_succeeded(struct moor_manager *m, struct moor_item *i)
{
    if (m->step.verb == MOOR_VERB_ENABLE) {
        i->enabled_seq = i->settings_seq; /* seq may have gone up meanwhile */
        i->enabled_here = true;
        if (i->outcome == MOOR_OUTCOME_GOING_ON && i->waiting_since_ms == 0)
            i->waiting_since_ms = plat_utc_ms();
    }
    advance(m, i, &m->step);
}

static void command_failed(struct moor_manager *m, struct moor_item *i,
                           const struct moor_command_result *r)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_ITEM_MESSAGE_MAX);
    describe(&text, m, r);
    if (r->signaled && !r->timed_out && ++i->killed < KILLED_TRIES) {
        /* Not its own decision and not ours: handlers' commands may be given again. */
        moor_log(MOOR_LOG_WARNING, "handler.killed", "name", i->name, "verb",
                 moor_handler_verb_name(m->step.verb), NULL);
        moor_manager_wait(m, i, KILLED_WAIT_MS);
        return;
    }
    i->killed = 0;
    if (m->step.verb == MOOR_VERB_ENABLE)
        i->enabled_seq = -1; /* whatever the status file says: the exit code outvotes it */
    if (m->step.may_fail) {
        moor_log(MOOR_LOG_WARNING, "handler.failed", "name", i->name, "verb",
                 moor_handler_verb_name(m->step.verb), "result", moor_buf_cstr(&text), NULL);
        advance(m, i, &m->step);
        return;
    }
    moor_manager_fail_step(m, i, r->timed_out ? "HandlerTimeout" : "HandlerCommandFailed", r->code,
                           moor_buf_cstr(&text));
}

static void on_command(void *ctx, const struct moor_command_result *r)
{
    struct moor_manager *m = ctx;
    struct moor_item *i = moor_manager_busy_item(m);
    struct moor_error err = MOOR_ERROR_INIT;
    bool good = !r->signaled && !r->timed_out && r->code == 0;
    if (i) {
        i->running = (struct plat_process_id){ 0, 0 };
        if (good)
            i->killed = 0;
        bool gone = m->step.old && m->step.verb == MOOR_VERB_UNINSTALL;
        if (gone && (good || m->step.may_fail) && start_removal(m, i, true, &err))
            return;
        if (good)
            command_succeeded(m, i);
        else
            command_failed(m, i, r);
    }
    moor_manager_step_done(m);
}

/* HIMDS's port: chosen freely in trials, the documented one otherwise. */
static const char *himds_port(struct moor_buf *b)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    if (!*plat_dirs_root())
        return HIMDS_PORT;
    moor_buf_fmt(&path, "%s/run/himds.port", plat_dirs_root());
    if (plat_read_all(moor_buf_cstr(&path), 16, b, NULL) != MOOR_OK)
        return HIMDS_PORT;
    moor_buf_cut(b, moor_span_trim(moor_buf_view(b)).n);
    return moor_buf_cstr(b);
}

static moor_code start_command(struct moor_manager *m, struct moor_item *i,
                               const struct moor_step *step, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) port = MOOR_BUF(16);
    const struct moor_command_opts opts = { i, step->verb, step->old, himds_port(&port) };
    moor_command_free(m->command);
    m->command = NULL;
    moor_code c = moor_command_start(m->loop, &opts, on_command, m, &m->command, &i->running, err);
    if (c != MOOR_OK)
        return c;
    i->running_verb = step->verb;
    i->running_since_ms = plat_utc_ms();
    moor_log(MOOR_LOG_INFO, "handler.started", "name", i->name, "verb",
             moor_handler_verb_name(step->verb), "version", step->old ? i->old_version : i->version,
             NULL);
    bool saved = moor_manager_save(m);
    (void)saved; /* told and tried again there; the command goes on */
    return MOOR_OK;
}

static moor_code write_settings(struct moor_item *i, const struct moor_desired_extension *goal,
                                struct moor_error *err)
{
    moor_code c = moor_folder_write_settings(i, goal, err);
    if (c == MOOR_OK)
        i->settings_seq = i->seq;
    return c;
}

/* What is done at once; MOOR_OK and *waits when the rest comes later. */
static moor_code carry_out(struct moor_manager *m, struct moor_item *i,
                           const struct moor_desired_extension *goal, const struct moor_step *step,
                           bool *waits, struct moor_error *err)
{
    moor_code c = MOOR_OK;
    *waits = false;
    switch (step->action) {
    case MOOR_ACT_FETCH:
        *waits = true;
        return moor_fetch_package(m, i, goal, err);
    case MOOR_ACT_RUN:
        *waits = true;
        return start_command(m, i, step, err);
    case MOOR_ACT_REMOVE:
    case MOOR_ACT_REVERT:
        *waits = true;
        return start_removal(m, i, step->old, err) ? MOOR_OK : MOOR_E_IO;
    case MOOR_ACT_SETTINGS:
        c = write_settings(i, goal, err);
        break;
    case MOOR_ACT_COPY:
        c = moor_folder_copy_memory(i, err);
        break;
    case MOOR_ACT_ADVANCE:
    case MOOR_ACT_NOTHING:
        break;
    }
    if (c == MOOR_OK)
        advance(m, i, step);
    return c;
}

bool moor_apply(struct moor_manager *m, struct moor_item *i,
                const struct moor_desired_extension *goal, const struct moor_step *step)
{
    struct moor_error err = MOOR_ERROR_INIT;
    bool waits = false;
    begin(m, i, step);
    moor_code c = carry_out(m, i, goal, step, &waits, &err);
    if (c == MOOR_OK && waits)
        return false;
    m->busy = false;
    if (c != MOOR_OK && moor_error_retry(&err) == MOOR_RETRY_NEVER)
        moor_manager_fail_item(i, "InternalError", 0, err.msg);
    else if (c != MOOR_OK) {
        moor_item_settle(i, MOOR_OUTCOME_GOING_ON, "InternalError", 0, err.msg);
        moor_log_error(MOOR_LOG_WARNING, "step.retry", &err, "name", i->name, NULL);
        moor_manager_wait(m, i, STEP_AGAIN_MS);
    }
    return c == MOOR_OK || i->outcome == MOOR_OUTCOME_FAILED;
}

/* How a command ended that an earlier manager started cannot be known: once it is gone the plan
 * gives it again, as handlers must bear. */
void moor_apply_adopt(struct moor_manager *m)
{
    for (size_t n = 0; n < m->items.count; n++) {
        struct moor_item *i = m->items.list[n];
        if (!i->running.pid || (m->busy && strcmp(m->busy_name, i->name) == 0))
            continue;
        if (plat_process_alive(&i->running)) {
            int64_t ran = plat_utc_ms() - i->running_since_ms;
            if (ran > (int64_t)moor_command_timeout_ms(i->running_verb))
                plat_process_kill_tree_id(&i->running);
            moor_manager_later(m, ADOPT_LOOK_MS);
        } else {
            i->running = (struct plat_process_id){ 0, 0 };
        }
    }
}
