/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/report.h"

#include "base/json.h"
#include "check.h"

#include <stdlib.h>
#include <string.h>

static struct moor_item *add(struct moor_items *all, const char *name, moor_item_phase phase)
{
    struct moor_item *i = NULL;
    moor_code c = moor_item_new(name, "P", "T", &i, NULL);
    if (c == MOOR_OK)
        c = moor_items_add(all, i, NULL);
    if (c == MOOR_OK)
        c = moor_item_set(&i->version, "1.0.3", NULL);
    MOOR_ASSERT(c == MOOR_OK);
    i->phase = phase;
    i->listed = true;
    return i;
}

static void a_report_is_written_word_for_word(void)
{
    MOOR_AUTO(moor_items) all = { .count = 0 };
    MOOR_AUTO(moor_buf) b = MOOR_BUF(65536);
    struct moor_item *good = add(&all, "good", MOOR_PHASE_ENABLED);
    struct moor_item *bad = add(&all, "bad", MOOR_PHASE_ABSENT);
    good->service_seq = 4;
    moor_item_settle(good, MOOR_OUTCOME_SUCCEEDED, "", 0, "say \"hi\"");
    CHECK_INT(moor_item_set(&good->status, "{\"version\":1}", NULL), MOOR_OK);
    moor_item_settle(bad, MOOR_OUTCOME_FAILED, "PackageCorrupt", -7, "no");
    const struct moor_denial denial = { "d", "P", "T", 2, "extensions.enabled", "off" };
    const struct moor_report r = {
        .boot_id = "b0",
        .revision = "e.1",
        .hash = "h",
        .sequence = 9,
        .observed_at_ms = 1795367970000,
        .items = &all,
        .denials = &denial,
        .denial_count = 1,
    };
    moor_buf_report(&b, &r);
    CHECK_STR(moor_buf_cstr(&b),
              "{\"bootId\":\"b0\",\"reportSequence\":9,\"revision\":\"e.1\","
              "\"observedAt\":\"2026-11-22T17:19:30Z\",\"full\":true,\"reportHash\":\"h\","
              "\"extensions\":["
              "{\"name\":\"good\",\"publisher\":\"P\",\"type\":\"T\",\"version\":\"1.0.3\","
              "\"settingsSeqNo\":4,\"code\":0,\"state\":\"enabled\","
              "\"provisioningState\":\"Succeeded\",\"errorCode\":\"\","
              "\"message\":\"say \\\"hi\\\"\",\"status\":{\"version\":1}},"
              "{\"name\":\"bad\",\"publisher\":\"P\",\"type\":\"T\",\"version\":\"\","
              "\"settingsSeqNo\":0,\"code\":-7,\"state\":\"failed\","
              "\"provisioningState\":\"Failed\",\"errorCode\":\"PackageCorrupt\","
              "\"message\":\"no\"}],"
              "\"runCommands\":[],\"configurationAssignments\":[],\"denials\":["
              "{\"name\":\"d\",\"publisher\":\"P\",\"type\":\"T\",\"settingsSeqNo\":2,"
              "\"rule\":\"extensions.enabled\",\"message\":\"off\"}]}");
}

static void what_the_service_does_not_name_is_unmanaged(void)
{
    MOOR_AUTO(moor_items) all = { .count = 0 };
    MOOR_AUTO(moor_buf) b = MOOR_BUF(65536);
    struct moor_item *i = add(&all, "old", MOOR_PHASE_ENABLED);
    const struct moor_report r = { .boot_id = "b", .revision = "", .hash = "", .items = &all };
    i->listed = false;
    i->service_seq = 8;
    moor_item_settle(i, MOOR_OUTCOME_SUCCEEDED, "", 0, "here");
    moor_buf_report(&b, &r);
    CHECK(strstr(moor_buf_cstr(&b), "\"extensions\":[{\"name\":\"P.T\",\"publisher\":\"P\","
                                    "\"type\":\"T\",\"version\":\"1.0.3\",\"settingsSeqNo\":0,"
                                    "\"state\":\"unmanaged\",\"provisioningState\":\"Succeeded\","
                                    "\"message\":\"here\"}]"));
}

