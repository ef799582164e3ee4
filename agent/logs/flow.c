/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/flow.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "logs/deadletter.h"
#include "logs/harvest.h"
#include "logs/parcel.h"
#include "platform/clock.h"
#include "platform/random.h"
#include "run/log.h"
#include "run/loop.h"
#include "run/pool.h"

#define SPEC_BYTES   ((size_t)256 * 1024)
#define ALONE_BYTES  ((uint64_t)16 * 1024 * 1024) /* of one file a turn */
#define SHARED_BYTES ((uint64_t)2 * 1024 * 1024)  /* the same when others wait */
#define GONE_MAX     16 /* files without a name kept open while the queue is full */

/* What a turn of reading is for. */
enum purpose { TO_SEND, TO_QUEUE, TO_DROP };

/* A harvest, and which lives of its files it is of. */
struct batch {
    struct moor_flow *flow; /* NULL: nobody waits for it any more */
    struct moor_harvest *harvest;
    unsigned lives[MOOR_HARVEST_SOURCES_MAX];
    enum purpose purpose;
    bool stale; /* was rewound meanwhile */
    /* TO_QUEUE: */
    char *queue_folder, *folder;
    uint64_t number, bytes;
    struct moor_arena arena;
    struct moor_queue_head head;
    struct moor_error error;
};

/* An entry of the queue being read. */
struct loading {
    struct moor_flow *flow; /* NULL: nobody waits */
    char *queue_folder;
    uint64_t number;
    struct moor_buf body;
    struct moor_error error;
};

struct moor_flow {
    struct moor_flow_env *env;
    struct moor_arena arena; /* of the spec */
    struct moor_flow_spec spec;
    struct moor_inputs inputs;
    struct moor_timer *wait;
    struct moor_packer *packer; /* kept while there is much to read */
    struct batch *reading;      /* on the pool */
    struct batch *ready;        /* read, to be sent next */
    struct batch *sending;      /* the parcel is of it; NULL: of the queue's entry */
    struct loading *loading;
    struct moor_queue_entry *entry; /* being loaded or sent */
    struct moor_parcel *parcel;
    bool in_flight; /* the parcel is on its way */
    bool waiting;   /* the destination, or this machine, failed: until the timer */
    bool stopping;
    bool queue_full; /* said so */
    unsigned attempts;
    struct moor_error problem;   /* MOOR_OK: all is well */
    uint64_t queue_done;         /* entries up to this one are delivered */
    uint64_t queue_done_written; /* ... says the document being written */
    struct moor_log_counts counts;
};

static void advance(struct moor_flow *f);

static void batch_free(struct batch *b)
{
    if (!b)
        return;
    moor_harvest_free(b->harvest);
    moor_arena_drop(&b->arena);
    free(b->queue_folder);
    free(b->folder);
    free(b);
}

static void loading_free(struct loading *l)
{
    if (!l)
        return;
    free(l->queue_folder);
    moor_buf_drop(&l->body);
    free(l);
}

/* The state of the destination, said when it changes. */
static void note_problem(struct moor_flow *f, const struct moor_error *err, uint64_t delay_ms)
{
    char seconds[24];
    bool same = f->problem.code == err->code && f->problem.http == err->http;
    (void)snprintf(seconds, sizeof(seconds), "%" PRIu64, (delay_ms + 999) / 1000);
    f->problem = *err;
    moor_log_error(same ? MOOR_LOG_DEBUG : MOOR_LOG_WARNING, "logs.flow_waits", err, "flow",
                   f->spec.key, "rule", f->spec.rule, "retry_seconds", seconds, NULL);
    if (!same)
        f->env->on_state(f->env->ctx);
}

static void note_success(struct moor_flow *f)
{
    f->attempts = 0;
    if (f->problem.code == MOOR_OK)
        return;
    f->problem = (struct moor_error)MOOR_ERROR_INIT;
    moor_log(MOOR_LOG_NOTICE, "logs.flow_delivers_again", "flow", f->spec.key, NULL);
    f->env->on_state(f->env->ctx);
}

/* Reading */

