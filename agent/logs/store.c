/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/timefmt.h"
#include "platform/clock.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "run/log.h"

#define ARENA_MAX ((size_t)64 * 1024 * 1024)
#define FLOWS_MAX 4096

void moor_dormant_free(struct moor_dormant *d)
{
    if (!d)
        return;
    moor_arena_drop(&d->arena);
    free(d);
}

static struct moor_dormant **place_of(struct moor_store *s, const char *key)
{
    struct moor_dormant **at = &s->dormant;
    while (*at && !moor_streq((*at)->record.key, key))
        at = &(*at)->next;
    return at;
}

struct moor_dormant *moor_store_wake(struct moor_store *s, const char *key)
{
    struct moor_dormant **at = place_of(s, key), *d = *at;
    if (d)
        *at = d->next;
    return d;
}

/* A deep copy of what is in r, and of more positions behind its own. */
static struct moor_dormant *copy_record(const struct moor_flow_record *r,
                                        const struct moor_obj_list *more)
{
    size_t count = r->files.count + (more ? more->count : 0);
    struct moor_dormant *d = calloc(1, sizeof(*d));
    if (!d)
        return NULL;
    d->arena = (struct moor_arena)MOOR_ARENA(ARENA_MAX);
    d->record = *r;
    d->record.files = (struct moor_obj_list){ NULL, 0 };
    d->record.key = moor_arena_str(&d->arena, moor_span_str(r->key));
    struct moor_position *p = moor_arena_array(&d->arena, count, sizeof(*p));
    d->record.cursor = moor_arena_str(&d->arena, moor_span_str(r->cursor));
    bool ok = d->record.key && d->record.cursor && p;
    d->record.files.items = p;
    for (size_t i = 0; ok && i < count; i++) {
        const struct moor_position *from =
            i < r->files.count ? (const struct moor_position *)r->files.items + i
                               : (const struct moor_position *)more->items + (i - r->files.count);
        struct moor_file_key key;
        struct moor_mark mark;
        const char *path = moor_arena_str(&d->arena, moor_span_str(from->path));
        ok = path;
        if (ok && !moor_position_read(from, &key, &mark))
            continue;
        ok = ok && moor_position_write(&p[d->record.files.count++], &d->arena, path, &key, &mark,
                                       from->seen_ms);
    }
    if (ok)
        return d;
    moor_dormant_free(d);
    return NULL;
}

static moor_code replace(struct moor_store *s, const struct moor_flow_record *r,
                         const struct moor_obj_list *more, struct moor_error *err)
{
    struct moor_dormant *d = copy_record(r, more);
    if (!d)
        return moor_fail(err, MOOR_E_NOMEM, "positions: out of memory");
    struct moor_dormant **at = place_of(s, r->key), *old = *at;
    d->next = old ? old->next : NULL;
    *at = d;
    moor_dormant_free(old);
    return MOOR_OK;
}

moor_code moor_store_sleep(struct moor_store *s, struct moor_flow *f, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ARENA_MAX);
    struct moor_flow_record r;
    moor_code c = moor_flow_record(f, &r, plat_utc_ms(), &arena, err);
    return c == MOOR_OK ? replace(s, &r, NULL, err) : c;
}

/* An entry the document does not know: the run ended between the two. The files stand where the
 * entry says. */
static void on_entry(void *ctx, const struct moor_queue_entry *e,
                     const struct moor_queue_head *head)
{
    struct moor_store *s = ctx;
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_dormant *d = *place_of(s, head->key);
    struct moor_flow_record r = { .key = head->key };
    const struct moor_obj_list none = { NULL, 0 };
    bool is_new = e->number >= s->queue_next;
    if (d)
        r = d->record;
    else if (!is_new)
        r.counts.received = r.counts.queued = 0;
    if (is_new) {
        r.counts.received += e->rows;
        r.counts.queued += e->rows;
    }
    if (replace(s, &r, is_new ? &head->sources : &none, &err) != MOOR_OK)
        moor_log_error(MOOR_LOG_ERROR, "logs.queue_entry_unknown", &err, NULL);
}

/* Entries that were delivered when the last run ended go; rows that are no longer there are
 * counted as lost. */
static void settle_queue(struct moor_store *s, struct moor_flow_record *r)
{
    uint64_t rows = 0;
    struct moor_queue_entry *next = NULL;
    for (struct moor_queue_entry *e = s->queue.first; e; e = next) {
        next = e->next;
        if (!moor_streq(e->key, r->key))
            continue;
        if (e->number <= r->queue_done)
            moor_queue_forget(&s->queue, e, false);
        else
            rows += e->rows;
    }
    if (rows < r->counts.queued)
        r->counts.dropped_damaged += r->counts.queued - rows;
    else
        r->counts.received += rows - r->counts.queued;
    r->counts.queued = rows;
}

