/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of docs/protocol/service.md, as this side writes and reads them. */
#include "core/service.h"

#include "check.h"
#include "core/desired.h"

#define VM      "11111111-2222-3333-4444-555555555555"
#define VERSION "?api-version=2026-11-01"

static void heartbeat_has_every_required_member(void)
{
    MOOR_AUTO(moor_service_request) r = { .method = NULL };
    const struct moor_heartbeat h = { .boot_id = "3f6c0b5e9a874d0c8d6f2b1a9c3e7f10",
                                      .sequence = 17,
                                      .fingerprint = { .macs = "01fe" },
                                      .agent_version = "0.1.0",
                                      .status = "Connected",
                                      .properties_hash = "5b1f",
                                      .sent_at_ms = INT64_C(1795367970000) };
    CHECK_INT(moor_service_heartbeat("https://h/his", VM, &h, &r, NULL), MOOR_OK);
    CHECK_STR(r.method, "POST");
    CHECK_STR(moor_buf_cstr(&r.url), "https://h/his/machines/" VM "/heartbeat" VERSION);
    CHECK_STR(moor_buf_cstr(&r.body),
              "{\"bootId\":\"3f6c0b5e9a874d0c8d6f2b1a9c3e7f10\",\"sequence\":17,\"fingerprint\":"
              "{\"machineId\":\"\",\"smbiosUuid\":\"\",\"macs\":\"01fe\"},\"agentVersion\":"
              "\"0.1.0\",\"status\":\"Connected\",\"propertiesHash\":\"5b1f\","
              "\"sentAt\":\"2026-11-22T17:19:30Z\"}");
}

static void certificate_request_is_base64_and_proof(void)
{
    MOOR_AUTO(moor_service_request) r = { .method = NULL };
    CHECK_INT(moor_service_certificate("https://h/his", VM, moor_span("\x30\x01", 2),
                                       MOOR_SPAN_LIT("a.b.c"), NULL, &r, NULL),
              MOOR_OK);
    CHECK_STR(moor_buf_cstr(&r.body), "{\"csr\":\"MAE=\",\"proof\":\"a.b.c\"}");
}

static void reads_carry_their_parameters(void)
{
    MOOR_AUTO(moor_service_request) r = { .method = NULL };
    CHECK_INT(moor_service_wait("https://h/notify", VM, "9f.1 2", 55, &r, NULL), MOOR_OK);
    CHECK_STR(moor_buf_cstr(&r.url),
              "https://h/notify/machines/" VM "/wait" VERSION "&revision=9f.1%202&seconds=55");
    CHECK(r.timeout_ms > 55000);
    CHECK_INT(moor_service_desired_state("https://h/gas", VM, "\"9f.1\"", &r, NULL), MOOR_OK);
    CHECK_STR(moor_buf_cstr(&r.if_none_match), "\"9f.1\"");
    CHECK_INT(moor_service_discovery("https://h/his", "westeurope", &r, NULL), MOOR_OK);
    CHECK_STR(moor_buf_cstr(&r.url), "https://h/his/discovery" VERSION "&location=westeurope");
}

static void bodies_over_the_limit_are_not_sent(void)
{
    MOOR_AUTO(moor_service_request) r = { .method = NULL };
    MOOR_AUTO(moor_buf) big = MOOR_BUF(MOOR_PROPERTIES_MAX + 1);
    struct moor_error err = MOOR_ERROR_INIT;
    while (big.len <= MOOR_PROPERTIES_MAX)
        moor_buf_char(&big, ' ');
    CHECK_INT(moor_service_properties("https://h", VM, moor_buf_view(&big), &r, &err),
              MOOR_E_NOMEM);
    CHECK(strstr(err.msg, "limit is 65536"));
}

