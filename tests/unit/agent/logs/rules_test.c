/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "logs/glob.h"
#include "logs/rules.h"

#define PARTS                                                                                      \
    "\"destinations\":{\"logAnalytics\":[{\"name\":\"ws\",\"workspaceId\":\"w\"}]},"               \
    "\"dataFlows\":[{\"streams\":[\"Custom-A\",\"Custom-B\"],\"destinations\":[\"ws\"],"           \
    "\"transformKql\":\"source\",\"outputStream\":\"Custom-A_CL\"}]"

static moor_code decode(const char *sources, const char *parts, struct moor_rule *out,
                        struct moor_arena *arena, struct moor_error *err)
{
    char text[4096];
    (void)snprintf(text, sizeof(text),
                   "{\"schema\":1,\"id\":\"/x\",\"immutableId\":\"dcr-01\","
                   "\"endpoint\":\"https://a.example/\",\"properties\":{"
                   "\"dataSources\":%s,%s}}",
                   sources, parts);
    return moor_rule_decode(moor_span_str(text), "a.json", out, arena, err);
}

static void a_rule_becomes_one_flow_a_stream(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1 << 20);
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_rule r;
    CHECK_INT(decode("{\"logFiles\":[{\"name\":\"app\",\"streams\":[\"Custom-A\",\"Custom-B\"],"
                     "\"filePatterns\":[\"/var/log/a/*.log\",\"C:\\\\x\\\\*.log\"],"
                     "\"format\":\"json\",\"other\":1}],\"windowsEventLogs\":[{}]}",
                     PARTS, &r, &arena, &err),
              MOOR_OK);
    CHECK_INT(r.flow_count, 2);
    CHECK_STR(r.flows[0].key, "dcr-01/Custom-A/app");
    CHECK_STR(r.flows[1].key, "dcr-01/Custom-B/app");
    CHECK_STR(r.flows[0].endpoint, "https://a.example");
    CHECK_INT(r.flows[0].format, MOOR_LOG_JSON_LINES);
    CHECK_INT(r.flows[0].patterns.count, 1);
    CHECK_STR(r.flows[0].patterns.items[0], "/var/log/a/*.log");
    CHECK_STR(r.ignored, "C:\\x\\*.log, windowsEventLogs");
}

static void every_kind_of_source_becomes_flows(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1 << 20);
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_rule r;
    CHECK_INT(
        decode(
            "{\"syslog\":[{\"name\":\"s\",\"streams\":[\"Custom-A\"],"
            "\"facilityNames\":[\"auth\",\"kern\"],\"logLevels\":[\"Error\"]}],"
            "\"journal\":[{\"name\":\"j\",\"streams\":[\"Custom-A\"],\"units\":[\"a.service\"]}],"
            "\"performanceCounters\":[{\"name\":\"p\",\"streams\":[\"Custom-B\"],"
            "\"samplingFrequencyInSeconds\":10,\"counterSpecifiers\":[\"Memory(*)\\\\% Used "
            "Memory\"]}],"
            "\"logFiles\":[{\"name\":\"f\",\"streams\":[\"Custom-A\"],\"filePatterns\":[\"/a\"],"
            "\"format\":\"text\",\"settings\":{\"text\":{\"recordStartTimestampFormat\":"
            "\"ISO 8601\"}}}]}",
            "\"destinations\":{\"logAnalytics\":[{\"name\":\"ws\"}]},\"dataFlows\":[{\"streams\":"
            "[\"Custom-A\",\"Custom-B\",\"Microsoft-Heartbeat\"],\"destinations\":[\"ws\"]}]",
            &r, &arena, &err),
        MOOR_OK);
    static const int kinds[] = { MOOR_FLOW_FILES, MOOR_FLOW_SYSLOG, MOOR_FLOW_JOURNAL,
                                 MOOR_FLOW_COUNTERS, MOOR_FLOW_HEARTBEAT };
    CHECK_INT(r.flow_count, MOOR_COUNTOF(kinds));
    for (size_t i = 0; i < r.flow_count; i++)
        CHECK_INT(r.flows[i].kind, kinds[i]);
    CHECK(r.flows[0].record_start);
    CHECK_INT(r.flows[1].filter.facilities, 0x11);
    CHECK_INT(r.flows[1].filter.severities, 1 << 3);
    CHECK_STR(r.flows[2].patterns.items[0], "a.service");
    CHECK(r.flows[2].filter.facilities == UINT32_MAX);
    CHECK_INT(r.flows[3].seconds, 10);
    CHECK_STR(r.flows[4].key, "dcr-01/Microsoft-Heartbeat/heartbeat");
    CHECK_STR(r.ignored, "");
}

