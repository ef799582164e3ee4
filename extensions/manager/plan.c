/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/plan.h"

#include "base/buf.h"
#include "base/sha256.h"

#include <string.h>

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
    [MOOR_PHASE_UPDATE_DONE] = { MOOR_ACT_RUN, MOOR_VERB_UNINSTALL, true, true,
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

static bool is_update(moor_item_phase p)
{
    return p >= MOOR_PHASE_UPDATE_UNPACKED && p <= MOOR_PHASE_UPDATE_DONE;
}

static bool settings_missing(const struct moor_item *i)
{
    return i->settings_seq != (int64_t)i->seq;
}

static void plan_enabled(const struct moor_item *i, const struct moor_desired_extension *goal,
                         const struct moor_plan_facts *facts, struct moor_step *out)
{
    bool other_version = *i->version && strcmp(i->version, goal->version) != 0;
    *out = to_enabled[i->phase];
    if (!is_update(i->phase) && other_version && i->phase != MOOR_PHASE_ABSENT) {
        /* A version that never was installed is just replaced. */
        if (i->phase == MOOR_PHASE_UNPACKED)
            *out = (struct moor_step){ MOOR_ACT_REMOVE, 0, false, false, MOOR_PHASE_ABSENT };
        else
            *out =
                (struct moor_step){ MOOR_ACT_FETCH, 0, false, false, MOOR_PHASE_UPDATE_UNPACKED };
        return;
    }
    /* A third version is wanted, or the old one again: an update that is not through is undone,
     * so that a version that cannot be updated to does not stand in the way of its mending. */
    if (is_update(i->phase) && other_version && i->phase != MOOR_PHASE_UPDATE_DONE) {
        moor_item_phase back =
            i->phase == MOOR_PHASE_UPDATE_UNPACKED ? MOOR_PHASE_ENABLED : MOOR_PHASE_INSTALLED;
        *out = (struct moor_step){ MOOR_ACT_REVERT, 0, false, false, back };
        return;
    }
    if (i->phase == MOOR_PHASE_UPDATE_DONE && !facts->update_installs)
        out->next = MOOR_PHASE_INSTALLED;
    if (out->action == MOOR_ACT_RUN && settings_missing(i)) {
        *out = (struct moor_step){ MOOR_ACT_SETTINGS, 0, false, false, i->phase };
        return;
    }
    if (i->phase == MOOR_PHASE_ENABLED && i->enabled_seq == (int64_t)i->seq && !facts->fresh)
        *out = (struct moor_step){ MOOR_ACT_NOTHING, 0, false, false, i->phase };
}

void moor_plan(const struct moor_item *i, const struct moor_desired_extension *goal,
               const struct moor_plan_facts *facts, struct moor_step *out)
{
    *out = (struct moor_step){ MOOR_ACT_NOTHING, 0, false, false, i->phase };
    if (!goal || i->outcome == MOOR_OUTCOME_FAILED || i->running.pid)
        return;
    if (goal->state == MOOR_DESIRED_UNINSTALL)
        *out = to_gone[i->phase];
    else
        plan_enabled(i, goal, facts, out);
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
