/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/tokens.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/text.h"
#include "core/grant.h"
#include "http/retry.h"
#include "identity/signing.h"
#include "identity/tokens_internal.h"
#include "platform/clock.h"
#include "platform/random.h"
#include "run/log.h"
#include "run/loop.h"

#define FETCHES_MAX    16    /* audiences being fetched at once */
#define WAITS_MAX      16384 /* callers waiting in all: as many as may hold a key */
#define MARGIN_MS      10000 /* a token this close to its end is not served */
#define FETCH_LIMIT_MS 30000
#define LIFE_MAX_S     (14 * 86400)

struct moor_token_wait {
    struct moor_token_wait *next;
    struct token_fetch *fetch;
    moor_token_fn done; /* NULL = cancelled */
    void *ctx;
};

/* One audience on its way. Owns nothing of the entry: that may come and go meanwhile. */
struct token_fetch {
    struct token_fetch *next;
    struct moor_tokens *tokens;
    char *audience;
    struct moor_http_call *call;
    struct moor_signing *signing; /* before the call, for a key in a TPM */
    struct moor_token_wait *waits;
};

struct moor_tokens {
    struct moor_loop *loop;
    struct moor_timer *timer; /* earliest background refresh */
    struct moor_token_source source;
    char *token_url;
    struct moor_service_clock clock;
    struct moor_token_entry entries[MOOR_TOKENS_MAX];
    size_t count;
    struct token_fetch *fetches;
    size_t fetch_count, wait_count;
    bool refused;
};

static const struct moor_retry_policy refresh_policy = { 60000, 3600000, 20 };

static moor_code start_fetch(struct moor_tokens *t, const char *audience, struct token_fetch **out,
                             struct moor_error *err);

/* ---- entries ---- */

static struct moor_token_entry *find_entry(struct moor_tokens *t, const char *audience)
{
    for (size_t i = 0; i < t->count; i++)
        if (moor_streq(t->entries[i].audience, audience))
            return &t->entries[i];
    return NULL;
}

/* A place for the audience: its own, a free one, or the one longest unused. NULL: no memory. */
static struct moor_token_entry *claim_entry(struct moor_tokens *t, const char *audience)
{
    struct moor_token_entry *e = find_entry(t, audience);
    if (e)
        return e;
    char *name = moor_strdup(audience);
    if (!name)
        return NULL;
    if (t->count < MOOR_TOKENS_MAX) {
        e = &t->entries[t->count++];
    } else {
        e = &t->entries[0];
        for (size_t i = 1; i < t->count; i++)
            if (t->entries[i].used_at < e->used_at)
                e = &t->entries[i];
        moor_token_entry_drop(e);
    }
    *e = (struct moor_token_entry){ .audience = name };
    return e;
}

static void drop_entries(struct moor_tokens *t)
{
    for (size_t i = 0; i < t->count; i++)
        moor_token_entry_drop(&t->entries[i]);
    t->count = 0;
}

static void arm_refresh(struct moor_tokens *t)
{
    uint64_t first = 0;
    for (size_t i = 0; i < t->count; i++) {
        const struct moor_token_entry *e = &t->entries[i];
        if (e->used && e->refresh_at && (!first || e->refresh_at < first))
            first = e->refresh_at;
    }
    uint64_t now = plat_mono_ms();
    if (!first || !t->source.http)
        moor_timer_disarm(t->timer);
    else
        moor_timer_arm(t->timer, first > now ? first - now : 0);
}

static uint64_t mono_of(int64_t wall_ms)
{
    int64_t left = wall_ms - plat_utc_ms();
    return plat_mono_ms() + (left > 0 ? (uint64_t)left : 0);
}

/* When to refresh, half of the way from issue to end, and the end itself as points on the
 * monotonic clock: a wall clock that jumps later makes no token older or younger. */
static void note_times(struct moor_token_entry *e)
{
    e->refresh_at = mono_of(e->issued_ms + (e->expires_ms - e->issued_ms) / 2) + 1;
    e->ends_at = mono_of(e->expires_ms);
}

static void on_refresh_due(void *ctx)
{
    struct moor_tokens *t = ctx;
    uint64_t now = plat_mono_ms();
    for (size_t i = 0; i < t->count; i++) {
        struct moor_token_entry *e = &t->entries[i];
        if (!e->used || !e->refresh_at || e->refresh_at > now)
            continue;
        struct token_fetch *f = NULL;
        struct moor_error err = MOOR_ERROR_INIT;
        e->refresh_at = 0; /* set again by the fetch's end */
        if (start_fetch(t, e->audience, &f, &err)) {
            e->refresh_at = now + moor_retry_delay_ms(&refresh_policy, &err, e->failures++,
                                                      plat_random_below(UINT32_MAX));
            moor_log_error(MOOR_LOG_WARNING, "token.refresh_failed", &err, NULL);
        }
    }
    arm_refresh(t);
}

