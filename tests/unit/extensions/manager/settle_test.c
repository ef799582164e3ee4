/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of an extension whose enable has ended, on virtual time. */
#include "contract/environment.h"
#include "fakes/fake_clock.h"
#include "manager/folder.h"
#include "manager/internal.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "rooted.h"

#include <string.h>

#define MINUTE_MS ((uint64_t)60 * 1000)
#define STATUS(operation, status)                                                                  \
    "[{\"version\":1,\"status\":{\"operation\":\"" operation "\",\"status\":\"" status             \
    "\",\"code\":3,\"formattedMessage\":{\"message\":\"m\"}}}]"

struct rig {
    struct moor_manager m;
    struct moor_item *i;
    struct moor_desired_extension goal;
};

static void on_timer(void *ctx)
{
    (void)ctx;
}

static void rig_make(struct rig *r)
{
    *r = (struct rig){ .goal = { .name = "ext",
                                 .publisher = "P",
                                 .type = "T",
                                 .version = "1.0",
                                 .public_settings = "{\"a\":1}" } };
    MOOR_AUTOSTR folder = NULL;
    bool changed = false;
    moor_code c = moor_loop_new(&r->m.loop, NULL);
    if (c == MOOR_OK)
        c = moor_timer_new(r->m.loop, on_timer, r, &r->m.again, NULL);
    if (c == MOOR_OK)
        c = moor_item_new("ext", "P", "T", &r->i, NULL);
    if (c == MOOR_OK)
        c = moor_item_set(&r->i->version, "1.0", NULL);
    if (c == MOOR_OK)
        c = moor_plan_take_goal(r->i, &r->goal, &changed, NULL);
    if (c == MOOR_OK)
        c = moor_folder_path(r->i, false, &folder, NULL);
    if (c == MOOR_OK)
        c = plat_remove_tree(folder, NULL);
    if (c == MOOR_OK)
        c = moor_folder_write_settings(r->i, &r->goal, NULL);
    MOOR_ASSERT(c == MOOR_OK);
    fake_clock_set_utc(1795367970000);
    r->i->phase = MOOR_PHASE_ENABLED;
    r->i->enabled_here = true;
    r->i->settings_seq = r->i->enabled_seq = 0;
}

static void rig_drop(struct rig *r)
{
    moor_item_free(r->i);
    moor_timer_free(r->m.again);
    moor_loop_free(r->m.loop);
}
MOOR_DEFINE_AUTO(rig)

static void say(const struct rig *r, const char *status)
{
    MOOR_AUTOSTR path = NULL;
    (void)r;
    CHECK_INT(plat_path(PLAT_DIR_HANDLERS, &path, NULL, "P.T-1.0/status/0.status"), MOOR_OK);
    CHECK_INT(plat_write_atomic(path, moor_span_str(status), PLAT_OWNER_ONLY, NULL), MOOR_OK);
}

static moor_item_outcome look(struct rig *r)
{
    (void)moor_settle(&r->m, r->i, &r->goal);
    return r->i->outcome;
}

static void the_status_decides(void)
{
    static const struct {
        const char *status;
        moor_item_outcome outcome;
        const char *error_code;
        int64_t code;
    } rows[] = {
        { STATUS("Enable", "success"), MOOR_OUTCOME_SUCCEEDED, "", 3 },
        { STATUS("Enable", "Warning"), MOOR_OUTCOME_SUCCEEDED, "", 3 },
        { STATUS("enable", "ERROR"), MOOR_OUTCOME_FAILED, "HandlerCommandFailed", 3 },
        { STATUS("Enable", "transitioning"), MOOR_OUTCOME_GOING_ON, "", 0 },
        { "", MOOR_OUTCOME_GOING_ON, "", 0 },
        { "[]", MOOR_OUTCOME_GOING_ON, "", 0 },
    };
    for (size_t n = 0; n < MOOR_COUNTOF(rows); n++) {
        MOOR_AUTO(rig) r = { .i = NULL };
        rig_make(&r);
        say(&r, rows[n].status);
        CHECK_INT(look(&r), rows[n].outcome);
        CHECK_STR(r.i->error_code, rows[n].error_code);
        CHECK_INT(r.i->code, rows[n].code);
    }
}

static void a_file_that_stays_broken_is_malformed_and_one_that_is_mended_is_not(void)
{
    MOOR_AUTO(rig) r = { .i = NULL };
    rig_make(&r);
    say(&r, "[{\"status\":");
    CHECK_INT(look(&r), MOOR_OUTCOME_GOING_ON);
    CHECK(moor_timer_armed(r.m.again)); /* it looks again by itself */
    fake_clock_advance(9000);
    CHECK_INT(look(&r), MOOR_OUTCOME_GOING_ON);
    fake_clock_advance(1000);
    CHECK_INT(look(&r), MOOR_OUTCOME_FAILED);
    CHECK_STR(r.i->error_code, "HandlerStatusMalformed");
    CHECK_INT(r.i->code, 1012);
    say(&r, STATUS("Enable", "success"));
    CHECK_INT(look(&r), MOOR_OUTCOME_SUCCEEDED);
}