static void apply_done(struct moor_flow *f, const struct batch *b)
{
    for (size_t i = 0; i < b->harvest->count; i++) {
        const struct moor_harvest_source *s = &b->harvest->sources[i];
        struct moor_input *in = s->owner;
        if (in->life == b->lives[i])
            in->done = s->to;
        if (in->read.offset < in->done.offset)
            in->read = in->done;
        f->counts.received += (uint64_t)s->rows + s->bad;
        f->counts.dropped_format += s->bad;
        f->counts.cut += s->cut;
    }
    f->env->on_progress(f->env->ctx);
}

/* What was read and not delivered will be read again. */
static void rewind_flow(struct moor_flow *f)
{
    batch_free(f->ready);
    f->ready = NULL;
    if (f->reading)
        f->reading->stale = true;
    moor_inputs_rewind(&f->inputs);
}

static void wait_after(struct moor_flow *f, moor_verdict v, const struct moor_error *err)
{
    uint64_t delay = moor_send_delay_ms(v, err, f->attempts, plat_random_below(UINT32_MAX));
    f->attempts++;
    f->waiting = true;
    rewind_flow(f);
    note_problem(f, err, delay);
    moor_timer_arm(f->wait, delay);
}

static void on_wait_over(void *ctx)
{
    struct moor_flow *f = ctx;
    f->waiting = false;
    advance(f);
}

/* True: it can be used as it is. False: a file was replaced, and is read anew. */
static bool check_sources(struct moor_flow *f, const struct batch *b)
{
    bool good = true;
    for (size_t i = 0; i < b->harvest->count; i++) {
        const struct moor_harvest_source *s = &b->harvest->sources[i];
        struct moor_input *in = s->owner;
        if (s->fit == MOOR_MARK_FITS || in->life != b->lives[i])
            continue;
        /* What is on its way belongs to the earlier life; its acknowledgement changes nothing. */
        moor_inputs_restart(&f->inputs, in);
        good = false;
    }
    return good;
}

static void apply_read(struct moor_flow *f, const struct batch *b)
{
    for (size_t i = 0; i < b->harvest->count; i++) {
        const struct moor_harvest_source *s = &b->harvest->sources[i];
        struct moor_input *in = s->owner;
        in->read = s->to;
        if (in->done.head_len == 0 && s->to.offset > 0) {
            in->done = s->to;
            moor_mark_rewind(&in->done);
            f->inputs.grew = true;
        }
        in->dirty = in->dirty || s->more;
        in->unfinished = s->unfinished;
        if (s->last && !s->more)
            in->last = false;
    }
}

static bool moved(const struct batch *b)
{
    for (size_t i = 0; i < b->harvest->count; i++)
        if (b->harvest->sources[i].to.offset != b->harvest->sources[i].from.offset)
            return true;
    return false;
}

static void close_sources(struct batch *b)
{
    for (size_t i = 0; i < b->harvest->count; i++)
        plat_file_drop(&b->harvest->sources[i].file);
}

static void begin_put(struct moor_flow *f, struct batch *b);

static void use_batch(struct moor_flow *f, struct batch *b)
{
    close_sources(b);
    if (b->purpose == TO_SEND && moved(b)) {
        f->ready = b;
    } else if (b->purpose == TO_QUEUE && b->harvest->rows > 0) {
        begin_put(f, b);
        return;
    } else {
        struct moor_error e = MOOR_ERROR_INIT;
        if (b->harvest->rejected.len > 0 &&
            moor_dead_write(f->env->folder, moor_buf_view(&b->harvest->rejected), &e) != MOOR_OK)
            moor_log_error(MOOR_LOG_WARNING, "logs.dead_letter_failed", &e, NULL);
        if (b->purpose == TO_DROP)
            f->counts.dropped_queue_full += b->harvest->rows;
        if (moved(b))
            apply_done(f, b);
        batch_free(b);
    }
    advance(f);
}