/* ---- fetches ---- */

static void unlink_fetch(struct token_fetch *f)
{
    struct moor_tokens *t = f->tokens;
    for (struct token_fetch **p = &t->fetches; *p; p = &(*p)->next)
        if (*p == f) {
            *p = f->next;
            t->fetch_count--;
            return;
        }
}

static void free_fetch(struct token_fetch *f)
{
    while (f->waits) {
        struct moor_token_wait *w = f->waits;
        f->waits = w->next;
        f->tokens->wait_count--;
        free(w);
    }
    free(f->audience);
    free(f);
}

/* Ends a fetch: everybody who waits hears of it. Callbacks may start and cancel others. */
static void finish_fetch(struct token_fetch *f, const struct moor_token *token,
                         const struct moor_error *err)
{
    unlink_fetch(f);
    for (struct moor_token_wait *w = f->waits; w; w = w->next) {
        moor_token_fn done = w->done;
        w->done = NULL;
        if (done)
            done(w->ctx, token, err);
    }
    free_fetch(f);
}

static moor_code read_answer(const struct moor_http_response *r, int64_t now_ms,
                             struct moor_token_entry *out, struct moor_error *err)
{
    if (r->status != 200)
        return moor_http_error_from(r, "sign-in", err);
    MOOR_AUTOPTR(moor_json) v = NULL;
    moor_code c = moor_json_parse(r->body, &v, err);
    if (c)
        return moor_fail(err, MOOR_E_PROTOCOL, "sign-in: the answer is no JSON");
    const char *token = moor_json_get_str(v, "access_token");
    const char *life_text = moor_json_get_str(v, "expires_in");
    int64_t life = 0;
    bool readable = life_text
                        ? moor_parse_i64(moor_span_str(life_text), 1, LIFE_MAX_S, &life, NULL) == 0
                        : moor_json_int(moor_json_get(v, "expires_in"), &life);
    if (!token || !*token || !readable || life < 1 || life > LIFE_MAX_S)
        return moor_fail(err, MOOR_E_PROTOCOL, "sign-in: want access_token and expires_in");
    c = moor_secret_set(&out->value, moor_span_str(token), err);
    out->issued_ms = now_ms;
    out->expires_ms = now_ms + life * 1000;
    return c;
}

static void note_failure(struct moor_tokens *t, const char *audience, const struct moor_error *err)
{
    moor_log_error(MOOR_LOG_WARNING, "token.failed", err, "audience", audience, NULL);
    t->refused = moor_streq(err->service_code, "invalid_client");
    struct moor_token_entry *e = find_entry(t, audience);
    if (!e)
        return;
    e->refresh_at = plat_mono_ms() + moor_retry_delay_ms(&refresh_policy, err, e->failures++,
                                                         plat_random_below(UINT32_MAX));
    arm_refresh(t);
}

static void save(struct moor_tokens *t)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (moor_tokens_cache_save(t->entries, t->count, t->source.keys, &err))
        moor_log_error(MOOR_LOG_WARNING, "token.cache_not_written", &err, NULL);
}

static void on_answer(void *ctx, const struct moor_http_response *r, const struct moor_error *err)
{
    struct token_fetch *f = ctx;
    struct moor_tokens *t = f->tokens;
    struct moor_error why = *err;
    struct moor_token_entry fresh = { 0 };
    f->call = NULL;
    if (r && read_answer(r, plat_utc_ms(), &fresh, &why) == MOOR_OK) {
        struct moor_token_entry *e = claim_entry(t, f->audience);
        if (e) {
            moor_secret_move(&e->value, &fresh.value);
            e->issued_ms = fresh.issued_ms;
            e->expires_ms = fresh.expires_ms;
            note_times(e);
            e->failures = 0;
            e->used_at = plat_mono_ms();
            e->used = f->waits != NULL;
            t->refused = false;
            /* The file first: who has the token may end this process. */
            save(t);
            arm_refresh(t);
            /* The callbacks get a copy: they may change the list. */
            MOOR_AUTO(moor_secret) value = MOOR_SECRET_INIT;
            const struct moor_token token = { &value, e->issued_ms, e->expires_ms };
            if (moor_secret_set(&value, moor_secret_reveal(&e->value), &why) == MOOR_OK)
                finish_fetch(f, &token, &(struct moor_error)MOOR_ERROR_INIT);
            else
                finish_fetch(f, NULL, &why);
            return;
        }
        moor_secret_drop(&fresh.value);
        if (moor_fail(&why, MOOR_E_NOMEM, "token: out of memory"))
            note_failure(t, f->audience, &why);
    } else {
        note_failure(t, f->audience, &why);
    }
    finish_fetch(f, NULL, &why);
}

