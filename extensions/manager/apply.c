/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/names.h"
#include "core/proxy.h"
#include "manager/describe.h"
#include "manager/folder.h"
#include "manager/internal.h"
#include "platform/clock.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "platform/host.h"
#include "platform/self.h"
#include "run/log.h"

#define KILLED_TRIES   3
#define KILLED_WAIT_MS 1000
#define ADOPT_LOOK_MS  1000
#define STEP_AGAIN_MS  30000
#define HIMDS_PORT     "40342"

/* Codes of the public contract for a command that failed. */
static const int64_t failure_codes[MOOR_VERB_COUNT_] = {
    [MOOR_VERB_INSTALL] = 1007, [MOOR_VERB_UPDATE] = 1008,    [MOOR_VERB_ENABLE] = 1009,
    [MOOR_VERB_DISABLE] = 1010, [MOOR_VERB_UNINSTALL] = 1000,
};

/* Removal of a folder, on the pool. */
struct removal {
    struct moor_work *work;
    char *folder;
    struct moor_error err;
};

static struct moor_work *begin(struct moor_manager *m, struct moor_item *i,
                               const struct moor_step *step)
{
    struct moor_work *w = calloc(1, sizeof(*w));
    if (!w)
        return NULL;
    w->m = m;
    w->item = i;
    w->step = *step;
    (void)snprintf(w->goal, sizeof(w->goal), "%s", i->goal);
    i->work = w;
    return w;
}

void moor_work_stop(struct moor_work *w)
{
    moor_command_free(w->command);
    moor_fetch_op_free(w->fetch);
    w->item->work = NULL;
    free(w);
}

void moor_work_done(struct moor_work *w)
{
    struct moor_manager *m = w->m;
    moor_work_stop(w);
    if (!m->closing)
        moor_manager_kick(m);
}

void moor_work_fail(struct moor_work *w, const char *error_code, int64_t code, const char *message)
{
    struct moor_item *i = w->item;
    /* The failure of a step that was done for an earlier wish says nothing about this one. */
    if (strcmp(w->goal, i->goal) != 0) {
        moor_log(MOOR_LOG_WARNING, "step.superseded", "name", i->name, "error_code", error_code,
                 "error", message, NULL);
        return;
    }
    struct moor_desired_extension goal;
    if (moor_manager_goal(w->m, i, &goal) && moor_plan_go_back(i, &goal, plat_utc_ms(), message)) {
        moor_log(MOOR_LOG_WARNING, "update.taken-back", "name", i->name, "version", i->version,
                 "to", i->old_version, "error", message, NULL);
        return;
    }
    moor_manager_fail_item(i, error_code, code, message);
}

static void drop_limits(struct moor_manager *m, const struct moor_item *i)
{
    MOOR_AUTO(moor_buf) name = MOOR_BUF(MOOR_HANDLER_NAME_MAX);
    moor_buf_handler(&name, i);
    moor_launch_forget_handler(m->launcher, moor_buf_cstr(&name));
}

static void advance(struct moor_manager *m, struct moor_item *i, const struct moor_step *step)
{
    if (step->next != MOOR_PHASE_ENABLED)
        moor_manager_unwatch(m, i); /* its folder may go */
    i->phase = step->next;
    if (step->next < MOOR_PHASE_UPDATE_UNPACKED)
        i->redo = false;
    if (step->next == MOOR_PHASE_ABSENT || step->next == MOOR_PHASE_UNINSTALLED) {
        i->version[0] = 0;
        i->settings_seq = -1;
        i->enabled_seq = -1;
        i->status[0] = 0;
        i->multi = false;
        i->disable_exit = i->uninstall_exit = MOOR_EXIT_NOT_RUN;
    }
    if (step->next == MOOR_PHASE_UNINSTALLED && step->action != MOOR_ACT_LEAVE)
        drop_limits(m, i);
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
    i->going_back = i->automatic = i->redo = false;
    i->disable_exit = i->uninstall_exit = MOOR_EXIT_NOT_RUN;
}