static void no_final_word_within_90_minutes_is_a_failure_that_a_late_one_takes_back(void)
{
    MOOR_AUTO(rig) r = { .i = NULL };
    rig_make(&r);
    say(&r, STATUS("Enable", "transitioning"));
    CHECK_INT(look(&r), MOOR_OUTCOME_GOING_ON);
    fake_clock_advance(90 * MINUTE_MS);
    CHECK_INT(look(&r), MOOR_OUTCOME_GOING_ON);
    fake_clock_advance(1);
    CHECK_INT(look(&r), MOOR_OUTCOME_FAILED);
    CHECK_STR(r.i->error_code, "HandlerTimeout");
    say(&r, STATUS("Enable", "success"));
    CHECK_INT(look(&r), MOOR_OUTCOME_SUCCEEDED);
}

static void another_operations_word_counts_after_a_minute_only(void)
{
    MOOR_AUTO(rig) r = { .i = NULL };
    rig_make(&r);
    r.i->waiting_since_ms = 1795367970000;
    say(&r, STATUS("Update", "success"));
    CHECK_INT(look(&r), MOOR_OUTCOME_GOING_ON);
    CHECK(moor_timer_armed(r.m.again));
    fake_clock_advance(MINUTE_MS);
    CHECK_INT(look(&r), MOOR_OUTCOME_SUCCEEDED);
    CHECK_INT(look(&r), MOOR_OUTCOME_SUCCEEDED);
}

static void without_settings_no_status_is_asked_for(void)
{
    static const char *const none[] = { NULL, "{}" };
    for (size_t n = 0; n < MOOR_COUNTOF(none); n++) {
        MOOR_AUTO(rig) r = { .i = NULL };
        rig_make(&r);
        CHECK_INT(look(&r), MOOR_OUTCOME_GOING_ON);
        r.goal.public_settings = none[n];
        CHECK_INT(look(&r), MOOR_OUTCOME_SUCCEEDED);
        CHECK_STR(r.i->message, "Plugin enabled");
    }
}

/* The status file stands for what was enabled, and for nothing else. */
static void a_status_answers_only_its_own_question(void)
{
    static const char *const failures[] = { "PolicyDenied", "SettingsUndecryptable",
                                            "PackageCorrupt", "ItemInvalid" };
    MOOR_AUTO(rig) r = { .i = NULL };
    rig_make(&r);
    say(&r, STATUS("Enable", "success"));
    r.goal.version = "2.0";
    CHECK_INT(look(&r), MOOR_OUTCOME_GOING_ON);
    r.goal.version = "1.0";
    r.goal.state = MOOR_DESIRED_UNINSTALL;
    CHECK_INT(look(&r), MOOR_OUTCOME_GOING_ON);
    r.goal.state = MOOR_DESIRED_ENABLED;
    r.i->enabled_seq = -1;
    CHECK_INT(look(&r), MOOR_OUTCOME_GOING_ON);
    r.i->enabled_seq = 0;
    r.i->running.on = true;
    CHECK_INT(look(&r), MOOR_OUTCOME_GOING_ON);
    r.i->running.on = false;
    for (size_t n = 0; n < MOOR_COUNTOF(failures); n++) {
        moor_item_settle(r.i, MOOR_OUTCOME_FAILED, failures[n], 0, "no");
        CHECK_INT(look(&r), MOOR_OUTCOME_FAILED);
    }
}

static void limits_of_commands_are_the_reference_agents(void)
{
    static const uint64_t minutes[] = { [MOOR_VERB_INSTALL] = 15,
                                        [MOOR_VERB_UPDATE] = 15,
                                        [MOOR_VERB_ENABLE] = 5,
                                        [MOOR_VERB_DISABLE] = 15,
                                        [MOOR_VERB_UNINSTALL] = 5 };
    static const char *more[] = { "enable=3600", "install=x" };
    const struct moor_str_list none = { NULL, 0 }, some = { more, 2 };
    uint64_t ms[MOOR_VERB_COUNT_];
    moor_command_timeouts(&none, ms);
    for (int v = 0; v < MOOR_VERB_COUNT_; v++)
        CHECK_INT(ms[v], minutes[v] * MINUTE_MS);
    moor_command_timeouts(&some, ms);
    CHECK_INT(ms[MOOR_VERB_ENABLE], 60 * MINUTE_MS);
    CHECK_INT(ms[MOOR_VERB_INSTALL], 15 * MINUTE_MS);
}

ROOTED_MAIN(CHECK_TEST(the_status_decides),
            CHECK_TEST(a_file_that_stays_broken_is_malformed_and_one_that_is_mended_is_not),
            CHECK_TEST(no_final_word_within_90_minutes_is_a_failure_that_a_late_one_takes_back),
            CHECK_TEST(another_operations_word_counts_after_a_minute_only),
            CHECK_TEST(without_settings_no_status_is_asked_for),
            CHECK_TEST(a_status_answers_only_its_own_question),
            CHECK_TEST(limits_of_commands_are_the_reference_agents))
