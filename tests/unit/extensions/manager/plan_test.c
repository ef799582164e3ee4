/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/plan.h"

#include "check.h"

#include <stdlib.h>

typedef enum wish { SAME, OTHER, GONE } wish;

static struct moor_item *make_item(moor_item_phase phase)
{
    struct moor_item *i = NULL;
    moor_code c = moor_item_new("ext", "P", "T", &i, NULL);
    MOOR_ASSERT(c == MOOR_OK);
    bool update = phase >= MOOR_PHASE_UPDATE_UNPACKED && phase <= MOOR_PHASE_UPDATE_DONE;
    bool there = phase != MOOR_PHASE_ABSENT && phase != MOOR_PHASE_UNINSTALLED;
    c = moor_item_set(&i->version, there ? "1.0" : "", NULL);
    MOOR_ASSERT(c == MOOR_OK);
    c = moor_item_set(&i->old_version, update ? "0.9" : "", NULL);
    MOOR_ASSERT(c == MOOR_OK);
    i->phase = phase;
    i->seq = 3;
    i->settings_seq = 3;
    i->enabled_seq = 3;
    return i;
}

static struct moor_desired_extension make_goal(wish w)
{
    return (struct moor_desired_extension){
        .name = "ext",
        .publisher = "P",
        .type = "T",
        .version = w == OTHER ? "2.0" : "1.0",
        .state = w == GONE ? MOOR_DESIRED_UNINSTALL : MOOR_DESIRED_ENABLED,
    };
}

static const struct moor_plan_facts usual = { .update_installs = true, .fresh = false };

#define NONE    MOOR_ACT_NOTHING, 0, 0, 0
#define FETCH   MOOR_ACT_FETCH, 0, 0, 0
#define REMOVE  MOOR_ACT_REMOVE, 0, 0, 0
#define REVERT  MOOR_ACT_REVERT, 0, 0, 0
#define ADVANCE MOOR_ACT_ADVANCE, 0, 0, 0
#define COPY    MOOR_ACT_COPY, 0, 0, 0
#define RUN(v)  MOOR_ACT_RUN, MOOR_VERB_##v

static const struct {
    moor_item_phase phase;
    wish wish;
    moor_action action;
    moor_handler_verb verb;
    bool old, may_fail;
    moor_item_phase next;
} table[] = {
    { MOOR_PHASE_ABSENT, SAME, FETCH, MOOR_PHASE_UNPACKED },
    { MOOR_PHASE_ABSENT, OTHER, FETCH, MOOR_PHASE_UNPACKED },
    { MOOR_PHASE_ABSENT, GONE, ADVANCE, MOOR_PHASE_UNINSTALLED },
    { MOOR_PHASE_UNPACKED, SAME, RUN(INSTALL), 0, 0, MOOR_PHASE_INSTALLED },
    { MOOR_PHASE_UNPACKED, OTHER, REMOVE, MOOR_PHASE_ABSENT },
    { MOOR_PHASE_UNPACKED, GONE, REMOVE, MOOR_PHASE_UNINSTALLED },
    { MOOR_PHASE_INSTALLED, SAME, RUN(ENABLE), 0, 0, MOOR_PHASE_ENABLED },
    { MOOR_PHASE_INSTALLED, OTHER, FETCH, MOOR_PHASE_UPDATE_UNPACKED },
    { MOOR_PHASE_INSTALLED, GONE, RUN(UNINSTALL), 0, 1, MOOR_PHASE_UNPACKED },
    { MOOR_PHASE_ENABLED, SAME, NONE, MOOR_PHASE_ENABLED },
    { MOOR_PHASE_ENABLED, OTHER, FETCH, MOOR_PHASE_UPDATE_UNPACKED },
    { MOOR_PHASE_ENABLED, GONE, RUN(DISABLE), 0, 0, MOOR_PHASE_INSTALLED },
    { MOOR_PHASE_UPDATE_UNPACKED, SAME, RUN(DISABLE), 1, 0, MOOR_PHASE_UPDATE_DISABLED },
    { MOOR_PHASE_UPDATE_UNPACKED, OTHER, REVERT, MOOR_PHASE_ENABLED },
    { MOOR_PHASE_UPDATE_UNPACKED, GONE, RUN(DISABLE), 1, 1, MOOR_PHASE_UPDATE_DISABLED },
    { MOOR_PHASE_UPDATE_DISABLED, SAME, COPY, MOOR_PHASE_UPDATE_COPIED },
    { MOOR_PHASE_UPDATE_DISABLED, OTHER, REVERT, MOOR_PHASE_INSTALLED },
    { MOOR_PHASE_UPDATE_DISABLED, GONE, RUN(UNINSTALL), 1, 1, MOOR_PHASE_UNPACKED },
    { MOOR_PHASE_UPDATE_COPIED, SAME, RUN(UPDATE), 0, 0, MOOR_PHASE_UPDATE_DONE },
    { MOOR_PHASE_UPDATE_COPIED, OTHER, REVERT, MOOR_PHASE_INSTALLED },
    { MOOR_PHASE_UPDATE_COPIED, GONE, RUN(UNINSTALL), 1, 1, MOOR_PHASE_UNPACKED },
    { MOOR_PHASE_UPDATE_DONE, SAME, RUN(UNINSTALL), 1, 0, MOOR_PHASE_UNPACKED },
    { MOOR_PHASE_UPDATE_DONE, OTHER, RUN(UNINSTALL), 1, 0, MOOR_PHASE_UNPACKED },
    { MOOR_PHASE_UPDATE_DONE, GONE, RUN(UNINSTALL), 1, 1, MOOR_PHASE_INSTALLED },
    { MOOR_PHASE_UNINSTALLED, SAME, ADVANCE, MOOR_PHASE_ABSENT },
    { MOOR_PHASE_UNINSTALLED, OTHER, ADVANCE, MOOR_PHASE_ABSENT },
    { MOOR_PHASE_UNINSTALLED, GONE, NONE, MOOR_PHASE_UNINSTALLED },
};

