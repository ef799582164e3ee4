/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/registration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "identity/registration_internal.h"
#include "platform/clock.h"
#include "platform/random.h"
#include "run/log.h"

#define FACTS_AGE_MS         3600000U
#define RENEW_PAUSE_MS       UINT64_C(3600000)
#define RECENT_BEAT_MS       900000
#define FAILURES_TO_DISCOVER 12 /* an hour of them, about */
#define KEY_AGE_MS           (365 * INT64_C(86400000))

moor_step moor_registration_step(const struct moor_step_facts *f)
{
    if (!f->due && f->properties_asked)
        return MOOR_STEP_PROPERTIES;
    if (!f->due)
        return f->wait_resumes && !f->endpoints_known ? MOOR_STEP_DISCOVER : MOOR_STEP_NONE;
    if (!f->facts_known)
        return MOOR_STEP_FACTS;
    if (!f->endpoints_known)
        return MOOR_STEP_DISCOVER;
    if (!f->certificate_valid || f->renewal_due)
        return MOOR_STEP_CERTIFICATE;
    if (f->rotation_due && !f->next_key)
        return MOOR_STEP_NEXT_KEY;
    if (f->rotation_due)
        return f->next_certificate ? MOOR_STEP_FIRST_USE : MOOR_STEP_NEXT_CERTIFICATE;
    return MOOR_STEP_BEAT;
}

static bool rotation_due(const struct moor_registration *r, uint64_t now, int64_t wall)
{
    const struct moor_keystore *k = r->o.keys;
    bool old = k->doc.key_made_ms && wall - k->doc.key_made_ms > KEY_AGE_MS;
    return now >= r->rotate_not_before_ms && (k->next_key || r->rotate_asked || old);
}

static int64_t renew_at_ms(const struct moor_keystore *k)
{
    return moor_renew_at_ms(k->doc.renew_after_ms, k->doc.not_after_ms, k->doc.vm_id);
}

static struct moor_step_facts facts_of(const struct moor_registration *r)
{
    const struct moor_keystore *k = r->o.keys;
    uint64_t now = plat_mono_ms();
    int64_t wall = moor_registration_time(r);
    bool valid = k->cert && wall < k->doc.not_after_ms;
    return (struct moor_step_facts){
        .due = now >= r->due_ms,
        .properties_asked = r->properties_asked,
        .wait_resumes = r->wait_resumes,
        .facts_known = r->facts_ms && now - r->facts_ms < FACTS_AGE_MS,
        .endpoints_known = r->endpoints.his != NULL,
        .certificate_valid = valid,
        .renewal_due = valid && now >= r->renew_not_before_ms &&
                       (moor_tokens_refused(r->o.tokens) || wall >= renew_at_ms(k)),
        .rotation_due = rotation_due(r, now, wall),
        .next_key = k->next_key != NULL,
        .next_certificate = k->next_cert != NULL,
    };
}

void moor_registration_advance(struct moor_registration *r)
{
    if (r->busy)
        return;
    struct moor_step_facts f = facts_of(r);
    moor_step step = moor_registration_step(&f);
    if (step == MOOR_STEP_NONE) {
        uint64_t now = plat_mono_ms();
        moor_timer_arm(r->timer, r->due_ms > now ? r->due_ms - now : 0);
        return;
    }
    struct moor_error err = MOOR_ERROR_INIT;
    r->busy = step;
    if (moor_registration_start(r, step, &err))
        moor_registration_failed(r, &err);
}

static void on_timer(void *ctx)
{
    moor_registration_advance(ctx);
}

void moor_registration_tell(struct moor_registration *r, const struct moor_error *err)
{
    moor_registration_fn done = r->now_done;
    r->now_done = NULL;
    if (done)
        done(r->now_ctx, err);
}

static const char *const step_events[MOOR_STEP_COUNT_] = {
    [MOOR_STEP_NONE] = "registration.failed",
    [MOOR_STEP_FACTS] = "facts.failed",
    [MOOR_STEP_DISCOVER] = "discovery.failed",
    [MOOR_STEP_CERTIFICATE] = "certificate.failed",
    [MOOR_STEP_NEXT_KEY] = "rotation.key_failed",
    [MOOR_STEP_NEXT_CERTIFICATE] = "rotation.certificate_failed",
    [MOOR_STEP_FIRST_USE] = "rotation.use_failed",
    [MOOR_STEP_BEAT] = "heartbeat.failed",
    [MOOR_STEP_PROPERTIES] = "properties.failed",
};

