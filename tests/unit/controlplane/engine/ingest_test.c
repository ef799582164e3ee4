/* SPDX-License-Identifier: Apache-2.0 */
#include <zlib.h>

#include "check.h"
#include "engine/ingest.h"
#include "engine/rules.h"
#include "engine/tables.h"
#include "engine/timespan.h"

#define NOW INT64_C(1795366800000) /* 2026-11-22T17:00:00Z */

static const struct moor_kql_column columns[] = {
    { "RawData", MOOR_KQL_STRING }, { "Count", MOOR_KQL_LONG },  { "Ratio", MOOR_KQL_REAL },
    { "Ok", MOOR_KQL_BOOL },        { "At", MOOR_KQL_DATETIME }, { "Any", MOOR_KQL_DYNAMIC },
};
static struct moor_error err;
static char joined[4096];

static moor_code take(struct moor_span body, bool gzip, const char *resource)
{
    MOOR_AUTO(moor_ingested) out = { .rows = NULL };
    struct moor_ingest in = { body, gzip, { columns, 6 }, resource, NOW };
    memset(&err, 0, sizeof err);
    moor_code c = moor_ingest_rows(&in, &out, &err);
    joined[0] = 0;
    for (size_t i = 0; !c && i < out.count; i++) {
        size_t n = strlen(joined);
        snprintf(joined + n, sizeof joined - n, "%.*s\n", (int)out.rows[i].json.n,
                 out.rows[i].json.p);
    }
    return c;
}

static const char *rows_of(const char *body)
{
    return take(moor_span_str(body), false, "") ? err.service_code : joined;
}

static void columns_are_kept_by_name_and_type(void)
{
    CHECK_STR(rows_of("[{\"RawData\":\"a\\nb\",\"Count\":\"7\",\"Ratio\":1.5,\"Ok\":\"TRUE\","
                      "\"At\":\"2026-11-22T18:00:00+01:00\",\"Any\":{\"x\":[1]},\"Other\":1,"
                      "\"TimeGenerated\":\"2026-11-22T16:00:00Z\"}]"),
              "{\"TimeGenerated\":\"2026-11-22T16:00:00Z\",\"RawData\":\"a\\nb\",\"Count\":7,"
              "\"Ratio\":1.5,\"Ok\":true,\"At\":\"2026-11-22T17:00:00Z\",\"Any\":{\"x\":[1]}}\n");
    CHECK_STR(rows_of("[{\"RawData\":{\"a\":1},\"Count\":1.5,\"Ok\":3,\"At\":\"x\"},{}]"),
              "{\"TimeGenerated\":\"2026-11-22T17:00:00Z\",\"RawData\":\"{\\\"a\\\":1}\"}\n"
              "{\"TimeGenerated\":\"2026-11-22T17:00:00Z\"}\n");
}

static void times_far_off_become_the_time_of_receipt(void)
{
    CHECK_STR(rows_of("[{\"TimeGenerated\":\"2026-11-20T16:59:59Z\"}]"),
              "{\"TimeGenerated\":\"2026-11-22T17:00:00Z\"}\n");
    CHECK_STR(rows_of("[{\"TimeGenerated\":\"2026-11-20T17:00:00Z\"}]"),
              "{\"TimeGenerated\":\"2026-11-20T17:00:00Z\"}\n");
    CHECK_STR(rows_of("[{\"TimeGenerated\":\"2026-11-23T17:00:01Z\"}]"),
              "{\"TimeGenerated\":\"2026-11-22T17:00:00Z\"}\n");
}