static moor_code load(struct moor_store *s, struct moor_arena *arena, struct moor_error *err)
{
    struct moor_positions doc;
    moor_code c = moor_positions_load(s->positions_path, &doc, arena, err);
    if (c == MOOR_E_BADINPUT || c == MOOR_E_NOMEM) {
        MOOR_AUTO(moor_buf) bad = MOOR_BUF(4096);
        moor_buf_fmt(&bad, "%s.bad", s->positions_path);
        moor_log_error(MOOR_LOG_ERROR, "logs.positions_damaged", err, "kept_as",
                       moor_buf_cstr(&bad), NULL);
        return plat_rename(s->positions_path, moor_buf_cstr(&bad), err);
    }
    if (c != MOOR_OK)
        return c;
    const struct moor_flow_record *r = doc.flows.items;
    for (size_t i = 0; c == MOOR_OK && i < doc.flows.count; i++)
        c = replace(s, &r[i], NULL, err);
    s->queue_next = doc.queue_next;
    s->saved_ms = doc.saved_ms;
    s->damaged = doc.queue_damaged;
    return c;
}

moor_code moor_store_open(struct moor_store *s, uint64_t queue_max, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ARENA_MAX);
    MOOR_AUTOSTR queue = NULL;
    *s = (struct moor_store){ .folder = NULL };
    moor_code c = plat_path(PLAT_DIR_LIB, &s->folder, err, "logs");
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_LIB, &s->positions_path, err, "logs/positions.json");
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_LIB, &s->status_path, err, "logs/status.json");
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_LIB, &queue, err, "logs/queue");
    if (c == MOOR_OK)
        c = plat_make_dirs(plat_dir_path(PLAT_DIR_LIB), PLAT_WORLD_READ, err);
    if (c == MOOR_OK)
        c = plat_make_dirs(s->folder, PLAT_WORLD_READ, err);
    if (c == MOOR_OK)
        c = load(s, &arena, err);
    if (c == MOOR_OK)
        c = moor_queue_open(&s->queue, queue, queue_max ? queue_max : MOOR_QUEUE_BYTES_DEFAULT,
                            on_entry, s, err);
    if (c != MOOR_OK) {
        moor_store_drop(s);
        return c;
    }
    if (s->queue.next_number < s->queue_next)
        s->queue.next_number = s->queue_next;
    for (struct moor_dormant *d = s->dormant; d; d = d->next)
        settle_queue(s, &d->record);
    return MOOR_OK;
}

void moor_store_drop(struct moor_store *s)
{
    while (s->dormant) {
        struct moor_dormant *d = s->dormant;
        s->dormant = d->next;
        moor_dormant_free(d);
    }
    moor_queue_drop(&s->queue);
    free(s->folder);
    free(s->positions_path);
    free(s->status_path);
    *s = (struct moor_store){ .folder = NULL };
}

moor_code moor_store_encode(struct moor_store *s, struct moor_flow *const *flows, size_t count,
                            struct moor_buf *b, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ARENA_MAX);
    struct moor_flow_record *r = moor_arena_array(&arena, count + FLOWS_MAX, sizeof(*r));
    int64_t now = plat_utc_ms();
    size_t n = 0;
    if (!r)
        return moor_fail(err, MOOR_E_NOMEM, "positions: out of memory");
    for (size_t i = 0; i < count; i++) {
        moor_code c = moor_flow_record(flows[i], &r[n++], now, &arena, err);
        if (c != MOOR_OK)
            return c;
    }
    for (const struct moor_dormant *d = s->dormant; d && n < count + FLOWS_MAX; d = d->next)
        r[n++] = d->record;
    const struct moor_positions doc = { .schema = 1,
                                        .saved_ms = now,
                                        .queue_next = s->queue.next_number,
                                        .queue_damaged = s->damaged + s->queue.damaged,
                                        .flows = { r, n } };
    moor_positions_encode(b, &doc);
    return moor_buf_ok(b, s->positions_path, err);
}

void moor_store_encode_status(const struct moor_store *s, struct moor_flow *const *flows,
                              size_t count, struct moor_buf *b)
{
    char time[MOOR_RFC3339_LEN + 1];
    moor_rfc3339_format(plat_utc_ms(), time);
    moor_buf_fmt(b, "{\"schema\":1,\"time\":\"%s\",\"queue\":{\"bytes\":%llu,\"bytesMax\":%llu,",
                 time, (unsigned long long)s->queue.bytes, (unsigned long long)s->queue.bytes_max);
    moor_buf_fmt(b, "\"damaged\":%llu},\"flows\":[",
                 (unsigned long long)(s->damaged + s->queue.damaged));
    for (size_t i = 0; i < count; i++) {
        moor_buf_str(b, i > 0 ? "," : "");
        moor_flow_status(flows[i], b);
    }
    moor_buf_str(b, "]}\n");
}