static void on_harvested(void *ctx, bool cancelled)
{
    struct batch *b = ctx;
    struct moor_flow *f = b->flow;
    if (f) {
        f->reading = NULL;
        if (b->harvest->error.code == MOOR_OK && !f->packer)
            f->packer = MOOR_TAKE(b->harvest->packer);
    }
    if (!f || cancelled || f->stopping) {
        batch_free(b);
        if (f)
            advance(f);
        return;
    }
    struct moor_error e = b->harvest->error;
    bool good = e.code == MOOR_OK && !b->stale && check_sources(f, b);
    if (good) {
        apply_read(f, b);
        use_batch(f, b);
        return;
    }
    for (size_t i = 0; i < b->harvest->count; i++)
        ((struct moor_input *)b->harvest->sources[i].owner)->dirty = true;
    batch_free(b);
    if (e.code != MOOR_OK && e.code != MOOR_E_CANCELED)
        wait_after(f, MOOR_SEND_HOLD, &e);
    advance(f);
}

static void harvest(void *ctx)
{
    moor_harvest_run(((struct batch *)ctx)->harvest);
}

static moor_code add_source(struct batch *b, struct moor_input *in, struct moor_error *err)
{
    struct moor_harvest *h = b->harvest;
    struct moor_harvest_source *s = &h->sources[h->count];
    s->file = (struct plat_file)PLAT_FILE_INIT;
    s->path = moor_strdup(in->path);
    if (!s->path)
        return moor_fail(err, MOOR_E_NOMEM, "reading: out of memory");
    moor_code c = plat_file_dup(&in->file, &s->file, err);
    if (c != MOOR_OK) {
        free(s->path);
        s->path = NULL;
        return c;
    }
    s->owner = in;
    s->from = in->read;
    s->last = in->last;
    b->lives[h->count++] = in->life;
    in->dirty = false;
    return MOOR_OK;
}

static moor_code fill_batch(struct moor_flow *f, struct batch *b, struct moor_error *err)
{
    bool gone_only = b->purpose != TO_SEND;
    size_t spared = b->purpose == TO_DROP ? GONE_MAX : 0;
    moor_code c = MOOR_OK;
    /* What may vanish comes first; then the files as they were found. */
    for (int turn = gone_only ? 0 : 1; c == MOOR_OK && turn >= 0; turn--) {
        struct moor_input *in = NULL;
        while (c == MOOR_OK && b->harvest->count < MOOR_HARVEST_SOURCES_MAX &&
               (in = moor_inputs_next(&f->inputs, in, gone_only || turn == 1))) {
            if (spared > 0)
                spared--;
            else
                c = add_source(b, in, err);
        }
    }
    b->harvest->source_bytes = b->harvest->count == 1 ? ALONE_BYTES : SHARED_BYTES;
    return c;
}

static struct batch *new_batch(struct moor_flow *f, enum purpose purpose)
{
    struct batch *b = calloc(1, sizeof(*b));
    struct moor_harvest *h = calloc(1, sizeof(*h));
    if (!b || !h) {
        free(b);
        free(h);
        return NULL;
    }
    h->format = f->spec.format;
    h->computer = f->env->computer;
    b->flow = f;
    b->harvest = h;
    b->purpose = purpose;
    b->arena = (struct moor_arena)MOOR_ARENA(SPEC_BYTES);
    /* The flow may go while the pool works. */
    h->key = moor_arena_str(&b->arena, moor_span_str(f->spec.key));
    if (h->key)
        return b;
    batch_free(b);
    return NULL;
}

/* Takes the files' dirty flags with it; a batch without files is none. */
static void begin_reading(struct moor_flow *f, enum purpose purpose)
{
    struct moor_error e = MOOR_ERROR_INIT;
    if (!moor_inputs_next(&f->inputs, NULL, purpose != TO_SEND))
        return;
    struct batch *b = new_batch(f, purpose);
    if (!b) {
        (void)!moor_fail(&e, MOOR_E_NOMEM, "reading: out of memory");
        wait_after(f, MOOR_SEND_HOLD, &e);
        return;
    }
    moor_code c = fill_batch(f, b, &e);
    if (c == MOOR_OK && !f->packer)
        c = moor_packer_new(NULL, &f->env->way, &f->packer, &e);
    b->harvest->packer = f->packer;
    f->packer = NULL;
    if (b->harvest->count == 0 && c == MOOR_OK) {
        batch_free(b);
        return;
    }
    if (c == MOOR_OK)
        c = moor_pool_submit(f->env->pool, harvest, on_harvested, b, &e);
    if (c == MOOR_OK) {
        f->reading = b;
        return;
    }
    for (size_t i = 0; i < b->harvest->count; i++)
        ((struct moor_input *)b->harvest->sources[i].owner)->dirty = true;
    batch_free(b);
    wait_after(f, MOOR_SEND_HOLD, &e);
}

