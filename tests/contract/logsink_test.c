/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/logsink.h"

#include "base/attr.h"
#include "check.h"
#include "os.h"
#include "platform/file.h"

static const struct plat_log_field fields[] = {
    { "name", "plain" },
    { "error", "two \"words\"" },
    { "empty", "" },
    { "path", "C:\\x" },
};
static const char want[] =
    " heartbeat.failed name=plain error=\"two \\\"words\\\"\" empty=\"\" path=\"C:\\\\x\"\n";

static const char *logged(const char *name, int priority)
{
    plat_log_write(priority, "mooringd", "heartbeat.failed", fields, MOOR_COUNTOF(fields));
    os_capture_errors(NULL);
    return os_read(os_temp(name));
}

static void record_is_one_line_with_time_and_level(void)
{
    os_setenv("JOURNAL_STREAM", NULL);
    os_capture_errors(os_temp("errors"));
    const char *line = logged("errors", 4);
    CHECK_INT(strcspn(line, " "), strlen("2026-11-22T17:19:30.123Z"));
    CHECK(strncmp(line, "20", 2) == 0 && strncmp(line + 24, " warning ", 9) == 0);
    CHECK_STR(strchr(line + 25, ' '), want);
}

static void stream_of_somebody_elses_journal_is_not_ours(void)
{
    os_capture_errors(os_temp("inherited"));
    os_pretend_journal(false);
    CHECK(strstr(logged("inherited", 3), " error heartbeat.failed "));
    os_setenv("JOURNAL_STREAM", NULL);
}

static void nothing_is_lost_when_the_journal_does_not_answer(void)
{
    if (plat_exists("/run/systemd/journal/socket"))
        SKIP("a journal runs here");
    os_capture_errors(os_temp("journal"));
    os_pretend_journal(true);
    CHECK(strstr(logged("journal", 6), " info heartbeat.failed "));
    os_setenv("JOURNAL_STREAM", NULL);
}

CHECK_MAIN(CHECK_TEST(record_is_one_line_with_time_and_level),
           CHECK_TEST(stream_of_somebody_elses_journal_is_not_ours),
           CHECK_TEST(nothing_is_lost_when_the_journal_does_not_answer))