/* What a standing means for the tokens at hand. */
static void act_on_standing(struct moor_registration *r)
{
    static const char *const events[] = {
        [MOOR_STANDING_GOOD] = "machine.known_again",
        [MOOR_STANDING_GONE] = "machine.not_found",
        [MOOR_STANDING_DISABLED] = "machine.disabled",
        [MOOR_STANDING_CLONED] = "machine.cloned",
    };
    r->state.standing = r->verdict.standing;
    moor_log(MOOR_LOG_WARNING, events[r->state.standing], "resource", r->o.config->resource_id,
             NULL);
    if (r->state.standing == MOOR_STANDING_GOOD)
        return;
    moor_tokens_forget(r->o.tokens);
    moor_registration_end_wait(r);
}

/* What came from the service and breaks a rule is no input of this machine's administrator. */
static struct moor_error as_answer(const struct moor_error *err)
{
    struct moor_error e = *err;
    if (e.code == MOOR_E_BADINPUT)
        e.code = MOOR_E_PROTOCOL;
    return e;
}

/* The machine lives elsewhere, as the service says, or nobody answers where it used to: discovered
 * again, at once when it was said, and once. */
static bool moves(struct moor_registration *r, const struct moor_error *err)
{
    bool told = err->http == 421 && !r->region_seen;
    if (told || (r->failures && r->failures % FAILURES_TO_DISCOVER == 0))
        r->endpoints.his = NULL;
    r->region_seen |= told;
    return told;
}

void moor_registration_failed(struct moor_registration *r, const struct moor_error *failure)
{
    const struct moor_error why = as_answer(failure), *err = &why;
    moor_step step = r->busy;
    uint64_t now = plat_mono_ms();
    r->busy = MOOR_STEP_NONE;
    moor_log_error(MOOR_LOG_WARNING, step_events[step], err, NULL);
    if (moves(r, err)) {
        moor_registration_advance(r);
        return;
    }
    r->state.error = *err;
    r->state.error_ms = plat_utc_ms();
    if (moor_verdict_note(&r->verdict, err->service_code, now, r->period_s))
        act_on_standing(r);

    if (step == MOOR_STEP_PROPERTIES) {
        r->properties_asked = false; /* the next beat's answer asks again */
    } else if (step == MOOR_STEP_CERTIFICATE && r->o.keys->cert &&
               moor_registration_time(r) < r->o.keys->doc.not_after_ms) {
        /* The old one is good: go on with it. */
        uint64_t pause = moor_beat_retry_ms(err, r->verdict.standing, 1, r->period_s, 0);
        r->renew_not_before_ms = now + (pause > RENEW_PAUSE_MS ? pause : RENEW_PAUSE_MS);
        moor_registration_advance(r);
        return;
    } else if (step >= MOOR_STEP_NEXT_KEY && step <= MOOR_STEP_FIRST_USE) {
        moor_registration_rotation_failed(r, step, err);
        moor_registration_advance(r);
        return;
    } else {
        r->failures++;
        r->due_ms = now + moor_beat_retry_ms(err, r->verdict.standing, r->failures, r->period_s,
                                             plat_random_below(UINT32_MAX));
    }
    r->token_fresh = r->skew_seen = r->region_seen = r->wait_resumes = false;
    /* The beat before the properties was accepted: that is what a caller waits for. */
    const struct moor_error fine = MOOR_ERROR_INIT;
    moor_registration_tell(r, step == MOOR_STEP_PROPERTIES ? &fine : err);
    r->o.changed(r->o.ctx);
    moor_registration_advance(r);
}

void moor_registration_set_revision(struct moor_registration *r, const char *revision)
{
    (void)snprintf(r->state.revision, sizeof(r->state.revision), "%s", revision);
    (void)snprintf(r->run.revision, sizeof(r->run.revision), "%s", revision);
}

void moor_registration_clock(struct moor_registration *r, int64_t server_time_ms)
{
    r->clock = (struct moor_service_clock){ server_time_ms, plat_mono_ms() };
    moor_tokens_clock(r->o.tokens, &r->clock);
}

int64_t moor_registration_time(const struct moor_registration *r)
{
    return moor_service_clock_now(&r->clock, plat_utc_ms(), plat_mono_ms());
}

const char *moor_registration_status(const struct moor_registration *r)
{
    return moor_agent_status(plat_utc_ms(), r->state.last_beat_ms, r->o.keys->doc.not_after_ms,
                             r->period_s);
}