/* The queue on disk */

static void put(void *ctx)
{
    struct batch *b = ctx;
    moor_code c = MOOR_OK;
    if (b->harvest->rejected.len > 0)
        c = moor_dead_write(b->folder, moor_buf_view(&b->harvest->rejected), &b->error);
    if (c == MOOR_OK)
        (void)!moor_queue_put(b->queue_folder, b->number, &b->head,
                              moor_buf_view(&b->harvest->body), &b->bytes, &b->error);
}

static void on_put(void *ctx, bool cancelled)
{
    struct batch *b = ctx;
    struct moor_flow *f = b->flow;
    if (!f) {
        batch_free(b);
        return;
    }
    f->reading = NULL;
    if (cancelled)
        (void)!moor_fail(&b->error, MOOR_E_CANCELED, "stopped");
    if (b->error.code == MOOR_OK)
        (void)!moor_queue_add(f->env->queue, b->number, b->bytes, &b->head, &b->error);
    if (b->error.code == MOOR_OK) {
        f->counts.queued += b->harvest->rows;
        apply_done(f, b);
    } else {
        moor_inputs_rewind(&f->inputs);
        moor_log_error(MOOR_LOG_WARNING, "logs.queue_failed", &b->error, "flow", f->spec.key, NULL);
        f->queue_full = true;
    }
    batch_free(b);
    advance(f);
}

static moor_code fill_head(struct moor_flow *f, struct batch *b, struct moor_error *err)
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

static void no_room(struct moor_flow *f, struct batch *b)
{
    if (!f->queue_full)
        moor_log(MOOR_LOG_WARNING, "logs.queue_full", "flow", f->spec.key, NULL);
    f->queue_full = true;
    moor_inputs_rewind(&f->inputs);
    batch_free(b);
    advance(f);
}

/* Goes on as f->reading: nothing else is read meanwhile. */
static void begin_put(struct moor_flow *f, struct batch *b)
{
    struct moor_error e = MOOR_ERROR_INIT;
    if (!moor_queue_has_room(f->env->queue, b->harvest->body.len)) {
        no_room(f, b);
        return;
    }
    moor_code c = fill_head(f, b, &e);
    if (c == MOOR_OK) {
        b->number = f->env->queue->next_number++;
        c = moor_pool_submit(f->env->pool, put, on_put, b, &e);
    }
    if (c == MOOR_OK) {
        f->reading = b;
        return;
    }
    moor_inputs_rewind(&f->inputs);
    batch_free(b);
    moor_log_error(MOOR_LOG_WARNING, "logs.queue_failed", &e, "flow", f->spec.key, NULL);
    f->queue_full = true;
}

static void load(void *ctx)
{
    struct loading *l = ctx;
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
    f->env->on_progress(f->env->ctx);
}

static void begin_parcel(struct moor_flow *f, struct moor_buf *body, struct moor_buf *rejected,
                         uint32_t rows);

static void on_loaded(void *ctx, bool cancelled)
{
    struct loading *l = ctx;
    struct moor_flow *f = l->flow;
    if (!f) {
        loading_free(l);
        return;
    }
    f->loading = NULL;
    if (cancelled || f->stopping) {
        f->entry = NULL;
    } else if (l->error.code == MOOR_OK) {
        begin_parcel(f, &l->body, NULL, f->entry->rows);
    } else if (l->error.code == MOOR_E_PROTOCOL || l->error.code == MOOR_E_NOTFOUND) {
        drop_damaged(f, &l->error);
    } else {
        f->entry = NULL;
        wait_after(f, MOOR_SEND_HOLD, &l->error);
    }
    loading_free(l);
    advance(f);
}

static struct moor_queue_entry *next_entry(const struct moor_flow *f)
{
    struct moor_queue_entry *e = f->env->queue->first;
    while (e && (e->number <= f->queue_done || !moor_streq(e->key, f->spec.key)))
        e = e->next;
    return e;
}

