/* SPDX-License-Identifier: Apache-2.0 */
/* choose.c: which extension's turn it is: local policy, dependencies, the others of its handler,
 * and how much may go on at once. */
#include <stdio.h>
#include <string.h>

#include "contract/names.h"
#include "manager/folder.h"
#include "manager/internal.h"
#include "manager/requests.h"
#include "platform/clock.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "run/log.h"

#define RECORD_AGAIN_MS 30000

/* Whether two items mean the same to a multi-config handler. */
static bool same_instance(const struct moor_item *a, const struct moor_item *b)
{
    MOOR_AUTO(moor_buf) x = MOOR_BUF(MOOR_INSTANCE_MAX);
    MOOR_AUTO(moor_buf) y = MOOR_BUF(MOOR_INSTANCE_MAX);
    moor_buf_instance_name(&x, a->name);
    moor_buf_instance_name(&y, b->name);
    return strcmp(moor_buf_cstr(&x), moor_buf_cstr(&y)) == 0;
}

/* Another extension is of the same handler, which takes only one of them; NULL = none. */
static const char *why_taken(const struct moor_manager *m, const struct moor_item *i)
{
    for (size_t n = 0; n < m->items.count; n++) {
        const struct moor_item *other = m->items.list[n];
        if (other == i || i->phase != MOOR_PHASE_ABSENT || other->phase == MOOR_PHASE_ABSENT ||
            other->phase == MOOR_PHASE_UNINSTALLED || !moor_item_same_handler(other, i))
            continue;
        if (!other->multi)
            return "another extension of this publisher and type is on this machine";
        if (same_instance(other, i))
            return "another extension of this handler has a name that differs in signs only";
    }
    return NULL;
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
    const char *taken = why_taken(m, i);
    if (taken)
        return taken;
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
        return "the handlers' folder is on a file system with the noexec flag (exit code 64)";
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
    MOOR_AUTO(moor_buf) what = MOOR_BUF(300);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(600);
    moor_buf_fmt(&what, "%s/%s", goal->publisher, goal->type);
    moor_policy_explain(&text, moor_buf_cstr(&what), why);
    (void)snprintf(d->message, sizeof(d->message), "%s", moor_buf_cstr(&text));
}

static bool allowed(const struct moor_settings *settings, const struct moor_item *i,
                    const struct moor_desired_extension *goal, struct moor_policy_denial *out)
{
    const struct moor_policy_request r = { .verb = moor_plan_verb(i, goal),
                                           .publisher = goal->publisher,
                                           .type = goal->type };
    return moor_policy_allows(settings, &r, out);
}

static void describe(struct moor_buf *b, const struct moor_desired_extension *goal)
{
    moor_buf_fmt(b, "%s/%s %s", goal->publisher, goal->type, goal->version);
}

/* What is here already stays as it is, and is no failure. */
static void refuse(struct moor_manager *m, struct moor_item *i,
                   const struct moor_desired_extension *goal, const struct moor_policy_denial *why)
{
    MOOR_AUTO(moor_buf) what = MOOR_BUF(512);
    if (i->outcome != MOOR_OUTCOME_GOING_ON)
        return;
    describe(&what, goal);
    moor_record_refused(&m->refusals, plat_mono_ms(), moor_plan_verb(i, goal), i->name,
                        moor_buf_cstr(&what), why->rule);
    deny(m, goal, why);
    moor_manager_fail_item(i, "PolicyDenied", 0,
                           m->denial_count ? m->denials[m->denial_count - 1].message : why->why);
}

/* A wish is in the audit log before anything is done for it; taking away does not wait for that.
 * What is only enabled once more is nobody's wish. */
static bool on_record(struct moor_manager *m, struct moor_item *i,
                      const struct moor_desired_extension *goal)
{
    moor_policy_verb verb = moor_plan_verb(i, goal);
    bool local = verb == MOOR_POLICY_UNINSTALL && moor_request_asked(MOOR_REQUEST_REMOVAL, i->name);
    MOOR_AUTO(moor_buf) what = MOOR_BUF(512);
    if (verb == MOOR_POLICY_ENABLE || strcmp(i->recorded, i->goal) == 0)
        return true;
    describe(&what, goal);
    bool done = moor_record_permitted(local ? MOOR_TRAIL_BY_LOCAL : MOOR_TRAIL_BY_CLOUD, verb,
                                      i->name, moor_buf_cstr(&what)) &&
                moor_item_set(&i->recorded, i->goal, NULL) == MOOR_OK;
    if (!done && verb != MOOR_POLICY_UNINSTALL) {
        moor_item_settle(i, MOOR_OUTCOME_GOING_ON, "InternalError", 0,
                         "the local audit log cannot be written");
        moor_manager_wait(m, i, RECORD_AGAIN_MS);
        return false;
    }
    return true;
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
    if (!allowed(settings, i, goal, &denial)) {
        refuse(m, i, goal, &denial);
        return false;
    }
    if (goal->state == MOOR_DESIRED_UNINSTALL)
        return !moor_plan_needed(&m->items, &m->desired, goal) && on_record(m, i, goal);
    moor_item_outcome stands = moor_plan_dependencies(&m->items, goal, &name);
    if (stands == MOOR_OUTCOME_SUCCEEDED)
        return on_record(m, i, goal);
    if (stands == MOOR_OUTCOME_FAILED) {
        MOOR_AUTO(moor_buf) text = MOOR_BUF(512);
        moor_buf_fmt(&text, "it depends on %s, which failed", name);
        moor_manager_fail_item(i, "DependencyFailed", 0, moor_buf_cstr(&text));
    }
    return false;
}

