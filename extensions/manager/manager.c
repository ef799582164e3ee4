/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/names.h"
#include "manager/folder.h"
#include "manager/internal.h"
#include "manager/package.h"
#include "manager/policy.h"
#include "manager/rules.h"
#include "platform/clock.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "run/log.h"

#define TICK_MS           300000
#define SAVE_AGAIN_MS     30000
#define DESIRED_ARENA_MAX ((size_t)24 * 1024 * 1024)
#define DESIRED_TEXT_MAX  ((size_t)4 * 1024 * 1024)

bool moor_manager_save(struct moor_manager *m)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_items_save(m->items_path, &m->items, &err) == MOOR_OK)
        return true;
    moor_log_error(MOOR_LOG_ERROR, "state.not-saved", &err, NULL);
    moor_manager_later(m, SAVE_AGAIN_MS);
    return false;
}

void moor_manager_later(struct moor_manager *m, uint64_t delay_ms)
{
    uint64_t due = plat_mono_ms() + delay_ms;
    if (m->closing || (moor_timer_armed(m->again) && m->again_ms <= due))
        return;
    m->again_ms = due;
    moor_timer_arm(m->again, delay_ms);
}

void moor_manager_wait(struct moor_manager *m, struct moor_item *i, uint64_t delay_ms)
{
    i->not_before_ms = plat_mono_ms() + delay_ms;
    moor_manager_later(m, delay_ms);
}

struct moor_item *moor_manager_busy_item(struct moor_manager *m)
{
    return moor_items_find(&m->items, m->busy_name);
}

void moor_manager_step_done(struct moor_manager *m)
{
    m->busy = false;
    if (!m->closing && moor_manager_save(m))
        moor_manager_kick(m);
}

const struct moor_desired_extension *moor_manager_goal(const struct moor_manager *m,
                                                       const char *name)
{
    for (size_t n = 0; n < m->desired.extension_count; n++) {
        if (moor_strcasecmp(m->desired.extensions[n].name, name) == 0)
            return &m->desired.extensions[n];
    }
    return NULL;
}

void moor_manager_fail_item(struct moor_item *i, const char *error_code, int64_t code,
                            const char *message)
{
    moor_item_settle(i, MOOR_OUTCOME_FAILED, error_code, code, message);
    moor_log(MOOR_LOG_ERROR, "extension.failed", "name", i->name, "publisher", i->publisher, "type",
             i->type, "version", i->version, "error_code", error_code, "error", message, NULL);
}

/* Reasons against an extension that no step can mend; NULL = none. */
static const char *why_not(const struct moor_manager *m, const struct moor_item *i,
                           const struct moor_desired_extension *goal, const char **code)
{
    *code = "ItemInvalid";
    if (goal->bad)
        return goal->bad;
    if (moor_strcasecmp(i->publisher, goal->publisher) != 0 ||
        moor_strcasecmp(i->type, goal->type) != 0)
        return "publisher and type of an extension cannot change: delete it first";
    for (size_t n = 0; n < m->items.count; n++) {
        const struct moor_item *other = m->items.list[n];
        if (other != i && other->phase != MOOR_PHASE_UNINSTALLED &&
            other->phase != MOOR_PHASE_ABSENT && i->phase == MOOR_PHASE_ABSENT &&
            moor_strcasecmp(other->publisher, i->publisher) == 0 &&
            moor_strcasecmp(other->type, i->type) == 0)
            return "another extension of this publisher and type is on this machine";
    }
    if (goal->state == MOOR_DESIRED_UNINSTALL)
        return NULL;
    if (goal->instances && strcmp(goal->instances, "[]") != 0)
        return "several instances of one handler are not available";
    *code = "SettingsUndecryptable";
    if (goal->protected_settings &&
        !moor_settings_key_has(plat_dir_path(PLAT_DIR_HANDLERS),
                               goal->protected_thumbprint ? goal->protected_thumbprint : ""))
        return "the protected settings are encrypted to a key this machine does not have: put the "
               "extension again";
    *code = "HandlerCommandFailed";
    if (plat_noexec(plat_dir_path(PLAT_DIR_HANDLERS)))
        return "the handlers' folder is on a file system with the noexec flag";
    return NULL;
}