static void begin_loading(struct moor_flow *f, struct moor_queue_entry *entry)
{
    struct moor_error e = MOOR_ERROR_INIT;
    struct loading *l = calloc(1, sizeof(*l));
    if (l) {
        *l = (struct loading){ .flow = f, .number = entry->number };
        l->body = (struct moor_buf)MOOR_BUF(MOOR_QUEUE_FILE_MAX);
        l->queue_folder = moor_strdup(f->env->queue->folder);
    }
    moor_code c =
        l && l->queue_folder ? MOOR_OK : moor_fail(&e, MOOR_E_NOMEM, "queue entry: out of memory");
    if (c == MOOR_OK)
        c = moor_pool_submit(f->env->pool, load, on_loaded, l, &e);
    if (c != MOOR_OK) {
        loading_free(l);
        wait_after(f, MOOR_SEND_HOLD, &e);
        return;
    }
    f->loading = l;
    f->entry = entry;
}

/* Sending */

static void drop_parcel(struct moor_flow *f)
{
    moor_parcel_free(f->parcel);
    f->parcel = NULL;
    f->in_flight = false;
    batch_free(f->sending);
    f->sending = NULL;
    f->entry = NULL;
}

static void delivered(struct moor_flow *f, const struct moor_parcel_result *r)
{
    f->counts.acknowledged += r->accepted;
    f->counts.dropped_refused += r->refused;
    if (f->entry) {
        f->queue_done = f->entry->number;
        f->counts.queued -= f->entry->rows < f->counts.queued ? f->entry->rows : f->counts.queued;
        f->env->on_progress(f->env->ctx);
    } else {
        apply_done(f, f->sending);
    }
    if (r->refused > 0) {
        char n[16];
        (void)snprintf(n, sizeof(n), "%" PRIu32, r->refused);
        moor_log(MOOR_LOG_WARNING, "logs.records_refused", "flow", f->spec.key, "records", n, NULL);
    }
    note_success(f);
    drop_parcel(f);
}

static void on_parcel(void *ctx, moor_verdict v, const struct moor_parcel_result *r,
                      const struct moor_error *err)
{
    struct moor_flow *f = ctx;
    f->in_flight = false;
    if (v == MOOR_SEND_ACCEPTED) {
        delivered(f, r);
    } else {
        /* Half delivered it is kept; else the files, or the queue, have it. */
        if (!moor_parcel_is_split(f->parcel))
            drop_parcel(f);
        wait_after(f, v, err);
    }
    advance(f);
}

static void go_parcel(struct moor_flow *f)
{
    f->in_flight = true;
    moor_parcel_go(f->parcel);
}

static void begin_parcel(struct moor_flow *f, struct moor_buf *body, struct moor_buf *rejected,
                         uint32_t rows)
{
    struct moor_error e = MOOR_ERROR_INIT;
    const struct moor_parcel_opts opts = {
        .sender = f->env->sender,
        .pool = f->env->pool,
        .folder = f->env->folder,
        .key = f->spec.key,
        .endpoint = f->entry ? f->entry->endpoint : f->spec.endpoint,
        .immutable_id = f->entry ? f->entry->immutable_id : f->spec.immutable_id,
        .stream = f->entry ? f->entry->stream : f->spec.stream,
        .rows = rows,
    };
    if (moor_parcel_new(&opts, body, rejected, on_parcel, f, &f->parcel, &e) == MOOR_OK) {
        go_parcel(f);
        return;
    }
    drop_parcel(f);
    wait_after(f, MOOR_SEND_HOLD, &e);
}

static void begin_sending(struct moor_flow *f)
{
    struct moor_queue_entry *entry = next_entry(f);
    if (f->parcel) {
        go_parcel(f);
    } else if (entry) {
        begin_loading(f, entry);
    } else if (f->ready) {
        f->sending = f->ready;
        f->ready = NULL;
        struct moor_harvest *h = f->sending->harvest;
        begin_parcel(f, &h->body, &h->rejected, h->rows);
    }
}

/* Files without a name, oldest first, that something is left of. */
static size_t count_gone(const struct moor_flow *f)
{
    size_t n = 0;
    for (const struct moor_input *in = f->inputs.first; in; in = in->next)
        n += in->gone && in->dirty;
    return n;
}

