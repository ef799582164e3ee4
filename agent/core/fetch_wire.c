/* SPDX-License-Identifier: Apache-2.0 */
#include "core/fetch_wire.h"

#include <stdlib.h>
#include <string.h>

#include "platform/net.h"
#include "run/loop.h"

#define QUEUE_MAX       (8 * 1024 * 1024)
#define RETRY_MS        3
#define MESSAGES_A_TURN 32
#define ARENA_MAX       (4 * MOOR_FETCH_MESSAGE_MAX)
#define WHOLE           (INT64_C(1) << 53)

static const char *const types[] = {
    "hello", "request", "body", "cancel", "answer", "error", NULL
};

#define HD(member) offsetof(struct moor_fetch_header, member)
static const struct moor_json_field header_fields[] = {
    { MOOR_F_STR, "name", HD(name), MOOR_F_REQUIRED, 1, 256, NULL },
    { MOOR_F_STR, "value", HD(value), MOOR_F_REQUIRED, 0, 16384, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape header_shape = { sizeof(struct moor_fetch_header),
                                                     header_fields, MOOR_F_STRICT };

#define ME(member) offsetof(struct moor_fetch_message, member)
static const struct moor_json_field fields[] = {
    { MOOR_F_ENUM, "type", ME(type), MOOR_F_REQUIRED, 0, 0, types },
    { MOOR_F_U64, "id", ME(id), 0, 0, WHOLE, NULL },
    { MOOR_F_STR, "caFile", ME(ca_file), 0, 1, 4096, NULL },
    { MOOR_F_STR, "proxy", ME(proxy), 0, 1, 2048, NULL },
    { MOOR_F_STR, "noProxy", ME(no_proxy), 0, 1, 16384, NULL },
    { MOOR_F_STR, "proxyCaFile", ME(proxy_ca_file), 0, 1, 4096, NULL },
    { MOOR_F_STR, "proxySetting", ME(proxy_setting), 0, 1, 64, NULL },
    { MOOR_F_STR, "proxyProblem", ME(proxy_problem), 0, 1, 1024, NULL },
    { MOOR_F_BOOL, "directToSelf", ME(direct_to_self), 0, 0, 0, NULL },
    { MOOR_F_STR, "method", ME(method), 0, 1, 16, NULL },
    { MOOR_F_STR, "url", ME(url), 0, 1, 8192, NULL },
    { MOOR_F_STR, "contentType", ME(content_type), 0, 1, 256, NULL },
    { MOOR_F_STR, "contentEncoding", ME(content_encoding), 0, 1, 64, NULL },
    { MOOR_F_OBJ_LIST, "headers", ME(headers), 0, 0, 64, &header_shape },
    { MOOR_F_U64, "timeoutMs", ME(timeout_ms), 0, 0, WHOLE, NULL },
    { MOOR_F_U64, "connectTimeoutMs", ME(connect_timeout_ms), 0, 0, WHOLE, NULL },
    { MOOR_F_U64, "bodyMax", ME(body_max), 0, 0, QUEUE_MAX, NULL },
    { MOOR_F_U64, "offset", ME(offset), 0, 0, WHOLE, NULL },
    { MOOR_F_U64, "sinkMax", ME(sink_max), 0, 0, WHOLE, NULL },
    { MOOR_F_U32, "redirectsMax", ME(redirects_max), 0, 0, 3, NULL },
    { MOOR_F_BOOL, "publicOnly", ME(public_only), 0, 0, 0, NULL },
    { MOOR_F_BOOL, "bearer", ME(bearer), 0, 0, 0, NULL },
    { MOOR_F_U64, "bodyLength", ME(body_length), 0, 0, QUEUE_MAX, NULL },
    { MOOR_F_U32, "status", ME(status), 0, 0, 999, NULL },
    { MOOR_F_U32, "retryAfterMs", ME(retry_after_ms), 0, 0, UINT32_MAX, NULL },
    { MOOR_F_U64, "received", ME(received), 0, 0, WHOLE, NULL },
    { MOOR_F_STR, "requestId", ME(request_id), 0, 0, 39, NULL },
    { MOOR_F_U32, "code", ME(code), 0, 0, MOOR_E_BUG, NULL },
    { MOOR_F_STR, "message", ME(message), 0, 0, 1024, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape shape = { sizeof(struct moor_fetch_message), fields,
                                              MOOR_F_STRICT };

void moor_fetch_encode(struct moor_buf *out, const struct moor_fetch_message *m)
{
    moor_json_encode(out, &shape, m);
    moor_buf_char(out, '\n');
}

moor_code moor_fetch_decode(struct moor_span text, struct moor_fetch_message *out,
                            struct moor_span *payload, struct moor_arena *arena,
                            struct moor_error *err)
{
    struct moor_span rest = text;
    struct moor_span head = moor_span_cut(&rest, '\n');
    struct moor_fetch_message m = { .id = 0 };
    moor_code c = moor_json_decode(head, "fetch message", &shape, &m, arena, err);
    if (c == MOOR_OK && !rest.p)
        c = moor_fail(err, MOOR_E_PROTOCOL, "fetch message: no line feed behind the object");
    if (c != MOOR_OK)
        return c;
    *out = m;
    *payload = rest;
    return MOOR_OK;
}

struct waiting {
    struct waiting *next;
    const struct plat_file *pass;
    size_t n;
    char bytes[];
};

struct moor_fetch_link {
    struct plat_file socket;
    struct moor_fetch_link_opts opts;
    struct moor_watch *watch;
    struct moor_timer *retry;
    struct waiting *first, **last;
    size_t queued;
    bool gone;
    bool *freed; /* set while on_message runs */
    char in[MOOR_FETCH_MESSAGE_MAX];
};

static void drop_waiting(struct moor_fetch_link *k, struct waiting **at)
{
    struct waiting *w = *at;
    k->queued -= w->n;
    *at = w->next;
    if (!w->next)
        k->last = at;
    moor_wipe(w->bytes, w->n);
    free(w);
}

static void end(struct moor_fetch_link *k, const struct moor_error *err)
{
    k->gone = true;
    moor_watch_pause(k->watch, true);
    moor_timer_disarm(k->retry);
    k->opts.on_gone(k->opts.ctx, err);
}

/* A failed send is not reported here: the reading side sees that the other end is gone. */
static void flush(struct moor_fetch_link *k)
{
    struct moor_error err = MOOR_ERROR_INIT;
    while (k->first && !k->gone) {
        moor_code c = plat_message_send(&k->socket, moor_span(k->first->bytes, k->first->n),
                                        k->first->pass, &err);
        if (c == MOOR_E_TRANSIENT) {
            moor_timer_arm(k->retry, RETRY_MS);
            return;
        }
        drop_waiting(k, &k->first);
    }
}

static void on_retry(void *ctx)
{
    flush(ctx);
}

/* One message; false when there is no further one now, or the link is no more. */
static bool receive_one(struct moor_fetch_link *k)
{
    MOOR_AUTO(plat_file) passed = PLAT_FILE_INIT;
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ARENA_MAX);
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_fetch_message m;
    struct moor_span payload;
    size_t got = 0;
    moor_code c = plat_message_receive(&k->socket, k->in, sizeof(k->in), &got, &passed, &err);
    if (c == MOOR_E_TRANSIENT)
        return false;
    if (c == MOOR_OK && got > 0)
        c = moor_fetch_decode(moor_span(k->in, got), &m, &payload, &arena, &err);
    if (c != MOOR_OK || got == 0) {
        end(k, &err);
        return false;
    }
    bool freed = false;
    k->freed = &freed;
    k->opts.on_message(k->opts.ctx, &m, payload, &passed);
    if (freed)
        return false;
    k->freed = NULL;
    moor_wipe(k->in, got);
    return !k->gone;
}

static void on_readable(void *ctx)
{
    struct moor_fetch_link *k = ctx;
    for (int i = 0; i < MESSAGES_A_TURN && receive_one(k); i++)
        continue;
}

moor_code moor_fetch_link_new(struct moor_loop *l, struct plat_file *socket,
                              const struct moor_fetch_link_opts *opts, struct moor_fetch_link **out,
                              struct moor_error *err)
{
    MOOR_AUTOPTR(moor_fetch_link) k = calloc(1, sizeof(*k));
    if (!k)
        return moor_fail(err, MOOR_E_NOMEM, "fetch link: out of memory");
    k->socket = (struct plat_file)PLAT_FILE_INIT;
    k->opts = *opts;
    k->last = &k->first;
    moor_code c = moor_timer_new(l, on_retry, k, &k->retry, err);
    if (c == MOOR_OK)
        c = moor_watch_new(l, plat_file_fd(socket), on_readable, k, &k->watch, err);
    if (c != MOOR_OK)
        return c;
    plat_file_move(&k->socket, socket);
    *out = MOOR_TAKE(k);
    return MOOR_OK;
}

void moor_fetch_link_free(struct moor_fetch_link *k)
{
    if (!k)
        return;
    if (k->freed)
        *k->freed = true;
    while (k->first)
        drop_waiting(k, &k->first);
    moor_watch_free(k->watch);
    moor_timer_free(k->retry);
    plat_file_drop(&k->socket);
    moor_wipe(k->in, sizeof(k->in));
    free(k);
}

moor_code moor_fetch_link_send(struct moor_fetch_link *k, const struct moor_fetch_message *m,
                               struct moor_span payload, const struct plat_file *pass,
                               struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(MOOR_FETCH_MESSAGE_MAX);
    moor_fetch_encode(&text, m);
    moor_buf_span(&text, payload);
    moor_code c = moor_buf_ok(&text, "fetch message", err);
    if (c != MOOR_OK)
        return c;
    if (k->queued + text.len > QUEUE_MAX)
        return moor_fail(err, MOOR_E_NOMEM, "fetch link: %d bytes are waiting already", QUEUE_MAX);
    struct waiting *w = malloc(sizeof(*w) + text.len);
    if (!w)
        return moor_fail(err, MOOR_E_NOMEM, "fetch link: out of memory");
    w->next = NULL;
    w->pass = pass;
    w->n = text.len;
    memcpy(w->bytes, text.data, text.len);
    *k->last = w;
    k->last = &w->next;
    k->queued += w->n;
    flush(k);
    return MOOR_OK;
}

void moor_fetch_link_forget(struct moor_fetch_link *k, const struct plat_file *pass)
{
    struct waiting **at = &k->first;
    while (*at) {
        if ((*at)->pass == pass)
            drop_waiting(k, at);
        else
            at = &(*at)->next;
    }
}

moor_code moor_fetch_link_body(struct moor_fetch_link *k, uint64_t id, struct moor_span body,
                               struct moor_error *err)
{
    const struct moor_fetch_message m = { .type = MOOR_FETCH_BODY, .id = id };
    moor_code c = MOOR_OK;
    while (c == MOOR_OK && body.n > 0) {
        size_t n = body.n < MOOR_FETCH_CHUNK ? body.n : MOOR_FETCH_CHUNK;
        c = moor_fetch_link_send(k, &m, moor_span(body.p, n), NULL, err);
        body = moor_span(body.p + n, body.n - n);
    }
    return c;
}
