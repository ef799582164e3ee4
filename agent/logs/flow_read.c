/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what can be read again: files, the journal. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "logs/deadletter.h"
#include "logs/flow_internal.h"
#include "run/log.h"
#include "run/pool.h"

#define ALONE_BYTES  ((uint64_t)16 * 1024 * 1024) /* of one file a turn */
#define SHARED_BYTES ((uint64_t)2 * 1024 * 1024)  /* the same when others wait */

/* Counts what the journal gave; without rows nothing is worth writing down. */
static void journal_done(struct moor_flow *f, const struct moor_journal_read *j)
{
    memcpy(f->journal.done, j->to, sizeof(f->journal.done));
    f->counts.received += (uint64_t)j->rows + j->filtered;
    f->counts.dropped_filtered += j->filtered;
    f->counts.cut += j->cut;
    if (j->rows > 0 || j->filtered > 0)
        moor_flow_progress(f);
}

void moor_flow_apply_done(struct moor_flow *f, const struct moor_batch *b)
{
    if (b->harvest->journal) {
        journal_done(f, b->harvest->journal);
        return;
    }
    for (size_t i = 0; i < b->harvest->count; i++) {
        const struct moor_harvest_source *s = &b->harvest->sources[i];
        struct moor_input *in = s->owner;
        if (in->life == b->lives[i]) {
            in->done = s->to;
            moor_inputs_changed(&f->inputs, in);
        }
        f->inputs.advanced = true;
        if (in->read.offset < in->done.offset)
            in->read = in->done;
        f->counts.received += (uint64_t)s->rows + s->bad + s->filtered;
        f->counts.dropped_filtered += s->filtered;
        f->counts.dropped_format += s->bad;
        f->counts.cut += s->cut;
    }
    moor_flow_progress(f);
}

/* True: it can be used as it is. False: a file was replaced, and is read anew. */
static bool check_sources(struct moor_flow *f, const struct moor_batch *b)
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

static void journal_read(struct moor_flow *f, const struct moor_journal_read *j)
{
    memcpy(f->journal.read, j->to, sizeof(f->journal.read));
    f->journal.dirty = f->journal.dirty || j->more;
    if (!j->gap)
        return;
    f->counts.gaps++;
    moor_log(MOOR_LOG_WARNING, "logs.journal_gap", "flow", f->spec.key, "cursor", j->from, NULL);
}

static void apply_read(struct moor_flow *f, const struct moor_batch *b)
{
    if (b->harvest->journal)
        journal_read(f, b->harvest->journal);
    for (size_t i = 0; i < b->harvest->count; i++) {
        const struct moor_harvest_source *s = &b->harvest->sources[i];
        struct moor_input *in = s->owner;
        in->read = s->to;
        in->fields_at = s->fields_at;
        if (in->done.head_len == 0 && s->to.offset > 0) {
            in->done = s->to;
            moor_mark_rewind(&in->done);
            moor_inputs_changed(&f->inputs, in);
            f->inputs.grew = true;
        }
        in->dirty = in->dirty || s->more;
        in->unfinished = s->unfinished;
        if (s->last && !s->more)
            in->last = false;
    }
}

static bool moved(const struct moor_batch *b)
{
    if (b->harvest->journal)
        return b->harvest->rows > 0;
    for (size_t i = 0; i < b->harvest->count; i++)
        if (b->harvest->sources[i].to.offset != b->harvest->sources[i].from.offset)
            return true;
    return false;
}

static void close_sources(struct moor_batch *b)
{
    for (size_t i = 0; i < b->harvest->count; i++)
        plat_file_drop(&b->harvest->sources[i].file);
}

static void use_batch(struct moor_flow *f, struct moor_batch *b)
{
    close_sources(b);
    if (b->purpose == TO_SEND && moved(b)) {
        f->ready = b;
    } else if (b->purpose == TO_QUEUE && b->harvest->rows > 0) {
        moor_flow_begin_put(f, b);
        return;
    } else {
        struct moor_error e = MOOR_ERROR_INIT;
        if (b->harvest->rejected.len > 0 &&
            moor_dead_write(f->env->folder, moor_buf_view(&b->harvest->rejected), &e) != MOOR_OK)
            moor_log_error(MOOR_LOG_WARNING, "logs.dead_letter_failed", &e, NULL);
        if (b->purpose == TO_DROP)
            f->counts.dropped_queue_full += b->harvest->rows;
        if (moved(b) || b->harvest->journal)
            moor_flow_apply_done(f, b);
        moor_batch_free(b);
    }
    moor_flow_advance(f);
}