static void a_bad_rule_says_what_is_wrong(void)
{
    static const struct {
        const char *sources, *parts, *want;
    } cases[] = {
        { "{\"logFiles\":[{\"name\":\"a\",\"streams\":[\"Custom-C\"],\"filePatterns\":[\"/a\"],"
          "\"format\":\"text\"}]}",
          PARTS, "no flow takes Custom-C" },
        { "{\"logFiles\":[{\"name\":\"a\",\"streams\":[\"Custom-A\"],\"filePatterns\":[\"a/b\"],"
          "\"format\":\"text\"}]}",
          PARTS, "filePatterns[0]" },
        { "{\"logFiles\":[{\"name\":\"a\",\"streams\":[\"Custom-A\"],\"filePatterns\":[\"/a\"],"
          "\"format\":\"text\",\"settings\":{\"text\":{\"recordStartTimestampFormat\":\"?\"}}}]}",
          PARTS, "recordStartTimestampFormat: ?" },
        { "{\"syslog\":[{\"name\":\"a\",\"streams\":[\"Custom-A\"],\"facilityNames\":[\"x\"]}]}",
          PARTS, "dataSources.syslog: a: facilityNames: x" },
        { "{\"logFiles\":[{\"name\":\"a\",\"streams\":[\"Custom-A\"],\"filePatterns\":[\"/a\"],"
          "\"format\":\"xml\"}]}",
          PARTS, "format" },
        { "{\"logFiles\":[{\"name\":\"a/b\",\"streams\":[\"Custom-A\"],\"filePatterns\":[\"/a\"],"
          "\"format\":\"text\"}]}",
          PARTS, "name" },
        { "{\"logFiles\":[{\"name\":\"a\",\"streams\":[],\"filePatterns\":[\"/a\"],"
          "\"format\":\"text\"}]}",
          PARTS, "streams" },
        { "{\"logFiles\":[{\"name\":\"a\",\"streams\":[\"Custom-A\"],\"filePatterns\":[\"/a\"],"
          "\"format\":\"text\"}]}",
          "\"destinations\":{},\"dataFlows\":[{\"streams\":[\"Custom-A\"],\"destinations\":"
          "[\"ws\"]}]",
          "dataFlows[0].destinations" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1 << 20);
        struct moor_error err = MOOR_ERROR_INIT;
        struct moor_rule r;
        CHECK(decode(cases[i].sources, cases[i].parts, &r, &arena, &err) != MOOR_OK);
        CHECK(strstr(err.msg, "a.json") == err.msg);
        if (!CHECK(strstr(err.msg, cases[i].want)))
            printf("# %s\n", err.msg);
    }
}

static void tokens_go_to_https_only(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1 << 20);
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_rule r;
    static const char text[] = "{\"immutableId\":\"dcr-01\",\"endpoint\":\"http://a.example\","
                               "\"properties\":{}}";
    CHECK_INT(moor_rule_decode(MOOR_SPAN_LIT(text), "a.json", &r, &arena, &err), MOOR_E_BADINPUT);
    CHECK(strstr(err.msg, "https"));
}

static void a_star_stays_within_its_component(void)
{
    static const struct {
        const char *pattern, *name;
        bool want;
    } cases[] = {
        { "*", "a.log", true },        { "*", ".hidden", false },
        { ".*", ".hidden", true },     { "*.log", "a.log", true },
        { "*.log", "a.log.1", false }, { "a*b*c", "aXbYbZc", true },
        { "a*b*c", "aXbYbZ", false },  { "a", "a", true },
        { "a", "ab", false },          { "**x", "x", true },
        { "*a*", "bcd", false },       { "", "", true },
        { "a*a", "a", false },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++)
        if (!CHECK(moor_glob_match(moor_span_str(cases[i].pattern), cases[i].name) ==
                   cases[i].want))
            printf("# %s %s\n", cases[i].pattern, cases[i].name);
    CHECK(moor_glob_match_path("/var/*/x.log", "/var/a/x.log"));
    CHECK(!moor_glob_match_path("/var/*/x.log", "/var/a/b/x.log"));
    CHECK(!moor_glob_match_path("/var/*/x.log", "/var/a"));
    CHECK(moor_glob_match_start("/var/*/x.log", "/var/a"));
    CHECK(!moor_glob_match_start("/var/*/x.log", "/usr"));
}

static void only_plain_absolute_patterns_are_valid(void)
{
    CHECK(moor_glob_valid("/a/*/b*.log"));
    static const char *const bad[] = { "", "a", "/", "/a/", "//a", "/a/../b", "/./a", "/a/**" };
    for (size_t i = 0; i < MOOR_COUNTOF(bad); i++)
        CHECK(!moor_glob_valid(bad[i]));
}

static void a_folder_holds_itself_and_what_is_below(void)
{
    static const char *const items[] = { "/var/log/", "/srv" };
    const struct moor_str_list folders = { items, 2 };
    CHECK(moor_path_within("/var/log/a", &folders));
    CHECK(moor_path_within("/var/log", &folders));
    CHECK(!moor_path_within("/var/logs/a", &folders));
    CHECK(!moor_path_within("/srvx", &folders));
}

CHECK_MAIN(CHECK_TEST(a_rule_becomes_one_flow_a_stream),
           CHECK_TEST(every_kind_of_source_becomes_flows),
           CHECK_TEST(a_bad_rule_says_what_is_wrong), CHECK_TEST(tokens_go_to_https_only),
           CHECK_TEST(a_star_stays_within_its_component),
           CHECK_TEST(only_plain_absolute_patterns_are_valid),
           CHECK_TEST(a_folder_holds_itself_and_what_is_below))