static void deny(struct moor_manager *m, const struct moor_desired_extension *goal,
                 const struct moor_policy_denial *why)
{
    if (m->denial_count == MOOR_DENIALS_MAX)
        return;
    struct moor_denial *d = &m->denials[m->denial_count++];
    *d = (struct moor_denial){ .service_seq = goal->settings_seq_no, .rule = why->rule };
    (void)snprintf(d->name, sizeof(d->name), "%s", goal->name);
    (void)snprintf(d->publisher, sizeof(d->publisher), "%s", goal->publisher);
    (void)snprintf(d->type, sizeof(d->type), "%s", goal->type);
    (void)snprintf(d->message, sizeof(d->message), "%s/%s is refused by this machine: %s (%s)",
                   goal->publisher, goal->type, why->why, why->rule);
}

/* Local policy cannot be read: nothing is allowed. */
static void load_policy(struct moor_manager *m, struct moor_settings *out, struct moor_arena *arena)
{
    struct moor_error err = MOOR_ERROR_INIT;
    m->policy_unreadable = moor_settings_load_closed(out, arena, &err) != MOOR_OK;
    if (m->policy_unreadable)
        moor_log_error(MOOR_LOG_ERROR, "policy.unreadable", &err, NULL);
}

static bool allowed(const struct moor_manager *m, const struct moor_settings *settings,
                    const struct moor_desired_extension *goal, struct moor_policy_denial *out)
{
    if (moor_policy_allows(settings, goal, out))
        return true;
    if (m->policy_unreadable)
        *out =
            (struct moor_policy_denial){ "localconfig.json", "its local settings cannot be read" };
    return false;
}

/* false: the item waits or has failed, and nothing is to be done for it. */
static bool may_go_on(struct moor_manager *m, struct moor_item *i,
                      const struct moor_desired_extension *goal,
                      const struct moor_settings *settings)
{
    struct moor_policy_denial denial;
    const char *code, *name = "";
    const char *reason = why_not(m, i, goal, &code);
    if (reason) {
        moor_manager_fail_item(i, code, 0, reason);
        return false;
    }
    if (!allowed(m, settings, goal, &denial)) {
        /* What is here already stays as it is, and is no failure. */
        if (i->outcome == MOOR_OUTCOME_GOING_ON) {
            deny(m, goal, &denial);
            moor_manager_fail_item(i, "PolicyDenied", 0,
                                   m->denial_count ? m->denials[m->denial_count - 1].message
                                                   : denial.why);
        }
        return false;
    }
    moor_item_outcome stands = moor_plan_dependencies(&m->items, goal, &name);
    if (goal->state == MOOR_DESIRED_UNINSTALL || stands == MOOR_OUTCOME_SUCCEEDED)
        return true;
    if (stands == MOOR_OUTCOME_FAILED) {
        MOOR_AUTO(moor_buf) text = MOOR_BUF(512);
        moor_buf_fmt(&text, "it depends on %s, which failed", name);
        moor_manager_fail_item(i, "DependencyFailed", 0, moor_buf_cstr(&text));
    }
    return false;
}

static void plan_item(struct moor_item *i, const struct moor_desired_extension *goal,
                      struct moor_step *step)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(256 * 1024);
    struct moor_manifest manifest;
    struct moor_plan_facts facts = { .update_installs = true, .fresh = !i->enabled_here };
    if (i->phase == MOOR_PHASE_UPDATE_DONE &&
        moor_folder_manifest(i, false, &manifest, &arena, NULL) == MOOR_OK)
        facts.update_installs = manifest.update_with_install;
    moor_plan(i, goal, &facts, step);
}