static void set(char **field, const char *value)
{
    moor_code c = moor_item_set(field, value, NULL);
    MOOR_ASSERT(c == MOOR_OK);
}

/* What carrying the step out would make of the item. */
static void pretend(struct moor_item *i, const struct moor_desired_extension *goal,
                    const struct moor_step *step)
{
    bool installed = i->phase == MOOR_PHASE_INSTALLED || i->phase == MOOR_PHASE_ENABLED;
    if (step->action == MOOR_ACT_SETTINGS)
        i->settings_seq = i->seq;
    if (step->action == MOOR_ACT_RUN && step->verb == MOOR_VERB_ENABLE)
        i->enabled_seq = i->seq;
    if (step->action == MOOR_ACT_FETCH && installed)
        set(&i->old_version, i->version);
    if (step->action == MOOR_ACT_FETCH)
        set(&i->version, goal->version);
    if (step->action == MOOR_ACT_REVERT) {
        set(&i->version, i->old_version);
        i->redo = i->going_back = i->automatic = false;
    }
    if (step->action == MOOR_ACT_REVERT || step->action == MOOR_ACT_FETCH)
        i->settings_seq = i->enabled_seq = -1;
    bool old_goes = step->old && (step->action == MOOR_ACT_REMOVE ||
                                  (step->verb == MOOR_VERB_UNINSTALL && !i->automatic));
    if (step->action == MOOR_ACT_REVERT || old_goes)
        i->old_version[0] = 0;
    i->phase = step->next;
}

static void every_phase_has_a_step_for_every_goal(void)
{
    CHECK_INT(MOOR_COUNTOF(table), MOOR_PHASE_COUNT_ * 3);
    for (size_t n = 0; n < MOOR_COUNTOF(table); n++) {
        MOOR_AUTOPTR(moor_item) i = make_item(table[n].phase);
        struct moor_desired_extension goal = make_goal(table[n].wish);
        struct moor_step step;
        moor_plan(i, &goal, &usual, &step);
        if (!CHECK_INT(step.action, table[n].action) || !CHECK_INT(step.next, table[n].next) ||
            !CHECK_INT(step.verb, table[n].verb) || !CHECK_INT(step.old, table[n].old) ||
            !CHECK_INT(step.may_fail, table[n].may_fail))
            printf("# row %zu: %s\n", n, moor_phase_name(table[n].phase));
    }
}

