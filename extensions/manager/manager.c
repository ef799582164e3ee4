/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "contract/names.h"
#include "manager/disk.h"
#include "manager/folder.h"
#include "manager/internal.h"
#include "manager/package.h"
#include "manager/removals.h"
#include "manager/repair.h"
#include "manager/requests.h"
#include "manager/rules.h"
#include "platform/clock.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "run/log.h"

#define TICK_MS           300000
#define SAVE_AGAIN_MS     30000
#define DOWNLOAD_MS       100                    /* until one that goes on is worth a word */
#define POOL_THREADS      (MOOR_FETCHES_MAX + 1) /* one folder may be removed beside */
#define DESIRED_ARENA_MAX ((size_t)24 * 1024 * 1024)
#define DESIRED_TEXT_MAX  ((size_t)4 * 1024 * 1024)

/* How they ended is durable. */
static void forget_units(struct moor_manager *m)
{
    struct moor_ended *e = &m->items.ended;
    for (; e->forgotten < e->count; e->forgotten++)
        moor_launch_forget(m->launcher, e->units[e->forgotten]);
}

bool moor_manager_save(struct moor_manager *m)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_items_save(m->items_path, &m->items, &err) == MOOR_OK) {
        forget_units(m);
        return true;
    }
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

static bool multi_handler(const struct moor_manager *m, const struct moor_item *i)
{
    for (size_t n = 0; n < m->items.count; n++) {
        if (m->items.list[n]->multi && moor_item_same_handler(m->items.list[n], i))
            return true;
    }
    return false;
}

/* Instances of one handler share its folder, so they share the highest version any of them wants.
 */
static void take_highest(const struct moor_manager *m, struct moor_desired_extension *g)
{
    for (size_t n = 0; n < m->desired.extension_count; n++) {
        const struct moor_desired_extension *e = &m->desired.extensions[n];
        if (e->bad || e->state != MOOR_DESIRED_ENABLED ||
            moor_strcasecmp(e->publisher, g->publisher) != 0 ||
            moor_strcasecmp(e->type, g->type) != 0 ||
            moor_version_cmp(moor_span_str(e->version), moor_span_str(g->version)) <= 0)
            continue;
        g->version = e->version;
        g->package = e->package;
    }
}

bool moor_manager_goal(const struct moor_manager *m, const struct moor_item *i,
                       struct moor_desired_extension *out)
{
    for (size_t n = 0; n < m->desired.extension_count; n++) {
        const struct moor_desired_extension *e = &m->desired.extensions[n];
        if (moor_strcasecmp(e->name, i->name) != 0)
            continue;
        *out = *e;
        if (!e->bad && e->state == MOOR_DESIRED_ENABLED && multi_handler(m, i))
            take_highest(m, out);
        return true;
    }
    return false;
}

void moor_manager_fail_item(struct moor_item *i, const char *error_code, int64_t code,
                            const char *message)
{
    moor_item_settle(i, MOOR_OUTCOME_FAILED, error_code, code, message);
    moor_log(MOOR_LOG_ERROR, "extension.failed", "name", i->name, "publisher", i->publisher, "type",
             i->type, "version", i->version, "error_code", error_code, "error", message, NULL);
}

/* Local policy cannot be read: nothing is allowed. */
static void load_policy(struct moor_settings *out, struct moor_arena *arena)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_settings_load_closed(out, arena, &err) != MOOR_OK)
        moor_log_error(MOOR_LOG_ERROR, "policy.unreadable", &err, NULL);
}

static void settle_all(struct moor_manager *m)
{
    for (size_t n = 0; n < m->items.count; n++) {
        struct moor_item *i = m->items.list[n];
        struct moor_desired_extension goal;
        bool named = moor_manager_goal(m, i, &goal);
        moor_settle(m, i, named ? &goal : NULL);
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
        if (i->phase != MOOR_PHASE_ENABLED || i->status_watch || i->work)
            continue;
        if (moor_folder_path(i, false, &folder, NULL) != MOOR_OK)
            continue;
        moor_buf_fmt(&path, "%s/status", folder);
        /* Without it the tick finds changes, later. */
        if (plat_watch_add(m->watch, moor_buf_cstr(&path), &i->status_watch, NULL) != MOOR_OK)
            i->status_watch = 0;
    }
}

