/* SPDX-License-Identifier: Apache-2.0 */
#include "core/roles.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/jsontab.h"
#include "base/text.h"
#include "platform/dirs.h"

#define BASE      "http://roles"
#define TOKEN_MAX (32 * 1024)
#define WAIT_MS   (960 * 1000) /* longer than the server keeps a question */
#define CALL_MS   (60 * 1000)
#define TAGS_MAX  (64 * 1024)

/* One question under way. Which of the completions is set says what was asked. */
struct question {
    struct question *next, **link;
    struct moor_roles *owner;
    struct moor_http_call *call;
    moor_roles_token_fn on_token;
    moor_roles_state_fn on_state;
    moor_roles_done_fn on_done;
    void *ctx;
};

struct moor_roles {
    struct moor_http_transport *transport;
    char *path;
    struct question *asked;
};

static void forget(struct question *q)
{
    *q->link = q->next;
    if (q->next)
        q->next->link = q->link;
    free(q);
}

moor_code moor_roles_new(struct moor_http_transport *t, const char *socket_path,
                         struct moor_roles **out, struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    moor_code c = socket_path ? moor_span_dup(moor_span_str(socket_path), &path, err)
                              : plat_path(PLAT_DIR_RUN, &path, err, "roles.sock");
    if (c != MOOR_OK)
        return c;
    struct moor_roles *r = calloc(1, sizeof(*r));
    if (!r)
        return moor_fail(err, MOOR_E_NOMEM, "roles client: out of memory");
    r->transport = t;
    r->path = MOOR_TAKE(path);
    *out = r;
    return MOOR_OK;
}

void moor_roles_free(struct moor_roles *r)
{
    if (!r)
        return;
    while (r->asked) {
        struct question *q = r->asked;
        moor_http_cancel(r->transport, q->call);
        forget(q);
    }
    free(r->path);
    free(r);
}

