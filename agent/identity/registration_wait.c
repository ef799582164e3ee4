/* SPDX-License-Identifier: Apache-2.0 */
#include "http/retry.h"
#include "identity/registration_internal.h"
#include "platform/clock.h"
#include "platform/random.h"

/* A wait that ends sooner than this without news was ended by somebody, not by its time. */
#define SHORTEST_WAIT_MS 5000
/* One that breaks after this was too long for something on the way; twice in a row is no chance. */
#define LONG_WAIT_MS  55000
#define CUTS_BELIEVED 2

/* Soon at first: after a restart the wait of before may reach the service behind the new one and
 * end it, and until the next one nothing is heard of a change. */
static const struct moor_retry_policy again_policy = { 1000, 300000, 20 };

static void start(struct moor_registration *r);

static void again_later(struct moor_registration *r, const struct moor_error *err)
{
    uint64_t delay =
        moor_retry_delay_ms(&again_policy, err, r->wait_failures++, plat_random_below(UINT32_MAX));
    moor_timer_arm(r->wait_timer, delay);
}

static void on_news(struct moor_registration *r, struct moor_span body, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(4096);
    const char *revision = NULL;
    if (moor_service_read_wait(body, &revision, &arena, err))
        return; /* err is set */
    if (moor_streq(revision, r->state.revision)) {
        err->code = moor_fail(err, MOOR_E_PROTOCOL, "wait: no news in the answer");
        return;
    }
    moor_registration_set_revision(r, revision);
    r->o.changed(r->o.ctx);
}

static void note_length(struct moor_registration *r, bool answered)
{
    if (plat_mono_ms() - r->wait_started_ms >= LONG_WAIT_MS)
        r->waits_cut = answered ? 0 : r->waits_cut + 1;
}

static void on_answer(void *ctx, const struct moor_http_response *a,
                      const struct moor_error *failure)
{
    struct moor_registration *r = ctx;
    struct moor_error err = *failure;
    r->wait_call = NULL;
    note_length(r, a != NULL);
    if (a && moor_service_check(a, "wait", &err) == MOOR_OK) {
        if (a->status == 200)
            on_news(r, a->body, &err);
        else if (plat_mono_ms() - r->wait_started_ms < SHORTEST_WAIT_MS)
            err.code = MOOR_E_TRANSIENT; /* another wait took our place */
    }
    if (err.code) {
        again_later(r, &err);
        return;
    }
    r->wait_failures = 0;
    start(r);
}

static uint32_t wait_length(const struct moor_registration *r)
{
    uint64_t now = plat_mono_ms();
    return moor_wait_seconds(r->due_ms > now ? r->due_ms - now : 0, r->period_s,
                             r->run.wait_seconds, r->waits_cut >= CUTS_BELIEVED);
}

static void on_token(void *ctx, const struct moor_token *token, const struct moor_error *failure)
{
    struct moor_registration *r = ctx;
    struct moor_error err = *failure;
    MOOR_AUTO(moor_service_request) req = { 0 };
    r->wait_token = NULL;
    r->wait_started_ms = plat_mono_ms();
    uint32_t seconds = wait_length(r);
    if (!seconds)
        return; /* the beat's answer starts the next one */
    if (!token ||
        moor_service_wait(r->endpoints.notification, r->o.config->vm_id, r->state.revision, seconds,
                          &req, &err) ||
        moor_service_send(r->o.http, &req, token->value, on_answer, r, &r->wait_call, &err))
        again_later(r, &err);
}

static void start(struct moor_registration *r)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_tokens_get(r->o.tokens, r->o.cloud->service_audience, false, on_token, r,
                        &r->wait_token, &err))
        again_later(r, &err);
}

static void on_timer(void *ctx)
{
    moor_registration_wait(ctx);
}

moor_code moor_registration_new_wait(struct moor_registration *r, struct moor_error *err)
{
    return moor_timer_new(r->o.loop, on_timer, r, &r->wait_timer, err);
}

void moor_registration_wait(struct moor_registration *r)
{
    bool running = r->wait_call || r->wait_token;
    /* Without endpoints the next beat discovers them, and starts the wait. */
    if (running || !r->endpoints.notification || !r->run.wait_seconds)
        return;
    moor_timer_disarm(r->wait_timer);
    start(r);
}

void moor_registration_end_wait(struct moor_registration *r)
{
    moor_timer_disarm(r->wait_timer);
    moor_tokens_cancel(r->o.tokens, r->wait_token);
    r->wait_token = NULL;
    if (r->wait_call)
        moor_http_cancel(r->o.http, r->wait_call);
    r->wait_call = NULL;
}