/* The form has the assertion already. */
static moor_code post_form(struct token_fetch *f, struct moor_buf *form, struct moor_error *err)
{
    struct moor_tokens *t = f->tokens;
    MOOR_AUTO(moor_buf) scope = MOOR_BUF(MOOR_TOKEN_AUDIENCE_MAX + 16);
    moor_buf_fmt(&scope, "%s/.default", f->audience);
    moor_form_field(form, "grant_type", MOOR_SPAN_LIT("client_credentials"));
    moor_form_field(form, "client_id", moor_span_str(t->source.keys->doc.client_id));
    moor_form_field(form, "scope", moor_buf_view(&scope));
    moor_code c = moor_buf_ok(form, "sign-in", err);
    if (c)
        return c;
    const struct moor_http_request req = {
        .method = "POST",
        .url = t->token_url,
        .body = moor_buf_view(form),
        .content_type = "application/x-www-form-urlencoded",
        .timeout_ms = FETCH_LIMIT_MS,
        .body_max = 65536,
        .https_only = true,
    };
    return moor_http_send(t->source.http, &req, on_answer, f, &f->call, err);
}

static void on_signed(void *ctx, struct moor_signed *made, const struct moor_error *err)
{
    struct token_fetch *f = ctx;
    struct moor_error why = *err;
    f->signing = NULL;
    if (!why.code)
        why.code = post_form(f, &made->form, &why);
    if (!why.code)
        return;
    note_failure(f->tokens, f->audience, &why);
    finish_fetch(f, NULL, &why);
}

static moor_code send_fetch(struct token_fetch *f, struct moor_error *err)
{
    const struct moor_tokens *t = f->tokens;
    const struct moor_keystore *keys = t->source.keys;
    MOOR_AUTO(moor_buf) form = MOOR_BUF_SECRET(32768);
    const struct moor_assertion a = {
        .key = keys->key,
        .cert = keys->cert,
        .token_url = t->token_url,
        .client_id = keys->doc.client_id,
        .now_s = moor_service_clock_now(&t->clock, plat_utc_ms(), plat_mono_ms()) / 1000,
    };
    if (moor_key_in_tpm(keys->key))
        return moor_signing_assertion(t->source.pool, keys->key, &a, on_signed, f, &f->signing,
                                      err);
    moor_code c = moor_form_assertion(&form, &a, err);
    return c ? c : post_form(f, &form, err);
}

static struct token_fetch *find_fetch(struct moor_tokens *t, const char *audience)
{
    for (struct token_fetch *f = t->fetches; f; f = f->next)
        if (moor_streq(f->audience, audience))
            return f;
    return NULL;
}

/* Joins the fetch under way for this audience, or starts one. */
static moor_code start_fetch(struct moor_tokens *t, const char *audience, struct token_fetch **out,
                             struct moor_error *err)
{
    if (!t->source.http)
        return moor_fail(err, MOOR_E_TRANSIENT, "token: the machine has no certificate yet");
    struct token_fetch *f = find_fetch(t, audience);
    if (f) {
        *out = f;
        return MOOR_OK;
    }
    if (t->fetch_count >= FETCHES_MAX)
        return moor_fail(err, MOOR_E_NOMEM, "token: more than %d audiences at once", FETCHES_MAX);
    f = calloc(1, sizeof(*f));
    char *name = moor_strdup(audience);
    if (!f || !name) {
        free(f);
        free(name);
        return moor_fail(err, MOOR_E_NOMEM, "token: out of memory");
    }
    f->tokens = t;
    f->audience = name;
    moor_code c = send_fetch(f, err);
    if (c) {
        free_fetch(f);
        return c;
    }
    f->next = t->fetches;
    t->fetches = f;
    t->fetch_count++;
    *out = f;
    return MOOR_OK;
}

/* ---- public ---- */

moor_code moor_tokens_new(struct moor_loop *l, struct moor_tokens **out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_tokens) t = calloc(1, sizeof(*t));
    if (!t)
        return moor_fail(err, MOOR_E_NOMEM, "tokens: out of memory");
    t->loop = l;
    moor_code c = moor_timer_new(l, on_refresh_due, t, &t->timer, err);
    if (c)
        return c;
    *out = MOOR_TAKE(t);
    return MOOR_OK;
}

