/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "contract/environment.h"
#include "contract/manifest.h"
#include "contract/names.h"
#include "contract/settings.h"
#include "contract/status.h"

#define COMMANDS                                                                                   \
    "\"installCommand\":\"i\",\"updateCommand\":\"u\",\"enableCommand\":\"./e  -x\","              \
    "\"disableCommand\":\"/d\",\"uninstallCommand\":\"n\""

static void environment_is_written_byte_for_byte(void)
{
    static const struct moor_handler_environment e = {
        "A.B",
        "/var/log/azure/A.B",
        "/w/A.B-1.0/config",
        "/w/A.B-1.0/status",
        "/w/A.B-1.0/heartbeat.log",
        "/var/log/azure/A.B/events",
    };
    MOOR_AUTO(moor_buf) b = MOOR_BUF(MOOR_ENVIRONMENT_MAX);
    moor_buf_handler_environment(&b, &e);
    CHECK_STR(moor_buf_cstr(&b),
              "[{\"name\": \"A.B\", \"version\": 1.0, \"handlerEnvironment\": {"
              "\"logFolder\": \"/var/log/azure/A.B\", \"configFolder\": \"/w/A.B-1.0/config\", "
              "\"statusFolder\": \"/w/A.B-1.0/status\", "
              "\"heartbeatFile\": \"/w/A.B-1.0/heartbeat.log\", "
              "\"eventsFolder\": \"/var/log/azure/A.B/events\", "
              "\"eventsFolder_preview\": \"/var/log/azure/A.B/events\"}}]");
}

static void environment_reads_back_what_was_written(void)
{
    static const struct moor_handler_environment e = { "A.B", "/l", "/c", "/s", "/h", "/e" };
    MOOR_AUTO(moor_buf) b = MOOR_BUF(MOOR_ENVIRONMENT_MAX);
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    struct moor_handler_environment got = { 0 };
    moor_buf_handler_environment(&b, &e);
    CHECK_INT(moor_handler_environment_parse(moor_buf_view(&b), &got, &arena, NULL), MOOR_OK);
    CHECK_STR(got.name, "A.B");
    CHECK_STR(got.status_folder, "/s");
    CHECK_STR(got.config_folder, "/c");
}

static void manifest_is_read_as_handlers_write_it(void)
{
    static const struct {
        const char *extra;
        bool heartbeat, with_install, go_on, multi;
    } rows[] = {
        { "", false, true, false, false },
        { ",\"reportHeartbeat\":\"True\",\"updateMode\":\"updatewithinstall\"", true, true, false,
          false },
        { ",\"updateMode\":\"UpdateWithoutInstall\",\"continueOnUpdateFailure\":true", false, false,
          true, false },
        { ",\"supportsMultipleExtensions\":\"false\",\"reportHeartbeat\":1", false, true, false,
          false },
        { ",\"supportMultipleExtensions\":\"true\"", false, true, false, true },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        MOOR_AUTO(moor_buf) b = MOOR_BUF(4096);
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
        struct moor_manifest m;
        moor_buf_fmt(&b, "\xEF\xBB\xBF[{\"version\":1.0,\"handlerManifest\":{%s%s}}]", COMMANDS,
                     rows[i].extra);
        if (!CHECK(moor_manifest_parse(moor_buf_view(&b), &m, &arena, NULL) == MOOR_OK))
            continue;
        CHECK_INT(m.report_heartbeat, rows[i].heartbeat);
        CHECK_INT(m.update_with_install, rows[i].with_install);
        CHECK_INT(m.continue_on_update_failure, rows[i].go_on);
        CHECK_INT(m.supports_multiple_extensions, rows[i].multi);
        CHECK_STR(m.command[MOOR_VERB_ENABLE], "./e  -x");
        CHECK_STR(m.command[MOOR_VERB_DISABLE], "d");
        CHECK_STR(m.signing_type, "");
    }
}

static void manifest_without_a_command_is_refused_by_name(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    struct moor_manifest m;
    struct moor_error err = MOOR_ERROR_INIT;
    static const char text[] = "[{\"handlerManifest\":{\"installCommand\":\"i\"}}]";
    CHECK_INT(moor_manifest_parse(moor_span_str(text), &m, &arena, &err), MOOR_E_BADINPUT);
    CHECK_STR(err.msg, "HandlerManifest.json: handlerManifest.updateCommand: is required");
}