static void nothing_is_done_for_the_failed_the_running_and_the_unlisted(void)
{
    for (int phase = 0; phase < MOOR_PHASE_COUNT_; phase++) {
        MOOR_AUTOPTR(moor_item) i = make_item((moor_item_phase)phase);
        struct moor_desired_extension goal = make_goal(OTHER);
        struct moor_step step;
        i->outcome = MOOR_OUTCOME_FAILED;
        moor_plan(i, &goal, &usual, &step);
        CHECK_INT(step.action, MOOR_ACT_NOTHING);
        i->outcome = MOOR_OUTCOME_GOING_ON;
        i->running.on = true;
        moor_plan(i, &goal, &usual, &step);
        CHECK_INT(step.action, MOOR_ACT_NOTHING);
        i->running.on = false;
        moor_plan(i, NULL, &usual, &step);
        CHECK_INT(step.action, MOOR_ACT_NOTHING);
    }
}

static void settings_are_written_before_any_command_of_the_wanted_version(void)
{
    static const moor_item_phase phases[] = {
        MOOR_PHASE_UNPACKED,        MOOR_PHASE_INSTALLED,     MOOR_PHASE_ENABLED,
        MOOR_PHASE_UPDATE_UNPACKED, MOOR_PHASE_UPDATE_COPIED, MOOR_PHASE_UPDATE_DONE,
    };
    for (size_t n = 0; n < MOOR_COUNTOF(phases); n++) {
        MOOR_AUTOPTR(moor_item) i = make_item(phases[n]);
        struct moor_desired_extension goal = make_goal(SAME);
        struct moor_step step;
        i->settings_seq = 2;
        moor_plan(i, &goal, &usual, &step);
        CHECK_INT(step.action, MOOR_ACT_SETTINGS);
        CHECK_INT(step.next, phases[n]);
    }
}

static void an_enabled_handler_is_enabled_for_new_numbers_and_by_a_new_manager(void)
{
    MOOR_AUTOPTR(moor_item) i = make_item(MOOR_PHASE_ENABLED);
    struct moor_desired_extension goal = make_goal(SAME);
    const struct moor_plan_facts fresh = { .update_installs = true, .fresh = true };
    struct moor_step step;
    moor_plan(i, &goal, &fresh, &step);
    CHECK_INT(step.action, MOOR_ACT_RUN);
    CHECK_INT(step.verb, MOOR_VERB_ENABLE);
    i->enabled_seq = 2;
    moor_plan(i, &goal, &usual, &step);
    CHECK_INT(step.action, MOOR_ACT_RUN);
    CHECK_INT(step.verb, MOOR_VERB_ENABLE);
}

static void towards_a_lower_version_the_old_handler_updates(void)
{
    static const struct {
        const char *from;
        bool old;
    } rows[] = { { "0.9", false }, { "1.1", true }, { "0.10", false }, { "10.0", true } };
    for (size_t n = 0; n < MOOR_COUNTOF(rows); n++) {
        MOOR_AUTOPTR(moor_item) i = make_item(MOOR_PHASE_UPDATE_COPIED);
        struct moor_desired_extension goal = make_goal(SAME);
        struct moor_step step;
        CHECK_INT(moor_item_set(&i->old_version, rows[n].from, NULL), MOOR_OK);
        moor_plan(i, &goal, &usual, &step);
        CHECK_INT(step.verb, MOOR_VERB_UPDATE);
        CHECK_INT(step.old, rows[n].old);
    }
}

static void failures_of_the_old_version_stop_an_update_unless_the_new_one_says_otherwise(void)
{
    static const moor_item_phase phases[] = { MOOR_PHASE_UPDATE_UNPACKED, MOOR_PHASE_UPDATE_DONE };
    for (size_t n = 0; n < 2 * MOOR_COUNTOF(phases); n++) {
        const struct moor_plan_facts facts = { .update_installs = true, .continues = n % 2 };
        MOOR_AUTOPTR(moor_item) i = make_item(phases[n / 2]);
        struct moor_desired_extension goal = make_goal(SAME);
        struct moor_step step;
        moor_plan(i, &goal, &facts, &step);
        CHECK(step.old);
        CHECK_INT(step.may_fail, n % 2);
    }
}