struct token_answer {
    const char *access_token;
    uint64_t expires_on;
};
static const struct moor_json_field token_fields[] = {
    { MOOR_F_U64, "expires_on", offsetof(struct token_answer, expires_on), MOOR_F_REQUIRED, 1,
      INT64_C(1) << 40, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape token_shape = { sizeof(struct token_answer), token_fields, 0 };

/* The token itself never passes through an arena. */
static moor_code read_token(struct moor_span body, struct moor_secret *token, int64_t *expires_ms,
                            struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(4096);
    MOOR_AUTOPTR(moor_json) v = NULL;
    struct token_answer a = { .access_token = NULL };
    if (moor_json_parse(body, &v, err) != MOOR_OK)
        return moor_context(err, "token answer");
    moor_code c = moor_json_decode_value(v, "token answer", &token_shape, &a, &arena, err);
    if (c != MOOR_OK)
        return c;
    const char *text = moor_json_get_str(v, "access_token");
    if (!text || !*text)
        return moor_fail(err, MOOR_E_PROTOCOL, "token answer: access_token: required");
    c = moor_secret_set(token, moor_span_str(text), err);
    if (c == MOOR_OK)
        *expires_ms = (int64_t)a.expires_on * 1000;
    return c;
}

#define ST(member) offsetof(struct moor_roles_state, member)
static const struct moor_json_field state_fields[] = {
    { MOOR_F_STR, "state", ST(state), MOOR_F_REQUIRED, 0, 128, NULL },
    { MOOR_F_STR, "revision", ST(revision), 0, 0, 64, NULL },
    { MOOR_F_BOOL, "reportWanted", ST(report_wanted), 0, 0, 0, NULL },
    { MOOR_F_BOOL, "connected", ST(connected), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape state_shape = { sizeof(struct moor_roles_state), state_fields,
                                                    0 };

static void answer_token(const struct question *q, const struct moor_http_response *r,
                         struct moor_error *e)
{
    MOOR_AUTO(moor_secret) token = MOOR_SECRET_INIT;
    int64_t expires_ms = 0;
    if (e->code == MOOR_OK && read_token(r->body, &token, &expires_ms, e) != MOOR_OK)
        expires_ms = 0;
    q->on_token(q->ctx, e->code == MOOR_OK ? &token : NULL, expires_ms, e);
}

static void answer_state(const struct question *q, const struct moor_http_response *r,
                         struct moor_error *e)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(4096);
    struct moor_roles_state s = { .revision = "" };
    bool ok = e->code == MOOR_OK &&
              moor_json_decode(r->body, "state answer", &state_shape, &s, &arena, e) == MOOR_OK;
    q->on_state(q->ctx, ok ? &s : NULL, e);
}

static void on_answer(void *ctx, const struct moor_http_response *r, const struct moor_error *err)
{
    struct question *q = ctx;
    struct question copy = *q;
    struct moor_error e = *err;
    forget(q);
    if (e.code == MOOR_OK && (r->status < 200 || r->status > 299) &&
        moor_http_error_from(r, "identity role", &e) == MOOR_OK)
        e.code = MOOR_E_PROTOCOL;
    if (copy.on_token)
        answer_token(&copy, r, &e);
    else if (copy.on_state)
        answer_state(&copy, r, &e);
    else
        copy.on_done(copy.ctx, &e);
}

static moor_code ask(struct moor_roles *r, const struct question *model,
                     struct moor_http_request *req, struct moor_error *err)
{
    struct question *q = malloc(sizeof(*q));
    if (!q)
        return moor_fail(err, MOOR_E_NOMEM, "roles client: out of memory");
    *q = *model;
    q->owner = r;
    req->unix_socket = r->path;
    req->body_max = TOKEN_MAX;
    moor_code c = moor_http_send(r->transport, req, on_answer, q, &q->call, err);
    if (c != MOOR_OK) {
        free(q);
        return c;
    }
    q->next = r->asked;
    q->link = &r->asked;
    if (q->next)
        q->next->link = &q->next;
    r->asked = q;
    return MOOR_OK;
}

moor_code moor_roles_token(struct moor_roles *r, const char *audience, moor_roles_token_fn done,
                           void *ctx, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) url = MOOR_BUF(2048);
    moor_buf_str(&url, BASE "/token?resource=");
    moor_buf_url_part(&url, moor_span_str(audience));
    moor_code c = moor_buf_ok(&url, "token URL", err);
    if (c != MOOR_OK)
        return c;
    struct moor_http_request req = { .method = "GET",
                                     .url = moor_buf_cstr(&url),
                                     .timeout_ms = CALL_MS };
    const struct question q = { .on_token = done, .ctx = ctx };
    return ask(r, &q, &req, err);
}

moor_code moor_roles_wait(struct moor_roles *r, const char *after, moor_roles_state_fn done,
                          void *ctx, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) url = MOOR_BUF(2048);
    moor_buf_str(&url, BASE "/state?after=");
    moor_buf_url_part(&url, moor_span_str(after));
    moor_code c = moor_buf_ok(&url, "state URL", err);
    if (c != MOOR_OK)
        return c;
    struct moor_http_request req = { .method = "GET",
                                     .url = moor_buf_cstr(&url),
                                     .timeout_ms = WAIT_MS };
    const struct question q = { .on_state = done, .ctx = ctx };
    return ask(r, &q, &req, err);
}

static moor_code put(struct moor_roles *r, const struct moor_buf *body, moor_roles_done_fn done,
                     void *ctx, struct moor_error *err)
{
    moor_code c = moor_buf_ok(body, "hashes", err);
    if (c != MOOR_OK)
        return c;
    struct moor_http_request req = {
        .method = "PUT", .url = BASE "/hashes", .body = moor_buf_view(body), .timeout_ms = CALL_MS
    };
    const struct question q = { .on_done = done, .ctx = ctx };
    return ask(r, &q, &req, err);
}

moor_code moor_roles_put_hashes(struct moor_roles *r, const char *settings_hash,
                                const char *report_hash, moor_roles_done_fn done, void *ctx,
                                struct moor_error *err)
{
    MOOR_AUTO(moor_buf) body = MOOR_BUF(1024);
    moor_buf_str(&body, "{\"settingsHash\":");
    moor_buf_json_str(&body, moor_span_str(settings_hash));
    moor_buf_str(&body, ",\"reportHash\":");
    moor_buf_json_str(&body, moor_span_str(report_hash));
    moor_buf_char(&body, '}');
    return put(r, &body, done, ctx, err);
}

moor_code moor_roles_put_tags(struct moor_roles *r, const char *tags, moor_roles_done_fn done,
                              void *ctx, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) body = MOOR_BUF(TAGS_MAX);
    moor_buf_fmt(&body, "{\"tags\":%s}", tags ? tags : "{}");
    return put(r, &body, done, ctx, err);
}
