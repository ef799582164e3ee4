/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include "check.h"

static void failure_fills_code_and_message_and_clears_the_rest(void)
{
    struct moor_error err = { .os = 2, .http = 500, .service_code = "x" };
    CHECK_INT(moor_fail(&err, MOOR_E_NOTFOUND, "%s: gone", "a.json"), MOOR_E_NOTFOUND);
    CHECK_INT(err.code, MOOR_E_NOTFOUND);
    CHECK_STR(err.msg, "a.json: gone");
    CHECK_INT(err.os, 0);
    CHECK_INT(err.http, 0);
    CHECK_STR(err.service_code, "");
}

static void context_goes_in_front_and_keeps_the_code(void)
{
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code c = moor_fail(&err, MOOR_E_BADINPUT, "want http or https");
    err.http = 404;
    c = moor_context(&err, "proxy.%s", "url");
    CHECK_INT(c, MOOR_E_BADINPUT);
    c = moor_context(&err, "agent.json");
    CHECK_STR(err.msg, "agent.json: proxy.url: want http or https");
    CHECK_INT(err.http, 404);
}

static void message_may_be_built_from_itself(void)
{
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code c = moor_fail(&err, MOOR_E_IO, "disk");
    c = moor_fail(&err, MOOR_E_REMOTE, "outer %s", err.msg);
    CHECK_INT(c, MOOR_E_REMOTE);
    CHECK_STR(err.msg, "outer disk");
}

static void without_a_struct_the_code_survives_context(void)
{
    CHECK_INT(moor_fail(NULL, MOOR_E_EXISTS, "x"), MOOR_E_EXISTS);
    CHECK_INT(moor_context(NULL, "y"), MOOR_E_EXISTS);
}

static void long_messages_are_cut_between_characters(void)
{
    char text[2 * sizeof((struct moor_error *)0)->msg];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'a', sizeof text);
        for (size_t i = shift; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xe2\x82\xac", 3);
        text[sizeof text - 1] = '\0';
        struct moor_error err = MOOR_ERROR_INIT;
        CHECK_INT(moor_fail(&err, MOOR_E_IO, "%s", text), MOOR_E_IO);
        size_t n = strlen(err.msg);
        CHECK(n < sizeof err.msg && n > sizeof err.msg - 5);
        CHECK((n - shift) % 3 == 0);
        CHECK_INT(moor_context(&err, "%s", text), MOOR_E_IO);
        n = strlen(err.msg);
        CHECK(n < sizeof err.msg && n > sizeof err.msg - 5);
    }
}

static void every_code_has_a_name_and_a_retry_class(void)
{
    static const struct {
        moor_code code;
        const char *name;
        moor_retry retry;
    } rows[] = {
        { MOOR_OK, "ok", MOOR_RETRY_NEVER },
        { MOOR_E_NOMEM, "no memory", MOOR_RETRY_SLOWLY },
        { MOOR_E_BADINPUT, "bad input", MOOR_RETRY_NEVER },
        { MOOR_E_NOTFOUND, "not found", MOOR_RETRY_NEVER },
        { MOOR_E_EXISTS, "already exists", MOOR_RETRY_NEVER },
        { MOOR_E_DENIED, "denied", MOOR_RETRY_SLOWLY },
        { MOOR_E_IO, "input/output", MOOR_RETRY_SLOWLY },
        { MOOR_E_UNSUPPORTED, "unsupported", MOOR_RETRY_NEVER },
        { MOOR_E_TRANSIENT, "transient", MOOR_RETRY_BACKOFF },
        { MOOR_E_THROTTLED, "throttled", MOOR_RETRY_BACKOFF },
        { MOOR_E_REMOTE, "refused by the service", MOOR_RETRY_NEVER },
        { MOOR_E_PROTOCOL, "unreadable answer", MOOR_RETRY_BACKOFF },
        { MOOR_E_TIMEOUT, "timeout", MOOR_RETRY_BACKOFF },
        { MOOR_E_CANCELED, "canceled", MOOR_RETRY_NEVER },
        { MOOR_E_LIMIT, "answer too long", MOOR_RETRY_SLOWLY },
        { MOOR_E_PROXY, "refused by the proxy", MOOR_RETRY_SLOWLY },
        { MOOR_E_UNTRUSTED, "not trusted", MOOR_RETRY_SLOWLY },
        { MOOR_E_BUG, "internal error", MOOR_RETRY_NEVER },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        struct moor_error err = { .code = rows[i].code };
        CHECK_STR(moor_code_name(rows[i].code), rows[i].name);
        CHECK_INT(moor_error_retry(&err), rows[i].retry);
    }
    CHECK_STR(moor_code_name((moor_code)99), "unknown");
    CHECK_INT(moor_error_retry(NULL), MOOR_RETRY_NEVER);
}

CHECK_MAIN(CHECK_TEST(failure_fills_code_and_message_and_clears_the_rest),
           CHECK_TEST(context_goes_in_front_and_keeps_the_code),
           CHECK_TEST(message_may_be_built_from_itself),
           CHECK_TEST(without_a_struct_the_code_survives_context),
           CHECK_TEST(long_messages_are_cut_between_characters),
           CHECK_TEST(every_code_has_a_name_and_a_retry_class))