/* The destination fails: what may vanish is brought to safety. */
static void begin_rescue(struct moor_flow *f)
{
    size_t gone = count_gone(f);
    if (gone == 0 || f->sending || f->ready)
        return;
    if (!f->queue_full)
        begin_reading(f, TO_QUEUE);
    else if (gone > GONE_MAX)
        begin_reading(f, TO_DROP);
}

static void advance(struct moor_flow *f)
{
    if (f->inputs.grew) {
        f->inputs.grew = false;
        f->env->on_progress(f->env->ctx);
    }
    bool busy = f->in_flight || f->loading;
    if (f->stopping || !f->env->sender) {
        if (!busy && !f->reading)
            f->env->on_rest(f->env->ctx);
        return;
    }
    if (!busy && !f->waiting)
        begin_sending(f);
    if (!f->reading && f->waiting)
        begin_rescue(f);
    else if (!f->reading && !f->ready)
        begin_reading(f, TO_SEND);
    /* What was read first may go at once. */
    if (!f->in_flight && !f->loading && !f->reading) {
        moor_packer_free(f->packer);
        f->packer = NULL;
        f->env->on_rest(f->env->ctx);
    }
}

void moor_flow_go(struct moor_flow *f, bool at_once)
{
    if (at_once && f->waiting) {
        moor_timer_disarm(f->wait);
        f->waiting = false;
        f->attempts = 0;
    }
    f->queue_full = f->queue_full && f->waiting;
    advance(f);
}

void moor_flow_stop(struct moor_flow *f)
{
    f->stopping = true;
    moor_timer_disarm(f->wait);
}

bool moor_flow_is_sending(const struct moor_flow *f)
{
    return f->in_flight;
}

void moor_flow_tend(struct moor_flow *f, uint64_t *due_ms)
{
    bool idle = !f->reading && !f->ready && !f->sending;
    moor_inputs_tend(&f->inputs, idle, due_ms);
}

static moor_code copy_spec(struct moor_arena *arena, struct moor_flow_spec *out,
                           const struct moor_flow_spec *in, struct moor_error *err)
{
    const char **patterns = moor_arena_array(arena, in->patterns.count, sizeof(*patterns));
    bool ok = patterns;
    *out = *in;
    out->key = moor_arena_str(arena, moor_span_str(in->key));
    out->rule = moor_arena_str(arena, moor_span_str(in->rule));
    out->endpoint = moor_arena_str(arena, moor_span_str(in->endpoint));
    out->immutable_id = moor_arena_str(arena, moor_span_str(in->immutable_id));
    out->stream = moor_arena_str(arena, moor_span_str(in->stream));
    for (size_t i = 0; ok && i < in->patterns.count; i++) {
        patterns[i] = moor_arena_str(arena, moor_span_str(in->patterns.items[i]));
        ok = patterns[i];
    }
    out->patterns.items = patterns;
    if (!ok || !out->key || !out->rule || !out->endpoint || !out->immutable_id || !out->stream)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", in->rule);
    return MOOR_OK;
}

static moor_code take_record(struct moor_flow *f, const struct moor_flow_record *record,
                             struct moor_error *err)
{
    const struct moor_position *files = record->files.items;
    f->counts = record->counts;
    f->queue_done = record->queue_done;
    f->inputs.since_ms = f->env->since_ms;
    for (size_t i = 0; i < record->files.count; i++) {
        moor_code c = moor_inputs_remember(&f->inputs, &files[i], err);
        if (c == MOOR_E_BADINPUT)
            moor_log_error(MOOR_LOG_WARNING, "logs.position_ignored", err, NULL);
        else if (c != MOOR_OK)
            return c;
    }
    return MOOR_OK;
}