/* A version that was held back after it failed gets its second chance. */
static void let_go(struct moor_manager *m)
{
    int64_t now = plat_utc_ms();
    for (size_t n = 0; n < m->items.count; n++) {
        struct moor_item *i = m->items.list[n];
        if (!*i->held_version || i->held_count > 1 || i->going_back || now < i->held_until_ms)
            continue;
        i->held_version[0] = 0;
        i->automatic = true;
        moor_item_settle(i, MOOR_OUTCOME_GOING_ON, "", 0, "");
    }
}

/* Not on the disk, and the service no longer names it. */
static void forget_items(struct moor_manager *m)
{
    for (size_t n = m->items.count; n-- > 0;) {
        struct moor_item *i = m->items.list[n];
        bool here = i->phase != MOOR_PHASE_ABSENT && i->phase != MOOR_PHASE_UNINSTALLED;
        if (!here && !i->work && !i->running.on && !i->listed)
            moor_items_remove(&m->items, i);
    }
}

struct moor_report moor_manager_report(const struct moor_manager *m)
{
    return (struct moor_report){ .revision = m->desired.revision ? m->desired.revision : "",
                                 .items = &m->items,
                                 .runs = &m->runs,
                                 .denials = m->denials,
                                 .denial_count = m->denial_count };
}

static void report_changes(struct moor_manager *m)
{
    char hash[65] = "";
    const struct moor_report r = moor_manager_report(m);
    if (moor_report_hash(&r, hash, NULL) == MOOR_OK && strcmp(hash, m->reported_hash) != 0)
        moor_link_report(m->link);
}

static void take_again(struct moor_manager *m);

/* Data collection rules go to the logs role when the document or policy has changed. As long as the
 * local settings are refused they stay as they are: that role collects nothing then. */
static void hand_rules_on(struct moor_manager *m, const struct moor_settings *settings)
{
    static const struct moor_policy_request collect = { .verb = MOOR_POLICY_COLLECT };
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_policy_denial why;
    bool allowed = moor_policy_allows(settings, &collect, &why);
    if (settings->refused || (!m->rules_due && m->collects == allowed))
        return;
    for (size_t n = 0; !allowed && n < m->desired.rule_count; n++)
        moor_record_refused(&m->refusals, plat_mono_ms(), MOOR_POLICY_COLLECT,
                            m->desired.rules[n].id, "", why.rule);
    if (moor_rules_write(m->desired.rules, allowed ? m->desired.rule_count : 0, &err) != MOOR_OK)
        moor_log_error(MOOR_LOG_ERROR, "rules.not-written", &err, NULL);
    m->collects = allowed;
    m->rules_due = false;
}

static size_t downloads(const struct moor_manager *m)
{
    size_t count = 0;
    for (size_t n = 0; n < m->items.count; n++) {
        const struct moor_work *w = m->items.list[n]->work;
        count += w && w->step.action == MOOR_ACT_FETCH;
    }
    return count;
}

void moor_manager_kick(struct moor_manager *m)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(256 * 1024);
    struct moor_settings settings;
    load_policy(&settings, &arena);
    moor_command_timeouts(&settings.extensions_timeouts, m->timeouts_ms);
    hand_rules_on(m, &settings);
    moor_choose_forget_denials(m, &settings);
    moor_apply_adopt(m);
    moor_repair_asked(m);
    let_go(m);
    settle_all(m);
    size_t before = downloads(m);
    while (moor_choose(m, &settings))
        continue;      /* what is done is saved before something begins that cannot be undone */
    watch_statuses(m); /* before they are read: nothing is missed between */
    settle_all(m);
    moor_runs_step(m, &settings);
    if (moor_removals_settle(&m->items))
        take_again(m);
    forget_items(m);
    /* What a download begins with is found again in the document that was kept, so a short one
     * need not wait for the disk. */
    if (downloads(m) > before)
        moor_manager_later(m, DOWNLOAD_MS);
    else if (moor_manager_save(m))
        report_changes(m);
}

