/* SPDX-License-Identifier: Apache-2.0 */
#include "http/transport.h"

#include "check.h"
#include "http/response.h"
#include "http/retry.h"

static void waits_are_read_from_every_header(void)
{
    static const struct {
        struct moor_http_header headers[3];
        uint32_t ms;
    } rows[] = {
        { { { "x", "y" } }, 0 },
        { { { "retry-after", "7" } }, 7000 },
        { { { "retry-after", "7" }, { "retry-after-ms", "1500" } }, 1500 },
        { { { "x-ms-retry-after-ms", "20" } }, 20 },
        { { { "retry-after", "99999999999" } }, UINT32_MAX },
        { { { "retry-after", "-1" } }, 0 },
        { { { "retry-after", "soon" } }, 0 },
        { { { "retry-after", "Sun, 06 Nov 1994 08:49:47 GMT" } }, 10000 },
        { { { "retry-after", "Sun, 06 Nov 1994 08:49:17 GMT" } }, 0 },
        { { { "retry-after", "Sun, 06 Nov 1994 08:49:47 GMT" },
            { "date", "Sun, 06 Nov 1994 08:49:44 GMT" } },
          3000 },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        struct moor_http_response r = { .headers = rows[i].headers };
        while (r.header_count < 3 && rows[i].headers[r.header_count].name)
            r.header_count++;
        moor_http_response_read(&r, 784111777000);
        if (!CHECK_INT(r.retry_after_ms, rows[i].ms))
            printf("# row %zu\n", i);
    }
}

static void request_id_is_cut_and_cleaned(void)
{
    const struct moor_http_header h[] = {
        { "x-ms-request-id", "a\tb\x1b[31m-0123456789012345678901234567890123456789" }
    };
    struct moor_http_response r = { .headers = h, .header_count = 1 };
    moor_http_response_read(&r, 0);
    CHECK_STR(r.request_id, "a b [31m-012345678901234567890123456789");
}

static void answers_become_errors(void)
{
    static const struct {
        int status;
        const char *body;
        moor_code code;
        const char *service_code, *msg;
    } rows[] = {
        { 204, "", MOOR_OK, "", "" },
        { 400, "{\"error\":{\"code\":\"BadOne\",\"message\":\"no\\nway\"}}", MOOR_E_REMOTE,
          "BadOne", "reply: HTTP 400 BadOne: no way" },
        { 401, "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215\"}",
          MOOR_E_DENIED, "invalid_client", "reply: HTTP 401 invalid_client: AADSTS7000215" },
        { 403, "", MOOR_E_DENIED, "", "reply: HTTP 403" },
        { 404, "{\"code\":\"Gone\",\"message\":\"m\"}", MOOR_E_NOTFOUND, "Gone",
          "reply: HTTP 404 Gone: m" },
        { 404, "<html>", MOOR_E_NOTFOUND, "", "reply: HTTP 404" },
        { 408, "{}", MOOR_E_TRANSIENT, "", "reply: HTTP 408" },
        { 409, "{\"error\":[]}", MOOR_E_REMOTE, "", "reply: HTTP 409" },
        { 429, "{\"error\":{\"code\":3}}", MOOR_E_THROTTLED, "", "reply: HTTP 429" },
        { 503, "", MOOR_E_TRANSIENT, "", "reply: HTTP 503" },
        { 302, "", MOOR_E_PROTOCOL, "", "reply: HTTP 302" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        struct moor_error err = MOOR_ERROR_INIT;
        struct moor_http_response r = { .status = rows[i].status,
                                        .body = moor_span_str(rows[i].body),
                                        .request_id = "id",
                                        .retry_after_ms = 5 };
        CHECK_INT(moor_http_error_from(&r, "reply", &err), rows[i].code);
        CHECK_INT(err.code, rows[i].code);
        CHECK_STR(err.service_code, rows[i].service_code);
        CHECK_STR(err.msg, rows[i].msg);
        if (rows[i].code == MOOR_OK)
            continue;
        CHECK_INT(err.http, rows[i].status);
        CHECK_INT(err.retry_after_ms, 5);
        CHECK_STR(err.request_id, "id");
    }
}

static void delays_double_up_to_the_cap_with_jitter(void)
{
    const struct moor_retry_policy p = { 1000, 60000, 20 };
    CHECK_INT(moor_retry_delay_ms(&p, NULL, 0, 0), 800);
    CHECK_INT(moor_retry_delay_ms(&p, NULL, 0, UINT32_MAX), 1200);
    CHECK_INT(moor_retry_delay_ms(&p, NULL, 0, UINT32_MAX / 2), 1000);
    CHECK_INT(moor_retry_delay_ms(&p, NULL, 3, 0), 6400);
    CHECK_INT(moor_retry_delay_ms(&p, NULL, 6, 0), 48000);
    CHECK_INT(moor_retry_delay_ms(&p, NULL, 4000000000u, UINT32_MAX), 72000);
}

static void what_the_service_asks_for_is_a_floor(void)
{
    const struct moor_retry_policy p = { 1000, 60000, 20 };
    struct moor_error err = { .retry_after_ms = 10000 };
    CHECK_INT(moor_retry_delay_ms(&p, &err, 0, 0), 10000);
    CHECK_INT(moor_retry_delay_ms(&p, &err, 0, UINT32_MAX), 12000);
    CHECK_INT(moor_retry_delay_ms(&p, &err, 9, 0), 60000);
    err.retry_after_ms = UINT32_MAX;
    CHECK_INT(moor_retry_delay_ms(&p, &err, 0, UINT32_MAX), 3600000);
    CHECK_INT(moor_retry_delay_ms(&p, &err, 0, 0), 3600000);
}

CHECK_MAIN(CHECK_TEST(waits_are_read_from_every_header), CHECK_TEST(request_id_is_cut_and_cleaned),
           CHECK_TEST(answers_become_errors), CHECK_TEST(delays_double_up_to_the_cap_with_jitter),
           CHECK_TEST(what_the_service_asks_for_is_a_floor))