static void settings_write_all_three_members(void)
{
    static const struct moor_handler_settings none = { 0 };
    static const struct moor_handler_settings all = { "{\"a\":1}", "QUJD", "0A" };
    MOOR_AUTO(moor_buf) b = MOOR_BUF(4096);
    moor_buf_handler_settings(&b, &none);
    CHECK_STR(moor_buf_cstr(&b),
              "{\"runtimeSettings\":[{\"handlerSettings\":{\"publicSettings\":null,"
              "\"protectedSettings\":null,\"protectedSettingsCertThumbprint\":null}}]}");
    moor_buf_reset(&b);
    moor_buf_handler_settings(&b, &all);
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    struct moor_handler_settings got;
    CHECK_INT(moor_handler_settings_parse(moor_buf_view(&b), &got, &arena, NULL), MOOR_OK);
    CHECK_STR(got.public_settings, "{\"a\":1}");
    CHECK_STR(got.protected_settings, "QUJD");
    CHECK_STR(got.protected_thumbprint, "0A");
}

static void empty_settings_mean_none(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(4096);
    struct moor_handler_settings got;
    CHECK_INT(moor_handler_settings_parse(MOOR_SPAN_NONE, &got, &arena, NULL), MOOR_OK);
    CHECK(got.public_settings == NULL);
}

static void status_is_lenient_where_handlers_are_careless(void)
{
    static const struct {
        const char *text;
        moor_status_state state;
        int64_t code;
        const char *message;
    } rows[] = {
        { "", MOOR_STATUS_NONE, 0, "" },
        { "[]", MOOR_STATUS_NONE, 0, "" },
        { "[{\"version\":\"1.0\",\"status\":{\"status\":\"success\"}}]", MOOR_STATUS_SUCCESS, 0,
          "" },
        { "[{\"status\":{\"status\":\"Success\",\"code\":\"7\",\"substatus\":null}}]",
          MOOR_STATUS_SUCCESS, 7, "" },
        { "[{\"status\":{\"status\":\"transitioning\",\"substatus\":[null],"
          "\"formattedMessage\":null}}]",
          MOOR_STATUS_TRANSITIONING, 0, "" },
        { "[{\"status\":{\"status\":\"error\",\"code\":-3,\"formattedMessage\":"
          "{\"lang\":\"en\",\"message\":\"at https://x/?sig=abc%2F&se=1 no\"}}}]",
          MOOR_STATUS_ERROR, -3, "at https://x/?sig=<redacted>&se=1 no" },
        { "[{\"status\":{\"status\":\"warning\",\"code\":null},\"more\":[{}]},{}]",
          MOOR_STATUS_WARNING, 0, "" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
        struct moor_handler_status s;
        struct moor_error err = MOOR_ERROR_INIT;
        moor_code c = moor_status_parse(moor_span_str(rows[i].text), &s, &arena, &err);
        if (!CHECK(c == MOOR_OK)) {
            printf("# row %zu: %s\n", i, err.msg);
            continue;
        }
        CHECK_INT(s.state, rows[i].state);
        CHECK_INT(s.code, rows[i].code);
        CHECK_STR(s.message, rows[i].message);
    }
}

static void malformed_status_is_refused_with_the_reason(void)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "{}", "status file: want an array" },
        { "[{}]", "status file: status.status: is required" },
        { "[{\"status\":{\"status\":\"done\"}}]",
          "status file: status.status: want transitioning, success, warning or error" },
        { "[{\"status\":{\"status\":\"success\",\"substatus\":[{\"status\":\"ok\"}]}}]",
          "status file: substatus: unknown status" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
        struct moor_handler_status s;
        struct moor_error err = MOOR_ERROR_INIT;
        CHECK_INT(moor_status_parse(moor_span_str(rows[i].text), &s, &arena, &err),
                  MOOR_E_BADINPUT);
        CHECK_STR(err.msg, rows[i].want);
    }
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    struct moor_handler_status s;
    CHECK_INT(moor_status_parse(MOOR_SPAN_LIT("[{\"status\":{\"sta"), &s, &arena, NULL),
              MOOR_E_BADINPUT);
}

static void long_status_is_cut_and_stays_json(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(MOOR_STATUS_MAX);
    moor_buf_str(&b, "[{\"status\":{\"status\":\"error\",\"formattedMessage\":{\"message\":\"");
    for (int i = 0; i < 5000; i++)
        moor_buf_str(&b, "\xC3\xA4");
    moor_buf_str(&b, "\"},\"substatus\":[");
    for (int i = 0; i < 40; i++) {
        moor_buf_fmt(&b,
                     "%s{\"name\":\"n%d\",\"status\":\"error\",\"code\":1,"
                     "\"formattedMessage\":{\"lang\":\"en\",\"message\":\"",
                     i ? "," : "", i);
        for (int j = 0; j < 9000; j++)
            moor_buf_char(&b, 'x');
        moor_buf_str(&b, "\"}}");
    }
    moor_buf_str(&b, "]}}]");
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(4 * MOOR_STATUS_MAX);
    struct moor_handler_status s;
    CHECK_INT(moor_status_parse(moor_buf_view(&b), &s, &arena, NULL), MOOR_OK);
    CHECK(strlen(s.json) <= MOOR_STATUS_REPORT_MAX);
    CHECK(strstr(s.json, "... [TRUNCATED]") != NULL);
    CHECK(strstr(s.json, "\"n11\"") != NULL && strstr(s.json, "\"n12\"") == NULL);
    MOOR_AUTOPTR(moor_json) again = NULL;
    CHECK_INT(moor_json_parse(moor_span_str(s.json), &again, NULL), MOOR_OK);
}