/* Whether a report can speak of it, and there is a place for it. */
static bool has_place(const struct moor_manager *m, const struct moor_desired_extension *goal)
{
    struct moor_error why = MOOR_ERROR_INIT;
    if (m->items.count == MOOR_ITEMS_MAX) {
        moor_log(MOOR_LOG_ERROR, "desired.item-refused", "name", goal->name, "reason",
                 "there are too many extensions", NULL);
        return false;
    }
    if (!goal->bad)
        return true;
    if (moor_handler_check_part("name", goal->name, &why) == MOOR_OK && strlen(goal->name) <= 64 &&
        moor_handler_check_part("publisher", goal->publisher, &why) == MOOR_OK &&
        moor_handler_check_part("type", goal->type, &why) == MOOR_OK)
        return true;
    moor_log(MOOR_LOG_ERROR, "desired.item-refused", "reason", goal->bad, NULL);
    return false;
}

static bool is_named(const struct moor_manager *m, const struct moor_item *i)
{
    for (size_t n = 0; n < m->desired.extension_count; n++) {
        if (moor_strcasecmp(m->desired.extensions[n].name, i->name) == 0)
            return true;
    }
    return false;
}

/* What is here under another name, since this machine was another resource or lost its memory, is
 * the service's extension of that handler now. */
static struct moor_item *adopt(struct moor_manager *m, const struct moor_desired_extension *goal)
{
    for (size_t n = 0; n < m->items.count; n++) {
        struct moor_item *i = m->items.list[n];
        if (i->multi || i->phase == MOOR_PHASE_ABSENT || i->phase == MOOR_PHASE_UNINSTALLED ||
            goal->bad || moor_strcasecmp(i->publisher, goal->publisher) != 0 ||
            moor_strcasecmp(i->type, goal->type) != 0 || is_named(m, i))
            continue;
        if (moor_item_set(&i->name, goal->name, NULL) != MOOR_OK)
            return NULL;
        moor_log(MOOR_LOG_NOTICE, "extension.adopted", "name", i->name, "publisher", i->publisher,
                 "type", i->type, "version", i->version, NULL);
        return i;
    }
    return NULL;
}

/* What went, and was put again as another handler's before the service heard of its end, is
 * another extension. */
static struct moor_item *find_item(struct moor_manager *m,
                                   const struct moor_desired_extension *goal)
{
    struct moor_item *i = moor_items_find(&m->items, goal->name);
    bool gone =
        i && !i->work && (i->phase == MOOR_PHASE_ABSENT || i->phase == MOOR_PHASE_UNINSTALLED);
    if (!gone || goal->bad ||
        (moor_strcasecmp(i->publisher, goal->publisher) == 0 &&
         moor_strcasecmp(i->type, goal->type) == 0))
        return i;
    moor_items_remove(&m->items, i);
    return NULL;
}

