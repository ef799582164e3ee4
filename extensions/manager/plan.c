/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/plan.h"

#include "base/buf.h"
#include "base/sha256.h"
#include "base/text.h"

#include <string.h>

#define HELD_MS ((int64_t)3600 * 1000) /* a failed automatic update is tried once more */

/* Rows for an extension that shall be there. SETTINGS before a command is decided in moor_plan:
 * it is the same for all of them. */
static const struct moor_step to_enabled[MOOR_PHASE_COUNT_] = {
    [MOOR_PHASE_ABSENT] = { MOOR_ACT_FETCH, 0, false, false, MOOR_PHASE_UNPACKED },
    [MOOR_PHASE_UNPACKED] = { MOOR_ACT_RUN, MOOR_VERB_INSTALL, false, false, MOOR_PHASE_INSTALLED },
    [MOOR_PHASE_INSTALLED] = { MOOR_ACT_RUN, MOOR_VERB_ENABLE, false, false, MOOR_PHASE_ENABLED },
    [MOOR_PHASE_ENABLED] = { MOOR_ACT_RUN, MOOR_VERB_ENABLE, false, false, MOOR_PHASE_ENABLED },
    [MOOR_PHASE_UPDATE_UNPACKED] = { MOOR_ACT_RUN, MOOR_VERB_DISABLE, true, false,
                                     MOOR_PHASE_UPDATE_DISABLED },
    [MOOR_PHASE_UPDATE_DISABLED] = { MOOR_ACT_COPY, 0, false, false, MOOR_PHASE_UPDATE_COPIED },
    [MOOR_PHASE_UPDATE_COPIED] = { MOOR_ACT_RUN, MOOR_VERB_UPDATE, false, false,
                                   MOOR_PHASE_UPDATE_DONE },
    [MOOR_PHASE_UPDATE_DONE] = { MOOR_ACT_RUN, MOOR_VERB_UNINSTALL, true, false,
                                 MOOR_PHASE_UNPACKED },
    [MOOR_PHASE_UNINSTALLED] = { MOOR_ACT_ADVANCE, 0, false, false, MOOR_PHASE_ABSENT },
};

/* Rows for one that shall go. An unfinished update is taken back to what is on the disk. */
static const struct moor_step to_gone[MOOR_PHASE_COUNT_] = {
    [MOOR_PHASE_ABSENT] = { MOOR_ACT_ADVANCE, 0, false, false, MOOR_PHASE_UNINSTALLED },
    [MOOR_PHASE_UNPACKED] = { MOOR_ACT_REMOVE, 0, false, false, MOOR_PHASE_UNINSTALLED },
    [MOOR_PHASE_INSTALLED] = { MOOR_ACT_RUN, MOOR_VERB_UNINSTALL, false, true,
                               MOOR_PHASE_UNPACKED },
    [MOOR_PHASE_ENABLED] = { MOOR_ACT_RUN, MOOR_VERB_DISABLE, false, false, MOOR_PHASE_INSTALLED },
    [MOOR_PHASE_UPDATE_UNPACKED] = { MOOR_ACT_RUN, MOOR_VERB_DISABLE, true, true,
                                     MOOR_PHASE_UPDATE_DISABLED },
    [MOOR_PHASE_UPDATE_DISABLED] = { MOOR_ACT_RUN, MOOR_VERB_UNINSTALL, true, true,
                                     MOOR_PHASE_UNPACKED },
    [MOOR_PHASE_UPDATE_COPIED] = { MOOR_ACT_RUN, MOOR_VERB_UNINSTALL, true, true,
                                   MOOR_PHASE_UNPACKED },
    [MOOR_PHASE_UPDATE_DONE] = { MOOR_ACT_RUN, MOOR_VERB_UNINSTALL, true, true,
                                 MOOR_PHASE_INSTALLED },
    [MOOR_PHASE_UNINSTALLED] = { MOOR_ACT_NOTHING, 0, false, false, MOOR_PHASE_UNINSTALLED },
};