/* Callbacks that ask again meanwhile are told "not ready". */
static void end_fetches(struct moor_tokens *t, const struct moor_error *why)
{
    struct moor_http_transport *http = t->source.http;
    t->source = (struct moor_token_source){ 0 };
    while (t->fetches) {
        struct token_fetch *f = t->fetches;
        if (f->call)
            moor_http_cancel(http, f->call);
        f->call = NULL;
        moor_signing_cancel(MOOR_TAKE(f->signing));
        finish_fetch(f, NULL, why);
    }
}

void moor_tokens_free(struct moor_tokens *t)
{
    if (!t)
        return;
    for (struct token_fetch *f = t->fetches; f; f = f->next)
        for (struct moor_token_wait *w = f->waits; w; w = w->next)
            w->done = NULL;
    end_fetches(t, NULL);
    drop_entries(t);
    moor_timer_free(t->timer);
    free(t->token_url);
    free(t);
}

moor_code moor_tokens_source(struct moor_tokens *t, const struct moor_token_source *source,
                             struct moor_error *err)
{
    struct moor_error why = MOOR_ERROR_INIT;
    char *url = NULL;
    if (source) {
        url = moor_strdup(source->token_url);
        if (!url)
            return moor_fail(err, MOOR_E_NOMEM, "tokens: out of memory");
    }
    if (moor_fail(&why, MOOR_E_CANCELED, "token: the machine's identity changed"))
        end_fetches(t, &why);
    free(t->token_url);
    t->token_url = url;
    t->source = source ? *source : (struct moor_token_source){ 0 };
    t->source.token_url = url;
    t->refused = false;
    arm_refresh(t);
    return MOOR_OK;
}

void moor_tokens_clock(struct moor_tokens *t, const struct moor_service_clock *clock)
{
    t->clock = *clock;
}

bool moor_tokens_refused(const struct moor_tokens *t)
{
    return t->refused;
}

void moor_tokens_load(struct moor_tokens *t, const struct moor_keystore *keys)
{
    struct moor_error err = MOOR_ERROR_INIT;
    drop_entries(t);
    moor_code c =
        moor_tokens_cache_load(t->entries, MOOR_TOKENS_MAX, &t->count, plat_utc_ms(), keys, &err);
    if (c && c != MOOR_E_NOTFOUND) {
        moor_log_error(MOOR_LOG_WARNING, "token.cache_unreadable", &err, NULL);
        moor_tokens_cache_remove();
    }
    for (size_t i = 0; i < t->count; i++)
        note_times(&t->entries[i]);
}

void moor_tokens_clear(struct moor_tokens *t)
{
    drop_entries(t);
    arm_refresh(t);
}

void moor_tokens_forget(struct moor_tokens *t)
{
    moor_tokens_clear(t);
    moor_tokens_cache_remove();
}

static bool is_served(const struct moor_token_entry *e)
{
    return e && !moor_secret_empty(&e->value) && e->ends_at > plat_mono_ms() + MARGIN_MS;
}

static void serve(struct moor_tokens *t, struct moor_token_entry *e, moor_token_fn done, void *ctx)
{
    e->used_at = plat_mono_ms();
    if (!e->used) {
        e->used = true;
        arm_refresh(t);
    }
    const struct moor_token token = { &e->value, e->issued_ms, e->expires_ms };
    done(ctx, &token, &(struct moor_error)MOOR_ERROR_INIT);
}

moor_code moor_tokens_get(struct moor_tokens *t, const char *audience, bool fresh,
                          moor_token_fn done, void *ctx, struct moor_token_wait **wait,
                          struct moor_error *err)
{
    *wait = NULL;
    struct moor_token_entry *e = find_entry(t, audience);
    if (!fresh && is_served(e)) {
        serve(t, e, done, ctx);
        return MOOR_OK;
    }
    if (t->wait_count >= WAITS_MAX)
        return moor_fail(err, MOOR_E_NOMEM, "token: more than %d callers wait", WAITS_MAX);
    struct moor_token_wait *w = calloc(1, sizeof(*w));
    if (!w)
        return moor_fail(err, MOOR_E_NOMEM, "token: out of memory");
    moor_code c = start_fetch(t, audience, &w->fetch, err);
    if (c) {
        free(w);
        return c;
    }
    MOOR_ASSERT(w->fetch);
    w->done = done;
    w->ctx = ctx;
    w->next = w->fetch->waits;
    w->fetch->waits = w;
    t->wait_count++;
    *wait = w;
    return MOOR_OK;
}

void moor_tokens_cancel(struct moor_tokens *t, struct moor_token_wait *wait)
{
    (void)t;
    /* It stays in the list until the fetch ends: the token is worth having anyway. */
    if (wait)
        wait->done = NULL;
}