static moor_code take_goals(struct moor_manager *m, struct moor_error *err)
{
    for (size_t n = 0; n < m->items.count; n++)
        m->items.list[n]->listed = is_named(m, m->items.list[n]);
    forget_items(m); /* their places may be needed */
    for (size_t n = 0; n < m->desired.extension_count; n++) {
        const struct moor_desired_extension *goal = &m->desired.extensions[n];
        struct moor_item *i = find_item(m, goal);
        bool changed = false;
        moor_code c = MOOR_OK;
        if (!i)
            i = adopt(m, goal);
        if (!i && has_place(m, goal)) {
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
    if (c == MOOR_OK)
        c = moor_removals_apply(&d, &m->items, &arena, err);
    if (c == MOOR_OK && keep)
        c = plat_write_atomic(m->desired_path, text, PLAT_OWNER_ONLY, err);
    if (c != MOOR_OK)
        return c;
    moor_arena_drop(&m->desired_arena);
    m->desired_arena = arena;
    arena = (struct moor_arena)MOOR_ARENA(0);
    m->desired = d;
    c = take_goals(m, err);
    m->rules_due = true;
    moor_runs_take(m);
    if (c == MOOR_OK)
        moor_timer_arm(m->tick, 0);
    return c;
}

/* The document that is there, read anew: what the administrator wants gone has changed. */
static void take_again(struct moor_manager *m)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(DESIRED_TEXT_MAX);
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code c = plat_read_all(m->desired_path, DESIRED_TEXT_MAX, &text, &err);
    if (c == MOOR_E_NOTFOUND) {
        moor_buf_str(&text, "{\"revision\":\"none\",\"extensions\":[],\"dataCollectionRules\":[]}");
        c = MOOR_OK;
    }
    if (c == MOOR_OK)
        c = moor_manager_take_desired(m, moor_buf_view(&text), false, &err);
    if (c != MOOR_OK)
        moor_log_error(MOOR_LOG_ERROR, "desired.unreadable", &err, NULL);
}

static void on_again(void *ctx)
{
    moor_manager_kick(ctx);
}

static void on_tick(void *ctx)
{
    struct moor_manager *m = ctx;
    moor_timer_arm(m->tick, TICK_MS);
    moor_folder_drop_old_events();
    moor_record_tick(&m->refusals, plat_mono_ms());
    for (size_t n = 0; n < m->items.count; n++)
        moor_folder_drop_events(m->items.list[n]);
    moor_manager_kick(m);
}

struct notices {
    struct moor_manager *m;
    bool config, status, removals;
};

static void on_notice(void *ctx, int32_t id, const char *name)
{
    struct notices *n = ctx;
    (void)name;
    if (id == -1 || id == n->m->config_watch)
        n->config = true;
    if (id == -1 || id == n->m->removals_watch)
        n->removals = true;
    if (id == -1 || id == n->m->repairs_watch)
        n->m->repairs_due = true;
    if (id != n->m->config_watch)
        n->status = true;
}

static void on_watch(void *ctx)
{
    struct notices n = { ctx, false, false, false };
    plat_watch_read(n.m->watch, on_notice, &n);
    if (n.config)
        moor_link_refresh(n.m);
    if (n.removals)
        take_again(n.m);
    if (n.config || n.status)
        moor_manager_kick(n.m);
}

static moor_code make_paths(struct moor_manager *m, struct moor_error *err)
{
    /* First what others may pass through: in a trial the folders above both are made here. */
    moor_code c = plat_make_dirs(plat_dir_path(PLAT_DIR_HANDLERS), PLAT_WORLD_READ, err);
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_GUESTCONFIG, &m->state_dir, err, "manager");
    if (c == MOOR_OK)
        c = plat_make_dirs(m->state_dir, PLAT_OWNER_ONLY, err);
    if (c == MOOR_OK)
        c = plat_make_dirs(plat_dir_path(PLAT_DIR_STATE), PLAT_WORLD_READ, err);
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_GUESTCONFIG, &m->items_path, err, MOOR_ITEMS_FILE);
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_GUESTCONFIG, &m->desired_path, err, "manager/desired.json");
    return c;
}

/* The memory was lost; it is put aside for whoever wants to know why. */
static moor_code rebuild(struct moor_manager *m, const struct moor_error *why,
                         struct moor_error *err)
{
    MOOR_AUTO(moor_buf) aside = MOOR_BUF(4200);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(DESIRED_TEXT_MAX);
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(DESIRED_ARENA_MAX);
    struct moor_desired wanted = { 0 };
    moor_log_error(MOOR_LOG_ERROR, "state.damaged", why, NULL);
    /* Above every number of a report that can have been sent since the machine started. */
    m->items.report_sequence = m->items.report_last = (uint64_t)plat_utc_ms() / 1000;
    m->items.commands = (uint64_t)plat_utc_ms() / 1000;
    moor_buf_fmt(&aside, "%s.damaged", m->items_path);
    moor_code c = plat_rename(m->items_path, moor_buf_cstr(&aside), err);
    if (c != MOOR_OK)
        return c;
    c = plat_read_all(m->desired_path, DESIRED_TEXT_MAX, &text, NULL);
    if (c == MOOR_OK && moor_desired_parse(moor_buf_view(&text), &wanted, &arena, NULL) != MOOR_OK)
        wanted = (struct moor_desired){ 0 };
    return moor_disk_rebuild(plat_dir_path(PLAT_DIR_HANDLERS), &wanted, &m->items, err);
}

