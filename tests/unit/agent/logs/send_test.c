/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "logs/sender.h"

static struct moor_error answer(moor_code code, int http, uint32_t retry_after_ms)
{
    return (struct moor_error){ .code = code, .http = http, .retry_after_ms = retry_after_ms };
}

static void each_answer_has_its_verdict(void)
{
    static const struct {
        moor_code code;
        int http;
        moor_verdict want;
    } cases[] = {
        { MOOR_OK, 0, MOOR_SEND_ACCEPTED },          { MOOR_E_REMOTE, 400, MOOR_SEND_REFUSED },
        { MOOR_E_DENIED, 401, MOOR_SEND_HOLD },      { MOOR_E_DENIED, 403, MOOR_SEND_HOLD },
        { MOOR_E_NOTFOUND, 404, MOOR_SEND_HOLD },    { MOOR_E_TRANSIENT, 408, MOOR_SEND_RETRY },
        { MOOR_E_REMOTE, 413, MOOR_SEND_TOO_LARGE }, { MOOR_E_THROTTLED, 429, MOOR_SEND_RETRY },
        { MOOR_E_TRANSIENT, 503, MOOR_SEND_RETRY },  { MOOR_E_TRANSIENT, 0, MOOR_SEND_RETRY },
        { MOOR_E_TIMEOUT, 0, MOOR_SEND_RETRY },      { MOOR_E_PROTOCOL, 0, MOOR_SEND_RETRY },
        { MOOR_E_PROXY, 0, MOOR_SEND_HOLD },         { MOOR_E_REMOTE, 302, MOOR_SEND_HOLD },
        { MOOR_E_NOMEM, 0, MOOR_SEND_HOLD },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++) {
        const struct moor_error e = answer(cases[i].code, cases[i].http, 0);
        CHECK_INT(moor_send_judge(&e), cases[i].want);
    }
}

static void waits_grow_and_obey_the_service(void)
{
    static const uint32_t dice[] = { 0, 1u << 31, UINT32_MAX };
    const struct moor_error down = answer(MOOR_E_TRANSIENT, 503, 0);
    const struct moor_error slow = answer(MOOR_E_THROTTLED, 429, 20000);
    const struct moor_error no = answer(MOOR_E_DENIED, 403, 0);
    for (size_t i = 0; i < MOOR_COUNTOF(dice); i++) {
        uint64_t first = moor_send_delay_ms(MOOR_SEND_RETRY, &down, 0, dice[i]);
        CHECK(first >= 800 && first <= 1200);
        CHECK(moor_send_delay_ms(MOOR_SEND_RETRY, &down, 50, dice[i]) <= 72000);
        CHECK(moor_send_delay_ms(MOOR_SEND_RETRY, &slow, 0, dice[i]) >= 20000);
        for (unsigned attempt = 0; attempt < 20; attempt++) {
            uint64_t wait = moor_send_delay_ms(MOOR_SEND_HOLD, &no, attempt, dice[i]);
            CHECK(wait >= 60000 && wait <= 360000);
        }
    }
}

CHECK_MAIN(CHECK_TEST(each_answer_has_its_verdict), CHECK_TEST(waits_grow_and_obey_the_service))