static void on_removed(void *ctx, bool cancelled)
{
    struct removal *r = ctx;
    struct moor_work *w = r->work;
    struct moor_item *i = w->item;
    if (!cancelled && r->err.code == MOOR_OK) {
        if (w->step.action == MOOR_ACT_REVERT)
            revert(i);
        if (w->step.old)
            i->old_version[0] = 0;
        advance(w->m, i, &w->step);
    } else if (!cancelled) {
        /* Handlers remove their own folders, slowly, or hold them: it is tried again. */
        moor_log_error(MOOR_LOG_WARNING, "removal.retry", &r->err, "name", i->name, NULL);
        moor_item_settle(i, MOOR_OUTCOME_GOING_ON, "InternalError", 0, r->err.msg);
        moor_manager_wait(w->m, i, STEP_AGAIN_MS);
    }
    free(r->folder);
    free(r);
    moor_work_done(w);
}

static moor_code start_removal(struct moor_work *w, bool old, struct moor_error *err)
{
    struct removal *r = calloc(1, sizeof(*r));
    if (!r)
        return moor_fail(err, MOOR_E_NOMEM, "extension %s: out of memory", w->item->name);
    r->work = w;
    moor_code c = moor_folder_path(w->item, old, &r->folder, err);
    if (c == MOOR_OK)
        c = moor_pool_submit(w->m->pool, remove_folder, on_removed, r, err);
    if (c == MOOR_OK)
        return c;
    free(r->folder);
    free(r);
    return c;
}

static void describe(struct moor_buf *b, const struct moor_work *w,
                     const struct moor_command_result *r)
{
    moor_buf_command_end(b, w->step.verb, w->m->timeouts_ms[w->step.verb], r);
    if (plat_host_reboot_pending())
        moor_buf_str(b, " (this machine waits for a restart)");
    moor_buf_fmt(b, "\n%s", r->output);
}

/* What the new version's commands are told of the old one's. */
static void keep_exit(struct moor_item *i, const struct moor_step *step,
                      const struct moor_command_result *r)
{
    int64_t code = r->timed_out ? MOOR_EXIT_TIMED_OUT : r->signaled ? 128 + r->code : r->code;
    if (step->verb == MOOR_VERB_DISABLE)
        i->disable_exit = code;
    if (step->verb == MOOR_VERB_UNINSTALL)
        i->uninstall_exit = code;
}

static void command_succeeded(struct moor_work *w)
{
    struct moor_item *i = w->item;
    if (w->step.verb == MOOR_VERB_ENABLE) {
        i->disable_exit = i->uninstall_exit = MOOR_EXIT_NOT_RUN;
        i->enabled_seq = i->settings_seq; /* seq may have gone up meanwhile */
        i->enabled_here = true;
        if (i->outcome == MOOR_OUTCOME_GOING_ON && i->waiting_since_ms == 0)
            i->waiting_since_ms = plat_utc_ms();
    }
    advance(w->m, i, &w->step);
}

static void command_failed(struct moor_work *w, const struct moor_command_result *r)
{
    struct moor_item *i = w->item;
    const char *verb = moor_handler_verb_name(w->step.verb);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_ITEM_MESSAGE_MAX);
    describe(&text, w, r);
    if (r->signaled && !r->timed_out && !r->oom && ++i->killed < KILLED_TRIES) {
        /* Not its own decision and not ours: handlers' commands may be given again. */
        moor_log(MOOR_LOG_WARNING, "handler.killed", "name", i->name, "verb", verb, NULL);
        moor_manager_wait(w->m, i, KILLED_WAIT_MS);
        return;
    }
    i->killed = 0;
    keep_exit(i, &w->step, r);
    if (w->step.verb == MOOR_VERB_ENABLE)
        i->enabled_seq = -1; /* whatever the status file says: the exit code outvotes it */
    if (w->step.may_fail) {
        moor_log(MOOR_LOG_WARNING, "handler.failed", "name", i->name, "verb", verb, "result",
                 moor_buf_cstr(&text), NULL);
        advance(w->m, i, &w->step);
        return;
    }
    moor_work_fail(w, r->timed_out ? "HandlerTimeout" : "HandlerCommandFailed",
                   r->timed_out ? MOOR_EXIT_TIMED_OUT : failure_codes[w->step.verb],
                   moor_buf_cstr(&text));
}

static bool failed_to_start(struct moor_manager *m, struct moor_item *i,
                            const struct moor_step *step, const struct moor_error *err);

/* Nothing to be dealt with: what is not known to have run is given by the next plan, as handlers
 * must bear. */
static bool did_not_end(struct moor_work *w, const struct moor_command_result *r)
{
    if (r->error)
        (void)failed_to_start(w->m, w->item, &w->step, r->error);
    if (!r->error && !r->lost)
        return false;
    moor_work_done(w);
    return true;
}

