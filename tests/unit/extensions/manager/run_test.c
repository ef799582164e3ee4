/* SPDX-License-Identifier: Apache-2.0 */
/* What is done next about a run command, what is left on the disk about it, what is told of it. */
#include <string.h>

#include "base/text.h"
#include "check.h"
#include "manager/run.h"
#include "manager/run_plan.h"
#include "platform/clock.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "rooted.h"

#define ID "6f0c5b1e-9a87-4d0c-8d6f-2b1a9c3e7f10"

static struct moor_error err;

static const struct moor_desired_run inline_run = {
    .name = "r", .execution_id = ID, .expires_ms = 1000, .source.script = "true", .timeout_s = 1
};
static const struct moor_desired_run fetched_run = { .name = "r",
                                                     .execution_id = ID,
                                                     .expires_ms = 1000,
                                                     .source.script_uri = "https://h/s",
                                                     .output_uri = "https://h/o",
                                                     .error_uri = "https://h/e" };
static const struct moor_desired_run cancelled_run = { .name = "r",
                                                       .execution_id = ID,
                                                       .expires_ms = 1000,
                                                       .state = MOOR_DESIRED_CANCEL,
                                                       .source.script = "true" };
static const struct moor_desired_run bad_run = { .name = "r", .execution_id = ID, .bad = "why" };

#define FACTS(...)                                                                                 \
    {                                                                                              \
        .now_ms = 5, .room = true, __VA_ARGS__                                                     \
    }
#define STARTED .started = true, .keeper_alive = true

static const struct {
    int state; /* of the record */
    bool output_sent;
    struct moor_run_facts facts;
    moor_run_action action;
    const char *error_code; /* SETTLE */
} table[] = {
    /* Before it begins */
    { MOOR_RUN_PENDING, false, FACTS(.goal = &inline_run), MOOR_RUN_ACT_START, NULL },
    { MOOR_RUN_PENDING, false, FACTS(.goal = &fetched_run), MOOR_RUN_ACT_FETCH, NULL },
    { MOOR_RUN_PENDING, false, FACTS(.goal = &fetched_run, .script_here = true), MOOR_RUN_ACT_START,
      NULL },
    { MOOR_RUN_PENDING, false, { .goal = &inline_run }, MOOR_RUN_ACT_NONE, NULL },
    { MOOR_RUN_PENDING, false, FACTS(.goal = &inline_run, .busy = true), MOOR_RUN_ACT_NONE, NULL },
    { MOOR_RUN_PENDING,
      false,
      { .goal = &inline_run, .now_ms = 1000, .room = true },
      MOOR_RUN_ACT_SETTLE,
      "RunCommandExpired" },
    { MOOR_RUN_PENDING, false, FACTS(.goal = &inline_run, .denied = "no"), MOOR_RUN_ACT_SETTLE,
      "PolicyDenied" },
    { MOOR_RUN_PENDING, false, FACTS(.goal = &inline_run, .secrets_lost = true),
      MOOR_RUN_ACT_SETTLE, "SettingsUndecryptable" },
    { MOOR_RUN_PENDING, false, FACTS(.goal = &bad_run), MOOR_RUN_ACT_SETTLE, "ItemInvalid" },
    { MOOR_RUN_PENDING, false, FACTS(.goal = &cancelled_run, .denied = "no"), MOOR_RUN_ACT_SETTLE,
      "" },
    { MOOR_RUN_PENDING, false, FACTS(.goal = NULL), MOOR_RUN_ACT_SETTLE, "" },
    /* Once it has begun it is never begun again, whatever anybody says */
    { MOOR_RUN_PENDING, false, FACTS(.goal = &inline_run, STARTED), MOOR_RUN_ACT_NOTICE, NULL },
    { MOOR_RUN_PENDING, false, FACTS(.goal = &inline_run, .started = true), MOOR_RUN_ACT_LOST,
      NULL },
    { MOOR_RUN_PENDING, false, FACTS(.goal = &inline_run, .started = true, .ended = true),
      MOOR_RUN_ACT_END, NULL },
    { MOOR_RUN_RUNNING, false, FACTS(.goal = &inline_run, STARTED), MOOR_RUN_ACT_NONE, NULL },
    { MOOR_RUN_RUNNING, false, FACTS(.goal = &inline_run, STARTED, .denied = "no"),
      MOOR_RUN_ACT_NONE, NULL },
    { MOOR_RUN_RUNNING, false, FACTS(.goal = NULL, STARTED), MOOR_RUN_ACT_NONE, NULL },
    { MOOR_RUN_RUNNING, false, FACTS(.goal = &cancelled_run, STARTED), MOOR_RUN_ACT_CANCEL, NULL },
    { MOOR_RUN_RUNNING, false, FACTS(.goal = &cancelled_run, STARTED, .cancel_asked = true),
      MOOR_RUN_ACT_NONE, NULL },
    { MOOR_RUN_RUNNING, false, FACTS(.goal = &inline_run, STARTED, .ended = true), MOOR_RUN_ACT_END,
      NULL },
    { MOOR_RUN_RUNNING, false, FACTS(.goal = &inline_run, .started = true), MOOR_RUN_ACT_LOST,
      NULL },
    /* After its end only its output is left to send */
    { MOOR_RUN_FAILED, false, FACTS(.goal = &inline_run, .ended = true), MOOR_RUN_ACT_NONE, NULL },
    { MOOR_RUN_FAILED, false, FACTS(.goal = &fetched_run, .ended = true), MOOR_RUN_ACT_SEND_OUTPUT,
      NULL },
    { MOOR_RUN_FAILED, true, FACTS(.goal = &fetched_run, .ended = true), MOOR_RUN_ACT_SEND_ERROR,
      NULL },
    { MOOR_RUN_FAILED, false, FACTS(.goal = &fetched_run, .ended = true, .busy = true),
      MOOR_RUN_ACT_NONE, NULL },
    { MOOR_RUN_FAILED, false, FACTS(.goal = &fetched_run), MOOR_RUN_ACT_NONE, NULL },
    { MOOR_RUN_CANCELED, false, FACTS(.goal = &fetched_run, .ended = true), MOOR_RUN_ACT_NONE,
      NULL },
    { MOOR_RUN_SUCCEEDED, false, FACTS(.goal = NULL, .ended = true), MOOR_RUN_ACT_NONE, NULL },
};