static moor_code load_items(struct moor_manager *m, struct moor_error *err)
{
    struct moor_error why = MOOR_ERROR_INIT;
    moor_code c = moor_items_load(m->items_path, &m->items, &why);
    if (c == MOOR_E_BADINPUT || c == MOOR_E_PROTOCOL)
        return rebuild(m, &why, err);
    if (c != MOOR_OK && err)
        *err = why;
    return c;
}

static moor_code load_memory(struct moor_manager *m, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(DESIRED_TEXT_MAX);
    const char *handlers = plat_dir_path(PLAT_DIR_HANDLERS);
    moor_code c = load_items(m, err);
    if (c == MOOR_OK)
        c = moor_runs_open(m, err);
    if (c == MOOR_OK)
        c = moor_package_clean(handlers, err);
    if (c == MOOR_OK)
        c = moor_disk_clean(handlers, &m->items, err);
    if (c == MOOR_OK)
        c = moor_settings_key_load(handlers, m->state_dir, &m->key, err);
    if (c != MOOR_OK)
        return c;
    c = plat_read_all(m->desired_path, DESIRED_TEXT_MAX, &text, err);
    if (c == MOOR_E_NOTFOUND && moor_removals_any(&m->items))
        take_again(m);
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

static moor_code watch_requests(struct moor_manager *m, moor_request kind, int32_t *id,
                                struct moor_error *err)
{
    MOOR_AUTOSTR folder = NULL;
    moor_code c = moor_request_folder(kind, &folder, err);
    return c == MOOR_OK ? plat_watch_add(m->watch, folder, id, err) : c;
}

static moor_code make_events(struct moor_manager *m, struct moor_error *err)
{
    const struct moor_pool_opts pool = { .threads = POOL_THREADS };
    moor_code c = moor_pool_new(m->loop, &pool, &m->pool, err);
    if (c == MOOR_OK)
        c = moor_timer_new(m->loop, on_again, m, &m->again, err);
    if (c == MOOR_OK)
        c = moor_timer_new(m->loop, on_tick, m, &m->tick, err);
    if (c == MOOR_OK)
        c = plat_watch_new(&m->watch, err);
    if (c == MOOR_OK)
        c = plat_watch_add(m->watch, plat_dir_path(PLAT_DIR_STATE), &m->config_watch, err);
    if (c == MOOR_OK)
        c = watch_requests(m, MOOR_REQUEST_REMOVAL, &m->removals_watch, err);
    if (c == MOOR_OK)
        c = watch_requests(m, MOOR_REQUEST_REPAIR, &m->repairs_watch, err);
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
    m->repairs_due = true;
    moor_code c = make_paths(m, err);
    if (c == MOOR_OK)
        c = make_events(m, err);
    if (c == MOOR_OK)
        c = moor_launcher_new(l, opts->services, &m->launcher, err);
    if (c == MOOR_OK)
        c = load_memory(m, err);
    if (c != MOOR_OK)
        return c;
    (void)snprintf(m->items.way, sizeof(m->items.way), "%s", moor_launcher_way(m->launcher));
    moor_link_refresh(m);
    moor_timer_arm(m->tick, 0);
    *out = MOOR_TAKE(m);
    return MOOR_OK;
}

/* What the pool has is given back by its end. */
static void stop_work(struct moor_work *w)
{
    if (w && (w->step.action == MOOR_ACT_FETCH || w->step.action == MOOR_ACT_RUN))
        moor_work_stop(w);
}

void moor_manager_free(struct moor_manager *m)
{
    if (!m)
        return;
    m->closing = true;
    for (size_t n = 0; n < m->items.count; n++)
        stop_work(m->items.list[n]->work);
    moor_runs_close(m);
    moor_link_free(m->link);
    m->link = NULL;
    moor_timer_free(m->again);
    m->again = NULL;
    moor_pool_free(m->pool);
    moor_launcher_free(m->launcher);
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