moor_code moor_flow_new(struct moor_flow_env *env, const struct moor_flow_spec *spec,
                        const struct moor_flow_record *record, struct moor_flow **out,
                        struct moor_error *err)
{
    struct moor_flow *f = calloc(1, sizeof(*f));
    if (!f)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", spec->rule);
    f->env = env;
    f->arena = (struct moor_arena)MOOR_ARENA(SPEC_BYTES);
    moor_code c = copy_spec(&f->arena, &f->spec, spec, err);
    moor_inputs_init(&f->inputs, env->file_watches, env->folder_watches, f->spec.key);
    f->inputs.patterns = &f->spec.patterns;
    f->inputs.policy = &env->policy;
    if (c == MOOR_OK)
        c = moor_timer_new(env->loop, on_wait_over, f, &f->wait, err);
    if (c == MOOR_OK && record)
        c = take_record(f, record, err);
    if (c != MOOR_OK) {
        moor_flow_free(f);
        return c;
    }
    *out = f;
    return MOOR_OK;
}

void moor_flow_free(struct moor_flow *f)
{
    if (!f)
        return;
    drop_parcel(f);
    moor_packer_free(f->packer);
    batch_free(f->ready);
    if (f->reading)
        f->reading->flow = NULL;
    if (f->loading)
        f->loading->flow = NULL;
    moor_timer_free(f->wait);
    moor_inputs_drop(&f->inputs);
    moor_arena_drop(&f->arena);
    free(f);
}

static bool same_spec(const struct moor_flow_spec *a, const struct moor_flow_spec *b)
{
    bool same = a->format == b->format && a->patterns.count == b->patterns.count &&
                moor_streq(a->rule, b->rule) && moor_streq(a->endpoint, b->endpoint);
    for (size_t i = 0; same && i < a->patterns.count; i++)
        same = moor_streq(a->patterns.items[i], b->patterns.items[i]);
    return same;
}

moor_code moor_flow_update(struct moor_flow *f, const struct moor_flow_spec *spec,
                           struct moor_error *err)
{
    struct moor_arena arena = MOOR_ARENA(SPEC_BYTES);
    struct moor_flow_spec copy;
    if (same_spec(&f->spec, spec))
        return MOOR_OK;
    moor_code c = copy_spec(&arena, &copy, spec, err);
    if (c != MOOR_OK) {
        moor_arena_drop(&arena);
        return c;
    }
    moor_arena_drop(&f->arena);
    f->arena = arena;
    f->spec = copy;
    f->inputs.key = copy.key;
    return MOOR_OK;
}

const char *moor_flow_key(const struct moor_flow *f)
{
    return f->spec.key;
}

struct moor_inputs *moor_flow_inputs(struct moor_flow *f)
{
    return &f->inputs;
}

moor_code moor_flow_record(struct moor_flow *f, struct moor_flow_record *out, int64_t now_ms,
                           struct moor_arena *arena, struct moor_error *err)
{
    *out = (struct moor_flow_record){ .key = f->spec.key,
                                      .queue_done = f->queue_done,
                                      .counts = f->counts };
    f->queue_done_written = f->queue_done;
    return moor_inputs_positions(&f->inputs, &out->files, now_ms, arena, err);
}

void moor_flow_recorded(struct moor_flow *f)
{
    struct moor_queue *q = f->env->queue;
    for (struct moor_queue_entry *e; (e = moor_queue_first(q, f->spec.key));) {
        if (e->number > f->queue_done_written || e == f->entry)
            return;
        moor_queue_forget(q, e, false);
        f->queue_full = false;
    }
}

void moor_flow_status(const struct moor_flow *f, struct moor_buf *b)
{
    size_t files = 0;
    for (const struct moor_input *in = f->inputs.first; in; in = in->next)
        files++;
    moor_buf_str(b, "{\"key\":");
    moor_buf_json_str(b, moor_span_str(f->spec.key));
    moor_buf_str(b, ",\"rule\":");
    moor_buf_json_str(b, moor_span_str(f->spec.rule));
    moor_buf_fmt(b, ",\"files\":%zu,\"state\":\"%s\",\"error\":", files,
                 f->problem.code == MOOR_OK ? "delivering" : "waiting");
    moor_buf_json_str(b, moor_span_str(f->problem.msg));
    moor_buf_str(b, ",\"counts\":");
    moor_json_encode(b, &moor_log_counts_shape, &f->counts);
    moor_buf_char(b, '}');
}

const char *moor_flow_rule(const struct moor_flow *f)
{
    return f->spec.rule;
}