static void facts_decide_what_is_done(void)
{
    for (size_t i = 0; i < MOOR_COUNTOF(table); i++) {
        const struct moor_run r = { .record.state = table[i].state,
                                    .output_sent = table[i].output_sent };
        struct moor_run_step step = moor_run_next(&r, &table[i].facts);
        bool good = step.action == table[i].action;
        if (good && table[i].error_code)
            good = strcmp(step.error_code, table[i].error_code) == 0;
        if (!CHECK(good))
            printf("# row %zu: action %d\n", i, (int)step.action);
    }
}

/* On the disk */

static struct moor_run *fresh(struct moor_runs *s)
{
    struct moor_run *r = NULL;
    MOOR_AUTOSTR folder = NULL;
    CHECK(moor_run_path(ID, NULL, &folder, &err) == MOOR_OK);
    CHECK(plat_remove_tree(folder, &err) == MOOR_OK);
    if (!CHECK(moor_runs_add(s, ID, "patch", &r, &err) == MOOR_OK))
        printf("# %s\n", err.msg);
    return r;
}

static void a_start_is_marked_once_and_stays_marked(void)
{
    MOOR_AUTO(moor_runs) s = { .count = 0 };
    MOOR_AUTO(plat_file) first = PLAT_FILE_INIT;
    MOOR_AUTO(plat_file) second = PLAT_FILE_INIT;
    MOOR_AUTOSTR folder = NULL;
    int64_t start_ms = 0;
    fresh(&s);
    CHECK(plat_path(PLAT_DIR_RUN, &folder, &err, "runs") == MOOR_OK);
    CHECK(plat_make_dirs(folder, PLAT_OWNER_ONLY, &err) == MOOR_OK);
    CHECK(!moor_run_exists(ID, "started") && !moor_run_kept(ID));
    CHECK_INT(moor_run_mark_started(ID, 5000, &first, &err), MOOR_OK);
    CHECK(moor_run_kept(ID) && !moor_run_restarted(ID));
    CHECK_INT(moor_run_mark_started(ID, 6000, &second, &err), MOOR_E_EXISTS);
    plat_file_drop(&first);
    CHECK(!moor_run_kept(ID));
    CHECK_INT(moor_run_mark_started(ID, 6000, &second, &err), MOOR_E_EXISTS);
    plat_file_drop(&second);
    CHECK_INT(moor_run_read_started(ID, &start_ms, &err), MOOR_OK);
    CHECK_INT(start_ms, 5000);
    CHECK(moor_run_forget(ID, &err) == MOOR_OK);
    CHECK(moor_run_restarted(ID)); /* as after a start of the machine */
}