static void heartbeat_reply_is_read_by_its_table(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(8192);
    struct moor_heartbeat_reply r;
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK_INT(moor_service_read_heartbeat(
                  MOOR_SPAN_LIT("{\"nextHeartbeatSeconds\":300,\"waitSeconds\":55,"
                                "\"desiredStateRevision\":\"e.1\",\"sendProperties\":true,"
                                "\"sendReport\":false,\"rotate\":false,\"upgradeRequired\":false,"
                                "\"serverTime\":\"2026-11-22T17:19:30Z\",\"more\":1}"),
                  &r, &arena, &err),
              MOOR_OK);
    CHECK_STR(err.msg, "");
    CHECK_INT(r.wait_seconds, 55);
    CHECK(r.send_properties && !r.send_report);
    CHECK_INT(moor_service_read_heartbeat(MOOR_SPAN_LIT("{\"waitSeconds\":0}"), &r, &arena, &err),
              MOOR_E_BADINPUT);
    CHECK(strstr(err.msg, "heartbeat reply"));
}

static void discovery_wants_https_and_cuts_slashes(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(8192);
    struct moor_service_endpoints e;
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK_INT(moor_service_read_discovery(
                  MOOR_SPAN_LIT("{\"hisEndpoint\":\"https://h/his/\",\"gasEndpoint\":\"https://h/"
                                "gas\",\"notificationEndpoint\":\"https://h/notify\","
                                "\"ingestionEndpoint\":\"https://h\",\"serverTime\":"
                                "\"2026-11-22T17:19:30Z\"}"),
                  &e, &arena, &err),
              MOOR_OK);
    CHECK_STR(e.his, "https://h/his");
    CHECK_INT(moor_service_read_discovery(
                  MOOR_SPAN_LIT("{\"hisEndpoint\":\"http://h\",\"gasEndpoint\":\"https://h/gas\","
                                "\"notificationEndpoint\":\"https://h\",\"ingestionEndpoint\":"
                                "\"https://h\",\"serverTime\":\"2026-11-22T17:19:30Z\"}"),
                  &e, &arena, &err),
              MOOR_E_BADINPUT);
    CHECK(strstr(err.msg, "hisEndpoint"));
}

static void refusals_count_only_in_the_services_own_words(void)
{
    static const struct {
        int status;
        const char *body, *id;
        moor_code code;
    } cases[] = {
        { 200, "", "", MOOR_OK },
        { 304, "", "", MOOR_OK },
        { 404, "<html>", "x", MOOR_E_TRANSIENT },
        { 404, "{\"error\":{\"code\":\"MachineNotFound\"}}", "", MOOR_E_TRANSIENT },
        { 404, "{\"error\":{\"code\":\"MachineNotFound\"}}", "x", MOOR_E_NOTFOUND },
        { 403, "{\"error\":{\"code\":\"MachineDisabled\"}}", "x", MOOR_E_DENIED },
        { 421, "{\"error\":{\"code\":\"WrongRegion\"}}", "x", MOOR_E_TRANSIENT },
        { 503, "{\"error\":{\"code\":\"ServiceUnavailable\"}}", "x", MOOR_E_TRANSIENT },
        { 429, "{\"error\":{\"code\":\"TooManyRequests\"}}", "x", MOOR_E_THROTTLED },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct moor_error err = MOOR_ERROR_INIT;
        struct moor_http_response r = { .status = cases[i].status,
                                        .body = moor_span_str(cases[i].body) };
        (void)snprintf(r.request_id, sizeof(r.request_id), "%s", cases[i].id);
        if (!CHECK_INT(moor_service_check(&r, "heartbeat", &err), cases[i].code))
            printf("# case %zu: %s\n", i, err.msg);
        CHECK(cases[i].code == MOOR_OK || err.http == cases[i].status);
    }
}