/* What the batch was to read is still to be read. */
static void take_back(struct moor_flow *f, struct moor_batch *b)
{
    for (size_t i = 0; i < b->harvest->count; i++)
        ((struct moor_input *)b->harvest->sources[i].owner)->dirty = true;
    f->journal.dirty = f->journal.dirty || b->harvest->journal;
}

static void on_harvested(void *ctx, bool cancelled)
{
    struct moor_batch *b = ctx;
    struct moor_flow *f = b->flow;
    if (f) {
        f->reading = NULL;
        if (b->harvest->error.code == MOOR_OK && !f->packer)
            f->packer = MOOR_TAKE(b->harvest->packer);
    }
    if (!f || cancelled || f->stopping) {
        moor_batch_free(b);
        if (f)
            moor_flow_advance(f);
        return;
    }
    struct moor_error e = b->harvest->error;
    bool good = e.code == MOOR_OK && !b->stale && check_sources(f, b);
    if (good) {
        apply_read(f, b);
        use_batch(f, b);
        return;
    }
    take_back(f, b);
    moor_batch_free(b);
    if (e.code != MOOR_OK && e.code != MOOR_E_CANCELED)
        moor_flow_wait_after(f, MOOR_SEND_HOLD, &e);
    moor_flow_advance(f);
}

static void harvest(void *ctx)
{
    moor_harvest_run(((struct moor_batch *)ctx)->harvest);
}

static moor_code add_source(struct moor_batch *b, struct moor_input *in, struct moor_error *err)
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
    s->fields_at = in->fields_at;
    s->last = in->last;
    s->settled = in->settled;
    b->lives[h->count++] = in->life;
    in->dirty = false;
    return MOOR_OK;
}

/* The pool has texts of its own: the flow's may be replaced meanwhile. */
static moor_code fill_journal(struct moor_flow *f, struct moor_batch *b, struct moor_error *err)
{
    struct moor_journal_read *j = calloc(1, sizeof(*j));
    b->harvest->journal = j;
    if (!j || !moor_arena_list(&b->arena, &f->spec.patterns, &j->units))
        return moor_fail(err, MOOR_E_NOMEM, "journal: out of memory");
    j->folder = f->env->journal_folder;
    j->filter = f->spec.filter;
    j->computer = f->env->computer;
    j->transform = b->harvest->transform;
    memcpy(j->from, f->journal.read, sizeof(j->from));
    f->journal.dirty = false;
    return MOOR_OK;
}

static moor_code fill_batch(struct moor_flow *f, struct moor_batch *b, struct moor_error *err)
{
    moor_code code = moor_flow_transform(&f->spec, &b->arena, &b->harvest->transform, err);
    if (code != MOOR_OK)
        return code;
    if (f->spec.kind == MOOR_FLOW_JOURNAL)
        return fill_journal(f, b, err);
    bool gone_only = b->purpose != TO_SEND;
    size_t spared = b->purpose == TO_DROP ? MOOR_GONE_MAX : 0;
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
            moor_inputs_spare(&f->inputs, in);
        }
    }
    b->harvest->source_bytes = b->harvest->count == 1 ? ALONE_BYTES : SHARED_BYTES;
    return c;
}

void moor_flow_begin_reading(struct moor_flow *f, enum moor_purpose purpose)
{
    struct moor_error e = MOOR_ERROR_INIT;
    if (f->spec.kind == MOOR_FLOW_JOURNAL ? !f->journal.dirty || purpose != TO_SEND
                                          : !moor_inputs_next(&f->inputs, NULL, purpose != TO_SEND))
        return;
    struct moor_batch *b = moor_batch_new(f, purpose);
    if (!b) {
        (void)!moor_fail(&e, MOOR_E_NOMEM, "reading: out of memory");
        moor_flow_wait_after(f, MOOR_SEND_HOLD, &e);
        return;
    }
    moor_code c = fill_batch(f, b, &e);
    if (c == MOOR_OK && !f->packer)
        c = moor_packer_new(&f->env->limits, &f->env->way, &f->packer, &e);
    b->harvest->packer = f->packer;
    f->packer = NULL;
    if (b->harvest->count == 0 && !b->harvest->journal && c == MOOR_OK) {
        moor_batch_free(b);
        return;
    }
    if (c == MOOR_OK)
        c = moor_pool_submit(f->env->pool, harvest, on_harvested, b, &e);
    if (c == MOOR_OK) {
        f->reading = b;
        return;
    }
    take_back(f, b);
    moor_batch_free(b);
    moor_flow_wait_after(f, MOOR_SEND_HOLD, &e);
}