static void an_update_that_failed_is_done_again_from_its_start(void)
{
    for (int p = MOOR_PHASE_UPDATE_UNPACKED; p <= MOOR_PHASE_UPDATE_DONE; p++) {
        MOOR_AUTOPTR(moor_item) i = make_item((moor_item_phase)p);
        struct moor_desired_extension goal = make_goal(SAME);
        struct moor_step step;
        bool changed = false;
        CHECK_INT(moor_plan_take_goal(i, &goal, &changed, NULL), MOOR_OK);
        moor_item_settle(i, MOOR_OUTCOME_FAILED, "HandlerCommandFailed", 1, "no");
        goal.force_update_tag = "again";
        CHECK_INT(moor_plan_take_goal(i, &goal, &changed, NULL), MOOR_OK);
        moor_plan(i, &goal, &usual, &step);
        CHECK_INT(step.action, MOOR_ACT_REVERT);
        CHECK_INT(step.next,
                  p == MOOR_PHASE_UPDATE_UNPACKED ? MOOR_PHASE_ENABLED : MOOR_PHASE_INSTALLED);
    }
}

/* The version changed and nothing was PUT: the service upgrades by itself. */
static void an_automatic_update_that_fails_is_taken_back_twice_and_held(void)
{
    MOOR_AUTOPTR(moor_item) i = make_item(MOOR_PHASE_ENABLED);
    struct moor_desired_extension goal = make_goal(SAME);
    bool changed = false;
    goal.enable_automatic_upgrade = true;
    CHECK_INT(moor_plan_take_goal(i, &goal, &changed, NULL), MOOR_OK);
    CHECK(!i->automatic);
    goal.version = "2.0";
    CHECK_INT(moor_plan_take_goal(i, &goal, &changed, NULL), MOOR_OK);
    CHECK(i->automatic);
    for (uint32_t round = 1; round <= 2; round++) {
        struct moor_step step;
        set(&i->old_version, "1.0");
        set(&i->version, "2.0");
        i->phase = MOOR_PHASE_ENABLED; /* enable ran, and its status says error */
        i->automatic = true;
        CHECK(moor_plan_go_back(i, &goal, 1000, "no good"));
        CHECK_INT(i->held_count, round);
        CHECK_STR(i->held_version, "2.0");
        int steps = 0;
        for (moor_plan(i, &goal, &usual, &step); step.action != MOOR_ACT_NOTHING && steps < 20;
             moor_plan(i, &goal, &usual, &step), steps++)
            pretend(i, &goal, &step);
        CHECK_STR(i->version, "1.0");
        CHECK_INT(i->phase, MOOR_PHASE_ENABLED);
        CHECK(!moor_plan_go_back(i, &goal, 1000, "no good")); /* not an update's failure any more */
        i->held_version[0] = 0;
    }
}

static struct moor_item *add_instance(struct moor_items *all, const char *name,
                                      moor_item_phase phase, const char *version)
{
    struct moor_item *i = NULL;
    moor_code c = moor_item_new(name, "P", "T", &i, NULL);
    if (c == MOOR_OK)
        c = moor_item_set(&i->version, version, NULL);
    if (c == MOOR_OK)
        c = moor_items_add(all, i, NULL);
    MOOR_ASSERT(c == MOOR_OK);
    i->phase = phase;
    i->multi = phase != MOOR_PHASE_ABSENT;
    i->settings_seq = i->enabled_seq = 0;
    return i;
}

static struct moor_step step_of(const struct moor_items *all, const struct moor_item *i, wish w)
{
    struct moor_plan_facts facts = usual;
    struct moor_desired_extension goal = make_goal(w);
    struct moor_step step;
    moor_plan_look_around(all, i, goal.version, &facts);
    moor_plan(i, &goal, &facts, &step);
    return step;
}

static void instances_share_one_handler(void)
{
    MOOR_AUTO(moor_items) all = { .count = 0 };
    struct moor_item *a = add_instance(&all, "a", MOOR_PHASE_UNPACKED, "1.0");
    struct moor_item *b = add_instance(&all, "b", MOOR_PHASE_ABSENT, "");
    CHECK_INT(step_of(&all, b, SAME).action, MOOR_ACT_NOTHING); /* a installs it for both */
    a->phase = MOOR_PHASE_INSTALLED;
    CHECK_INT(step_of(&all, b, SAME).action, MOOR_ACT_JOIN);
    b->phase = MOOR_PHASE_ENABLED;
    b->multi = true;
    set(&b->version, "1.0");
    a->phase = MOOR_PHASE_ENABLED;
    /* The first to go leaves, the last takes the handler with it. */
    a->phase = MOOR_PHASE_INSTALLED;
    CHECK_INT(step_of(&all, a, GONE).action, MOOR_ACT_LEAVE);
    a->phase = MOOR_PHASE_UNINSTALLED;
    b->phase = MOOR_PHASE_INSTALLED;
    CHECK_INT(step_of(&all, b, GONE).verb, MOOR_VERB_UNINSTALL);
}

