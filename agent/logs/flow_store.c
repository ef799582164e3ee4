/* SPDX-License-Identifier: Apache-2.0 */
/* The queue on disk as a flow uses it, and the pen: rows that come but once. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "logs/deadletter.h"
#include "logs/flow_internal.h"
#include "platform/clock.h"
#include "run/log.h"
#include "run/loop.h"
#include "run/pool.h"

#define PEN_AGAIN_MS 5000
#define PEN_RATIO    2 /* at the least, what rows are compressed to */

void moor_loading_free(struct moor_loading *l)
{
    if (!l)
        return;
    free(l->queue_folder);
    moor_buf_drop(&l->body);
    free(l);
}

/* The rows of the pen become a body. It may be over the service's limit, when they hardly
 * compress: then the service says so, and it is halved. */
static moor_code pack_raw(struct moor_batch *b)
{
    struct moor_harvest *h = b->harvest;
    struct moor_span rest = moor_buf_view(&b->raw);
    h->body.len = 0;
    while (rest.n > 0)
        (void)moor_packer_add(h->packer, moor_span_cut(&rest, '\n'));
    return moor_packer_end(h->packer, &h->body, &b->error);
}

static void put(void *ctx)
{
    struct moor_batch *b = ctx;
    moor_code c = b->raw.len > 0 && b->harvest->body.len == 0 ? pack_raw(b) : MOOR_OK;
    if (c == MOOR_OK && b->harvest->rejected.len > 0)
        c = moor_dead_write(b->folder, moor_buf_view(&b->harvest->rejected), &b->error);
    if (c == MOOR_OK)
        (void)!moor_queue_put(b->queue_folder, b->number, &b->head,
                              moor_buf_view(&b->harvest->body), &b->bytes, &b->error);
}

static void pen_stored(struct moor_flow *f, const struct moor_batch *b)
{
    f->counts.received += b->harvest->rows;
    f->counts.cut += b->pen_cut;
    f->queue_full = false;
}

/* They could not be stored: they stand before what came meanwhile, and are tried again. */
static void pen_back(struct moor_flow *f, struct moor_batch *b)
{
    moor_buf_span(&b->raw, moor_buf_view(&f->pen));
    moor_buf_drop(&f->pen);
    f->pen = b->raw;
    b->raw = (struct moor_buf)MOOR_BUF(0);
    f->pen_rows += b->harvest->rows;
    f->pen_cut += b->pen_cut;
    f->pen_held = true;
    moor_timer_arm(f->pen_timer, PEN_AGAIN_MS);
}

static void on_put(void *ctx, bool cancelled)
{
    struct moor_batch *b = ctx;
    struct moor_flow *f = b->flow;
    if (!f) {
        moor_batch_free(b);
        return;
    }
    bool pen = b == f->storing;
    *(pen ? &f->storing : &f->reading) = NULL;
    if (cancelled)
        (void)!moor_fail(&b->error, MOOR_E_CANCELED, "stopped");
    if (b->error.code == MOOR_OK)
        (void)!moor_queue_add(f->env->queue, b->number, b->bytes, &b->head, &b->error);
    if (b->error.code == MOOR_OK) {
        f->counts.queued += b->harvest->rows;
        if (pen)
            pen_stored(f, b);
        moor_flow_apply_done(f, b);
    } else {
        moor_inputs_rewind(&f->inputs);
        if (pen)
            pen_back(f, b);
        moor_log_error(MOOR_LOG_WARNING, "logs.queue_failed", &b->error, "flow", f->spec.key, NULL);
        f->queue_full = true;
    }
    moor_batch_free(b);
    moor_flow_advance(f);
}

static moor_code fill_head(struct moor_flow *f, struct moor_batch *b, struct moor_error *err)
{
    struct moor_harvest *h = b->harvest;
    struct moor_position *p = moor_arena_array(&b->arena, h->count, sizeof(*p));
    b->head = (struct moor_queue_head){ .key = f->spec.key,
                                        .endpoint = f->spec.endpoint,
                                        .immutable_id = f->spec.immutable_id,
                                        .stream = f->spec.stream,
                                        .rows = h->rows,
                                        .created_ms = plat_utc_ms() };
    bool ok = p;
    for (size_t i = 0; ok && i < h->count; i++) {
        const struct moor_input *in = h->sources[i].owner;
        ok = moor_position_write(&p[i], &b->arena, h->sources[i].path, &in->key, &h->sources[i].to,
                                 b->head.created_ms);
    }
    b->head.sources = (struct moor_obj_list){ p, h->count };
    b->queue_folder = moor_strdup(f->env->queue->folder);
    b->folder = moor_strdup(f->env->folder);
    /* The flow's own texts may be replaced while the pool reads them. */
    b->head.key = moor_arena_str(&b->arena, moor_span_str(b->head.key));
    b->head.endpoint = moor_arena_str(&b->arena, moor_span_str(b->head.endpoint));
    b->head.immutable_id = moor_arena_str(&b->arena, moor_span_str(b->head.immutable_id));
    b->head.stream = moor_arena_str(&b->arena, moor_span_str(b->head.stream));
    if (!ok || !b->queue_folder || !b->folder || !b->head.key || !b->head.endpoint ||
        !b->head.immutable_id || !b->head.stream)
        return moor_fail(err, MOOR_E_NOMEM, "queue entry: out of memory");
    return MOOR_OK;
}