static void written_status_reads_back(void)
{
    static const struct moor_status_entry e = { "Hello", "enable",       MOOR_STATUS_SUCCESS,
                                                0,       "it \"works\"", 0 };
    MOOR_AUTO(moor_buf) b = MOOR_BUF(4096);
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
    struct moor_handler_status s;
    moor_buf_status(&b, &e);
    CHECK_INT(moor_status_parse(moor_buf_view(&b), &s, &arena, NULL), MOOR_OK);
    CHECK_INT(s.state, MOOR_STATUS_SUCCESS);
    CHECK_STR(s.name, "Hello");
    CHECK_STR(s.operation, "enable");
    CHECK_STR(s.message, "it \"works\"");
}

static void heartbeat_knows_ready_in_every_spelling(void)
{
    static const struct {
        const char *text;
        bool ready;
        const char *message;
    } rows[] = {
        { "[{\"version\":1.0,\"heartbeat\":{\"status\":\"ready\",\"code\":0,\"Message\":\"m\"}}]",
          true, "m" },
        { "[{\"heartbeat\":{\"status\":\"Ready\",\"code\":\"0\",\"formattedMessage\":"
          "{\"lang\":\"en\",\"message\":\"f\"}}}]",
          true, "f" },
        { "[{\"heartbeat\":{\"status\":\"notready\"}}]", false, "" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(65536);
        struct moor_handler_heartbeat h;
        CHECK_INT(moor_heartbeat_parse(moor_span_str(rows[i].text), &h, &arena, NULL), MOOR_OK);
        CHECK_INT(h.ready, rows[i].ready);
        CHECK_STR(h.message, rows[i].message);
    }
}

static void names_that_leave_the_folder_are_refused(void)
{
    static const char *const bad[] = { "",   ".",  "..",  "a/b",  "a..b",    ".a",
                                       "a.", "-a", "a b", "a\nb", "\xC3\xA4" };
    for (size_t i = 0; i < MOOR_COUNTOF(bad); i++)
        CHECK_INT(moor_handler_check_part("publisher", bad[i], NULL), MOOR_E_BADINPUT);
    MOOR_AUTOSTR folder = NULL;
    CHECK_INT(
        moor_handler_folder("Microsoft.OSTCExtensions.Edp", "VMAccess", "1.0.3", &folder, NULL),
        MOOR_OK);
    CHECK_STR(folder, "Microsoft.OSTCExtensions.Edp.VMAccess-1.0.3");
    struct moor_span full, version;
    CHECK(moor_handler_folder_split(folder, &full, &version));
    CHECK(moor_span_eq_str(full, "Microsoft.OSTCExtensions.Edp.VMAccess"));
    CHECK(moor_span_eq_str(version, "1.0.3"));
    CHECK(!moor_handler_folder_split("events", &full, &version));
}

static void only_whole_status_files_are_listed(void)
{
    static const struct {
        const char *name;
        int seq; /* -1 = not one */
    } rows[] = {
        { "0.status", 0 },      { "12.status", 12 },         { "web_1.3.status", 3 },
        { "3.status.tmp", -1 }, { "3.status77", -1 },        { "a.b.3.status", -1 },
        { ".3.status", -1 },    { "x.status", -1 },          { "3.settings", -1 },
        { "-1.status", -1 },    { "4294967296.status", -1 },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        uint32_t seq = 99;
        bool is = moor_status_name_seq(rows[i].name, &seq);
        CHECK_INT(is, rows[i].seq >= 0);
        if (is)
            CHECK_INT(seq, rows[i].seq);
    }
}

CHECK_MAIN(CHECK_TEST(environment_is_written_byte_for_byte),
           CHECK_TEST(environment_reads_back_what_was_written),
           CHECK_TEST(manifest_is_read_as_handlers_write_it),
           CHECK_TEST(manifest_without_a_command_is_refused_by_name),
           CHECK_TEST(settings_write_all_three_members), CHECK_TEST(empty_settings_mean_none),
           CHECK_TEST(status_is_lenient_where_handlers_are_careless),
           CHECK_TEST(malformed_status_is_refused_with_the_reason),
           CHECK_TEST(long_status_is_cut_and_stays_json), CHECK_TEST(written_status_reads_back),
           CHECK_TEST(heartbeat_knows_ready_in_every_spelling),
           CHECK_TEST(names_that_leave_the_folder_are_refused),
           CHECK_TEST(only_whole_status_files_are_listed))
