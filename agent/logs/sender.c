/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/sender.h"

#include <stdlib.h>

#include "base/secret.h"
#include "http/retry.h"
#include "platform/clock.h"
#include "platform/random.h"

#define TOKEN_MARGIN_MS (5 * 60 * 1000)
#define TIMEOUT_MS      (60 * 1000)
#define ANSWER_MAX      ((size_t)64 * 1024)

struct moor_send {
    struct moor_send *next;
    struct moor_sender *owner;
    const char *url;
    struct moor_span body;
    moor_send_fn done;
    void *ctx;
    struct moor_http_call *call; /* NULL: it waits for a token */
    bool refreshed;
};

struct moor_sender {
    struct moor_http_transport *transport;
    struct moor_roles *roles;
    char *audience;
    struct moor_secret token;
    int64_t token_until_ms; /* wall clock */
    bool asking;
    struct moor_send *sends;
    bool *freed; /* set by free while a completion is on the stack */
};

moor_verdict moor_send_judge(const struct moor_error *err)
{
    if (err->code == MOOR_OK)
        return MOOR_SEND_ACCEPTED;
    if (err->http == 413)
        return MOOR_SEND_TOO_LARGE;
    if (err->http == 400)
        return MOOR_SEND_REFUSED;
    return moor_error_retry(err) == MOOR_RETRY_BACKOFF ? MOOR_SEND_RETRY : MOOR_SEND_HOLD;
}

uint64_t moor_send_delay_ms(moor_verdict v, const struct moor_error *err, unsigned attempt,
                            uint32_t random)
{
    static const struct moor_retry_policy retry = { 1000, 60 * 1000, 20 };
    static const struct moor_retry_policy hold = { 75 * 1000, 5 * 60 * 1000, 20 };
    return moor_retry_delay_ms(v == MOOR_SEND_HOLD ? &hold : &retry, err, attempt, random);
}

moor_code moor_sender_new(struct moor_http_transport *transport, struct moor_roles *roles,
                          const char *audience, struct moor_sender **out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_sender) s = calloc(1, sizeof(*s));
    if (s)
        s->audience = moor_strdup(audience);
    if (!s || !s->audience)
        return moor_fail(err, MOOR_E_NOMEM, "sender: out of memory");
    s->transport = transport;
    s->roles = roles;
    *out = MOOR_TAKE(s);
    return MOOR_OK;
}

static void unlink_send(struct moor_send *x)
{
    struct moor_send **at = &x->owner->sends;
    while (*at != x)
        at = &(*at)->next;
    *at = x->next;
}

void moor_send_cancel(struct moor_send *x)
{
    if (!x)
        return;
    if (x->call)
        moor_http_cancel(x->owner->transport, x->call);
    unlink_send(x);
    free(x);
}

void moor_sender_free(struct moor_sender *s)
{
    if (!s)
        return;
    if (s->freed)
        *s->freed = true;
    while (s->sends)
        moor_send_cancel(s->sends);
    moor_secret_drop(&s->token);
    free(s->audience);
    free(s);
}

static void finish(struct moor_send *x, const struct moor_error *err)
{
    struct moor_send copy = *x;
    unlink_send(x);
    free(x);
    copy.done(copy.ctx, moor_send_judge(err), err);
}

static void go_on(struct moor_send *x);

static void on_answer(void *ctx, const struct moor_http_response *r, const struct moor_error *err)
{
    struct moor_send *x = ctx;
    struct moor_error e = *err;
    x->call = NULL;
    if (e.code == MOOR_OK && (r->status < 200 || r->status > 299) &&
        moor_http_error_from(r, "ingestion", &e) == MOOR_OK)
        e.code = MOOR_E_PROTOCOL;
    if (e.http == 401 && !x->refreshed) {
        x->refreshed = true;
        moor_secret_drop(&x->owner->token);
        go_on(x);
        return;
    }
    finish(x, &e);
}

static moor_code request(struct moor_send *x, struct moor_error *err)
{
    char id[37];
    plat_random_uuid(id);
    const struct moor_http_header headers[] = { { "x-ms-client-request-id", id } };
    const struct moor_http_request req = {
        .method = "POST",
        .url = x->url,
        .headers = headers,
        .header_count = MOOR_COUNTOF(headers),
        .bearer = &x->owner->token,
        .body = x->body,
        .content_encoding = "gzip",
        .timeout_ms = TIMEOUT_MS,
        .body_max = ANSWER_MAX,
        .https_only = true,
    };
    return moor_http_send(x->owner->transport, &req, on_answer, x, &x->call, err);
}

static bool token_is_good(const struct moor_sender *s)
{
    return !moor_secret_empty(&s->token) && plat_utc_ms() + TOKEN_MARGIN_MS < s->token_until_ms;
}

static struct moor_send *next_waiting(const struct moor_sender *s)
{
    struct moor_send *x = s->sends;
    while (x && x->call)
        x = x->next;
    return x;
}

/* All that wait go on, or end with the error; each completion may free the sender. */
static void on_token(void *ctx, struct moor_secret *token, int64_t expires_ms,
                     const struct moor_error *err)
{
    struct moor_sender *s = ctx;
    bool freed = false;
    s->asking = false;
    if (token) {
        moor_secret_move(&s->token, token);
        s->token_until_ms = expires_ms;
    }
    s->freed = &freed;
    for (struct moor_send *x; !freed && (x = next_waiting(s));) {
        struct moor_error e = *err;
        if (e.code == MOOR_OK)
            (void)!request(x, &e);
        /* The identity role's answer is not the destination's: its status means nothing here. */
        else
            e.http = 0;
        if (e.code != MOOR_OK)
            finish(x, &e);
    }
    if (!freed)
        s->freed = NULL;
}

static moor_code ask_token(struct moor_sender *s, struct moor_error *err)
{
    if (s->asking)
        return MOOR_OK;
    moor_code c = moor_roles_token(s->roles, s->audience, on_token, s, err);
    s->asking = c == MOOR_OK;
    return c;
}

static moor_code begin(struct moor_send *x, struct moor_error *err)
{
    return token_is_good(x->owner) ? request(x, err) : ask_token(x->owner, err);
}

static void go_on(struct moor_send *x)
{
    struct moor_error e = MOOR_ERROR_INIT;
    if (begin(x, &e) != MOOR_OK)
        finish(x, &e);
}

moor_code moor_sender_post(struct moor_sender *s, const char *url, struct moor_span body,
                           moor_send_fn done, void *ctx, struct moor_send **out,
                           struct moor_error *err)
{
    struct moor_send *x = malloc(sizeof(*x));
    if (!x)
        return moor_fail(err, MOOR_E_NOMEM, "sender: out of memory");
    *x = (struct moor_send){
        .owner = s, .url = url, .body = body, .done = done, .ctx = ctx, .next = s->sends
    };
    s->sends = x;
    moor_code c = begin(x, err);
    if (c != MOOR_OK) {
        unlink_send(x);
        free(x);
        return c;
    }
    *out = x;
    return MOOR_OK;
}
