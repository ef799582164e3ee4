/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/flow.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/timefmt.h"
#include "logs/flow_internal.h"
#include "logs/samples.h"
#include "platform/clock.h"
#include "platform/random.h"
#include "run/log.h"
#include "run/loop.h"

#define PEN_MS 1000 /* rows that come but once are collected for so long */

void moor_batch_free(struct moor_batch *b)
{
    if (!b)
        return;
    moor_harvest_free(b->harvest);
    moor_buf_drop(&b->raw);
    moor_arena_drop(&b->arena);
    free(b->queue_folder);
    free(b->folder);
    free(b);
}

struct moor_batch *moor_batch_new(struct moor_flow *f, enum moor_purpose purpose)
{
    struct moor_batch *b = calloc(1, sizeof(*b));
    struct moor_harvest *h = calloc(1, sizeof(*h));
    if (!b || !h) {
        free(b);
        free(h);
        return NULL;
    }
    h->format = f->spec.format;
    h->record_start = f->spec.record_start;
    h->computer = f->env->computer;
    b->flow = f;
    b->made_ms = plat_utc_ms();
    b->harvest = h;
    b->purpose = purpose;
    b->arena = (struct moor_arena)MOOR_ARENA(MOOR_SPEC_BYTES);
    /* The flow may go while the pool works. */
    h->key = moor_arena_str(&b->arena, moor_span_str(f->spec.key));
    if (h->key)
        return b;
    moor_batch_free(b);
    return NULL;
}

void moor_flow_progress(struct moor_flow *f)
{
    f->unsaved = true;
    f->env->on_progress(f->env->ctx);
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

/* What was read and not delivered will be read again. */
static void rewind_flow(struct moor_flow *f)
{
    moor_batch_free(f->ready);
    f->ready = NULL;
    if (f->reading)
        f->reading->stale = true;
    moor_inputs_rewind(&f->inputs);
    if (strcmp(f->journal.read, f->journal.done) != 0) {
        memcpy(f->journal.read, f->journal.done, sizeof(f->journal.read));
        f->journal.dirty = true;
    }
}
void moor_flow_wait_after(struct moor_flow *f, moor_verdict v, const struct moor_error *err)
{
    uint64_t delay = moor_send_delay_ms(v, err, f->attempts, plat_random_below(UINT32_MAX));
    if (f->attempts++ == 0)
        f->waiting_since_ms = plat_utc_ms();
    f->waiting = true;
    rewind_flow(f);
    note_problem(f, err, delay);
    moor_timer_arm(f->wait, delay);
}

static void on_wait_over(void *ctx)
{
    struct moor_flow *f = ctx;
    f->waiting = false;
    moor_flow_advance(f);
}
/* Sending */

static void drop_parcel(struct moor_flow *f)
{
    moor_parcel_free(f->parcel);
    f->parcel = NULL;
    f->in_flight = false;
    moor_batch_free(f->sending);
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
        moor_flow_progress(f);
    } else {
        moor_flow_apply_done(f, f->sending);
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
        moor_flow_wait_after(f, v, err);
    }
    moor_flow_advance(f);
}

static void go_parcel(struct moor_flow *f)
{
    f->in_flight = true;
    moor_parcel_go(f->parcel);
}

void moor_flow_begin_parcel(struct moor_flow *f, struct moor_buf *body, struct moor_buf *rejected,
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
    moor_flow_wait_after(f, MOOR_SEND_HOLD, &e);
}