static void every_enabled_instance_is_disabled_before_the_handler_is_updated(void)
{
    MOOR_AUTO(moor_items) all = { .count = 0 };
    struct moor_item *a = add_instance(&all, "a", MOOR_PHASE_UPDATE_DISABLED, "2.0");
    struct moor_item *b = add_instance(&all, "b", MOOR_PHASE_ENABLED, "1.0");
    struct moor_item *c = add_instance(&all, "c", MOOR_PHASE_INSTALLED, "1.0");
    set(&a->old_version, "1.0");
    moor_item_settle(b, MOOR_OUTCOME_FAILED, "HandlerCommandFailed", 1, "its own failure");
    CHECK_INT(step_of(&all, a, OTHER).action, MOOR_ACT_NOTHING);
    struct moor_step step = step_of(&all, b, OTHER);
    CHECK_INT(step.action, MOOR_ACT_RUN);
    CHECK_INT(step.verb, MOOR_VERB_DISABLE);
    b->phase = MOOR_PHASE_INSTALLED;
    CHECK_INT(step_of(&all, a, OTHER).action, MOOR_ACT_COPY);
    CHECK_INT(step_of(&all, c, OTHER).action, MOOR_ACT_NOTHING);
    a->phase = MOOR_PHASE_ENABLED;
    CHECK_INT(step_of(&all, c, OTHER).action, MOOR_ACT_JOIN);
    moor_item_settle(a, MOOR_OUTCOME_FAILED, "HandlerCommandFailed", 1, "no update");
    a->phase = MOOR_PHASE_UPDATE_COPIED;
    CHECK_INT(step_of(&all, c, OTHER).action, MOOR_ACT_GIVE_UP);
}

static void an_update_without_install_goes_on_to_enable(void)
{
    MOOR_AUTOPTR(moor_item) i = make_item(MOOR_PHASE_UPDATE_DONE);
    struct moor_desired_extension goal = make_goal(SAME);
    const struct moor_plan_facts facts = { .update_installs = false };
    struct moor_step step;
    moor_plan(i, &goal, &facts, &step);
    CHECK_INT(step.verb, MOOR_VERB_UNINSTALL);
    CHECK_INT(step.next, MOOR_PHASE_INSTALLED);
}

/* Every sequence of steps that succeed ends, and ends where the goal is. */
static void steps_lead_to_the_goal(void)
{
    for (size_t n = 0; n < MOOR_COUNTOF(table); n++) {
        MOOR_AUTOPTR(moor_item) i = make_item(table[n].phase);
        struct moor_desired_extension goal = make_goal(table[n].wish);
        struct moor_step step;
        int steps = 0;
        for (moor_plan(i, &goal, &usual, &step); step.action != MOOR_ACT_NOTHING && steps < 20;
             moor_plan(i, &goal, &usual, &step), steps++) {
            pretend(i, &goal, &step);
        }
        CHECK(steps < 20);
        CHECK_INT(i->phase, table[n].wish == GONE ? MOOR_PHASE_UNINSTALLED : MOOR_PHASE_ENABLED);
        if (table[n].wish != GONE)
            CHECK_STR(i->version, goal.version);
    }
}

static bool take(struct moor_item *i, const struct moor_desired_extension *goal)
{
    bool changed = false;
    CHECK_INT(moor_plan_take_goal(i, goal, &changed, NULL), MOOR_OK);
    return changed;
}

