/* SPDX-License-Identifier: Apache-2.0 */
/* From which step an extension is done again when its administrator asks. */
#include "manager/repair.h"

#include "check.h"

static struct moor_item *item(moor_item_phase phase)
{
    struct moor_item *i = NULL;
    CHECK(moor_item_new("web", "Contoso", "Web", &i, NULL) == MOOR_OK);
    CHECK(moor_item_set(&i->version, phase == MOOR_PHASE_ABSENT ? "" : "1.1.0", NULL) == MOOR_OK);
    CHECK(moor_item_set(&i->held_version, "1.2.0", NULL) == MOOR_OK);
    i->phase = phase;
    i->seq = 3;
    i->settings_seq = i->enabled_seq = 3;
    i->enabled_here = true;
    i->held_count = 2;
    moor_item_settle(i, MOOR_OUTCOME_FAILED, "HandlerCommandFailed", 1009, "it failed");
    return i;
}

static void the_failure_is_forgotten_and_the_number_stays(void)
{
    for (int phase = 0; phase < MOOR_PHASE_COUNT_; phase++) {
        MOOR_AUTOPTR(moor_item) i = item((moor_item_phase)phase);
        MOOR_AUTO(moor_buf) said = MOOR_BUF(512);
        moor_repair_item(i, MOOR_WISH_THERE, true, &said);
        CHECK(said.len > 0);
        CHECK_INT(i->seq, 3);
        bool gone = phase == MOOR_PHASE_UNINSTALLED;
        CHECK_INT(i->outcome, gone ? MOOR_OUTCOME_FAILED : MOOR_OUTCOME_GOING_ON);
        CHECK_STR(i->held_version, gone ? "1.2.0" : "");
    }
}

static void work_begins_again_where_it_can_mend(void)
{
    static const struct {
        moor_item_phase before;
        bool whole;
        moor_item_phase after;
        bool redo, enables;
    } rows[] = {
        { MOOR_PHASE_ABSENT, false, MOOR_PHASE_ABSENT, false, false },
        { MOOR_PHASE_UNPACKED, true, MOOR_PHASE_ABSENT, false, false },
        { MOOR_PHASE_INSTALLED, false, MOOR_PHASE_ABSENT, false, false },
        { MOOR_PHASE_INSTALLED, true, MOOR_PHASE_INSTALLED, false, true },
        { MOOR_PHASE_ENABLED, true, MOOR_PHASE_ENABLED, false, true },
        { MOOR_PHASE_ENABLED, false, MOOR_PHASE_ABSENT, false, false },
        { MOOR_PHASE_UPDATE_UNPACKED, true, MOOR_PHASE_UPDATE_UNPACKED, true, false },
        { MOOR_PHASE_UPDATE_DONE, false, MOOR_PHASE_UPDATE_DONE, true, false },
    };
    for (size_t n = 0; n < MOOR_COUNTOF(rows); n++) {
        MOOR_AUTOPTR(moor_item) i = item(rows[n].before);
        MOOR_AUTO(moor_buf) said = MOOR_BUF(512);
        moor_repair_item(i, MOOR_WISH_THERE, rows[n].whole, &said);
        CHECK_INT(i->phase, rows[n].after);
        CHECK(i->redo == rows[n].redo);
        CHECK((i->enabled_seq == -1 && !i->enabled_here) == rows[n].enables);
        CHECK_INT(i->settings_seq, rows[n].after == MOOR_PHASE_ABSENT ? -1 : 3);
    }
}

static void what_is_to_go_only_goes_on_and_what_nobody_wants_is_left(void)
{
    MOOR_AUTOPTR(moor_item) i = item(MOOR_PHASE_ENABLED);
    MOOR_AUTO(moor_buf) said = MOOR_BUF(512);
    moor_repair_item(i, MOOR_WISH_NONE, true, &said);
    CHECK_INT(i->outcome, MOOR_OUTCOME_FAILED);
    moor_repair_item(i, MOOR_WISH_GONE, false, &said);
    CHECK_INT(i->outcome, MOOR_OUTCOME_GOING_ON);
    CHECK_INT(i->phase, MOOR_PHASE_ENABLED);
    CHECK_INT(i->enabled_seq, 3);
}

CHECK_MAIN(CHECK_TEST(the_failure_is_forgotten_and_the_number_stays),
           CHECK_TEST(work_begins_again_where_it_can_mend),
           CHECK_TEST(what_is_to_go_only_goes_on_and_what_nobody_wants_is_left))