/* Does one thing for one extension; true when there may be more to do at once. */
static bool act_once(struct moor_manager *m, const struct moor_settings *settings)
{
    for (size_t n = 0; n < m->desired.extension_count && !m->busy; n++) {
        const struct moor_desired_extension *goal = &m->desired.extensions[n];
        struct moor_item *i = moor_items_find(&m->items, goal->name);
        struct moor_step step;
        if (!i)
            continue;
        plan_item(i, goal, &step);
        uint64_t now = plat_mono_ms();
        if (step.action != MOOR_ACT_NOTHING && i->not_before_ms > now)
            moor_manager_later(m, i->not_before_ms - now); /* the timer was for somebody else */
        if (step.action == MOOR_ACT_NOTHING || i->not_before_ms > now)
            continue;
        if (may_go_on(m, i, goal, settings) && moor_apply(m, i, goal, &step))
            return true;
        if (i->outcome == MOOR_OUTCOME_FAILED)
            return true; /* others may depend on it */
    }
    return false;
}

static void settle_all(struct moor_manager *m)
{
    for (size_t n = 0; n < m->items.count; n++) {
        struct moor_item *i = m->items.list[n];
        moor_settle(m, i, moor_manager_goal(m, i->name));
    }
}

/* A denial that local policy no longer makes is taken back. */
static void forget_denials(struct moor_manager *m, const struct moor_settings *settings)
{
    struct moor_policy_denial why;
    m->denial_count = 0;
    for (size_t n = 0; n < m->items.count; n++) {
        struct moor_item *i = m->items.list[n];
        const struct moor_desired_extension *goal = moor_manager_goal(m, i->name);
        if (strcmp(i->error_code, "PolicyDenied") != 0 || !goal || goal->bad)
            continue;
        if (allowed(m, settings, goal, &why))
            moor_item_settle(i, MOOR_OUTCOME_GOING_ON, "", 0, "");
        else
            deny(m, goal, &why);
    }
}

void moor_manager_unwatch(struct moor_manager *m, struct moor_item *i)
{
    if (i->status_watch)
        plat_watch_remove(m->watch, i->status_watch);
    i->status_watch = 0;
}

static void watch_statuses(struct moor_manager *m)
{
    for (size_t n = 0; n < m->items.count; n++) {
        struct moor_item *i = m->items.list[n];
        MOOR_AUTOSTR folder = NULL;
        MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
        if (i->phase != MOOR_PHASE_ENABLED || i->status_watch)
            continue;
        if (moor_folder_path(i, false, &folder, NULL) != MOOR_OK)
            continue;
        moor_buf_fmt(&path, "%s/status", folder);
        /* Without it the tick finds changes, later. */
        if (plat_watch_add(m->watch, moor_buf_cstr(&path), &i->status_watch, NULL) != MOOR_OK)
            i->status_watch = 0;
    }
}

/* Gone, and the service no longer names it. */
static void forget_items(struct moor_manager *m)
{
    for (size_t n = m->items.count; n-- > 0;) {
        struct moor_item *i = m->items.list[n];
        if (i->phase == MOOR_PHASE_UNINSTALLED && !moor_manager_goal(m, i->name))
            moor_items_remove(&m->items, i);
    }
}

static void report_changes(struct moor_manager *m)
{
    char hash[65] = "";
    if (moor_report_hash(&m->items, m->denials, m->denial_count, hash, NULL) == MOOR_OK &&
        strcmp(hash, m->reported_hash) != 0)
        moor_link_report(m->link);
}

void moor_manager_kick(struct moor_manager *m)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(256 * 1024);
    struct moor_settings settings;
    load_policy(m, &settings, &arena);
    forget_denials(m, &settings);
    moor_apply_adopt(m);
    settle_all(m);
    while (!m->busy && act_once(m, &settings)) {
        if (!moor_manager_save(m))
            return;
    }
    if (!m->busy) {
        watch_statuses(m); /* before they are read: nothing is missed between */
        settle_all(m);
        forget_items(m);
        if (!moor_manager_save(m))
            return;
    }
    report_changes(m);
}