/* The way back from an automatic update that failed. */
static const struct moor_step to_last_good[MOOR_PHASE_COUNT_] = {
    [MOOR_PHASE_ABSENT] = { MOOR_ACT_NOTHING, 0, false, false, MOOR_PHASE_ABSENT },
    [MOOR_PHASE_UNPACKED] = { MOOR_ACT_REVERT, 0, false, false, MOOR_PHASE_UNPACKED },
    [MOOR_PHASE_INSTALLED] = { MOOR_ACT_RUN, MOOR_VERB_UNINSTALL, false, true,
                               MOOR_PHASE_UNPACKED },
    [MOOR_PHASE_ENABLED] = { MOOR_ACT_RUN, MOOR_VERB_DISABLE, false, true, MOOR_PHASE_INSTALLED },
    [MOOR_PHASE_UPDATE_UNPACKED] = { MOOR_ACT_REVERT, 0, false, false, MOOR_PHASE_ENABLED },
    [MOOR_PHASE_UPDATE_DISABLED] = { MOOR_ACT_REVERT, 0, false, false, MOOR_PHASE_INSTALLED },
    [MOOR_PHASE_UPDATE_COPIED] = { MOOR_ACT_REVERT, 0, false, false, MOOR_PHASE_INSTALLED },
    [MOOR_PHASE_UPDATE_DONE] = { MOOR_ACT_REVERT, 0, false, false, MOOR_PHASE_UNPACKED },
    [MOOR_PHASE_UNINSTALLED] = { MOOR_ACT_NOTHING, 0, false, false, MOOR_PHASE_UNINSTALLED },
};

static bool is_update(moor_item_phase p)
{
    return p >= MOOR_PHASE_UPDATE_UNPACKED && p <= MOOR_PHASE_UPDATE_DONE;
}

static bool on_disk(moor_item_phase p)
{
    return p != MOOR_PHASE_ABSENT && p != MOOR_PHASE_UNINSTALLED;
}

static bool settings_missing(const struct moor_item *i)
{
    return i->settings_seq != (int64_t)i->seq;
}

static struct moor_step simple(moor_action action, moor_item_phase next)
{
    return (struct moor_step){ action, 0, false, false, next };
}

/* The old version is kept until an automatic update has proved good. */
static bool old_is_spare(const struct moor_item *i)
{
    return *i->old_version && on_disk(i->phase) && !is_update(i->phase);
}

/* What the other instances of the handler ask of this one; false: nothing. */
static bool plan_company(const struct moor_item *i, const char *version,
                         const struct moor_plan_facts *facts, struct moor_step *out)
{
    bool mine = on_disk(i->phase) && strcmp(i->version, version) == 0;
    bool own_way = is_update(i->phase) || (mine && i->phase != MOOR_PHASE_UNPACKED);
    switch (facts->company) {
    case MOOR_COMPANY_BEHIND:
        *out = simple(MOOR_ACT_NOTHING, i->phase);
        return i->phase == MOOR_PHASE_UPDATE_DISABLED;
    case MOOR_COMPANY_ON_WAY:
        *out = simple(MOOR_ACT_NOTHING, i->phase);
        return !own_way;
    case MOOR_COMPANY_STUCK:
        *out = simple(MOOR_ACT_GIVE_UP, i->phase);
        return !own_way;
    case MOOR_COMPANY_THERE:
        *out = simple(MOOR_ACT_JOIN, MOOR_PHASE_INSTALLED);
        return !own_way;
    case MOOR_COMPANY_UPDATING: /* moor_plan() has seen to it */
    case MOOR_COMPANY_NONE:
        break;
    }
    return false;
}

/* Another version than the one that is there is wanted. */
static bool plan_version(const struct moor_item *i, const char *version, struct moor_step *out)
{
    bool other = *i->version && strcmp(i->version, version) != 0;
    if (!is_update(i->phase)) {
        if (!other || !on_disk(i->phase))
            return false;
        if (old_is_spare(i))
            *out = (struct moor_step){ MOOR_ACT_REMOVE, 0, true, false, i->phase };
        else if (i->phase == MOOR_PHASE_UNPACKED) /* never installed: just replaced */
            *out = simple(MOOR_ACT_REMOVE, MOOR_PHASE_ABSENT);
        else
            *out = simple(MOOR_ACT_FETCH, MOOR_PHASE_UPDATE_UNPACKED);
        return true;
    }
    /* A third version is wanted, the old one again, or the same after a failure: an update that is
     * not through is undone, so that it is done whole and does not stand in the way of its
     * mending. */
    if (!i->redo && (!other || i->phase == MOOR_PHASE_UPDATE_DONE))
        return false;
    *out = to_last_good[i->phase];
    if (i->phase == MOOR_PHASE_UPDATE_DONE)
        out->next = MOOR_PHASE_INSTALLED;
    return true;
}

