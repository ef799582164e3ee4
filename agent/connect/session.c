/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/session.h"

#include <stdlib.h>
#include <string.h>

#include "core/cloud.h"
#include "core/proxy.h"
#include "core/settings.h"
#include "http/client.h"
#include "http/retry.h"
#include "platform/clock.h"
#include "platform/random.h"
#include "run/loop.h"

#define PATIENCE_MS (30 * 1000)
#define CALL_MS     (100 * 1000)

struct moor_session {
    struct moor_loop *loop;
    struct moor_http_client *client;
    struct moor_timer *timer;
    struct moor_timer *limit;
    uint64_t patience_ms;
    bool interrupted;
    bool late;
    bool woken;
};

/* One call on the stack of moor_session_call(). */
struct waiting {
    struct moor_reply *reply;
    struct moor_error err;
    bool done;
};

static void on_interrupt(void *ctx)
{
    struct moor_session *s = ctx;
    s->interrupted = true;
}

static void on_limit(void *ctx)
{
    struct moor_session *s = ctx;
    s->late = true;
}

static void on_timer(void *ctx)
{
    struct moor_session *s = ctx;
    s->woken = true;
}

moor_code moor_session_new(const struct moor_cloud *cloud, const struct moor_settings *settings,
                           struct moor_session **out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_session) s = calloc(1, sizeof(*s));
    MOOR_AUTO(moor_proxy) proxy = MOOR_PROXY_INIT;
    if (!s)
        return moor_fail(err, MOOR_E_NOMEM, "session: out of memory");
    const struct moor_http_client_opts opts = { .ca_file = cloud ? cloud->ca_file : NULL,
                                                .proxy = &proxy };
    s->patience_ms = PATIENCE_MS;
    moor_code c = settings ? moor_proxy_load(settings, cloud, &proxy, err) : MOOR_OK;
    if (c == MOOR_OK)
        c = moor_loop_new(&s->loop, err);
    if (c == MOOR_OK)
        c = moor_timer_new(s->loop, on_timer, s, &s->timer, err);
    if (c == MOOR_OK)
        c = moor_timer_new(s->loop, on_limit, s, &s->limit, err);
    if (c == MOOR_OK)
        c = moor_loop_on_stop(s->loop, on_interrupt, s, err);
    if (c == MOOR_OK)
        c = moor_http_client_new(s->loop, &opts, &s->client, err);
    if (c == MOOR_OK)
        *out = MOOR_TAKE(s);
    return c;
}

void moor_session_free(struct moor_session *s)
{
    if (!s)
        return;
    moor_http_client_free(s->client);
    moor_timer_free(s->timer);
    moor_timer_free(s->limit);
    moor_loop_free(s->loop);
    free(s);
}

void moor_reply_drop(struct moor_reply *r)
{
    moor_buf_drop(&r->body);
}

static void copy_text(char *out, size_t size, const char *in)
{
    size_t n = in ? strlen(in) : 0;
    n = n < size ? n : size - 1;
    if (n > 0)
        memcpy(out, in, n);
    out[n] = '\0';
}

static void on_done(void *ctx, const struct moor_http_response *r, const struct moor_error *err)
{
    struct waiting *w = ctx;
    w->done = true;
    w->err = *err;
    if (!r)
        return;
    w->reply->status = r->status;
    moor_buf_reset(&w->reply->body);
    moor_buf_span(&w->reply->body, r->body);
    copy_text(w->reply->request_id, sizeof(w->reply->request_id), r->request_id);
    copy_text(w->reply->date, sizeof(w->reply->date), moor_http_response_header(r, "date"));
    copy_text(w->reply->authenticate, sizeof(w->reply->authenticate),
              moor_http_response_header(r, "www-authenticate"));
    w->err.code = moor_buf_ok(&w->reply->body, "answer", &w->err);
    w->err.retry_after_ms = r->retry_after_ms;
}

static bool is_stopped(const struct moor_session *s)
{
    return s->interrupted || s->late;
}