/* Whether a report can speak of it. */
static bool can_be_named(const struct moor_desired_extension *goal)
{
    struct moor_error why = MOOR_ERROR_INIT;
    if (!goal->bad)
        return true;
    if (moor_handler_check_part("name", goal->name, &why) == MOOR_OK && strlen(goal->name) <= 64 &&
        moor_handler_check_part("publisher", goal->publisher, &why) == MOOR_OK &&
        moor_handler_check_part("type", goal->type, &why) == MOOR_OK)
        return true;
    moor_log(MOOR_LOG_ERROR, "desired.item-refused", "reason", goal->bad, NULL);
    return false;
}

static moor_code take_goals(struct moor_manager *m, struct moor_error *err)
{
    for (size_t n = 0; n < m->items.count; n++)
        m->items.list[n]->listed = false;
    for (size_t n = 0; n < m->desired.extension_count; n++) {
        const struct moor_desired_extension *goal = &m->desired.extensions[n];
        struct moor_item *i = moor_items_find(&m->items, goal->name);
        bool changed = false;
        moor_code c = MOOR_OK;
        if (!i && can_be_named(goal)) {
            MOOR_AUTOPTR(moor_item) fresh = NULL;
            c = moor_item_new(goal->name, goal->publisher, goal->type, &fresh, err);
            if (c == MOOR_OK)
                c = moor_items_add(&m->items, fresh, err);
            if (c == MOOR_OK)
                i = MOOR_TAKE(fresh);
        }
        if (c == MOOR_OK && i)
            c = moor_plan_take_goal(i, goal, &changed, err);
        if (c != MOOR_OK)
            return c;
        if (!i)
            continue;
        i->listed = true;
        if (goal->bad && changed)
            moor_manager_fail_item(i, "ItemInvalid", 0, goal->bad);
        if (changed)
            i->not_before_ms = 0; /* what was waited for may have changed */
    }
    return MOOR_OK;
}

moor_code moor_manager_take_desired(struct moor_manager *m, struct moor_span text, bool keep,
                                    struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(DESIRED_ARENA_MAX);
    struct moor_desired d = { 0 };
    moor_code c = moor_desired_parse(text, &d, &arena, err);
    if (c == MOOR_OK && keep)
        c = plat_write_atomic(m->desired_path, text, PLAT_OWNER_ONLY, err);
    if (c != MOOR_OK)
        return c;
    moor_arena_drop(&m->desired_arena);
    m->desired_arena = arena;
    arena = (struct moor_arena)MOOR_ARENA(0);
    m->desired = d;
    c = take_goals(m, err);
    if (c == MOOR_OK && !moor_manager_save(m))
        return moor_fail(err, MOOR_E_IO, "extension state: cannot be saved");
    struct moor_error rules_err = MOOR_ERROR_INIT;
    if (moor_rules_write(d.rules, d.rule_count, &rules_err) != MOOR_OK)
        moor_log_error(MOOR_LOG_ERROR, "rules.not-written", &rules_err, NULL);
    if (c == MOOR_OK)
        moor_timer_arm(m->tick, 0);
    return c;
}

static void on_again(void *ctx)
{
    moor_manager_kick(ctx);
}

static void on_tick(void *ctx)
{
    struct moor_manager *m = ctx;
    moor_timer_arm(m->tick, TICK_MS);
    moor_manager_kick(m);
}

struct notices {
    struct moor_manager *m;
    bool config, status;
};

static void on_notice(void *ctx, int32_t id, const char *name)
{
    struct notices *n = ctx;
    (void)name;
    if (id == -1 || id == n->m->config_watch)
        n->config = true;
    if (id != n->m->config_watch)
        n->status = true;
}

static void on_watch(void *ctx)
{
    struct notices n = { ctx, false, false };
    plat_watch_read(n.m->watch, on_notice, &n);
    if (n.config)
        moor_link_refresh(n.m);
    if (n.config || n.status)
        moor_manager_kick(n.m);
}