static void the_number_goes_up_when_settings_change_and_never_otherwise(void)
{
    MOOR_AUTOPTR(moor_item) i = NULL;
    struct moor_desired_extension goal = make_goal(SAME);
    CHECK_INT(moor_item_new("ext", "P", "T", &i, NULL), MOOR_OK);
    goal.public_settings = "{\"a\":1}";
    CHECK(take(i, &goal));
    CHECK_INT(i->seq, 0);
    CHECK(!take(i, &goal));
    goal.settings_seq_no = 9; /* the service's own number is for reports only */
    CHECK(take(i, &goal));
    CHECK_INT(i->service_seq, 9);
    CHECK_INT(i->seq, 0);
    goal.version = "7.0";
    goal.package.sha256 = "ab";
    CHECK(take(i, &goal));
    CHECK_INT(i->seq, 0);
    goal.public_settings = "{\"a\":2}";
    CHECK(take(i, &goal));
    CHECK_INT(i->seq, 1);
    goal.protected_settings = "MII";
    CHECK(take(i, &goal));
    CHECK_INT(i->seq, 2);
    goal.force_update_tag = "again";
    CHECK(take(i, &goal));
    CHECK_INT(i->seq, 3);
    goal.public_settings = "{\"a\":1}";
    goal.protected_settings = NULL;
    goal.force_update_tag = NULL;
    CHECK(take(i, &goal));
    CHECK_INT(i->seq, 4);
}

/* What stands in one part must not be taken for the end of the part before it. */
static void parts_of_settings_do_not_run_into_each_other(void)
{
    MOOR_AUTOPTR(moor_item) i = NULL;
    struct moor_desired_extension goal = make_goal(SAME);
    CHECK_INT(moor_item_new("ext", "P", "T", &i, NULL), MOOR_OK);
    goal.protected_settings = "AB";
    goal.force_update_tag = "C";
    CHECK(take(i, &goal));
    goal.protected_settings = "A";
    goal.force_update_tag = "BC";
    CHECK(take(i, &goal));
    CHECK_INT(i->seq, 1);
}

static void a_new_goal_gives_another_try(void)
{
    MOOR_AUTOPTR(moor_item) i = make_item(MOOR_PHASE_UNPACKED);
    struct moor_desired_extension goal = make_goal(SAME);
    CHECK(take(i, &goal));
    moor_item_settle(i, MOOR_OUTCOME_FAILED, "HandlerCommandFailed", 9, "no");
    CHECK_INT(moor_item_set(&i->status, "{}", NULL), MOOR_OK);
    i->waiting_since_ms = 5;
    CHECK(!take(i, &goal));
    CHECK_INT(i->outcome, MOOR_OUTCOME_FAILED);
    goal.state = MOOR_DESIRED_UNINSTALL;
    CHECK(take(i, &goal));
    CHECK_INT(i->outcome, MOOR_OUTCOME_GOING_ON);
    CHECK_STR(i->error_code, "");
    CHECK_STR(i->status, "");
    CHECK_INT(i->waiting_since_ms, 0);
}

static void dependencies_are_waited_for_and_fail_with_their_name(void)
{
    MOOR_AUTO(moor_items) all = { .count = 0 };
    static const char *names[] = { "a", "B" };
    struct moor_desired_extension goal = make_goal(SAME);
    const char *name = "";
    goal.depends_on = (struct moor_str_list){ names, 2 };
    for (size_t n = 0; n < 2; n++) {
        struct moor_item *i = NULL;
        CHECK_INT(moor_item_new(n == 0 ? "a" : "b", "P", "T", &i, NULL), MOOR_OK);
        CHECK_INT(moor_items_add(&all, i, NULL), MOOR_OK);
    }
    CHECK_INT(moor_plan_dependencies(&all, &goal, &name), MOOR_OUTCOME_GOING_ON);
    moor_item_settle(all.list[0], MOOR_OUTCOME_SUCCEEDED, "", 0, "");
    CHECK_INT(moor_plan_dependencies(&all, &goal, &name), MOOR_OUTCOME_GOING_ON);
    CHECK_STR(name, "B");
    moor_item_settle(all.list[1], MOOR_OUTCOME_FAILED, "X", 0, "");
    CHECK_INT(moor_plan_dependencies(&all, &goal, &name), MOOR_OUTCOME_FAILED);
    moor_item_settle(all.list[1], MOOR_OUTCOME_SUCCEEDED, "", 0, "");
    CHECK_INT(moor_plan_dependencies(&all, &goal, &name), MOOR_OUTCOME_SUCCEEDED);
    names[1] = "unknown";
    CHECK_INT(moor_plan_dependencies(&all, &goal, &name), MOOR_OUTCOME_GOING_ON);
}

