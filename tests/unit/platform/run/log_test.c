/* SPDX-License-Identifier: Apache-2.0 */
#include "run/log.h"

#include "base/buf.h"
#include "check.h"
#include "fake_clock.h"
#include "platform/logsink.h"

/* The sink of this test: one line per record. */
static char lines[16384];
static char last_program[64];

void plat_log_write(int priority, const char *program, const char *event,
                    const struct plat_log_field *fields, size_t count)
{
    size_t n = strlen(lines);
    (void)snprintf(last_program, sizeof(last_program), "%s", program);
    n += (size_t)snprintf(lines + n, sizeof(lines) - n, "%d %s", priority, event);
    for (size_t i = 0; i < count; i++)
        n += (size_t)snprintf(lines + n, sizeof(lines) - n, " %s=<%s>", fields[i].name,
                              fields[i].value);
    (void)snprintf(lines + n, sizeof(lines) - n, "\n");
}

static void begin(void)
{
    moor_log_init("mooringd-test", MOOR_LOG_INFO);
    fake_clock_advance(3600000); /* what comes now repeats nothing */
    lines[0] = '\0';
}

static void pairs_are_written_and_null_values_left_out(void)
{
    begin();
    moor_log(MOOR_LOG_NOTICE, "extension.enabled", "name", "a b", "version", NULL, "empty", "",
             NULL);
    CHECK_STR(lines, "5 extension.enabled name=<a b> empty=<>\n");
    CHECK_STR(last_program, "mooringd-test");
}

static void records_below_the_level_are_dropped(void)
{
    begin();
    moor_log(MOOR_LOG_DEBUG, "detail", NULL);
    moor_log_error(MOOR_LOG_DEBUG, "detail", NULL, NULL);
    CHECK_STR(lines, "");
}

static void control_characters_and_bad_text_are_written_out(void)
{
    begin();
    moor_log(MOOR_LOG_INFO, "e", "v",
             "a\nb\tc\x1b[31m\x7f"
             "d\xc3\xa4 \xff \xc2\x9b",
             NULL);
    CHECK_STR(lines, "6 e v=<a\\nb\\x09c\\x1b[31m\\x7fd\xc3\xa4 \xef\xbf\xbd \\x9b>\n");
}

static void long_values_are_cut(void)
{
    begin();
    char value[3000];
    memset(value, 'x', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    moor_log(MOOR_LOG_INFO, "e", "v", value, NULL);
    CHECK_INT(strspn(strchr(lines, '<') + 1, "x"), 1024);
    CHECK_INT(strlen(lines), strlen("6 e v=<>\n") + 1024);
}

static void error_becomes_fields(void)
{
    begin();
    struct moor_error e = MOOR_ERROR_INIT;
    CHECK_INT(moor_fail(&e, MOOR_E_REMOTE, "his: refused"), MOOR_E_REMOTE);
    e.http = 403;
    (void)snprintf(e.request_id, sizeof(e.request_id), "r-1");
    (void)snprintf(e.service_code, sizeof(e.service_code), "Forbidden");
    moor_log_error(MOOR_LOG_ERROR, "heartbeat.failed", &e, "try", "2", NULL);
    CHECK(strstr(lines, "3 heartbeat.failed try=<2> error=<his: refused> code=<"));
    CHECK(strstr(lines, " service_code=<Forbidden> request_id=<r-1> http=<403>\n"));
    lines[0] = '\0';
    CHECK_INT(moor_fail(&e, MOOR_E_IO, "disk"), MOOR_E_IO);
    moor_log_error(MOOR_LOG_ERROR, "x", &e, NULL);
    CHECK(!strstr(lines, "http=") && !strstr(lines, "request_id="));
}

static void repeats_collapse_into_a_count(void)
{
    begin();
    for (int i = 0; i < 38; i++)
        moor_log(MOOR_LOG_WARNING, "send.failed", "error", "refused", NULL);
    CHECK_STR(lines, "4 send.failed error=<refused>\n");
    moor_log(MOOR_LOG_WARNING, "send.failed", "error", "timeout", NULL);
    CHECK_STR(lines, "4 send.failed error=<refused>\n"
                     "4 send.failed repeated=<37>\n"
                     "4 send.failed error=<timeout>\n");
}

static void repeats_are_shown_again_after_an_hour(void)
{
    begin();
    moor_log(MOOR_LOG_WARNING, "send.failed", NULL);
    fake_clock_advance(3599999);
    moor_log(MOOR_LOG_WARNING, "send.failed", NULL);
    fake_clock_advance(1);
    moor_log(MOOR_LOG_WARNING, "send.failed", NULL);
    CHECK_STR(lines, "4 send.failed\n4 send.failed repeated=<1>\n4 send.failed\n");
}

static void records_that_alternate_are_all_shown(void)
{
    begin();
    for (int i = 0; i < 2; i++) {
        moor_log(MOOR_LOG_INFO, "up", NULL);
        moor_log(MOOR_LOG_INFO, "down", NULL);
    }
    CHECK_STR(lines, "6 up\n6 down\n6 up\n6 down\n");
}

CHECK_MAIN(CHECK_TEST(pairs_are_written_and_null_values_left_out),
           CHECK_TEST(records_below_the_level_are_dropped),
           CHECK_TEST(control_characters_and_bad_text_are_written_out),
           CHECK_TEST(long_values_are_cut), CHECK_TEST(error_becomes_fields),
           CHECK_TEST(repeats_collapse_into_a_count),
           CHECK_TEST(repeats_are_shown_again_after_an_hour),
           CHECK_TEST(records_that_alternate_are_all_shown))