static void begin_sending(struct moor_flow *f)
{
    struct moor_queue_entry *entry = moor_flow_next_entry(f);
    if (f->parcel) {
        go_parcel(f);
    } else if (entry) {
        moor_flow_begin_loading(f, entry);
    } else if (f->ready) {
        f->sending = f->ready;
        f->ready = NULL;
        struct moor_harvest *h = f->sending->harvest;
        moor_flow_begin_parcel(f, &h->body, &h->rejected, h->rows);
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
        moor_flow_begin_reading(f, TO_QUEUE);
    else if (gone > MOOR_GONE_MAX)
        moor_flow_begin_reading(f, TO_DROP);
}

void moor_flow_advance(struct moor_flow *f)
{
    if (f->inputs.grew) {
        f->inputs.grew = false;
        moor_flow_progress(f);
    }
    bool busy = f->in_flight || f->loading;
    if (f->stopping || f->pen.len >= MOOR_PEN_MAX / 2)
        moor_flow_store_pen(f);
    if (f->stopping || !f->env->sender) {
        if (!busy && !f->reading && !f->storing)
            f->env->on_rest(f->env->ctx);
        return;
    }
    if (!busy && !f->waiting)
        begin_sending(f);
    if (!f->reading && f->waiting)
        begin_rescue(f);
    else if (!f->reading && !f->ready)
        moor_flow_begin_reading(f, TO_SEND);
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
    moor_flow_advance(f);
}

void moor_flow_stop(struct moor_flow *f)
{
    f->stopping = true;
    moor_timer_disarm(f->wait);
    if (f->pen_held)
        moor_flow_abandon(f);
    moor_flow_store_pen(f);
}

bool moor_flow_is_busy(const struct moor_flow *f)
{
    return f->in_flight || f->storing;
}

/* Rows that come but once */

static void on_pen_timer(void *ctx)
{
    struct moor_flow *f = ctx;
    f->pen_held = false;
    moor_flow_store_pen(f);
}

struct moor_buf *moor_flow_row(struct moor_flow *f)
{
    return &f->pen;
}

/* Makes of the pen's last row what the rule wants of it; false: nothing. */
static bool transform_last(struct moor_flow *f)
{
    MOOR_AUTO(moor_buf) row = MOOR_BUF(MOOR_PEN_MAX);
    bool kept = false;
    size_t start = f->pen.len;
    if (f->pen.failed)
        return true;
    while (start > 0 && f->pen.data[start - 1] != '\n')
        start--;
    moor_buf_add(&row, f->pen.data + start, f->pen.len - start);
    moor_buf_cut(&f->pen, start);
    return moor_transform_row(f->transform, moor_buf_view(&row), &f->pen, &kept, NULL) == MOOR_OK &&
           kept;
}

void moor_flow_row_end(struct moor_flow *f, bool cut)
{
    if (f->transform && !transform_last(f)) {
        f->counts.received++;
        f->counts.dropped_filtered++;
        moor_flow_progress(f);
        return;
    }
    moor_buf_char(&f->pen, '\n');
    f->pen_rows++;
    f->pen_cut += cut;
    if (f->pen.len >= MOOR_PEN_MAX / 2)
        moor_flow_store_pen(f);
    else if (!moor_timer_armed(f->pen_timer))
        moor_timer_arm(f->pen_timer, PEN_MS);
}

bool moor_flow_is_full(const struct moor_flow *f)
{
    return f->pen.len >= MOOR_PEN_MAX || f->pen.failed;
}

void moor_flow_drop(struct moor_flow *f, uint64_t here, uint64_t in_socket)
{
    f->counts.received += here + in_socket;
    f->counts.dropped_queue_full += here;
    f->counts.dropped_socket += in_socket;
    moor_flow_progress(f);
}

void moor_flow_abandon(struct moor_flow *f)
{
    uint32_t rows = f->pen_rows;
    f->pen_rows = f->pen_cut = 0;
    f->pen_held = false;
    moor_buf_reset(&f->pen);
    if (rows > 0)
        moor_flow_drop(f, rows, 0);
}

void moor_flow_journal_changed(struct moor_flow *f)
{
    f->journal.dirty = true;
}

const struct moor_flow_spec *moor_flow_spec(const struct moor_flow *f)
{
    return &f->spec;
}

void moor_flow_tend(struct moor_flow *f, uint64_t *due_ms)
{
    bool idle = !f->reading && !f->ready && !f->sending;
    moor_inputs_tend(&f->inputs, idle, due_ms);
}

bool moor_arena_list(struct moor_arena *arena, const struct moor_str_list *in,
                     struct moor_str_list *out)
{
    const char **items = moor_arena_array(arena, in->count, sizeof(*items));
    bool ok = items;
    for (size_t i = 0; ok && i < in->count; i++) {
        items[i] = moor_arena_str(arena, moor_span_str(in->items[i]));
        ok = items[i];
    }
    *out = (struct moor_str_list){ items, in->count };
    return ok;
}

moor_code moor_flow_transform(const struct moor_flow_spec *spec, struct moor_arena *arena,
                              const struct moor_transform **out, struct moor_error *err)
{
    struct moor_transform *t = NULL;
    moor_code c = MOOR_OK;
    if (spec->transform)
        c = moor_transform_parse(moor_span_str(spec->transform), arena, &t, err);
    *out = t;
    return c;
}

static moor_code copy_spec(struct moor_arena *arena, struct moor_flow_spec *out,
                           const struct moor_flow_spec *in, struct moor_error *err)
{
    *out = *in;
    out->key = moor_arena_str(arena, moor_span_str(in->key));
    out->rule = moor_arena_str(arena, moor_span_str(in->rule));
    out->endpoint = moor_arena_str(arena, moor_span_str(in->endpoint));
    out->immutable_id = moor_arena_str(arena, moor_span_str(in->immutable_id));
    out->stream = moor_arena_str(arena, moor_span_str(in->stream));
    if (in->transform)
        out->transform = moor_arena_str(arena, moor_span_str(in->transform));
    if (!moor_arena_list(arena, &in->patterns, &out->patterns) || !out->key || !out->rule ||
        !out->endpoint || !out->immutable_id || !out->stream || (in->transform && !out->transform))
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
    if (record->cursor && strlen(record->cursor) < sizeof(f->journal.done)) {
        memcpy(f->journal.done, record->cursor, strlen(record->cursor) + 1);
        memcpy(f->journal.read, f->journal.done, sizeof(f->journal.read));
    }
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
    f->arena = (struct moor_arena)MOOR_ARENA(MOOR_SPEC_BYTES);
    moor_code c = copy_spec(&f->arena, &f->spec, spec, err);
    if (c == MOOR_OK)
        c = moor_flow_transform(&f->spec, &f->arena, &f->transform, err);
    moor_inputs_init(&f->inputs, env->file_watches, env->folder_watches, f->spec.key);
    static const struct moor_str_list no_patterns = { NULL, 0 };
    f->inputs.patterns = f->spec.kind == MOOR_FLOW_FILES ? &f->spec.patterns : &no_patterns;
    f->inputs.policy = &env->policy;
    f->inputs.joins = f->spec.record_start;
    f->journal.dirty = true;
    f->pen.max = 4 * MOOR_PEN_MAX;
    if (c == MOOR_OK)
        c = moor_timer_new(env->loop, on_pen_timer, f, &f->pen_timer, err);
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
    moor_batch_free(f->ready);
    if (f->reading)
        f->reading->flow = NULL;
    if (f->loading)
        f->loading->flow = NULL;
    if (f->storing)
        f->storing->flow = NULL;
    moor_buf_drop(&f->pen);
    moor_timer_free(f->pen_timer);
    moor_timer_free(f->wait);
    moor_inputs_drop(&f->inputs);
    moor_arena_drop(&f->arena);
    free(f);
}

static bool same_spec(const struct moor_flow_spec *a, const struct moor_flow_spec *b)
{
    bool same = a->kind == b->kind && a->format == b->format &&
                a->record_start == b->record_start &&
                a->filter.facilities == b->filter.facilities &&
                a->filter.severities == b->filter.severities && a->seconds == b->seconds &&
                a->patterns.count == b->patterns.count && moor_streq(a->rule, b->rule) &&
                moor_streq(a->endpoint, b->endpoint) && moor_streq(a->transform, b->transform);
    for (size_t i = 0; same && i < a->patterns.count; i++)
        same = moor_streq(a->patterns.items[i], b->patterns.items[i]);
    return same;
}

moor_code moor_flow_update(struct moor_flow *f, const struct moor_flow_spec *spec,
                           struct moor_error *err)
{
    struct moor_arena arena = MOOR_ARENA(MOOR_SPEC_BYTES);
    struct moor_flow_spec copy;
    if (same_spec(&f->spec, spec))
        return MOOR_OK;
    const struct moor_transform *transform = NULL;
    moor_code c = copy_spec(&arena, &copy, spec, err);
    if (c == MOOR_OK)
        c = moor_flow_transform(&copy, &arena, &transform, err);
    if (c != MOOR_OK) {
        moor_arena_drop(&arena);
        return c;
    }
    f->transform = transform;
    moor_arena_drop(&f->arena);
    f->arena = arena;
    f->spec = copy;
    f->inputs.key = copy.key;
    f->inputs.joins = copy.record_start;
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

bool moor_flow_is_unsaved(const struct moor_flow *f)
{
    return f->unsaved || f->inputs.unsaved;
}

moor_code moor_flow_record(struct moor_flow *f, bool all, struct moor_flow_record *out,
                           int64_t now_ms, struct moor_arena *arena, struct moor_error *err)
{
    *out = (struct moor_flow_record){ .key = f->spec.key,
                                      .cursor = f->journal.done,
                                      .queue_done = f->queue_done,
                                      .counts = f->counts };
    f->queue_done_written = f->queue_done;
    f->unsaved = false;
    return moor_inputs_positions(&f->inputs, all, &out->files, now_ms, arena, err);
}

void moor_flow_recorded(struct moor_flow *f)
{
    struct moor_queue *q = f->env->queue;
    for (struct moor_queue_entry *e; (e = moor_queue_first(q, f->spec.key));) {
        if (e->number > f->queue_done_written || e == f->entry)
            return;
        moor_queue_forget(q, e, false);
        f->queue_full = false;
        if (f->pen_held)
            on_pen_timer(f);
    }
}

/* When the oldest row that we hold and nobody acknowledged was read; 0 = there is none. */
static int64_t oldest_ms(const struct moor_flow *f)
{
    const struct moor_queue_entry *e = moor_flow_next_entry(f);
    const struct moor_batch *b = f->sending ? f->sending : f->ready ? f->ready : f->storing;
    if (e)
        return e->created_ms;
    if (f->waiting)
        return f->waiting_since_ms;
    return b ? b->made_ms : 0;
}

static void add_oldest(const struct moor_flow *f, struct moor_buf *b)
{
    int64_t ms = oldest_ms(f);
    moor_buf_str(b, ",\"oldestUnacknowledged\":\"");
    if (ms > 0)
        moor_buf_rfc3339(b, ms);
    moor_buf_char(b, '"');
}

void moor_flow_account(const struct moor_flow *f, struct moor_flow_sample *out)
{
    int64_t since = oldest_ms(f), now = plat_utc_ms();
    *out = (struct moor_flow_sample){
        .key = f->spec.key,
        .counts = f->counts,
        .oldest_s = since > 0 && since < now ? (uint64_t)(now - since) / 1000 : 0,
    };
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
    add_oldest(f, b);
    moor_buf_str(b, ",\"counts\":");
    moor_json_encode(b, &moor_log_counts_shape, &f->counts);
    moor_buf_char(b, '}');
}

const char *moor_flow_rule(const struct moor_flow *f)
{
    return f->spec.rule;
}