static void every_step_is_a_verb_to_local_policy(void)
{
    static const struct {
        moor_item_phase phase;
        int64_t enabled_seq;
        moor_policy_verb same, other;
    } rows[] = {
        { MOOR_PHASE_ABSENT, -1, MOOR_POLICY_INSTALL, MOOR_POLICY_INSTALL },
        { MOOR_PHASE_UNINSTALLED, -1, MOOR_POLICY_INSTALL, MOOR_POLICY_INSTALL },
        { MOOR_PHASE_UNPACKED, -1, MOOR_POLICY_INSTALL, MOOR_POLICY_INSTALL },
        { MOOR_PHASE_INSTALLED, -1, MOOR_POLICY_INSTALL, MOOR_POLICY_UPDATE },
        { MOOR_PHASE_INSTALLED, 2, MOOR_POLICY_CONFIGURE, MOOR_POLICY_UPDATE },
        { MOOR_PHASE_ENABLED, 2, MOOR_POLICY_CONFIGURE, MOOR_POLICY_UPDATE },
        { MOOR_PHASE_ENABLED, -1, MOOR_POLICY_CONFIGURE, MOOR_POLICY_UPDATE },
        { MOOR_PHASE_ENABLED, 3, MOOR_POLICY_ENABLE, MOOR_POLICY_UPDATE },
        { MOOR_PHASE_UPDATE_UNPACKED, 3, MOOR_POLICY_UPDATE, MOOR_POLICY_UPDATE },
        { MOOR_PHASE_UPDATE_DONE, 3, MOOR_POLICY_UPDATE, MOOR_POLICY_UPDATE },
    };
    for (size_t n = 0; n < MOOR_COUNTOF(rows); n++) {
        MOOR_AUTOPTR(moor_item) i = make_item(rows[n].phase);
        const struct moor_desired_extension same = make_goal(SAME);
        const struct moor_desired_extension other = make_goal(OTHER);
        const struct moor_desired_extension gone = make_goal(GONE);
        i->enabled_seq = rows[n].enabled_seq;
        CHECK_INT(moor_plan_verb(i, &same), rows[n].same);
        CHECK_INT(moor_plan_verb(i, &other), rows[n].other);
        CHECK_INT(moor_plan_verb(i, &gone), MOOR_POLICY_UNINSTALL);
    }
    MOOR_AUTOPTR(moor_item) updated = make_item(MOOR_PHASE_INSTALLED);
    const struct moor_desired_extension same = make_goal(SAME);
    updated->enabled_seq = -1;
    updated->disable_exit = 0; /* of the old version */
    CHECK_INT(moor_plan_verb(updated, &same), MOOR_POLICY_UPDATE);
    updated->phase = MOOR_PHASE_UNPACKED;
    CHECK_INT(moor_plan_verb(updated, &same), MOOR_POLICY_UPDATE);
}

CHECK_MAIN(CHECK_TEST(every_phase_has_a_step_for_every_goal),
           CHECK_TEST(nothing_is_done_for_the_failed_the_running_and_the_unlisted),
           CHECK_TEST(settings_are_written_before_any_command_of_the_wanted_version),
           CHECK_TEST(an_enabled_handler_is_enabled_for_new_numbers_and_by_a_new_manager),
           CHECK_TEST(an_update_without_install_goes_on_to_enable),
           CHECK_TEST(towards_a_lower_version_the_old_handler_updates),
           CHECK_TEST(failures_of_the_old_version_stop_an_update_unless_the_new_one_says_otherwise),
           CHECK_TEST(an_update_that_failed_is_done_again_from_its_start),
           CHECK_TEST(an_automatic_update_that_fails_is_taken_back_twice_and_held),
           CHECK_TEST(instances_share_one_handler),
           CHECK_TEST(every_enabled_instance_is_disabled_before_the_handler_is_updated),
           CHECK_TEST(steps_lead_to_the_goal),
           CHECK_TEST(the_number_goes_up_when_settings_change_and_never_otherwise),
           CHECK_TEST(parts_of_settings_do_not_run_into_each_other),
           CHECK_TEST(a_new_goal_gives_another_try),
           CHECK_TEST(dependencies_are_waited_for_and_fail_with_their_name),
           CHECK_TEST(every_step_is_a_verb_to_local_policy))
