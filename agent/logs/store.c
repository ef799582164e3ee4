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
    moor_code c = moor_flow_record(f, true, &r, plat_utc_ms(), &arena, err);
    moor_store_unsettle(s);
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

/* One document takes the place of several, the later word counting. Positions stand one behind the
 * other: who reads them knows what to do with two of one file. */
static struct moor_flow_record *find_record(struct moor_flow_record *r, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (moor_streq(r[i].key, key))
            return &r[i];
    return NULL;
}

static void count_records(const struct moor_positions *docs, size_t count,
                          struct moor_flow_record *all, size_t *n)
{
    for (size_t d = 0; d < count; d++) {
        const struct moor_flow_record *r = docs[d].flows.items;
        for (size_t i = 0; i < docs[d].flows.count; i++) {
            struct moor_flow_record *at = find_record(all, *n, r[i].key);
            size_t files = at ? at->files.count : 0;
            at = at ? at : &all[(*n)++];
            *at = r[i];
            at->files = (struct moor_obj_list){ NULL, files + r[i].files.count };
        }
    }
}

static void join_files(const struct moor_positions *docs, size_t count, struct moor_flow_record *to)
{
    struct moor_position *p = to->files.items;
    size_t n = 0;
    for (size_t d = 0; d < count; d++) {
        const struct moor_flow_record *r =
            find_record(docs[d].flows.items, docs[d].flows.count, to->key);
        if (!r || r->files.count == 0)
            continue;
        memcpy(&p[n], r->files.items, r->files.count * sizeof(*p));
        n += r->files.count;
    }
}

static moor_code merge(struct moor_store *s, const struct moor_positions *docs, size_t count,
                       struct moor_arena *arena, struct moor_error *err)
{
    size_t most = 0, n = 0;
    for (size_t d = 0; d < count; d++)
        most += docs[d].flows.count;
    struct moor_flow_record *all = moor_arena_array(arena, most, sizeof(*all));
    if (!all)
        return moor_fail(err, MOOR_E_NOMEM, "positions: out of memory");
    count_records(docs, count, all, &n);
    moor_code c = MOOR_OK;
    for (size_t i = 0; c == MOOR_OK && i < n; i++) {
        all[i].files.items =
            moor_arena_array(arena, all[i].files.count, sizeof(struct moor_position));
        if (!all[i].files.items)
            return moor_fail(err, MOOR_E_NOMEM, "positions: out of memory");
        join_files(docs, count, &all[i]);
        c = replace(s, &all[i], NULL, err);
    }
    return c;
}

static moor_code load(struct moor_store *s, struct moor_arena *arena, struct moor_error *err)
{
    struct moor_positions *docs = NULL;
    size_t count = 0;
    moor_code c = moor_ledger_read(&s->ledger, &docs, &count, arena, err);
    if (c == MOOR_E_BADINPUT || c == MOOR_E_NOMEM) {
        moor_log_error(MOOR_LOG_ERROR, "logs.positions_damaged", err, NULL);
        return moor_ledger_set_aside(&s->ledger, err);
    }
    if (c != MOOR_OK || count == 0)
        return c;
    s->queue_next = docs[count - 1].queue_next;
    s->saved_ms = docs[count - 1].saved_ms;
    s->damaged = docs[count - 1].queue_damaged;
    return merge(s, docs, count, arena, err);
}

/* A folder whose name a power cut takes takes what is in it. */
static moor_code make_folders(const struct moor_store *s, const char *queue, struct moor_error *err)
{
    const char *lib = plat_dir_path(PLAT_DIR_LIB);
    moor_code c = plat_make_dirs(lib, PLAT_WORLD_READ, err);
    if (c == MOOR_OK)
        c = plat_make_dirs(s->folder, PLAT_WORLD_READ, err);
    if (c == MOOR_OK)
        c = plat_sync_dir(lib, err);
    if (c == MOOR_OK)
        c = plat_make_dirs(queue, PLAT_OWNER_ONLY, err);
    return c == MOOR_OK ? plat_sync_dir(s->folder, err) : c;
}

moor_code moor_store_open(struct moor_store *s, uint64_t queue_max, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ARENA_MAX);
    MOOR_AUTOSTR queue = NULL;
    *s = (struct moor_store){ .folder = NULL };
    moor_code c = plat_path(PLAT_DIR_LIB, &s->folder, err, "logs");
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_LIB, &s->status_path, err, "logs/status.json");
    if (c == MOOR_OK)
        c = plat_path(PLAT_DIR_LIB, &queue, err, "logs/queue");
    if (c == MOOR_OK)
        c = make_folders(s, queue, err);
    if (c == MOOR_OK)
        c = moor_ledger_init(&s->ledger, s->folder, err);
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
    s->unsettled = s->queue.first;
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
    moor_ledger_drop(&s->ledger);
    free(s->status_path);
    *s = (struct moor_store){ .folder = NULL };
}

void moor_store_unsettle(struct moor_store *s)
{
    s->unsettled = true;
}

moor_code moor_store_encode(struct moor_store *s, struct moor_flow *const *flows, size_t count,
                            struct moor_ledger_text *out, struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(ARENA_MAX);
    bool whole = s->unsettled || moor_ledger_wants_whole(&s->ledger);
    size_t most = count + (whole ? FLOWS_MAX : 0), n = 0;
    struct moor_flow_record *r = moor_arena_array(&arena, most, sizeof(*r));
    int64_t now = plat_utc_ms();
    if (!r)
        return moor_fail(err, MOOR_E_NOMEM, "positions: out of memory");
    for (size_t i = 0; i < count; i++) {
        if (!whole && !moor_flow_is_unsaved(flows[i]))
            continue;
        moor_code c = moor_flow_record(flows[i], whole, &r[n++], now, &arena, err);
        if (c != MOOR_OK)
            return c;
    }
    for (const struct moor_dormant *d = whole ? s->dormant : NULL; d && n < most; d = d->next)
        r[n++] = d->record;
    struct moor_positions doc = { .schema = 1,
                                  .saved_ms = now,
                                  .queue_next = s->queue.next_number,
                                  .queue_damaged = s->damaged + s->queue.damaged,
                                  .flows = { r, n } };
    moor_code c = moor_ledger_encode(&s->ledger, whole, &doc, out, err);
    s->unsettled = s->unsettled && c != MOOR_OK;
    return c;
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
