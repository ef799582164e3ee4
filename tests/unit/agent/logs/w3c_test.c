/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/w3c.h"

#include "base/attr.h"
#include "base/json.h"
#include "check.h"

#define NOW INT64_C(1795366800000)

static const struct moor_w3c_origin from = { NOW, "box" };

static void tell(struct moor_w3c *w, const char *line)
{
    (void)moor_w3c_directive(w, moor_span_str(line));
}

static void a_line_becomes_a_row_of_the_table(void)
{
    struct moor_w3c w = { .count = 0 };
    MOOR_AUTO(moor_buf) b = MOOR_BUF(4096);
    tell(&w, "#Software: Microsoft Internet Information Services 10.0");
    tell(&w, "#Fields: date time s-ip cs-method cs-uri-stem s-port cs(User-Agent) x-mine "
             "sc-status sc-bytes time-taken");
    CHECK_INT(moor_w3c_row_add(&b, &w,
                               moor_span_str("2026-11-22 10:11:12 ::1 GET /a%20b 443 "
                                             "Mozilla/5.0+(\"x\") mine 200 - 15"),
                               &from, NULL),
              MOOR_OK);
    CHECK_STR(
        moor_buf_cstr(&b),
        "{\"TimeGenerated\":\"2026-11-22T10:11:12.000Z\",\"Computer\":\"box\",\"sIP\":\"::1\","
        "\"csMethod\":\"GET\",\"csUriStem\":\"/a%20b\",\"sPort\":443,"
        "\"csUserAgent\":\"Mozilla/5.0+(\\\"x\\\")\",\"scStatus\":\"200\",\"TimeTaken\":15}");
}

static void the_day_may_stand_in_a_directive(void)
{
    struct moor_w3c w = { .count = 0 };
    MOOR_AUTO(moor_buf) b = MOOR_BUF(4096);
    tell(&w, "#Date: 2026-11-21 23:59:00");
    tell(&w, "#Fields: time c-ip");
    CHECK_INT(moor_w3c_row_add(&b, &w, moor_span_str("23:59:01 1.2.3.4"), &from, NULL), MOOR_OK);
    CHECK_STR(moor_buf_cstr(&b),
              "{\"TimeGenerated\":\"2026-11-21T23:59:01.000Z\",\"Computer\":\"box\","
              "\"cIP\":\"1.2.3.4\"}");
    moor_buf_reset(&b);
    CHECK_INT(moor_w3c_row_add(&b, &w, moor_span_str("soon 1.2.3.4"), &from, NULL), MOOR_OK);
    CHECK(moor_span_starts(moor_buf_view(&b), "{\"TimeGenerated\":\"2026-11-2"));
}

static void what_does_not_fit_its_fields_is_refused(void)
{
    struct moor_w3c w = { .count = 0 };
    MOOR_AUTO(moor_buf) b = MOOR_BUF(4096);
    CHECK_INT(moor_w3c_row_add(&b, &w, moor_span_str("a"), &from, NULL), MOOR_E_BADINPUT);
    tell(&w, "#Fields: time c-ip");
    CHECK_INT(moor_w3c_row_add(&b, &w, moor_span_str("a"), &from, NULL), MOOR_E_BADINPUT);
    CHECK_INT(moor_w3c_row_add(&b, &w, moor_span_str("a b c"), &from, NULL), MOOR_E_BADINPUT);
    CHECK_INT(b.len, 0);
    /* As many again, and the line is a row. */
    tell(&w, "#Fields:  time\tc-ip  cs-host ");
    CHECK_INT(moor_w3c_row_add(&b, &w, moor_span_str("a b c"), &from, NULL), MOOR_OK);
}

static const struct check_test tests[] = {
    CHECK_TEST(a_line_becomes_a_row_of_the_table),
    CHECK_TEST(the_day_may_stand_in_a_directive),
    CHECK_TEST(what_does_not_fit_its_fields_is_refused),
};

int main(void)
{
    return check_run(tests, MOOR_COUNTOF(tests));
}
