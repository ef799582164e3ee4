/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/timefmt.h"
#include "core/version.h"
#include "identity/proof.h"
#include "identity/registration_internal.h"
#include "platform/clock.h"
#include "platform/random.h"
#include "run/log.h"
#include "run/pool.h"

#define ANSWER_MEMORY (256 * 1024)

static void step_done(struct moor_registration *r)
{
    r->busy = MOOR_STEP_NONE;
    moor_registration_advance(r);
}

/* ---- facts ---- */

struct facts_job {
    struct moor_registration *owner; /* NULL: nobody wants it any more */
    struct moor_facts_input in;
};

static void look_at_host(void *ctx)
{
    struct facts_job *job = ctx;
    moor_facts_collect(&job->in);
}

static void on_host(void *ctx, bool cancelled)
{
    struct facts_job *job = ctx;
    struct moor_registration *r = job->owner;
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code c = MOOR_OK;
    if (r && !cancelled) {
        moor_fingerprint_make(&job->in.host, r->o.config->vm_id, &r->fingerprint);
        c = moor_facts_make(&job->in, r->o.guest_of, r->o.settings, moor_version(), &r->facts,
                            &err);
    } else if (cancelled) {
        c = moor_fail(&err, MOOR_E_CANCELED, "the look at the host was cancelled");
    }
    free(job);
    if (!r)
        return;
    r->job = NULL;
    r->facts_ms = plat_mono_ms();
    if (c)
        moor_registration_failed(r, &err);
    else
        step_done(r);
}

static moor_code start_facts(struct moor_registration *r, struct moor_error *err)
{
    struct facts_job *job = calloc(1, sizeof(*job));
    if (!job)
        return moor_fail(err, MOOR_E_NOMEM, "machine facts: out of memory");
    job->owner = r;
    moor_code c = moor_pool_submit(r->o.pool, look_at_host, on_host, job, err);
    if (c)
        free(job);
    else
        r->job = job;
    return c;
}

void moor_registration_drop_job(struct moor_registration *r)
{
    if (r->job)
        r->job->owner = NULL;
    r->job = NULL;
}

/* ---- discovery ---- */

static moor_code take_endpoints(struct moor_registration *r, struct moor_span body,
                                struct moor_error *err)
{
    struct moor_service_endpoints e = { 0 };
    moor_arena_drop(&r->endpoint_memory);
    r->endpoints = e;
    moor_code c = moor_service_read_discovery(body, &e, &r->endpoint_memory, err);
    if (c)
        return c;
    const char *const urls[] = { e.his, e.gas, e.notification, e.ingestion };
    for (size_t i = 0; i < MOOR_COUNTOF(urls); i++)
        if (!moor_cloud_allows_url(r->o.cloud, urls[i]))
            return moor_fail(err, MOOR_E_DENIED,
                             "discovery: %s is not a host of the registered cloud", urls[i]);
    r->endpoints = e;
    moor_registration_clock(r, e.server_time_ms);
    return MOOR_OK;
}

static void on_discovery(void *ctx, const struct moor_http_response *a,
                         const struct moor_error *failure)
{
    struct moor_registration *r = ctx;
    struct moor_error err = *failure;
    r->call = NULL;
    if (!a || moor_service_check(a, "discovery", &err) || take_endpoints(r, a->body, &err)) {
        moor_registration_failed(r, &err);
        return;
    }
    if (r->wait_resumes)
        moor_registration_wait(r);
    r->wait_resumes = false;
    step_done(r);
}

static moor_code start_discovery(struct moor_registration *r, struct moor_error *err)
{
    MOOR_AUTO(moor_service_request) req = { 0 };
    moor_code c =
        moor_service_discovery(r->o.cloud->his_endpoint, r->o.config->location, &req, err);
    return c ? c : moor_service_send(r->o.http, &req, NULL, on_discovery, r, &r->call, err);
}

/* ---- certificate ---- */

static moor_code start_certificate(struct moor_registration *r, struct moor_error *err);

static moor_code take_certificate(struct moor_registration *r, struct moor_span body,
                                  struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ANSWER_MEMORY);
    struct moor_service_identity id = { 0 };
    moor_code c = moor_service_read_certificate(body, &id, &arena, err);
    if (c)
        return c;
    const struct moor_enrolment e = {
        .certificates = id.certificates,
        .client_id = id.client_id,
        .principal_id = id.principal_id,
        .tenant_id = id.tenant_id,
        .not_after_ms = id.not_after_ms,
        .renew_after_ms = id.renew_after_ms,
    };
    if (r->busy == MOOR_STEP_NEXT_CERTIFICATE)
        return moor_keystore_enrol_next(r->o.keys, &e, err);
    c = moor_keystore_enrol(r->o.keys, &e, err);
    if (c)
        return c;
    char until[MOOR_RFC3339_LEN + 1];
    moor_rfc3339_format(r->o.keys->doc.not_after_ms, until);
    moor_log(MOOR_LOG_NOTICE, "certificate.issued", "until", until, NULL);
    return moor_registration_use(r, r->o.keys, err);
}