static void on_command(void *ctx, const struct moor_command_result *r)
{
    struct moor_work *w = ctx;
    struct moor_item *i = w->item;
    struct moor_error err = MOOR_ERROR_INIT;
    bool good = !r->signaled && !r->timed_out && !r->oom && r->code == 0;
    i->running.on = false;
    if (moor_items_end(&w->m->items, i, &err) != MOOR_OK)
        moor_log_error(MOOR_LOG_WARNING, "handler.unit-kept", &err, "name", i->name, NULL);
    if (did_not_end(w, r))
        return;
    if (good) {
        i->killed = 0;
        keep_exit(i, &w->step, r);
    }
    bool gone = w->step.old && w->step.verb == MOOR_VERB_UNINSTALL && (good || w->step.may_fail);
    if (gone && !good)
        keep_exit(i, &w->step, r);
    /* After an automatic update the old version stays until the new one has proved good. */
    if (gone && !i->automatic && start_removal(w, true, &err) == MOOR_OK)
        return;
    if (good)
        command_succeeded(w);
    else
        command_failed(w, r);
    moor_work_done(w);
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

/* Exit codes of disable of every instance, for update of a multi-config handler. */
static void add_exits(struct moor_buf *b, const struct moor_manager *m, const struct moor_item *i)
{
    const char *between = "";
    moor_buf_char(b, '[');
    for (size_t n = 0; n < m->items.count; n++) {
        const struct moor_item *other = m->items.list[n];
        MOOR_AUTO(moor_buf) name = MOOR_BUF(MOOR_INSTANCE_MAX);
        if (!other->multi || !moor_item_same_handler(other, i) ||
            other->disable_exit == MOOR_EXIT_NOT_RUN)
            continue;
        moor_buf_instance_name(&name, other->name);
        moor_buf_fmt(b, "%s{\"extensionName\": \"%s\", \"exitCode\": \"%" PRId64 "\"}", between,
                     moor_buf_cstr(&name), other->disable_exit);
        between = ", ";
    }
    moor_buf_char(b, ']');
}

/* The proxy that this machine's settings name; none when they cannot be read. */
static void find_proxy(struct moor_proxy *out)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(256 * 1024);
    struct moor_settings settings;
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_settings_load(&settings, &arena, &err) != MOOR_OK ||
        moor_proxy_load(&settings, NULL, out, &err) != MOOR_OK)
        moor_log_error(MOOR_LOG_WARNING, "handler.without-proxy", &err, NULL);
}

/* Before it is given: how it ends finds whoever reads this. */
static moor_code note_command(struct moor_work *w, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) unit = MOOR_BUF(255);
    MOOR_AUTO(moor_buf) handler = MOOR_BUF(MOOR_HANDLER_NAME_MAX);
    struct moor_running *r = &w->item->running;
    moor_buf_handler(&handler, w->item);
    moor_buf_launch_unit(&unit, w->m->launcher, moor_buf_cstr(&handler), w->item->seq,
                         moor_handler_verb_name(w->step.verb), ++w->m->items.commands);
    moor_code c = moor_item_set(&r->unit, moor_buf_cstr(&unit), err);
    if (c == MOOR_OK)
        c = moor_item_set(&r->goal, w->goal, err);
    if (c != MOOR_OK)
        return c;
    r->on = true;
    r->process = (struct plat_process_id){ 0, 0 };
    r->verb = w->step.verb;
    r->old = w->step.old;
    r->may_fail = w->step.may_fail;
    r->next = w->step.next;
    r->since_ms = plat_utc_ms();
    return MOOR_OK;
}