static void plan_item(const struct moor_manager *m, struct moor_item *i,
                      const struct moor_desired_extension *goal, struct moor_step *step)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(256 * 1024);
    struct moor_manifest manifest;
    struct moor_plan_facts facts = { .update_installs = true, .fresh = !i->enabled_here };
    bool update = i->phase >= MOOR_PHASE_UPDATE_UNPACKED && i->phase <= MOOR_PHASE_UPDATE_DONE;
    if (update && moor_folder_manifest(i, false, &manifest, &arena, NULL) == MOOR_OK) {
        facts.update_installs = manifest.update_with_install;
        facts.continues = manifest.continue_on_update_failure;
    }
    moor_plan_look_around(&m->items, i, goal ? moor_plan_version(i, goal) : "", &facts);
    moor_plan(i, goal, &facts, step);
}

/* Steps of one handler follow one another; downloads and commands have limits of their own. */
static bool has_room(const struct moor_manager *m, const struct moor_item *i, moor_action a)
{
    size_t same = 0;
    for (size_t n = 0; n < m->items.count; n++) {
        const struct moor_item *other = m->items.list[n];
        if (!other->work && !other->running.on)
            continue;
        if (moor_item_same_handler(other, i))
            return false;
        moor_action its = other->work ? other->work->step.action : MOOR_ACT_RUN;
        same += its == a;
    }
    return !(a == MOOR_ACT_FETCH && same >= MOOR_FETCHES_MAX) &&
           !(a == MOOR_ACT_RUN && same >= MOOR_COMMANDS_MAX);
}

/* What an update of the handler or its end needs is nobody's wish, and local policy has no say. */
static bool is_asked(const struct moor_desired_extension *goal, const struct moor_step *step)
{
    return goal && !(goal->state == MOOR_DESIRED_ENABLED && step->action == MOOR_ACT_RUN &&
                     step->verb == MOOR_VERB_DISABLE);
}

/* Does one thing for one extension; true when there may be more to do at once. */
static bool act(struct moor_manager *m, const struct moor_settings *settings, struct moor_item *i,
                const struct moor_desired_extension *goal)
{
    struct moor_step step;
    plan_item(m, i, goal, &step);
    uint64_t now = plat_mono_ms();
    if (step.action == MOOR_ACT_NOTHING)
        return false;
    if (i->not_before_ms > now) {
        moor_manager_later(m, i->not_before_ms - now); /* the timer was for somebody else */
        return false;
    }
    if (step.action == MOOR_ACT_FETCH && !moor_link_ready(m->link))
        return false; /* the first answer of the service plans again */
    if (!has_room(m, i, step.action))
        return false; /* the end of what goes on plans again */
    bool failed = i->outcome == MOOR_OUTCOME_FAILED;
    if ((!is_asked(goal, &step) || may_go_on(m, i, goal, settings)) &&
        moor_apply(m, i, goal, &step))
        return true;
    return !failed && i->outcome == MOOR_OUTCOME_FAILED; /* others may depend on it */
}

/* Removals come first. */
static bool round_of(struct moor_manager *m, const struct moor_settings *settings, bool removals)
{
    bool more = false;
    for (size_t n = 0; n < m->items.count; n++) {
        struct moor_item *i = m->items.list[n];
        struct moor_desired_extension goal;
        bool named = moor_manager_goal(m, i, &goal);
        bool removal = named && goal.state == MOOR_DESIRED_UNINSTALL;
        if (!i->work && removal == removals)
            more |= act(m, settings, i, named ? &goal : NULL);
    }
    return more;
}

bool moor_choose(struct moor_manager *m, const struct moor_settings *settings)
{
    bool removed = round_of(m, settings, true);
    return round_of(m, settings, false) || removed;
}

/* A denial that local policy no longer makes is taken back. */
void moor_choose_forget_denials(struct moor_manager *m, const struct moor_settings *settings)
{
    struct moor_policy_denial why;
    m->denial_count = 0;
    for (size_t n = 0; n < m->items.count; n++) {
        struct moor_item *i = m->items.list[n];
        struct moor_desired_extension goal;
        if (strcmp(i->error_code, "PolicyDenied") != 0 || !moor_manager_goal(m, i, &goal) ||
            goal.bad)
            continue;
        if (allowed(settings, i, &goal, &why))
            moor_item_settle(i, MOOR_OUTCOME_GOING_ON, "", 0, "");
        else
            deny(m, &goal, &why);
    }
}