#define DIGEST "6f1c6f1c6f1c6f1c6f1c6f1c6f1c6f1c6f1c6f1c6f1c6f1c6f1c6f1c6f1c6f1c"
#define GOOD_ITEM                                                                                  \
    "{\"name\":\"hello\",\"publisher\":\"P\",\"type\":\"T\",\"version\":\"1.0.3\",\"state\":"      \
    "\"enabled\",\"settingsSeqNo\":4,\"publicSettings\":{\"a\":1},\"protectedSettings\":null,"     \
    "\"dependsOn\":[],\"instances\":[],\"package\":{\"uris\":[\"https://h/p.zip\"],\"size\":9,"    \
    "\"sha256\":\"" DIGEST "\",\"signature\":null,\"signatureFormat\":\"cms-detached\"}}"
#define STATE(items, rules)                                                                        \
    "{\"revision\":\"e.12\",\"extensions\":[" items                                                \
    "],\"runCommands\":[],\"configurationAssignments\":[],\"dataCollectionRules\":[" rules         \
    "],\"tags\":{\"env\":\"test\"},\"trustBundle\":{\"certificates\":[\"MIIC\"]}}"

static void desired_state_is_read(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    struct moor_desired d;
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK_INT(moor_desired_parse(
                  MOOR_SPAN_LIT(STATE(GOOD_ITEM, "{\"id\":\"/x\",\"immutableId\":\"dcr-01234567890"
                                                 "12345678901234567890\",\"endpoint\":\"https://"
                                                 "h\",\"properties\":{\"dataFlows\":[]}}")),
                  &d, &arena, &err),
              MOOR_OK);
    CHECK_STR(err.msg, "");
    CHECK_STR(d.revision, "e.12");
    CHECK_INT(d.extension_count, 1);
    CHECK_STR(d.extensions[0].name, "hello");
    CHECK_STR(d.extensions[0].bad, NULL);
    CHECK_STR(d.extensions[0].public_settings, "{\"a\":1}");
    CHECK_INT(d.extensions[0].package.size, 9);
    CHECK_INT(d.rule_count, 1);
    CHECK(d.rules[0].bad != NULL); /* 35 characters are no immutable id */
    CHECK_STR(d.rules[0].id, "/x");
    CHECK_INT(d.trust.count, 1);
}

static void a_bad_item_does_not_spoil_its_neighbour(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    struct moor_desired d;
    CHECK_INT(moor_desired_parse(MOOR_SPAN_LIT(STATE("{\"name\":\"bad\",\"publisher\":\"P\","
                                                     "\"type\":\"T\",\"version\":\"1\",\"state\":"
                                                     "\"frozen\",\"settingsSeqNo\":7}," GOOD_ITEM,
                                                     "")),
                                 &d, &arena, NULL),
              MOOR_OK);
    CHECK_INT(d.extension_count, 2);
    CHECK_STR(d.extensions[0].name, "bad");
    CHECK_INT(d.extensions[0].settings_seq_no, 7);
    CHECK(d.extensions[0].bad && strstr(d.extensions[0].bad, "state"));
    CHECK_STR(d.extensions[1].bad, NULL);
}

#define RUN_ID "6f0c5b1e-9a87-4d0c-8d6f-2b1a9c3e7f10"
#define RUN(more)                                                                                  \
    "{\"name\":\"r\",\"executionId\":\"" RUN_ID "\",\"expiresAt\":\"2026-11-23T17:19:30Z\","       \
    "\"timeoutInSeconds\":9,\"state\":\"run\"" more "}"