/* Why nothing goes on; MOOR_OK when it does. */
static moor_code stop_reason(const struct moor_session *s, struct moor_error *err)
{
    if (s->interrupted)
        return moor_fail(err, MOOR_E_CANCELED, "interrupted");
    return s->late ? moor_fail(err, MOOR_E_TIMEOUT, "not done within the time limit") : MOOR_OK;
}

moor_code moor_session_wait(struct moor_session *s, const bool *done, struct moor_error *err)
{
    while (!*done && !is_stopped(s))
        moor_loop_turn(s->loop);
    return *done ? MOOR_OK : stop_reason(s, err);
}

moor_code moor_session_call(struct moor_session *s, const struct moor_http_request *req,
                            struct moor_reply *out, struct moor_error *err)
{
    struct moor_http_transport *t = moor_http_client_transport(s->client);
    struct waiting w = { .reply = out };
    struct moor_http_call *call = NULL;
    if (is_stopped(s))
        return stop_reason(s, err);
    moor_code c = moor_http_send(t, req, on_done, &w, &call, err);
    if (c != MOOR_OK)
        return c;
    c = moor_session_wait(s, &w.done, err);
    if (c != MOOR_OK) {
        moor_http_cancel(t, call);
        return c;
    }
    if (err)
        *err = w.err;
    return w.err.code;
}

moor_code moor_session_pause(struct moor_session *s, uint64_t ms, struct moor_error *err)
{
    s->woken = false;
    moor_timer_arm(s->timer, ms);
    moor_code c = moor_session_wait(s, &s->woken, err);
    moor_timer_disarm(s->timer);
    return c;
}

static bool is_kept(int status, const int *keep)
{
    if (status >= 200 && status < 300)
        return true;
    for (; keep && *keep; keep++)
        if (*keep == status)
            return true;
    return false;
}

static moor_code try_once(struct moor_session *s, const struct moor_http_request *req,
                          const char *what, const int *keep, struct moor_reply *out,
                          struct moor_error *err)
{
    if (moor_session_call(s, req, out, err) != MOOR_OK)
        return moor_context(err, "%s", what);
    if (is_kept(out->status, keep))
        return MOOR_OK;
    struct moor_http_response r = { .status = out->status,
                                    .body = moor_buf_view(&out->body),
                                    .retry_after_ms = err ? err->retry_after_ms : 0 };
    copy_text(r.request_id, sizeof(r.request_id), out->request_id);
    return moor_http_error_from(&r, what, err);
}

moor_code moor_session_ask(struct moor_session *s, const struct moor_http_request *req,
                           const char *what, const int *keep, struct moor_reply *out,
                           struct moor_error *err)
{
    static const struct moor_retry_policy policy = { .base_ms = 500,
                                                     .cap_ms = 10000,
                                                     .jitter_percent = 20 };
    const uint64_t deadline = plat_mono_ms() + s->patience_ms;
    struct moor_http_request timed = *req;
    if (timed.timeout_ms == 0)
        timed.timeout_ms = CALL_MS;
    for (unsigned attempt = 0;; attempt++) {
        struct moor_error why = MOOR_ERROR_INIT;
        moor_code c = try_once(s, &timed, what, keep, out, &why);
        uint64_t wait = moor_retry_delay_ms(&policy, &why, attempt, plat_random_below(UINT32_MAX));
        bool again = c != MOOR_OK && moor_error_retry(&why) == MOOR_RETRY_BACKOFF &&
                     plat_mono_ms() + wait < deadline;
        if (!again) {
            if (err)
                *err = why;
            return c;
        }
        c = moor_session_pause(s, wait, err);
        if (c != MOOR_OK)
            return c;
    }
}

void moor_session_limit(struct moor_session *s, uint64_t ms)
{
    moor_timer_arm(s->limit, ms);
}

bool moor_session_late(const struct moor_session *s)
{
    return s->late;
}

void moor_session_revive(struct moor_session *s)
{
    s->interrupted = s->late = false;
    moor_timer_disarm(s->limit);
}

struct moor_loop *moor_session_loop(struct moor_session *s)
{
    return s->loop;
}

void moor_session_set_patience(struct moor_session *s, uint64_t ms)
{
    s->patience_ms = ms;
}