static moor_code start_command(struct moor_work *w, struct moor_error *err)
{
    struct moor_manager *m = w->m;
    struct moor_item *i = w->item;
    MOOR_AUTO(moor_buf) port = MOOR_BUF(16);
    MOOR_AUTO(moor_buf) exits = MOOR_BUF(64 * 1024);
    MOOR_AUTO(moor_proxy) proxy = MOOR_PROXY_INIT;
    find_proxy(&proxy);
    if (i->multi && w->step.verb == MOOR_VERB_UPDATE)
        add_exits(&exits, m, i);
    const struct moor_command_opts opts = {
        .item = i,
        .himds_port = himds_port(&port),
        .timeout_ms = m->timeouts_ms[w->step.verb],
        .proxy = &proxy,
        .disable_exits = exits.len ? moor_buf_cstr(&exits) : NULL,
    };
    moor_code c = moor_command_start(m->launcher, &opts, on_command, w, &w->command, err);
    if (c != MOOR_OK)
        return c;
    moor_log(MOOR_LOG_INFO, "handler.started", "name", i->name, "verb",
             moor_handler_verb_name(w->step.verb), "version",
             w->step.old ? i->old_version : i->version, NULL);
    i->running.process = moor_command_process(w->command);
    bool saved = !i->running.process.pid || moor_manager_save(m);
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

/* Another instance brought the wanted version. */
static moor_code join(struct moor_item *i, const struct moor_desired_extension *goal,
                      struct moor_error *err)
{
    moor_code c = moor_item_set(&i->version, goal->version, err);
    if (c != MOOR_OK)
        return c;
    i->old_version[0] = 0;
    i->multi = true;
    i->settings_seq = -1;
    i->enabled_seq = -1;
    return MOOR_OK;
}

static void give_up(struct moor_item *i)
{
    moor_manager_fail_item(i, "DependencyFailed", failure_codes[MOOR_VERB_UPDATE],
                           "the handler could not be updated for another of its extensions");
}

/* What is done at once. */
static moor_code carry_out(struct moor_item *i, const struct moor_desired_extension *goal,
                           const struct moor_step *step, struct moor_error *err)
{
    switch (step->action) {
    case MOOR_ACT_SETTINGS:
        return write_settings(i, goal, err);
    case MOOR_ACT_COPY:
        return moor_folder_copy_memory(i, err);
    case MOOR_ACT_JOIN:
        return join(i, goal, err);
    case MOOR_ACT_LEAVE:
        return moor_folder_leave(i, err);
    case MOOR_ACT_GIVE_UP:
        give_up(i);
        return MOOR_OK;
    case MOOR_ACT_FETCH:
    case MOOR_ACT_RUN:
    case MOOR_ACT_REMOVE:
    case MOOR_ACT_REVERT:
    case MOOR_ACT_ADVANCE:
    case MOOR_ACT_NOTHING:
        break;
    }
    return MOOR_OK;
}

static bool takes_time(moor_action a)
{
    return a == MOOR_ACT_FETCH || a == MOOR_ACT_RUN || a == MOOR_ACT_REMOVE || a == MOOR_ACT_REVERT;
}

/* What was done so far is durable before the next thing begins that cannot be undone. */
static moor_code start(struct moor_work *w, const struct moor_desired_extension *goal,
                       struct moor_error *err)
{
    moor_code c = w->step.action == MOOR_ACT_RUN ? note_command(w, err) : MOOR_OK;
    if (c == MOOR_OK && w->step.action != MOOR_ACT_FETCH && !moor_manager_save(w->m))
        c = moor_fail(err, MOOR_E_IO, "extension state: cannot be saved");
    if (c != MOOR_OK)
        return c;
    if (w->step.action == MOOR_ACT_FETCH)
        return moor_fetch_package(w, goal, err);
    if (w->step.action == MOOR_ACT_RUN && w->step.verb == MOOR_VERB_ENABLE) {
        c = moor_folder_restore_settings(w->item, goal, err);
        if (c != MOOR_OK)
            return c;
        w->item->had_number = moor_folder_had_number(w->item);
    }
    if (w->step.action == MOOR_ACT_RUN)
        return start_command(w, err);
    return start_removal(w, w->step.old, err);
}

/* A folder that lost its manifest is of no use. What is wanted is fetched again; what is to go has
 * nothing left to be told. */
static bool without_folder(struct moor_manager *m, struct moor_item *i,
                           const struct moor_step *step, moor_code c)
{
    bool leaving = step->verb == MOOR_VERB_DISABLE || step->verb == MOOR_VERB_UNINSTALL;
    bool update = i->phase >= MOOR_PHASE_UPDATE_UNPACKED && i->phase <= MOOR_PHASE_UPDATE_DONE;
    if (c != MOOR_E_NOTFOUND || step->action != MOOR_ACT_RUN || (update && !leaving))
        return false;
    moor_log(MOOR_LOG_WARNING, "handler.vanished", "name", i->name, "version",
             step->old ? i->old_version : i->version, NULL);
    if (leaving) {
        advance(m, i, step);
        return true;
    }
    i->phase = MOOR_PHASE_ABSENT;
    i->version[0] = 0;
    i->settings_seq = i->enabled_seq = -1;
    return true;
}

/* The command cannot be given; true when there may be more to do at once. */
static bool failed_to_start(struct moor_manager *m, struct moor_item *i,
                            const struct moor_step *step, const struct moor_error *err)
{
    if (without_folder(m, i, step, err->code))
        return true;
    if (moor_error_retry(err) == MOOR_RETRY_NEVER) {
        moor_manager_fail_item(i, "InternalError", 0, err->msg);
        return true;
    }
    moor_item_settle(i, MOOR_OUTCOME_GOING_ON, "InternalError", 0, err->msg);
    moor_log_error(MOOR_LOG_WARNING, "step.retry", err, "name", i->name, NULL);
    moor_manager_wait(m, i, STEP_AGAIN_MS);
    return false;
}

static moor_code try_step(struct moor_manager *m, struct moor_item *i,
                          const struct moor_desired_extension *goal, const struct moor_step *step,
                          struct moor_error *err)
{
    moor_code c;
    if (!takes_time(step->action)) {
        c = carry_out(i, goal, step, err);
        if (c == MOOR_OK && i->outcome != MOOR_OUTCOME_FAILED)
            advance(m, i, step);
        return c;
    }
    struct moor_work *w = begin(m, i, step);
    if (!w)
        return moor_fail(err, MOOR_E_NOMEM, "extension %s: out of memory", i->name);
    c = start(w, goal, err);
    if (c != MOOR_OK) {
        i->running.on = false;
        moor_work_stop(w);
    }
    return c;
}

bool moor_apply(struct moor_manager *m, struct moor_item *i,
                const struct moor_desired_extension *goal, const struct moor_step *step)
{
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_step now = *step;
    moor_code c = try_step(m, i, goal, &now, &err);
    if (c == MOOR_E_NOTFOUND && now.old && now.verb == MOOR_VERB_UNINSTALL) {
        /* Nothing is left that could uninstall: the rest of its folder goes. */
        now.action = MOOR_ACT_REMOVE;
        c = try_step(m, i, goal, &now, &err);
    }
    if (c == MOOR_OK)
        return !takes_time(now.action);
    return failed_to_start(m, i, &now, &err);
}

/* A child of an earlier manager: all that can be known is when it is gone. */
static void adopt_process(struct moor_manager *m, struct moor_item *i)
{
    int64_t ran_ms = plat_utc_ms() - i->running.since_ms;
    if (!plat_process_alive(&i->running.process)) {
        i->running.on = false;
        return;
    }
    if (ran_ms > (int64_t)m->timeouts_ms[i->running.verb])
        plat_process_kill_tree_id(&i->running.process);
    moor_manager_later(m, ADOPT_LOOK_MS);
}

static moor_code adopt_unit(struct moor_manager *m, struct moor_item *i, struct moor_error *err)
{
    const struct moor_running *r = &i->running;
    const struct moor_step step = { MOOR_ACT_RUN, r->verb, r->old, r->may_fail, r->next };
    const struct moor_command_opts opts = { .item = i, .timeout_ms = m->timeouts_ms[r->verb] };
    struct moor_work *w = begin(m, i, &step);
    if (!w)
        return moor_fail(err, MOOR_E_NOMEM, "extension %s: out of memory", i->name);
    (void)snprintf(w->goal, sizeof(w->goal), "%s", r->goal);
    moor_code c = moor_command_adopt(m->launcher, &opts, on_command, w, &w->command, err);
    if (c != MOOR_OK)
        moor_work_stop(w);
    else
        moor_log(MOOR_LOG_INFO, "handler.adopted", "name", i->name, "verb",
                 moor_handler_verb_name(r->verb), NULL);
    return c;
}

void moor_apply_adopt(struct moor_manager *m)
{
    for (size_t n = 0; n < m->items.count; n++) {
        struct moor_item *i = m->items.list[n];
        struct moor_error err = MOOR_ERROR_INIT;
        if (!i->running.on || i->work)
            continue;
        if (!*i->running.unit) {
            adopt_process(m, i);
            continue;
        }
        moor_code c = adopt_unit(m, i, &err);
        if (c == MOOR_E_UNSUPPORTED)
            i->running.on = false;
        else if (c != MOOR_OK)
            moor_manager_later(m, ADOPT_LOOK_MS);
    }
}