static void a_run_command_is_read_or_says_what_is_wrong(void)
{
    static const struct {
        const char *item, *bad; /* NULL = fine */
    } rows[] = {
        { RUN(",\"source\":{\"script\":\"true\"},\"parameters\":[{\"name\":\"\",\"value\":\"v\"}]"),
          NULL },
        { RUN(",\"source\":{\"scriptUri\":\"https://h/s\",\"scriptSha256\":\"" DIGEST "\"}"),
          NULL },
        { RUN(""), "source" },
        { RUN(",\"source\":{}"), "either" },
        { RUN(",\"source\":{\"script\":\"a\",\"scriptUri\":\"https://h/s\"}"), "either" },
        { RUN(",\"source\":{\"scriptUri\":\"http://h/s\"}"), "https" },
        { RUN(",\"source\":{\"script\":\"a\"},\"outputBlobUri\":\"file:///x\""), "https" },
        { RUN(",\"source\":{\"script\":\"a\"},\"protectedSettings\":\"AA==\""), "together" },
        { RUN(",\"source\":{\"script\":\"a\"},\"parameters\":[{\"name\":7}]"), "name" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
        struct moor_desired d;
        const char *text = moor_arena_fmt(&arena,
                                          "{\"revision\":\"e.1\",\"extensions\":[],"
                                          "\"runCommands\":[%s],\"dataCollectionRules\":[]}",
                                          rows[i].item);
        CHECK_INT(moor_desired_parse(moor_span_str(text), &d, &arena, NULL), MOOR_OK);
        CHECK_INT(d.run_count, 1);
        CHECK_STR(d.runs[0].name, "r");
        CHECK_STR(d.runs[0].execution_id, RUN_ID);
        bool good =
            rows[i].bad ? d.runs[0].bad && strstr(d.runs[0].bad, rows[i].bad) : !d.runs[0].bad;
        if (!CHECK(good))
            printf("# row %zu: %s\n", i, d.runs[0].bad ? d.runs[0].bad : "fine");
    }
}

static void only_what_is_to_go_needs_no_version(void)
{
    static const struct {
        const char *version, *state;
        bool good;
    } rows[] = {
        { "\"1.0\"", "enabled", false }, /* without a package */
        { "\"\"", "enabled", false },     { "null", "enabled", false },
        { "\"1.0\"", "uninstall", true }, { "\"\"", "uninstall", true },
        { "null", "uninstall", true },    { "\"../1\"", "uninstall", false },
    };
    for (size_t n = 0; n < MOOR_COUNTOF(rows); n++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
        MOOR_AUTO(moor_buf) text = MOOR_BUF(1024);
        struct moor_desired d;
        moor_buf_fmt(&text,
                     "{\"revision\":\"e.1\",\"extensions\":[{\"name\":\"a\",\"publisher\":\"P\","
                     "\"type\":\"T\",\"version\":%s,\"state\":\"%s\",\"settingsSeqNo\":1}],"
                     "\"dataCollectionRules\":[]}",
                     rows[n].version, rows[n].state);
        CHECK_INT(moor_desired_parse(moor_buf_view(&text), &d, &arena, NULL), MOOR_OK);
        CHECK_INT(d.extensions[0].bad == NULL, rows[n].good);
    }
}

static void a_document_without_its_lists_is_refused(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    struct moor_desired d;
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK_INT(moor_desired_parse(MOOR_SPAN_LIT("{\"revision\":\"e.1\"}"), &d, &arena, &err),
              MOOR_E_BADINPUT);
    CHECK(strstr(err.msg, "extensions"));
}

CHECK_MAIN(CHECK_TEST(heartbeat_has_every_required_member),
           CHECK_TEST(certificate_request_is_base64_and_proof),
           CHECK_TEST(reads_carry_their_parameters), CHECK_TEST(bodies_over_the_limit_are_not_sent),
           CHECK_TEST(heartbeat_reply_is_read_by_its_table),
           CHECK_TEST(discovery_wants_https_and_cuts_slashes),
           CHECK_TEST(refusals_count_only_in_the_services_own_words),
           CHECK_TEST(desired_state_is_read), CHECK_TEST(a_bad_item_does_not_spoil_its_neighbour),
           CHECK_TEST(a_run_command_is_read_or_says_what_is_wrong),
           CHECK_TEST(only_what_is_to_go_needs_no_version),
           CHECK_TEST(a_document_without_its_lists_is_refused))
