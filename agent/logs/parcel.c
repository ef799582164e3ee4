/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/parcel.h"

#include <stdlib.h>

#include "logs/deadletter.h"
#include "logs/pack.h"
#include "logs/rules.h"
#include "platform/clock.h"
#include "run/pool.h"

#define STACK_MAX 72 /* halving 2^32 rows leaves 33 halves to do */

struct range {
    uint32_t first, count;
};

struct moor_parcel {
    struct moor_parcel_opts opts;
    char *key;
    moor_parcel_fn done;
    void *ctx;
    struct moor_buf url;
    struct moor_buf body;
    struct moor_buf part; /* the rows of `now` when it is not all */
    struct moor_buf dead;
    struct range todo[STACK_MAX];
    unsigned depth;
    struct range now;
    bool probing, probed;      /* the empty body is under way, was accepted */
    struct moor_error refusal; /* of the record that made us probe */
    struct moor_send *send;
    struct moor_parcel_result result;
    bool busy, freed; /* a pool job holds it */
    struct moor_error job_error;
};

moor_code moor_parcel_new(const struct moor_parcel_opts *opts, struct moor_buf *body,
                          struct moor_buf *rejected, moor_parcel_fn done, void *ctx,
                          struct moor_parcel **out, struct moor_error *err)
{
    struct moor_parcel *p = calloc(1, sizeof(*p));
    if (!p)
        return moor_fail(err, MOOR_E_NOMEM, "parcel: out of memory");
    p->opts = *opts;
    p->done = done;
    p->ctx = ctx;
    p->url = (struct moor_buf)MOOR_BUF(4096);
    moor_buf_stream_url(&p->url, opts->endpoint, opts->immutable_id, opts->stream);
    p->key = moor_strdup(opts->key);
    moor_code c = p->key ? moor_buf_ok(&p->url, "ingestion URL", err)
                         : moor_fail(err, MOOR_E_NOMEM, "parcel: out of memory");
    if (c != MOOR_OK) {
        moor_parcel_free(p);
        return c;
    }
    p->body = *body;
    *body = (struct moor_buf){ .max = body->max };
    p->part = (struct moor_buf)MOOR_BUF(2 * MOOR_PACK_RAW_MAX);
    p->dead = (struct moor_buf)MOOR_BUF(MOOR_DEAD_BYTES_MAX);
    if (rejected && rejected->len > 0) {
        p->dead = *rejected;
        *rejected = (struct moor_buf){ .max = rejected->max };
    }
    if (opts->rows > 0)
        p->todo[p->depth++] = (struct range){ 0, opts->rows };
    p->opts.endpoint = p->opts.immutable_id = p->opts.stream = p->opts.key = NULL;
    *out = p;
    return MOOR_OK;
}

void moor_parcel_free(struct moor_parcel *p)
{
    if (!p)
        return;
    moor_send_cancel(p->send);
    p->send = NULL;
    p->freed = true;
    if (p->busy)
        return;
    moor_buf_drop(&p->url);
    moor_buf_drop(&p->body);
    moor_buf_drop(&p->part);
    moor_buf_drop(&p->dead);
    free(p->key);
    free(p);
}

bool moor_parcel_is_split(const struct moor_parcel *p)
{
    return p->result.accepted + p->result.refused > 0;
}

static void tell(struct moor_parcel *p, moor_verdict v, const struct moor_error *err)
{
    struct moor_parcel_result r = p->result;
    p->done(p->ctx, v, &r, err);
}

/* What is under way comes back later. */
static void give_up(struct moor_parcel *p, moor_verdict v, const struct moor_error *err)
{
    if (p->now.count > 0)
        p->todo[p->depth++] = p->now;
    p->now.count = 0;
    p->probing = false;
    tell(p, v, err);
}

static bool is_whole(const struct moor_parcel *p)
{
    return p->now.count == p->opts.rows;
}

static bool first_row(void *ctx, uint32_t index, struct moor_span row)
{
    struct moor_buf *out = ctx;
    (void)index;
    moor_buf_span(out, row);
    return false;
}

static void bury(struct moor_parcel *p, const struct moor_error *why)
{
    MOOR_AUTO(moor_buf) row = MOOR_BUF(2 * MOOR_PACK_RAW_MAX);
    struct moor_error e = MOOR_ERROR_INIT;
    struct moor_span body = moor_buf_view(is_whole(p) ? &p->body : &p->part);
    (void)!moor_pack_each(body, first_row, &row, &e);
    const struct moor_dead_record d = {
        .key = p->key, .reason = why->msg, .record = moor_buf_view(&row), .now_ms = plat_utc_ms()
    };
    moor_dead_record_add(&p->dead, &d);
    p->result.refused++;
    p->now.count = 0;
    moor_parcel_go(p);
}

