/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/patience.h"

#include <string.h>

#include "base/attr.h"
#include "base/buf.h"
#include "connect/session.h"
#include "http/retry.h"
#include "platform/clock.h"
#include "platform/random.h"

struct moor_patience moor_patience_start(struct moor_session *s, const struct moor_progress *p)
{
    return (struct moor_patience){ .session = s,
                                   .progress = p,
                                   .end_ms = plat_mono_ms() + MOOR_PATIENCE_MS };
}

static void tell(const struct moor_patience *p, const char *what, const struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(1024);
    moor_buf_fmt(&text, "%s (%s); asking again for up to %u minutes", what, err->msg,
                 (unsigned)(MOOR_PATIENCE_MS / 60000));
    p->progress->note(p->progress->ctx, moor_buf_cstr(&text));
}

bool moor_patience_again(struct moor_patience *p, const char *what, struct moor_error *err)
{
    static const struct moor_retry_policy policy = { .base_ms = 1000,
                                                     .cap_ms = 15000,
                                                     .jitter_percent = 20 };
    struct moor_error stopped = MOOR_ERROR_INIT;
    uint64_t wait = moor_retry_delay_ms(&policy, err, p->attempts, plat_random_below(UINT32_MAX));
    if (plat_mono_ms() + wait > p->end_ms)
        return false;
    if (p->attempts++ == 0)
        tell(p, what, err);
    if (moor_session_pause(p->session, wait, &stopped) == MOOR_OK)
        return true;
    err->code = moor_fail(err, stopped.code, "%s; last: %s", stopped.msg, err->msg);
    return false;
}

bool moor_is_unknown_principal(const struct moor_error *err)
{
    static const char *const numbers[] = { "AADSTS700016", "AADSTS7000229" };
    for (size_t i = 0; i < MOOR_COUNTOF(numbers); i++)
        if (strstr(err->msg, numbers[i]))
            return true;
    return false;
}
