/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/schedule.h"

#include <string.h>

#include "base/attr.h"
#include "base/sha256.h"
#include "base/span.h"
#include "http/retry.h"

#define MINUTE_MS 60000ULL
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

#define SHARES            (INT64_C(1) << 20)
#define CAUTIOUS_WAIT_S   55 /* under the minute that proxies like */
#define SILENT_PERIODS    3  /* without a beat: disconnected */
#define OFFSET_MAX_MS     ((int64_t)DAY_MS)
#define OFFSET_IGNORED_MS 30000

static uint64_t spread(const char *vm_id, uint64_t below)
{
    unsigned char sum[MOOR_SHA256_LEN];
    moor_sha256_of(moor_span_str(vm_id), sum);
    uint64_t n = 0;
    for (size_t i = 0; i < 8; i++)
        n = n << 8 | sum[i];
    return n % below;
}

/* base .. base + 10 %, drawn by random. */
static uint64_t stretched(uint64_t base, uint32_t random)
{
    return base + base / 10 * (random % 1001) / 1000;
}

uint64_t moor_beat_first_ms(const char *vm_id, uint32_t period_s)
{
    return spread(vm_id, period_s * 1000ULL);
}

uint64_t moor_beat_next_ms(uint32_t period_s, uint32_t random)
{
    uint64_t period = period_s * 1000ULL;
    return period - period / 10 + period / 5 * (random % 1001) / 1000;
}

enum { PACE_PERIOD, PACE_HOUR, PACE_DAY };
static const struct {
    const char *code;
    int pace;
} paces[] = {
    { "InvalidRequestContent", PACE_PERIOD },
    { "MissingApiVersionParameter", PACE_PERIOD },
    { "InvalidApiVersionParameter", PACE_PERIOD },
    { "ProofInvalid", PACE_PERIOD },
    { "ClockSkew", PACE_PERIOD },
    { "MachineNotFound", PACE_PERIOD },
    { "unauthorized_client", PACE_PERIOD },
    { "IdentityCloned", PACE_PERIOD },
    { "RequestBodyTooLarge", PACE_PERIOD },
    { "MachineDisabled", PACE_HOUR },
    { "KeySuperseded", PACE_DAY },
    { "ReenrollmentNotAllowed", PACE_DAY },
};

static uint64_t pace_ms(int pace, uint64_t period)
{
    return pace == PACE_DAY ? DAY_MS : pace == PACE_HOUR ? HOUR_MS : period;
}

static uint64_t retry_ms(const struct moor_error *err, unsigned failures, uint64_t period,
                         uint32_t random)
{
    for (size_t i = 0; i < MOOR_COUNTOF(paces); i++)
        if (strcmp(err->service_code, paces[i].code) == 0)
            return stretched(pace_ms(paces[i].pace, period), random);

    uint64_t cap = period < MINUTE_MS ? MINUTE_MS : period;
    const struct moor_retry_policy policy = { MINUTE_MS, cap, 10 };
    uint64_t delay = moor_retry_delay_ms(&policy, err, failures ? failures - 1 : 0, random);
    if (delay < MINUTE_MS)
        return MINUTE_MS;
    return delay > cap && err->retry_after_ms < cap ? cap : delay;
}

uint64_t moor_beat_retry_ms(const struct moor_error *err, moor_standing standing, unsigned failures,
                            uint32_t period_s, uint32_t random)
{
    uint64_t delay = retry_ms(err, failures, period_s * 1000ULL, random);
    uint64_t least = standing == MOOR_STANDING_GOOD ? 0 : stretched(HOUR_MS, random);
    return delay > least ? delay : least;
}

uint32_t moor_wait_seconds(uint64_t until_beat_ms, uint32_t period_s, uint32_t allowed_s,
                           bool cut_short)
{
    uint64_t margin_ms = period_s * 20ULL, least_ms = period_s * 100ULL;
    uint64_t most_s = cut_short && allowed_s > CAUTIOUS_WAIT_S ? CAUTIOUS_WAIT_S : allowed_s;
    if (until_beat_ms < least_ms + margin_ms)
        return 0;
    uint64_t seconds = (until_beat_ms - margin_ms) / 1000;
    return (uint32_t)(seconds < most_s ? seconds : most_s);
}

static const struct {
    const char *code;
    unsigned times;
    unsigned periods; /* between the first and the one that convicts */
    moor_standing standing;
} verdicts[] = {
    { "MachineNotFound", 3, 2, MOOR_STANDING_GONE },
    { "unauthorized_client", 3, 2, MOOR_STANDING_GONE }, /* the sign-in's word for it */
    { "IdentityCloned", 2, 1, MOOR_STANDING_CLONED },
    { "MachineDisabled", 1, 0, MOOR_STANDING_DISABLED },
};

bool moor_verdict_note(struct moor_verdict *v, const char *service_code, uint64_t now_ms,
                       uint32_t period_s)
{
    moor_standing before = v->standing;
    if (!service_code) {
        *v = (struct moor_verdict){ .standing = MOOR_STANDING_GOOD };
        return before != v->standing;
    }
    for (size_t i = 0; i < MOOR_COUNTOF(verdicts); i++) {
        if (strcmp(service_code, verdicts[i].code) != 0)
            continue;
        if (strcmp(v->code, verdicts[i].code) != 0)
            *v = (struct moor_verdict){ .standing = before, .first_ms = now_ms };
        for (size_t n = 0; n < sizeof(v->code) && (v->code[n] = verdicts[i].code[n]); n++)
            continue;
        v->seen++;
        if (v->seen >= verdicts[i].times &&
            now_ms - v->first_ms >= verdicts[i].periods * (uint64_t)period_s * 1000)
            v->standing = verdicts[i].standing;
    }
    return before != v->standing;
}

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

const char *moor_agent_status(int64_t now_ms, int64_t last_beat_ms, int64_t not_after_ms,
                              uint32_t period_s)
{
    if (not_after_ms && now_ms >= not_after_ms)
        return "Expired";
    /* A beat far in the future is from before the clock was set back: it says nothing. */
    if (last_beat_ms && distance(now_ms, last_beat_ms) <= INT64_C(1000) * SILENT_PERIODS * period_s)
        return "Connected";
    return "Disconnected";
}

int64_t moor_service_clock_now(const struct moor_service_clock *c, int64_t wall_ms,
                               uint64_t mono_ms)
{
    if (!c->service_ms)
        return wall_ms;
    int64_t service_ms = c->service_ms + (int64_t)(mono_ms - c->mono_ms);
    int64_t off = distance(service_ms, wall_ms);
    return off > OFFSET_IGNORED_MS && off <= OFFSET_MAX_MS ? service_ms : wall_ms;
}

int64_t moor_renew_at_ms(int64_t renew_after_ms, int64_t not_after_ms, const char *vm_id)
{
    /* A share of the window, so that one a second longer does not move it elsewhere. */
    int64_t window = (not_after_ms - renew_after_ms) / 45;
    int64_t share = (int64_t)spread(vm_id, SHARES);
    return window > 0 ? renew_after_ms + window * share / SHARES : renew_after_ms;
}