static void plan_enabled(const struct moor_item *i, const char *version,
                         const struct moor_plan_facts *facts, struct moor_step *out)
{
    if (plan_company(i, version, facts, out) || plan_version(i, version, out))
        return;
    *out = to_enabled[i->phase];
    if (i->phase == MOOR_PHASE_UPDATE_DONE && !facts->update_installs)
        out->next = MOOR_PHASE_INSTALLED;
    /* Towards a lower version it is the old handler that updates. */
    if (i->phase == MOOR_PHASE_UPDATE_COPIED)
        out->old = moor_version_cmp(moor_span_str(i->version), moor_span_str(i->old_version)) < 0;
    if (i->phase == MOOR_PHASE_UPDATE_UNPACKED || i->phase == MOOR_PHASE_UPDATE_DONE)
        out->may_fail = facts->continues;
    if (out->action == MOOR_ACT_RUN && settings_missing(i))
        *out = simple(MOOR_ACT_SETTINGS, i->phase);
    else if (i->phase == MOOR_PHASE_ENABLED && i->enabled_seq == (int64_t)i->seq && !facts->fresh)
        *out = old_is_spare(i) && i->outcome == MOOR_OUTCOME_SUCCEEDED
                   ? (struct moor_step){ MOOR_ACT_REMOVE, 0, true, false, i->phase }
                   : simple(MOOR_ACT_NOTHING, i->phase);
}

static void plan_gone(const struct moor_item *i, const struct moor_plan_facts *facts,
                      struct moor_step *out)
{
    *out = to_gone[i->phase];
    if (old_is_spare(i))
        *out = (struct moor_step){ MOOR_ACT_REMOVE, 0, true, false, i->phase };
    else if (facts->shared && is_update(i->phase)) /* the others stay with what they have */
        *out =
            simple(MOOR_ACT_REVERT, i->phase == MOOR_PHASE_UPDATE_UNPACKED ? MOOR_PHASE_ENABLED
                                                                           : MOOR_PHASE_INSTALLED);
    else if (facts->shared && (i->phase == MOOR_PHASE_UNPACKED || i->phase == MOOR_PHASE_INSTALLED))
        *out = simple(MOOR_ACT_LEAVE, MOOR_PHASE_UNINSTALLED);
    if (i->multi && out->verb == MOOR_VERB_DISABLE)
        out->may_fail = true; /* as the contract has it for one instance of several */
}

const char *moor_plan_version(const struct moor_item *i, const struct moor_desired_extension *goal)
{
    bool held = *i->held_version && strcmp(i->held_version, goal->version) == 0 && *i->version;
    return held && !is_update(i->phase) ? i->version : goal->version;
}

moor_policy_verb moor_plan_verb(const struct moor_item *i,
                                const struct moor_desired_extension *goal)
{
    bool other = *i->old_version || strcmp(i->version, moor_plan_version(i, goal)) != 0;
    bool new_here =
        i->phase == MOOR_PHASE_UNPACKED || (i->phase == MOOR_PHASE_INSTALLED && i->enabled_seq < 0);
    /* Something was given to an old version on the way to this one. */
    bool updated = i->disable_exit != MOOR_EXIT_NOT_RUN || i->uninstall_exit != MOOR_EXIT_NOT_RUN;
    if (goal->state == MOOR_DESIRED_UNINSTALL)
        return MOOR_POLICY_UNINSTALL;
    if (!on_disk(i->phase) || (i->phase == MOOR_PHASE_UNPACKED && !updated))
        return MOOR_POLICY_INSTALL;
    if (is_update(i->phase) || other || (new_here && updated))
        return MOOR_POLICY_UPDATE;
    if (new_here)
        return MOOR_POLICY_INSTALL;
    return i->enabled_seq == (int64_t)i->seq ? MOOR_POLICY_ENABLE : MOOR_POLICY_CONFIGURE;
}