static void a_record_comes_back_and_an_unreadable_one_is_gone(void)
{
    MOOR_AUTO(moor_runs) s = { .count = 0 };
    MOOR_AUTO(moor_runs) again = { .count = 0 };
    MOOR_AUTO(moor_runs) none = { .count = 0 };
    MOOR_AUTOSTR path = NULL;
    struct moor_run *r = fresh(&s);
    const struct moor_run_end end = { .how = MOOR_RUN_END_SIGNALED, .code = 9, .end_ms = 7000 };
    moor_run_take_end(r, &end);
    CHECK_INT(moor_run_save(r, &err), MOOR_OK);
    CHECK_INT(moor_runs_load(&again, &err), MOOR_OK);
    struct moor_run *back = moor_runs_find(&again, ID);
    if (!CHECK(back != NULL))
        return;
    CHECK_STR(back->record.name, "patch");
    CHECK_INT(back->record.state, MOOR_RUN_FAILED);
    CHECK(back->record.exited && back->record.exit_code == 137);
    CHECK_STR(back->record.message, "the script was ended by signal 9");
    CHECK(moor_run_path(ID, "run.json", &path, &err) == MOOR_OK);
    CHECK(plat_write_atomic(path, MOOR_SPAN_LIT("{"), PLAT_OWNER_ONLY, &err) == MOOR_OK);
    CHECK_INT(moor_runs_load(&none, &err), MOOR_OK);
    CHECK_INT(none.count, 0);
    CHECK(!moor_run_exists(ID, "run.json"));
}

static void a_job_is_read_once_and_then_gone(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA_SECRET(65536);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(65536);
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTOSTR folder = NULL;
    struct moor_desired_parameter secret = { "S", "a\"b\n" };
    const struct moor_run_job job = { .timeout_s = 7, .secrets = { &secret, 1 } };
    struct moor_run_job back = { .user = NULL };
    CHECK(plat_path(PLAT_DIR_RUN, &folder, &err, "runs") == MOOR_OK);
    CHECK(plat_make_dirs(folder, PLAT_OWNER_ONLY, &err) == MOOR_OK);
    CHECK(moor_run_volatile_path(ID, "json", &path, &err) == MOOR_OK);
    moor_buf_run_job(&text, &job);
    CHECK(plat_write_atomic(path, moor_buf_view(&text), PLAT_OWNER_ONLY, &err) == MOOR_OK);
    CHECK_INT(moor_run_take_job(ID, &back, &arena, &err), MOOR_OK);
    CHECK_INT(back.timeout_s, 7);
    const struct moor_desired_parameter *p = back.secrets.items;
    CHECK_STR(p[0].value, "a\"b\n");
    CHECK_INT(moor_run_take_job(ID, &back, &arena, &err), MOOR_E_NOTFOUND);
    CHECK_INT(moor_run_take_job("../../etc", &back, &arena, &err), MOOR_E_BADINPUT);
}