static void the_array_must_be_whole(void)
{
    static const char *const bad[] = { "",      "{}",           "[",        "[{}",
                                       "[{},]", "[,{}]",        "[{}]x",    "[{}] []",
                                       "[1]",   "[{\"a\":1,}]", "[{\"a\"]", "[\"a\"]",
                                       "[{}}]", "[[{}]]",       "[{} {}]",  "[{\"a\":1,\"a\":2}]" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_STR(rows_of(bad[i]), "InvalidJson");
    CHECK_STR(rows_of(" [ ] "), "");
    CHECK_STR(rows_of("[{\"RawData\":\"],}{[\\\"\"} , {} ]"),
              "{\"TimeGenerated\":\"2026-11-22T17:00:00Z\",\"RawData\":\"],}{[\\\"\"}\n"
              "{\"TimeGenerated\":\"2026-11-22T17:00:00Z\"}\n");
}

static void a_resource_is_named_in_its_rows(void)
{
    CHECK_INT(take(MOOR_SPAN_LIT("[{}]"), false, "/subscriptions/s"), MOOR_OK);
    CHECK_STR(joined, "{\"TimeGenerated\":\"2026-11-22T17:00:00Z\",\"_ResourceId\":"
                      "\"/subscriptions/s\"}\n");
}

/* Compresses count copies of text. */
static struct moor_buf packed(const char *text, size_t count)
{
    struct moor_buf out = MOOR_BUF(4 << 20);
    z_stream z;
    memset(&z, 0, sizeof z);
    if (deflateInit2(&z, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return out;
    for (size_t i = 0; i <= count; i++) {
        z.next_in = (Bytef *)(uintptr_t)text;
        z.avail_in = i < count ? (uInt)strlen(text) : 0;
        do {
            char *room = moor_buf_room(&out, 65536);
            z.next_out = (Bytef *)room;
            z.avail_out = 65536;
            (void)deflate(&z, i < count ? Z_NO_FLUSH : Z_FINISH);
            moor_buf_grew(&out, 65536 - z.avail_out);
        } while (z.avail_out == 0);
    }
    deflateEnd(&z);
    return out;
}

static void gzip_is_unpacked_within_limits(void)
{
    MOOR_AUTO(moor_buf) good = packed("[{\"Count\":1}]", 1);
    CHECK_INT(take(moor_buf_view(&good), true, ""), MOOR_OK);
    CHECK(strstr(joined, "\"Count\":1") != NULL);
    CHECK_INT(take(moor_span(good.data, good.len - 1), true, ""), MOOR_E_BADINPUT);
    CHECK_INT(take(MOOR_SPAN_LIT("[{}]"), true, ""), MOOR_E_BADINPUT);
    MOOR_AUTO(moor_buf) parts = packed("[{\"Count\"", 1);
    MOOR_AUTO(moor_buf) rest = packed(":2}]", 1);
    moor_buf_span(&parts, moor_buf_view(&rest));
    CHECK_INT(take(moor_buf_view(&parts), true, ""), MOOR_OK);
    CHECK(strstr(joined, "\"Count\":2") != NULL);
    CHECK_INT(take(moor_span(parts.data, parts.len - 1), true, ""), MOOR_E_BADINPUT);
    moor_buf_str(&parts, "what is no member");
    CHECK_INT(take(moor_buf_view(&parts), true, ""), MOOR_E_BADINPUT);
    char blanks[1025];
    memset(blanks, ' ', 1024);
    blanks[1024] = 0;
    MOOR_AUTO(moor_buf) bomb = packed(blanks, 60 * 1024);
    CHECK_INT(take(moor_buf_view(&bomb), true, ""), MOOR_E_NOMEM);
    CHECK_STR(err.service_code, "ContentLengthLimitExceeded");
}

static void quotas_are_per_minute(void)
{
    struct moor_quota q = { 0, 0, 0 };
    CHECK_INT(moor_quota_take(&q, 10, 2, 100, NOW), 0);
    CHECK_INT(moor_quota_take(&q, 10, 2, 100, NOW + 1), 0);
    CHECK_INT(moor_quota_take(&q, 10, 2, 100, NOW + 1000), 59);
    CHECK_INT(moor_quota_take(&q, 101, 2, 100, NOW + 60000), 60);
    CHECK_INT(moor_quota_take(&q, 100, 2, 100, NOW + 60000), 0);
    CHECK_INT(moor_quota_take(&q, 1, 2, 100, NOW + 119999), 1);
}

static void every_rule_has_a_quota_of_its_own(void)
{
    MOOR_AUTOPTR(moor_quotas) q = NULL;
    CHECK_INT(moor_quotas_new(1, 1000, &q, &err), MOOR_OK);
    char rule[16];
    for (int i = 0; i < 40; i++) {
        snprintf(rule, sizeof rule, "dcr-%d", i);
        CHECK_INT(moor_quotas_take(q, rule, 1, NOW), 0);
    }
    CHECK_INT(moor_quotas_take(q, "dcr-7", 1, NOW + 1), 60);
    CHECK_INT(moor_quotas_take(q, "dcr-7", 1, NOW + 60000), 0);
    CHECK_INT(moor_quotas_take(q, "dcr-8", 1, NOW + 60000), 0);
    CHECK_INT(moor_quotas_take(q, "dcr-8", 1, NOW + 60001), 60);
}

static const char *span_of(const char *text)
{
    static char shown[64];
    struct moor_timespan s = MOOR_TIMESPAN_ALL;
    if (!moor_timespan_narrow(&s, text, NOW))
        return "no";
    snprintf(shown, sizeof shown, "%lld..%lld", (long long)(s.from_ms - NOW),
             (long long)(s.to_ms - NOW));
    return shown;
}

static void timespans_are_durations_and_intervals(void)
{
    CHECK_STR(span_of("PT1H"), "-3600000..1");
    CHECK_STR(span_of("2026-11-22T16:00:00Z/2026-11-22T16:30:00Z"), "-3600000..-1800000");
    CHECK_STR(span_of("2026-11-22T16:00:00Z/PT1M"), "-3600000..-3540000");
    CHECK_STR(span_of("P1D/2026-11-22T17:00:00Z"), "-86400000..0");
    CHECK_STR(span_of("2026-11-22T17:00:00Z/2026-11-22T16:00:00Z"), "no");
    CHECK_STR(span_of("PT1H/PT1H"), "no");
    CHECK_STR(span_of("yesterday"), "no");
    CHECK_STR(span_of(""), "no");
    struct moor_timespan both = MOOR_TIMESPAN_ALL;
    CHECK(moor_timespan_narrow(&both, "PT2H", NOW) && moor_timespan_narrow(&both, "PT1H", NOW) &&
          moor_timespan_narrow(&both, "PT3H", NOW));
    CHECK_INT(both.from_ms, NOW - 3600000);
}

#define WS "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w"
#define DECLARED                                                                                   \
    "\"streamDeclarations\":{\"Custom-App\":{\"columns\":["                                        \
    "{\"name\":\"TimeGenerated\",\"type\":\"datetime\"},"                                          \
    "{\"name\":\"RawData\",\"type\":\"string\"}]}},"
#define DESTINATIONS                                                                               \
    "\"destinations\":{\"logAnalytics\":[{\"name\":\"ws\",\"workspaceResourceId\":\"" WS "\"}]},"

static const char *flows_of(const char *text)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1 << 20);
    MOOR_AUTOPTR(moor_json) v = NULL;
    struct moor_rule_flows flows;
    if (moor_json_parse(moor_span_str(text), &v, &err) || moor_rule_flows(v, &arena, &flows, &err))
        return err.msg;
    joined[0] = 0;
    for (size_t i = 0; i < flows.count; i++) {
        size_t n = strlen(joined);
        snprintf(joined + n, sizeof joined - n, "%s>%s(%zu)>%s;", flows.items[i].stream,
                 flows.items[i].table, flows.items[i].columns.count, flows.items[i].destination);
    }
    return joined;
}

static void rules_tell_where_streams_go(void)
{
    CHECK_STR(flows_of("{" DECLARED DESTINATIONS "\"dataFlows\":[{\"streams\":[\"Custom-App\"],"
                       "\"destinations\":[\"ws\"],\"outputStream\":\"Custom-App_CL\","
                       "\"transformKql\":\"source\"},{\"streams\":[\"Microsoft-Syslog\"],"
                       "\"destinations\":[\"ws\"]}]}"),
              "Custom-App>App_CL(2)>ws;Microsoft-Syslog>Syslog(11)>ws;");
    CHECK_STR(flows_of("{}"), "");
}

static void rules_that_make_no_sense_are_refused(void)
{
    CHECK_STR(flows_of("{" DECLARED DESTINATIONS "\"dataFlows\":[{\"streams\":[\"Custom-App\"],"
                       "\"destinations\":[\"nowhere\"],\"outputStream\":\"Custom-App_CL\"}]}"),
              "properties.dataFlows: nowhere: not among destinations.logAnalytics");
    CHECK_STR(flows_of("{" DESTINATIONS "\"dataFlows\":[{\"streams\":[\"Custom-App\"],"
                       "\"destinations\":[\"ws\"],\"outputStream\":\"Custom-App_CL\"}]}"),
              "properties.dataFlows: Custom-App: not among streamDeclarations");
    CHECK_STR(flows_of("{" DECLARED DESTINATIONS "\"dataFlows\":[{\"streams\":[\"Custom-App\"],"
                       "\"destinations\":[\"ws\"]}]}"),
              "properties.dataFlows: Custom-App: want an outputStream Custom-NAME_CL or "
              "Microsoft-TABLE");
    CHECK_STR(flows_of("{" DECLARED DESTINATIONS "\"dataFlows\":[{\"streams\":[\"Custom-App\"],"
                       "\"destinations\":[\"ws\"],\"outputStream\":\"Custom-App_CL\","
                       "\"transformKql\":\"source | take 1\"}]}"),
              "properties.dataFlows: transformKql: only \"source\" is supported");
    CHECK_STR(flows_of("{\"streamDeclarations\":{\"App\":{}}}"),
              "properties.streamDeclarations.App: want a name Custom-NAME");
    CHECK_STR(
        flows_of("{\"streamDeclarations\":{\"Custom-A\":{\"columns\":[{\"name\":\"TenantId\","
                 "\"type\":\"string\"}]}}}"),
        "properties.streamDeclarations.Custom-A: column TenantId: want a new name of letters, "
        "digits and underscores, at most 45, that is not reserved");
    CHECK_STR(flows_of("{\"streamDeclarations\":{\"Custom-A\":{\"columns\":[{\"name\":\"A\","
                       "\"type\":\"text\"}]}}}"),
              "properties.streamDeclarations.Custom-A: column A: want a type among string, int, "
              "long, real, boolean, dynamic, datetime, guid");
}

static void tables_grow_by_new_columns_only(void)
{
    MOOR_AUTOPTR(moor_json) list = moor_json_new_array();
    struct moor_kql_columns all = { columns, 2 }, more = { columns, 3 };
    CHECK(moor_table_extend(list, &all));
    CHECK(!moor_table_extend(list, &all));
    CHECK(moor_table_extend(list, &more));
    CHECK_INT(moor_json_size(list), 3);
}

CHECK_MAIN(CHECK_TEST(columns_are_kept_by_name_and_type),
           CHECK_TEST(times_far_off_become_the_time_of_receipt),
           CHECK_TEST(the_array_must_be_whole), CHECK_TEST(a_resource_is_named_in_its_rows),
           CHECK_TEST(gzip_is_unpacked_within_limits), CHECK_TEST(quotas_are_per_minute),
           CHECK_TEST(every_rule_has_a_quota_of_its_own),
           CHECK_TEST(timespans_are_durations_and_intervals),
           CHECK_TEST(rules_tell_where_streams_go),
           CHECK_TEST(rules_that_make_no_sense_are_refused),
           CHECK_TEST(tables_grow_by_new_columns_only))
