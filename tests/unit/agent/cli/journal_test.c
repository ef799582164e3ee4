/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "cli/journal.h"

static const char *line(struct moor_buf *b, const char *level, const char *text, const char *verb)
{
    moor_buf_reset(b);
    moor_journal_line(b, 1795382410987, level, text, verb);
    return moor_buf_cstr(b);
}

static void lines_have_the_form_that_scripts_look_for(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(4096);
    CHECK_STR(line(&b, "fatal", "AZCM0044: exists", "connect"),
              "time=\"2026-11-22T21:20:10Z\" level=fatal msg=\"AZCM0044: exists\" "
              "Command=connect\n");
    CHECK_STR(line(&b, "info", "x", "config set"),
              "time=\"2026-11-22T21:20:10Z\" level=info msg=\"x\" Command=\"config set\"\n");
}

static void what_a_server_said_stays_on_its_line(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(4096);
    CHECK_STR(line(&b, "info", "a\nb \"c\" \\ \033[0m\r", "x"),
              "time=\"2026-11-22T21:20:10Z\" level=info "
              "msg=\"a\\nb \\\"c\\\" \\\\ \\x1b[0m\\x0d\" Command=x\n");
}

CHECK_MAIN(CHECK_TEST(lines_have_the_form_that_scripts_look_for),
           CHECK_TEST(what_a_server_said_stays_on_its_line))