static void only_the_end_of_the_output_is_shown_and_whole_characters(void)
{
    MOOR_AUTO(moor_runs) s = { .count = 0 };
    MOOR_AUTO(moor_buf) text = MOOR_BUF(65536);
    MOOR_AUTO(moor_buf) shown = MOOR_BUF(65536);
    MOOR_AUTOSTR path = NULL;
    struct moor_run *r = fresh(&s);
    while (text.len < 10000)
        moor_buf_str(&text, "\xC3\xA9\xE2\x82\xAC"); /* two and three bytes */
    moor_buf_char(&text, '\0');
    CHECK(moor_run_path(ID, "stdout", &path, &err) == MOOR_OK);
    CHECK(plat_write_atomic(path, moor_buf_view(&text), PLAT_OWNER_ONLY, &err) == MOOR_OK);
    CHECK(moor_run_read_output(r));
    CHECK(!moor_run_read_output(r));
    CHECK(strlen(r->output) <= 4096 && strlen(r->output) > 4090);
    CHECK(moor_utf8_valid(moor_span_str(r->output)));
    r->listed = true;
    moor_buf_runs_report(&shown, &s, 6);
    if (!CHECK(strstr(moor_buf_cstr(&shown), "\"output\":\"\xE2\x82\xAC\xEF\xBF\xBD\"")))
        printf("# %s\n", moor_buf_cstr(&shown));
}

static void what_is_told_says_whether_it_ran_and_what_became_of_it(void)
{
    static const struct {
        struct moor_run_record record;
        bool sending;
        const char *provisioning, *execution;
    } rows[] = {
        { { .state = MOOR_RUN_PENDING }, false, "Creating", "Pending" },
        { { .state = MOOR_RUN_RUNNING }, false, "Creating", "Running" },
        { { .state = MOOR_RUN_RUNNING, .asynchronous = true }, false, "Succeeded", "Running" },
        { { .state = MOOR_RUN_SUCCEEDED }, false, "Succeeded", "Succeeded" },
        { { .state = MOOR_RUN_SUCCEEDED }, true, "Creating", "Running" },
        { { .state = MOOR_RUN_FAILED }, false, "Succeeded", "Failed" },
        { { .state = MOOR_RUN_FAILED, .fail_deployment = true }, false, "Failed", "Failed" },
        { { .state = MOOR_RUN_FAILED, .error_code = "PolicyDenied" }, false, "Failed", "Failed" },
        { { .state = MOOR_RUN_TIMED_OUT }, false, "Succeeded", "TimedOut" },
        { { .state = MOOR_RUN_TIMED_OUT, .fail_deployment = true }, false, "Failed", "TimedOut" },
        { { .state = MOOR_RUN_CANCELED }, false, "Canceled", "Canceled" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        struct moor_run r = {
            .id = ID, .record = rows[i].record, .listed = true, .sending = rows[i].sending
        };
        const struct moor_runs s = { .list = { &r }, .count = 1 };
        MOOR_AUTO(moor_buf) b = MOOR_BUF(65536);
        char want[128];
        r.record.name = r.record.message = "n";
        if (!r.record.error_code)
            r.record.error_code = "";
        (void)snprintf(want, sizeof(want), "\"provisioningState\":\"%s\",\"executionState\":\"%s\"",
                       rows[i].provisioning, rows[i].execution);
        moor_buf_runs_report(&b, &s, 4096);
        if (!CHECK(strstr(moor_buf_cstr(&b), want) != NULL))
            printf("# row %zu: %s\n", i, moor_buf_cstr(&b));
    }
}

ROOTED_MAIN(CHECK_TEST(facts_decide_what_is_done),
            CHECK_TEST(a_start_is_marked_once_and_stays_marked),
            CHECK_TEST(a_record_comes_back_and_an_unreadable_one_is_gone),
            CHECK_TEST(a_job_is_read_once_and_then_gone),
            CHECK_TEST(only_the_end_of_the_output_is_shown_and_whole_characters),
            CHECK_TEST(what_is_told_says_whether_it_ran_and_what_became_of_it))