static void halve(struct moor_parcel *p)
{
    uint32_t half = p->now.count / 2;
    p->todo[p->depth++] = (struct range){ p->now.first + half, p->now.count - half };
    p->todo[p->depth++] = (struct range){ p->now.first, half };
    p->now.count = 0;
    moor_parcel_go(p);
}

static void probe(struct moor_parcel *p, const struct moor_error *err);

static void on_sent(void *ctx, moor_verdict v, const struct moor_error *err)
{
    struct moor_parcel *p = ctx;
    p->send = NULL;
    if (p->probing) {
        struct moor_error refusal = p->refusal;
        p->probing = false;
        p->probed = v == MOOR_SEND_ACCEPTED;
        if (p->probed)
            bury(p, &refusal);
        else if (v == MOOR_SEND_REFUSED || v == MOOR_SEND_TOO_LARGE)
            give_up(p, MOOR_SEND_HOLD, &refusal);
        else
            give_up(p, v, err);
    } else if (v == MOOR_SEND_ACCEPTED) {
        p->result.accepted += p->now.count;
        p->now.count = 0;
        moor_parcel_go(p);
    } else if (v == MOOR_SEND_RETRY || v == MOOR_SEND_HOLD) {
        give_up(p, v, err);
    } else if (p->now.count > 1) {
        halve(p);
    } else if (v == MOOR_SEND_REFUSED && p->result.accepted == 0 && !p->probed) {
        probe(p, err);
    } else {
        bury(p, err);
    }
}

static void post(struct moor_parcel *p, struct moor_span body)
{
    struct moor_error e = MOOR_ERROR_INIT;
    if (moor_sender_post(p->opts.sender, moor_buf_cstr(&p->url), body, on_sent, p, &p->send, &e) !=
        MOOR_OK)
        give_up(p, MOOR_SEND_RETRY, &e);
}

static void probe(struct moor_parcel *p, const struct moor_error *err)
{
    /* gzip of "[]". */
    static const unsigned char empty[] = { 0x1f, 0x8b, 8, 0,    0,    0,    0,    0, 0, 3, 0x8b,
                                           0x8e, 5,    0, 0x29, 0xbb, 0x4c, 0x0d, 2, 0, 0, 0 };
    p->refusal = *err;
    p->probing = true;
    post(p, moor_span(empty, sizeof(empty)));
}

static void cut_part(void *ctx)
{
    struct moor_parcel *p = ctx;
    moor_buf_reset(&p->part);
    (void)!moor_pack_cut(moor_buf_view(&p->body), p->now.first, p->now.count, &p->part,
                         &p->job_error);
}

static void write_dead(void *ctx)
{
    struct moor_parcel *p = ctx;
    (void)!moor_dead_write(p->opts.folder, moor_buf_view(&p->dead), &p->job_error);
}

/* True when the parcel still has somebody. */
static bool back_from_pool(struct moor_parcel *p, bool cancelled)
{
    p->busy = false;
    if (cancelled && p->job_error.code == MOOR_OK)
        (void)!moor_fail(&p->job_error, MOOR_E_CANCELED, "stopped");
    if (!p->freed)
        return true;
    moor_parcel_free(p);
    return false;
}

static void on_cut(void *ctx, bool cancelled)
{
    struct moor_parcel *p = ctx;
    if (!back_from_pool(p, cancelled))
        return;
    if (p->job_error.code == MOOR_OK)
        post(p, moor_buf_view(&p->part));
    else
        give_up(p, MOOR_SEND_HOLD, &p->job_error);
}

static void on_dead(void *ctx, bool cancelled)
{
    struct moor_parcel *p = ctx;
    if (!back_from_pool(p, cancelled))
        return;
    if (p->job_error.code == MOOR_OK)
        moor_buf_reset(&p->dead);
    tell(p, p->job_error.code == MOOR_OK ? MOOR_SEND_ACCEPTED : MOOR_SEND_HOLD, &p->job_error);
}

static void submit(struct moor_parcel *p, void (*work)(void *), void (*done)(void *, bool))
{
    struct moor_error e = MOOR_ERROR_INIT;
    p->job_error = e;
    p->busy = true;
    if (moor_pool_submit(p->opts.pool, work, done, p, &e) == MOOR_OK)
        return;
    p->busy = false;
    give_up(p, MOOR_SEND_RETRY, &e);
}

void moor_parcel_go(struct moor_parcel *p)
{
    const struct moor_error none = MOOR_ERROR_INIT;
    if (p->depth > 0) {
        p->now = p->todo[--p->depth];
        if (is_whole(p))
            post(p, moor_buf_view(&p->body));
        else
            submit(p, cut_part, on_cut);
    } else if (p->dead.len > 0) {
        submit(p, write_dead, on_dead);
    } else {
        tell(p, MOOR_SEND_ACCEPTED, &none);
    }
}