static void no_room(struct moor_flow *f, struct moor_batch *b)
{
    if (!f->queue_full)
        moor_log(MOOR_LOG_WARNING, "logs.queue_full", "flow", f->spec.key, NULL);
    f->queue_full = true;
    moor_inputs_rewind(&f->inputs);
    bool pen = b->raw.len > 0;
    if (pen)
        pen_back(f, b);
    moor_batch_free(b);
    if (!pen)
        moor_flow_advance(f);
}

/* Rows of the pen have no other place: one entry of them is taken whatever the quota is. */
static bool has_room(const struct moor_queue *q, const struct moor_batch *b)
{
    return moor_queue_has_room(q, b->harvest->body.len + b->raw.len / PEN_RATIO) ||
           (b->raw.len > 0 && q->bytes == 0);
}

void moor_flow_begin_put(struct moor_flow *f, struct moor_batch *b)
{
    struct moor_error e = MOOR_ERROR_INIT;
    if (!has_room(f->env->queue, b)) {
        no_room(f, b);
        return;
    }
    moor_code c = fill_head(f, b, &e);
    if (c == MOOR_OK) {
        b->number = f->env->queue->next_number++;
        c = moor_pool_submit(f->env->pool, put, on_put, b, &e);
    }
    if (c == MOOR_OK) {
        *(b->raw.len > 0 ? &f->storing : &f->reading) = b;
        return;
    }
    moor_inputs_rewind(&f->inputs);
    if (b->raw.len > 0)
        pen_back(f, b);
    moor_batch_free(b);
    moor_log_error(MOOR_LOG_WARNING, "logs.queue_failed", &e, "flow", f->spec.key, NULL);
    f->queue_full = true;
}

void moor_flow_store_pen(struct moor_flow *f)
{
    /* In the pool's hands they are not limited: what was taken in one go is one entry. */
    static const struct moor_pack_limits limits = { 2 * MOOR_PACK_RAW_MAX, 2 * MOOR_PACK_RAW_MAX };
    struct moor_error e = MOOR_ERROR_INIT;
    if (f->storing || f->pen_rows == 0 || f->pen_held)
        return;
    moor_timer_disarm(f->pen_timer);
    struct moor_batch *b = moor_batch_new(f, TO_QUEUE);
    if (!b || moor_packer_new(&limits, &f->env->way, &b->harvest->packer, &e) != MOOR_OK) {
        moor_batch_free(b);
        moor_timer_arm(f->pen_timer, PEN_AGAIN_MS);
        return;
    }
    b->raw = f->pen;
    b->pen_cut = f->pen_cut;
    b->harvest->rows = f->pen_rows;
    f->pen = (struct moor_buf)MOOR_BUF(4 * MOOR_PEN_MAX);
    f->pen_rows = f->pen_cut = 0;
    moor_flow_begin_put(f, b);
}

static void load(void *ctx)
{
    struct moor_loading *l = ctx;
    (void)!moor_queue_get(l->queue_folder, l->number, &l->body, &l->error);
}

static void drop_damaged(struct moor_flow *f, const struct moor_error *err)
{
    struct moor_queue_entry *e = f->entry;
    f->entry = NULL;
    moor_log_error(MOOR_LOG_WARNING, "logs.queue_entry_damaged", err, "flow", f->spec.key, NULL);
    f->counts.queued -= e->rows < f->counts.queued ? e->rows : f->counts.queued;
    f->counts.dropped_damaged += e->rows;
    moor_queue_forget(f->env->queue, e, true);
    moor_flow_progress(f);
}

static void on_loaded(void *ctx, bool cancelled)
{
    struct moor_loading *l = ctx;
    struct moor_flow *f = l->flow;
    if (!f) {
        moor_loading_free(l);
        return;
    }
    f->loading = NULL;
    if (cancelled || f->stopping) {
        f->entry = NULL;
    } else if (l->error.code == MOOR_OK) {
        moor_flow_begin_parcel(f, &l->body, NULL, f->entry->rows);
    } else if (l->error.code == MOOR_E_PROTOCOL || l->error.code == MOOR_E_NOTFOUND) {
        drop_damaged(f, &l->error);
    } else {
        f->entry = NULL;
        moor_flow_wait_after(f, MOOR_SEND_HOLD, &l->error);
    }
    moor_loading_free(l);
    moor_flow_advance(f);
}

struct moor_queue_entry *moor_flow_next_entry(const struct moor_flow *f)
{
    struct moor_queue_entry *e = f->env->queue->first;
    while (e && (e->number <= f->queue_done || !moor_streq(e->key, f->spec.key)))
        e = e->next;
    return e;
}

void moor_flow_begin_loading(struct moor_flow *f, struct moor_queue_entry *entry)
{
    struct moor_error e = MOOR_ERROR_INIT;
    struct moor_loading *l = calloc(1, sizeof(*l));
    if (l) {
        *l = (struct moor_loading){ .flow = f, .number = entry->number };
        l->body = (struct moor_buf)MOOR_BUF(MOOR_QUEUE_FILE_MAX);
        l->queue_folder = moor_strdup(f->env->queue->folder);
    }
    moor_code c =
        l && l->queue_folder ? MOOR_OK : moor_fail(&e, MOOR_E_NOMEM, "queue entry: out of memory");
    if (c == MOOR_OK)
        c = moor_pool_submit(f->env->pool, load, on_loaded, l, &e);
    if (c != MOOR_OK) {
        moor_loading_free(l);
        moor_flow_wait_after(f, MOOR_SEND_HOLD, &e);
        return;
    }
    f->loading = l;
    f->entry = entry;
}