static void states_follow_phase_command_and_outcome(void)
{
    static const struct {
        moor_item_phase phase;
        moor_item_outcome outcome;
        bool running;
        moor_handler_verb verb;
        const char *state, *provisioning;
    } rows[] = {
        { MOOR_PHASE_ABSENT, MOOR_OUTCOME_GOING_ON, false, 0, "waiting", "Creating" },
        { MOOR_PHASE_UNPACKED, MOOR_OUTCOME_GOING_ON, false, 0, "installing", "Creating" },
        { MOOR_PHASE_UNPACKED, MOOR_OUTCOME_FAILED, false, 0, "failed", "Failed" },
        { MOOR_PHASE_ENABLED, MOOR_OUTCOME_GOING_ON, false, 0, "enabling", "Updating" },
        { MOOR_PHASE_ENABLED, MOOR_OUTCOME_SUCCEEDED, false, 0, "enabled", "Succeeded" },
        { MOOR_PHASE_ENABLED, MOOR_OUTCOME_GOING_ON, true, MOOR_VERB_DISABLE, "disabling",
          "Updating" },
        { MOOR_PHASE_INSTALLED, MOOR_OUTCOME_GOING_ON, true, MOOR_VERB_UNINSTALL, "uninstalling",
          "Creating" },
        { MOOR_PHASE_UPDATE_COPIED, MOOR_OUTCOME_GOING_ON, true, MOOR_VERB_UPDATE, "updating",
          "Updating" },
        { MOOR_PHASE_UNINSTALLED, MOOR_OUTCOME_SUCCEEDED, false, 0, "uninstalled", "Succeeded" },
    };
    for (size_t n = 0; n < MOOR_COUNTOF(rows); n++) {
        const struct moor_item i = { .phase = rows[n].phase,
                                     .outcome = rows[n].outcome,
                                     .running = { .on = rows[n].running, .verb = rows[n].verb } };
        CHECK_STR(moor_report_state(&i), rows[n].state);
        CHECK_STR(moor_report_provisioning(&i), rows[n].provisioning);
    }
}

static void the_hash_changes_with_what_is_said_and_with_nothing_else(void)
{
    MOOR_AUTO(moor_items) all = { .count = 0 };
    char first[65], again[65];
    struct moor_item *i = add(&all, "x", MOOR_PHASE_ENABLED);
    CHECK_INT(moor_report_hash(&(struct moor_report){ .items = &all }, first, NULL), MOOR_OK);
    all.report_sequence++;
    i->waiting_since_ms = 4;
    i->enabled_here = true;
    CHECK_INT(moor_report_hash(&(struct moor_report){ .items = &all }, again, NULL), MOOR_OK);
    CHECK_STR(again, first);
    i->code = 1;
    CHECK_INT(moor_report_hash(&(struct moor_report){ .items = &all }, again, NULL), MOOR_OK);
    CHECK(strcmp(again, first) != 0);
}

/* 64 statuses of 100 KiB are far more than a report may have. */
static void long_statuses_are_left_out_when_the_rest_would_not_fit(void)
{
    MOOR_AUTO(moor_items) all = { .count = 0 };
    MOOR_AUTO(moor_buf) b = MOOR_BUF((size_t)1024 * 1024);
    MOOR_AUTO(moor_buf) status = MOOR_BUF(200 * 1024);
    MOOR_AUTOPTR(moor_json) doc = NULL;
    char hash[65];
    moor_buf_char(&status, '"');
    for (int n = 0; n < 100 * 1024; n++)
        moor_buf_char(&status, 'x');
    moor_buf_char(&status, '"');
    for (int n = 0; n < 64; n++) {
        struct moor_item *i = add(&all, "x", MOOR_PHASE_ENABLED);
        CHECK_INT(moor_item_set(&i->status, n == 0 ? "\"brief\"" : moor_buf_cstr(&status), NULL),
                  MOOR_OK);
    }
    const struct moor_report r = { .boot_id = "b", .revision = "", .hash = "", .items = &all };
    CHECK_INT(moor_report_hash(&(struct moor_report){ .items = &all }, hash, NULL), MOOR_OK);
    moor_buf_report(&b, &r);
    CHECK_INT(moor_json_parse(moor_buf_view(&b), &doc, NULL), MOOR_OK);
    CHECK_INT(moor_json_size(moor_json_get(doc, "extensions")), 64);
    CHECK_STR(moor_json_get_str(moor_json_first(moor_json_get(doc, "extensions")), "status"),
              "brief");
}

CHECK_MAIN(CHECK_TEST(a_report_is_written_word_for_word),
           CHECK_TEST(what_the_service_does_not_name_is_unmanaged),
           CHECK_TEST(states_follow_phase_command_and_outcome),
           CHECK_TEST(the_hash_changes_with_what_is_said_and_with_nothing_else),
           CHECK_TEST(long_statuses_are_left_out_when_the_rest_would_not_fit))