/* The service's clock, as an error of its own says it; 0 when it does not. */
static int64_t server_time_of(struct moor_span body)
{
    MOOR_AUTOPTR(moor_json) v = NULL;
    int64_t ms = 0;
    if (moor_json_parse(body, &v, NULL) != MOOR_OK)
        return 0;
    const char *text = moor_json_get_str(v, "serverTime");
    if (!text || moor_rfc3339_parse(moor_span_str(text), &ms, NULL) != MOOR_OK)
        return 0;
    return ms;
}

static void on_certificate(void *ctx, const struct moor_http_response *a,
                           const struct moor_error *failure)
{
    struct moor_registration *r = ctx;
    struct moor_error err = *failure;
    r->call = NULL;
    if (!a) {
        moor_registration_failed(r, &err);
        return;
    }
    moor_code c = moor_service_check(a, "certificate", &err);
    if (!c)
        c = take_certificate(r, a->body, &err);
    if (c && !r->skew_seen && moor_streq(err.service_code, "ClockSkew")) {
        r->skew_seen = true;
        moor_registration_clock(r, server_time_of(a->body));
        c = start_certificate(r, &err);
        if (!c)
            return;
    }
    if (c)
        moor_registration_failed(r, &err);
    else
        step_done(r);
}

static moor_code post_request(struct moor_registration *r, const struct moor_buf *csr,
                              const struct moor_buf *proof, struct moor_error *err)
{
    MOOR_AUTO(moor_service_request) req = { 0 };
    const struct moor_fingerprint print = moor_fingerprint_of(&r->fingerprint);
    moor_code c = moor_service_certificate(r->endpoints.his, r->o.config->vm_id, moor_buf_view(csr),
                                           moor_buf_view(proof), &print, &req, err);
    return c ? c : moor_service_send(r->o.http, &req, NULL, on_certificate, r, &r->call, err);
}

static void on_request_made(void *ctx, struct moor_signed *made, const struct moor_error *err)
{
    struct moor_registration *r = ctx;
    struct moor_error why = *err;
    r->signing = NULL;
    if (!why.code)
        why.code = post_request(r, &made->csr, &made->proof, &why);
    if (why.code)
        moor_registration_failed(r, &why);
}

static moor_code start_certificate(struct moor_registration *r, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) csr = MOOR_BUF(8192);
    MOOR_AUTO(moor_buf) proof = MOOR_BUF(8192);
    /* A rotation asks for another key; the one that is registered proves. */
    struct moor_key *subject =
        r->busy == MOOR_STEP_NEXT_CERTIFICATE ? r->o.keys->next_key : r->o.keys->key;
    const struct moor_proof p = {
        .audience = r->o.cloud->service_audience,
        .vm_id = r->o.config->vm_id,
        .resource_id = r->o.config->resource_id,
        .now_s = moor_registration_time(r) / 1000,
    };
    struct moor_key *signer = r->o.keys->given_key ? r->o.keys->given_key : r->o.keys->key;
    if (moor_key_in_tpm(subject) || moor_key_in_tpm(signer))
        return moor_signing_request(r->o.pool, subject, signer, &p, on_request_made, r, &r->signing,
                                    err);
    moor_code c = moor_proof_request(subject, signer, &p, &csr, &proof, err);
    return c ? c : post_request(r, &csr, &proof, err);
}

/* ---- heartbeat ---- */

static moor_code start_beat(struct moor_registration *r, struct moor_error *err);

static void take_reply(struct moor_registration *r, const struct moor_heartbeat_reply *reply)
{
    struct moor_error err = MOOR_ERROR_INIT;
    bool returned = moor_verdict_note(&r->verdict, NULL, plat_mono_ms(), r->period_s);
    if (returned)
        moor_log(MOOR_LOG_NOTICE, "machine.known_again", NULL);
    if (r->failures || !r->state.last_beat_ms || returned)
        moor_log(MOOR_LOG_INFO, "heartbeat.accepted", "revision", reply->desired_state_revision,
                 NULL);
    r->failures = 0;
    r->beat_open = false;
    r->token_fresh = r->skew_seen = r->region_seen = false;
    r->period_s = r->run.period_s = reply->next_heartbeat_seconds;
    r->due_ms = plat_mono_ms() + moor_beat_next_ms(r->period_s, plat_random_below(UINT32_MAX));
    r->properties_asked = reply->send_properties;
    r->rotate_asked = reply->rotate;
    r->run.last_beat_ms = r->state.last_beat_ms = plat_utc_ms();
    r->run.wait_seconds = reply->wait_seconds;
    r->state.standing = r->verdict.standing;
    r->state.error = err;
    r->state.report_wanted = reply->send_report;
    r->state.upgrade_required = reply->upgrade_required;
    moor_registration_set_revision(r, reply->desired_state_revision);
    moor_registration_clock(r, reply->server_time_ms);
    if (moor_runstate_save(&r->run, &err))
        moor_log_error(MOOR_LOG_WARNING, "heartbeat.state_not_written", &err, NULL);
}