void moor_plan(const struct moor_item *i, const struct moor_desired_extension *goal,
               const struct moor_plan_facts *facts, struct moor_step *out)
{
    *out = simple(MOOR_ACT_NOTHING, i->phase);
    if (i->running.on)
        return;
    if (facts->company == MOOR_COMPANY_UPDATING && i->phase == MOOR_PHASE_ENABLED) {
        *out = (struct moor_step){ MOOR_ACT_RUN, MOOR_VERB_DISABLE, false, true,
                                   MOOR_PHASE_INSTALLED };
        return;
    }
    if (!goal || i->outcome == MOOR_OUTCOME_FAILED)
        return;
    if (goal->state == MOOR_DESIRED_UNINSTALL)
        plan_gone(i, facts, out);
    else if (i->going_back)
        *out = to_last_good[i->phase];
    else
        plan_enabled(i, moor_plan_version(i, goal), facts, out);
}

/* How one other instance stands to an item; the greatest of all counts. */
static moor_company company_of(const struct moor_item *other, const struct moor_item *i,
                               const char *wanted)
{
    bool failed = other->outcome == MOOR_OUTCOME_FAILED;
    bool wanted_there = strcmp(other->version, wanted) == 0;
    switch (other->phase) {
    case MOOR_PHASE_UNPACKED: /* one that cannot be installed is no reason not to try */
        return failed ? MOOR_COMPANY_NONE : MOOR_COMPANY_ON_WAY;
    case MOOR_PHASE_INSTALLED:
    case MOOR_PHASE_ENABLED:
        if (is_update(i->phase))
            return other->phase == MOOR_PHASE_ENABLED && strcmp(other->version, i->old_version) == 0
                       ? MOOR_COMPANY_BEHIND
                       : MOOR_COMPANY_NONE;
        return wanted_there ? MOOR_COMPANY_THERE : MOOR_COMPANY_NONE;
    case MOOR_PHASE_UPDATE_UNPACKED:
    case MOOR_PHASE_UPDATE_DISABLED:
    case MOOR_PHASE_UPDATE_COPIED:
    case MOOR_PHASE_UPDATE_DONE:
        if (i->phase == MOOR_PHASE_ENABLED && strcmp(i->version, other->old_version) == 0 &&
            other->phase <= MOOR_PHASE_UPDATE_DISABLED && !failed)
            return MOOR_COMPANY_UPDATING;
        return failed ? MOOR_COMPANY_STUCK : MOOR_COMPANY_ON_WAY;
    case MOOR_PHASE_ABSENT:
    case MOOR_PHASE_UNINSTALLED:
    case MOOR_PHASE_COUNT_:
        break;
    }
    return MOOR_COMPANY_NONE;
}

void moor_plan_look_around(const struct moor_items *all, const struct moor_item *i,
                           const char *wanted_version, struct moor_plan_facts *facts)
{
    facts->shared = false;
    facts->company = MOOR_COMPANY_NONE;
    for (size_t n = 0; n < all->count; n++) {
        const struct moor_item *other = all->list[n];
        if (other == i || !moor_item_same_handler(other, i) || !other->multi)
            continue;
        moor_company c = company_of(other, i, wanted_version);
        if (c > facts->company)
            facts->company = c;
        if (on_disk(other->phase) && other->phase != MOOR_PHASE_UNPACKED)
            facts->shared = true;
    }
}

static void add_part(struct moor_buf *b, const char *s)
{
    moor_buf_fmt(b, "%zu:", s ? strlen(s) : 0);
    moor_buf_str(b, s ? s : "");
}

static moor_code digest(struct moor_buf *text, char out[2 * MOOR_SHA256_LEN + 1],
                        struct moor_error *err)
{
    moor_code c = moor_buf_ok(text, "settings", err);
    if (c == MOOR_OK)
        moor_sha256_hex(moor_buf_view(text), out);
    return c;
}

/* The service chose a newer version by itself: nothing else about the extension was PUT. */
static bool is_automatic(const struct moor_item *i, const struct moor_desired_extension *goal)
{
    return goal->enable_automatic_upgrade && !i->multi && *i->goal &&
           i->service_seq == goal->settings_seq_no && *i->version &&
           strcmp(i->version, goal->version) != 0;
}