static moor_code make_paths(struct moor_manager *m, struct moor_error *err)
{
    moor_code c = plat_path(PLAT_DIR_GUESTCONFIG, &m->state_dir, err, "manager");
    if (c == MOOR_OK)
        c = plat_make_dirs(m->state_dir, PLAT_OWNER_ONLY, err);
    if (c == MOOR_OK)
        c = plat_make_dirs(plat_dir_path(PLAT_DIR_HANDLERS), PLAT_WORLD_READ, err);
    if (c == MOOR_OK)
        c = plat_make_dirs(plat_dir_path(PLAT_DIR_STATE), PLAT_WORLD_READ, err);
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_GUESTCONFIG, &m->items_path, err, MOOR_ITEMS_FILE);
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_GUESTCONFIG, &m->desired_path, err, "manager/desired.json");
    return c;
}

static moor_code load_memory(struct moor_manager *m, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(DESIRED_TEXT_MAX);
    moor_code c = moor_items_load(m->items_path, &m->items, err);
    if (c == MOOR_OK)
        c = moor_package_clean(plat_dir_path(PLAT_DIR_HANDLERS), err);
    if (c == MOOR_OK)
        c = moor_settings_key_load(plat_dir_path(PLAT_DIR_HANDLERS), m->state_dir, &m->key, err);
    if (c != MOOR_OK)
        return c;
    c = plat_read_all(m->desired_path, DESIRED_TEXT_MAX, &text, err);
    if (c == MOOR_E_NOTFOUND)
        return MOOR_OK;
    if (c == MOOR_OK)
        c = moor_manager_take_desired(m, moor_buf_view(&text), false, err);
    if (c == MOOR_E_BADINPUT || c == MOOR_E_PROTOCOL) {
        moor_log_error(MOOR_LOG_ERROR, "desired.unreadable", err, NULL);
        c = MOOR_OK; /* the service has it */
    }
    if (c == MOOR_OK)
        moor_fetch_clean(m);
    return c;
}

static moor_code make_events(struct moor_manager *m, struct moor_error *err)
{
    moor_code c = moor_pool_new(m->loop, NULL, &m->pool, err);
    if (c == MOOR_OK)
        c = moor_timer_new(m->loop, on_again, m, &m->again, err);
    if (c == MOOR_OK)
        c = moor_timer_new(m->loop, on_tick, m, &m->tick, err);
    if (c == MOOR_OK)
        c = plat_watch_new(&m->watch, err);
    if (c == MOOR_OK)
        c = plat_watch_add(m->watch, plat_dir_path(PLAT_DIR_STATE), &m->config_watch, err);
    if (c == MOOR_OK)
        c = moor_watch_new(m->loop, plat_watch_fd(m->watch), on_watch, m, &m->watch_event, err);
    return c;
}

moor_code moor_manager_new(struct moor_loop *l, const struct moor_manager_opts *opts,
                           struct moor_manager **out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_manager) m = calloc(1, sizeof(*m));
    if (!m)
        return moor_fail(err, MOOR_E_NOMEM, "extension manager: out of memory");
    m->loop = l;
    m->program = opts->program;
    moor_code c = make_paths(m, err);
    if (c == MOOR_OK)
        c = make_events(m, err);
    if (c == MOOR_OK)
        c = load_memory(m, err);
    if (c != MOOR_OK)
        return c;
    moor_link_refresh(m);
    moor_timer_arm(m->tick, 0);
    *out = MOOR_TAKE(m);
    return MOOR_OK;
}

void moor_manager_free(struct moor_manager *m)
{
    if (!m)
        return;
    m->closing = true;
    moor_fetch_op_free(m->fetch);
    m->fetch = NULL;
    moor_command_free(m->command);
    m->command = NULL;
    moor_link_free(m->link);
    m->link = NULL;
    moor_timer_free(m->again);
    m->again = NULL;
    moor_pool_free(m->pool);
    moor_timer_free(m->tick);
    moor_watch_free(m->watch_event);
    plat_watch_free(m->watch);
    moor_items_drop(&m->items);
    moor_arena_drop(&m->desired_arena);
    moor_settings_key_drop(&m->key);
    free(m->state_dir);
    free(m->items_path);
    free(m->desired_path);
    free(m);
}