static void beat_accepted(struct moor_registration *r, const struct moor_heartbeat_reply *reply)
{
    const struct moor_error fine = MOOR_ERROR_INIT;
    take_reply(r, reply);
    if (reply->wait_seconds)
        moor_registration_wait(r);
    else
        moor_registration_end_wait(r);
    if (!reply->send_properties)
        moor_registration_tell(r, &fine);
    r->o.changed(r->o.ctx);
    step_done(r);
}

static void on_beat(void *ctx, const struct moor_http_response *a, const struct moor_error *failure)
{
    struct moor_registration *r = ctx;
    struct moor_error err = *failure;
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(16384);
    struct moor_heartbeat_reply reply = { 0 };
    r->call = NULL;
    moor_code c = a ? moor_service_check(a, "heartbeat", &err) : err.code;
    if (a && !c)
        c = moor_service_read_heartbeat(a->body, &reply, &arena, &err);
    if (c && err.http == 401 && !r->token_fresh) {
        r->token_fresh = true;
        c = start_beat(r, &err);
        if (!c)
            return;
    }
    if (c)
        moor_registration_failed(r, &err);
    else
        beat_accepted(r, &reply);
}

static moor_code send_beat(struct moor_registration *r, const struct moor_secret *token,
                           struct moor_error *err)
{
    if (!r->beat_open) {
        r->beat_open = true;
        r->run.sequence++;
        r->beat_sent_ms = plat_utc_ms();
    }
    const struct moor_heartbeat beat = {
        .boot_id = r->run.boot_id,
        .sequence = r->run.sequence,
        .fingerprint = moor_fingerprint_of(&r->fingerprint),
        .agent_version = moor_version(),
        .status = "Connected",
        .properties_hash = r->facts.hash,
        .settings_hash = r->settings_hash,
        .report_hash = r->report_hash,
        .sent_at_ms = r->beat_sent_ms,
    };
    MOOR_AUTO(moor_service_request) req = { 0 };
    moor_code c = moor_service_heartbeat(r->endpoints.his, r->o.config->vm_id, &beat, &req, err);
    return c ? c : moor_service_send(r->o.http, &req, token, on_beat, r, &r->call, err);
}

/* Steps that need a token: the token's callback sends, or ends the step. */
static void with_token(struct moor_registration *r, const struct moor_token *token,
                       const struct moor_error *failure,
                       moor_code (*send)(struct moor_registration *r,
                                         const struct moor_secret *token, struct moor_error *err))
{
    struct moor_error err = *failure;
    r->token = NULL;
    if (!token || send(r, token->value, &err))
        moor_registration_failed(r, &err);
}

static void on_beat_token(void *ctx, const struct moor_token *token, const struct moor_error *err)
{
    with_token(ctx, token, err, send_beat);
}

static moor_code start_beat(struct moor_registration *r, struct moor_error *err)
{
    return moor_tokens_get(r->o.tokens, r->o.cloud->service_audience, r->token_fresh, on_beat_token,
                           r, &r->token, err);
}

/* ---- properties ---- */

static void on_properties(void *ctx, const struct moor_http_response *a,
                          const struct moor_error *failure)
{
    struct moor_registration *r = ctx;
    struct moor_error err = *failure;
    r->call = NULL;
    if (!a || moor_service_check(a, "properties", &err)) {
        moor_registration_failed(r, &err);
        return;
    }
    r->properties_asked = false;
    moor_registration_tell(r, &err);
    step_done(r);
}

static moor_code send_properties(struct moor_registration *r, const struct moor_secret *token,
                                 struct moor_error *err)
{
    MOOR_AUTO(moor_service_request) req = { 0 };
    moor_code c = moor_service_properties(r->endpoints.his, r->o.config->vm_id,
                                          moor_buf_view(&r->facts.document), &req, err);
    return c ? c : moor_service_send(r->o.http, &req, token, on_properties, r, &r->call, err);
}

static void on_properties_token(void *ctx, const struct moor_token *token,
                                const struct moor_error *err)
{
    with_token(ctx, token, err, send_properties);
}

static moor_code start_properties(struct moor_registration *r, struct moor_error *err)
{
    return moor_tokens_get(r->o.tokens, r->o.cloud->service_audience, false, on_properties_token, r,
                           &r->token, err);
}

moor_code moor_registration_start(struct moor_registration *r, moor_step step,
                                  struct moor_error *err)
{
    static moor_code (*const starts[MOOR_STEP_COUNT_])(struct moor_registration *,
                                                       struct moor_error *) = {
        [MOOR_STEP_FACTS] = start_facts,
        [MOOR_STEP_DISCOVER] = start_discovery,
        [MOOR_STEP_CERTIFICATE] = start_certificate,
        [MOOR_STEP_NEXT_KEY] = moor_registration_next_key,
        [MOOR_STEP_NEXT_CERTIFICATE] = start_certificate,
        [MOOR_STEP_FIRST_USE] = moor_registration_first_use,
        [MOOR_STEP_BEAT] = start_beat,
        [MOOR_STEP_PROPERTIES] = start_properties,
    };
    MOOR_ASSERT(step < MOOR_STEP_COUNT_ && starts[step]);
    return starts[step](r, err);
}