moor_code moor_registration_use(struct moor_registration *r, const struct moor_keystore *keys,
                                struct moor_error *err)
{
    MOOR_AUTO(moor_buf) url = MOOR_BUF(2048);
    moor_cloud_token_url(&url, r->o.cloud, r->o.config->tenant_id);
    moor_code c = moor_buf_ok(&url, "token endpoint", err);
    if (c)
        return c;
    const struct moor_token_source source = { r->o.http, keys, moor_buf_cstr(&url), r->o.pool };
    return moor_tokens_source(r->o.tokens, &source, err);
}

static bool was_heard_lately(const struct moor_registration *r)
{
    int64_t age = plat_utc_ms() - r->run.last_beat_ms;
    return r->run.last_beat_ms && age >= 0 && age < RECENT_BEAT_MS;
}

/* A certificate at hand serves tokens before anything is asked of the service. */
static moor_code begin(struct moor_registration *r, struct moor_error *err)
{
    const struct moor_keystore *k = r->o.keys;
    uint64_t now = plat_mono_ms();
    moor_runstate_load(&r->run, r->o.config->vm_id);
    r->period_s = r->run.period_s ? r->run.period_s : MOOR_BEAT_PERIOD_S;
    r->state.last_beat_ms = r->run.last_beat_ms;
    moor_registration_set_revision(r, r->run.revision);
    if (!k->cert) {
        r->due_ms = now;
        return MOOR_OK;
    }
    r->due_ms = now + moor_beat_first_ms(r->o.config->vm_id, r->period_s);
    r->wait_resumes = r->run.wait_seconds && was_heard_lately(r);
    return moor_registration_use(r, r->o.keys, err);
}

moor_code moor_registration_new(const struct moor_registration_opts *opts,
                                struct moor_registration **out, struct moor_error *err)
{
    if (!opts->cloud->his_endpoint || !opts->cloud->service_audience)
        return moor_fail(err, MOOR_E_UNSUPPORTED, "cloud %s: has no Mooring service",
                         opts->cloud->name);
    MOOR_AUTOPTR(moor_registration) r = calloc(1, sizeof(*r));
    if (!r)
        return moor_fail(err, MOOR_E_NOMEM, "registration: out of memory");
    r->o = *opts;
    r->endpoint_memory = (struct moor_arena)MOOR_ARENA(16384);
    moor_code c = moor_timer_new(opts->loop, on_timer, r, &r->timer, err);
    if (!c)
        c = moor_registration_new_wait(r, err);
    if (!c)
        c = begin(r, err);
    if (c)
        return c;
    moor_registration_advance(r);
    *out = MOOR_TAKE(r);
    return MOOR_OK;
}

void moor_registration_free(struct moor_registration *r)
{
    if (!r)
        return;
    moor_registration_end_wait(r);
    moor_tokens_cancel(r->o.tokens, r->token);
    if (r->call)
        moor_http_cancel(r->o.http, r->call);
    moor_registration_drop_job(r);
    moor_next_key_cancel(r->key_job);
    moor_signing_cancel(r->signing);
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_fail(&err, MOOR_E_CANCELED, "the machine is being disconnected or set up anew"))
        moor_registration_tell(r, &err);
    if (moor_tokens_source(r->o.tokens, NULL, &err))
        moor_log_error(MOOR_LOG_ERROR, "tokens.source", &err, NULL);
    moor_timer_free(r->timer);
    moor_timer_free(r->wait_timer);
    moor_facts_drop(&r->facts);
    moor_arena_drop(&r->endpoint_memory);
    free(r);
}

const struct moor_registration_state *moor_registration_state(const struct moor_registration *r)
{
    return &r->state;
}

moor_code moor_registration_now(struct moor_registration *r, moor_registration_fn done, void *ctx,
                                struct moor_error *err)
{
    if (r->now_done)
        return moor_fail(err, MOOR_E_EXISTS, "a connect is being finished already");
    r->now_done = done;
    r->now_ctx = ctx;
    r->due_ms = plat_mono_ms();
    r->failures = 0;
    moor_registration_advance(r);
    return MOOR_OK;
}

void moor_registration_look_again(struct moor_registration *r)
{
    r->facts_ms = 0;
}

void moor_registration_forget_caller(struct moor_registration *r)
{
    r->now_done = NULL;
}

void moor_registration_hashes(struct moor_registration *r, const char *settings_hash,
                              const char *report_hash)
{
    if (settings_hash)
        (void)snprintf(r->settings_hash, sizeof(r->settings_hash), "%s", settings_hash);
    if (!report_hash)
        return;
    (void)snprintf(r->report_hash, sizeof(r->report_hash), "%s", report_hash);
    if (!r->state.report_wanted)
        return;
    r->state.report_wanted = false; /* what was wanted has just been sent */
    r->o.changed(r->o.ctx);
}