moor_code moor_plan_take_goal(struct moor_item *i, const struct moor_desired_extension *goal,
                              bool *changed, struct moor_error *err)
{
    char settings[2 * MOOR_SHA256_LEN + 1], whole[2 * MOOR_SHA256_LEN + 1];
    MOOR_AUTO(moor_buf) text = MOOR_BUF(8 * 1024 * 1024);
    add_part(&text, goal->public_settings);
    add_part(&text, goal->protected_settings);
    add_part(&text, goal->force_update_tag);
    moor_code c = digest(&text, settings, err);
    if (c != MOOR_OK)
        return c;
    moor_buf_reset(&text);
    add_part(&text, settings);
    add_part(&text, goal->version);
    add_part(&text, goal->state == MOOR_DESIRED_UNINSTALL ? "uninstall" : "enabled");
    /* A package that was refused is tried again when the service offers another one. */
    add_part(&text, goal->package.sha256);
    add_part(&text, goal->bad);
    c = digest(&text, whole, err);
    if (c != MOOR_OK)
        return c;
    bool settings_changed = strcmp(i->settings_digest, settings) != 0;
    *changed = strcmp(i->goal, whole) != 0 || i->service_seq != goal->settings_seq_no;
    if (!*changed)
        return MOOR_OK;
    bool first = !*i->settings_digest;
    i->automatic = is_automatic(i, goal);
    i->redo = is_update(i->phase) && i->outcome == MOOR_OUTCOME_FAILED;
    i->going_back = false;
    i->held_version[0] = 0;
    i->held_count = 0;
    c = moor_item_set(&i->goal, whole, err);
    if (c == MOOR_OK)
        c = moor_item_set(&i->settings_digest, settings, err);
    if (c != MOOR_OK)
        return c;
    if (settings_changed && !first)
        i->seq++;
    i->service_seq = goal->settings_seq_no;
    i->waiting_since_ms = 0;
    i->status[0] = 0; /* it answered what was asked before */
    moor_item_settle(i, MOOR_OUTCOME_GOING_ON, "", 0, "");
    return MOOR_OK;
}

moor_item_outcome moor_plan_dependencies(const struct moor_items *all,
                                         const struct moor_desired_extension *goal,
                                         const char **name)
{
    for (size_t n = 0; n < goal->depends_on.count; n++) {
        const struct moor_item *i = moor_items_find(all, goal->depends_on.items[n]);
        *name = goal->depends_on.items[n];
        if (!i || i->outcome == MOOR_OUTCOME_GOING_ON)
            return MOOR_OUTCOME_GOING_ON;
        if (i->outcome == MOOR_OUTCOME_FAILED)
            return MOOR_OUTCOME_FAILED;
    }
    return MOOR_OUTCOME_SUCCEEDED;
}

bool moor_plan_go_back(struct moor_item *i, const struct moor_desired_extension *goal,
                       int64_t now_ms, const char *reason)
{
    if (!i->automatic || i->going_back || !*i->old_version || goal->state == MOOR_DESIRED_UNINSTALL)
        return false;
    if (moor_item_set(&i->held_version, i->version, NULL) != MOOR_OK ||
        moor_item_set(&i->held_reason, reason, NULL) != MOOR_OK)
        return false;
    i->going_back = true;
    i->held_count++;
    i->held_until_ms = now_ms + HELD_MS;
    return true;
}

static bool names(const struct moor_str_list *list, const char *name)
{
    for (size_t n = 0; n < list->count; n++) {
        if (moor_strcasecmp(list->items[n], name) == 0)
            return true;
    }
    return false;
}

bool moor_plan_needed(const struct moor_items *all, const struct moor_desired *d,
                      const struct moor_desired_extension *goal)
{
    for (size_t n = 0; n < d->extension_count; n++) {
        const struct moor_desired_extension *e = &d->extensions[n];
        const struct moor_item *i = moor_items_find(all, e->name);
        if (e->state == MOOR_DESIRED_UNINSTALL && i && on_disk(i->phase) &&
            i->outcome != MOOR_OUTCOME_FAILED && names(&e->depends_on, goal->name))
            return true;
    }
    return false;
}
