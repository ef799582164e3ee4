/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/live.h"

#include <stdlib.h>
#include <string.h>

#include "engine/status.h"
#include "platform/clock.h"
#include "run/log.h"

#define DOC_KIND        "heartbeat"
#define DOC_MAX         ((size_t)16 * 1024)
#define FLUSH_DELAY_MS  3000u
#define RETRY_DELAY_MS  10000u
#define WAIT_SECONDS    300u /* as long as a wait may be: docs/adr/0012-wait.md */
#define MAX_WAITERS     10000u
#define WAKE_PER_SECOND 500u
#define PERIOD_MS       INT64_C(300000)
#define FIRST_SLOTS     64u

struct machine {
    struct machine *next;  /* in its slot */
    struct machine *dirty; /* next to be written; itself = the last */
    char vm_id[37];
    char agent_version[33];
    char properties_hash[65], report_hash[65];
    char *error_details; /* heap; NULL = "[]" */
    int64_t last_ms, since_ms, error_since_ms, certificate_end_ms;
    int64_t token_ms;      /* issue of the newest token that was used */
    int64_t token_beat_ms; /* the last beat with it */
    struct moor_beats beats;
    struct moor_live_waiter *waiter;
};

struct moor_live_waiter {
    struct moor_live *live;
    struct machine *machine;
    struct moor_timer *timer;
    uint64_t desired_counter; /* that it knows */
    moor_live_fn fn;
    void *ctx;
    struct moor_live_waiter *queued; /* next to be woken; itself = the last; NULL = not queued */
};

struct moor_live {
    struct moor_loop *loop;
    struct moor_store *store;
    struct machine **slots;
    size_t slot_count, count;
    struct machine *dirty;
    struct moor_timer *flush_timer, *wake_timer;
    struct moor_live_waiter *wake_first, *wake_last;
    uint32_t waiters, max_waiters, wake_budget;
    int64_t period_ms;
};

/* The table of machines. */
static size_t slot_of(const struct moor_live *l, const char *vm_id)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a; vmIds are ours, not an attacker's */
    for (const char *p = vm_id; *p; p++)
        h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
    return (size_t)(h ^ (h >> 32)) & (l->slot_count - 1);
}

static struct machine *find(const struct moor_live *l, const char *vm_id)
{
    for (struct machine *m = l->slots[slot_of(l, vm_id)]; m; m = m->next)
        if (strcmp(m->vm_id, vm_id) == 0)
            return m;
    return NULL;
}

static bool grow(struct moor_live *l)
{
    size_t old_count = l->slot_count;
    struct machine **old = l->slots;
    size_t count = old_count ? old_count * 2 : FIRST_SLOTS;
    struct machine **slots = calloc(count, sizeof(*slots));
    if (!slots)
        return false;
    l->slots = slots;
    l->slot_count = count;
    for (size_t i = 0; i < old_count; i++) {
        for (struct machine *m = old[i], *next; m; m = next) {
            next = m->next;
            size_t at = slot_of(l, m->vm_id);
            m->next = slots[at];
            slots[at] = m;
        }
    }
    free(old);
    return true;
}

static struct machine *find_or_add(struct moor_live *l, const char *vm_id)
{
    struct machine *m = find(l, vm_id);
    if (m || strlen(vm_id) != 36)
        return m;
    if (l->count >= l->slot_count && !grow(l))
        return NULL;
    m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    memcpy(m->vm_id, vm_id, 37);
    size_t at = slot_of(l, vm_id);
    m->next = l->slots[at];
    l->slots[at] = m;
    l->count++;
    return m;
}

static void machine_free(struct machine *m)
{
    free(m->error_details);
    free(m);
}

static void copy_text(char *out, size_t size, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    if (n >= size)
        n = 0; /* longer than the protocol allows: as if it were not there */
    if (n)
        memcpy(out, text, n);
    out[n] = '\0';
}

/* Writing behind. */
static void mark_dirty(struct moor_live *l, struct machine *m)
{
    if (!m->dirty) {
        m->dirty = l->dirty ? l->dirty : m;
        l->dirty = m;
    }
    if (l->flush_timer && !moor_timer_armed(l->flush_timer))
        moor_timer_arm(l->flush_timer, FLUSH_DELAY_MS);
}

static void unlink_dirty(struct moor_live *l, struct machine *m)
{
    if (!m->dirty)
        return;
    struct machine *after = m->dirty == m ? NULL : m->dirty;
    if (l->dirty == m) {
        l->dirty = after;
    } else {
        struct machine *p = l->dirty;
        while (p->dirty != m)
            p = p->dirty;
        p->dirty = after ? after : p;
    }
    m->dirty = NULL;
}

static struct moor_json *to_json(const struct machine *m)
{
    struct moor_json *o = moor_json_new_object();
    moor_json_set_str(o, "agentVersion", m->agent_version);
    moor_json_set_str(o, "propertiesHash", m->properties_hash);
    moor_json_set_str(o, "reportHash", m->report_hash);
    moor_json_set_str(o, "errorDetails", m->error_details ? m->error_details : "[]");
    moor_json_set_int(o, "last", m->last_ms);
    moor_json_set_int(o, "since", m->since_ms);
    moor_json_set_int(o, "errorSince", m->error_since_ms);
    moor_json_set_int(o, "certificateEnd", m->certificate_end_ms);
    moor_json_set_int(o, "token", m->token_ms);
    moor_json_set_int(o, "tokenBeat", m->token_beat_ms);
    moor_json_set(o, "beats", moor_beats_to_json(&m->beats));
    return o;
}

static int64_t time_of(const struct moor_json *o, const char *name)
{
    int64_t n = 0;
    return moor_json_int(moor_json_get(o, name), &n) && n > 0 ? n : 0;
}

static void from_json(const struct moor_json *o, struct machine *m)
{
    copy_text(m->agent_version, sizeof(m->agent_version), moor_json_get_str(o, "agentVersion"));
    copy_text(m->properties_hash, sizeof(m->properties_hash),
              moor_json_get_str(o, "propertiesHash"));
    copy_text(m->report_hash, sizeof(m->report_hash), moor_json_get_str(o, "reportHash"));
    const char *details = moor_json_get_str(o, "errorDetails");
    m->error_details = details ? moor_strdup(details) : NULL;
    m->last_ms = time_of(o, "last");
    m->since_ms = time_of(o, "since");
    m->error_since_ms = time_of(o, "errorSince");
    m->certificate_end_ms = time_of(o, "certificateEnd");
    m->token_ms = time_of(o, "token");
    m->token_beat_ms = time_of(o, "tokenBeat");
    moor_beats_from_json(moor_json_get(o, "beats"), &m->beats);
}

/* Another process may have written since: both sides are kept, the outermost values win. */
static moor_code write_one(struct moor_live *l, struct machine *m, int64_t now_ms,
                           struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(DOC_MAX * 2);
    MOOR_AUTOPTR(moor_json) stored = NULL;
    const char *text = NULL;
    MOOR_AUTOSTR fresh = NULL;
    moor_code c = moor_machine_doc_get(l->store, m->vm_id, DOC_KIND, &arena, &text, NULL, err);
    if (c && c != MOOR_E_NOTFOUND)
        return c;
    if (!c && moor_json_parse(moor_span_str(text), &stored, NULL) == MOOR_OK) {
        struct moor_beats theirs;
        moor_beats_from_json(moor_json_get(stored, "beats"), &theirs);
        moor_beats_merge(&m->beats, &theirs);
    }
    MOOR_AUTOPTR(moor_json) doc = to_json(m);
    if ((c = moor_json_print(doc, DOC_MAX, &fresh, err)))
        return c;
    return moor_machine_doc_put(l->store, m->vm_id, DOC_KIND, fresh, now_ms, err);
}

static moor_code flush(struct moor_live *l, struct moor_error *err)
{
    MOOR_AUTO(moor_store_tx) tx = MOOR_STORE_TX_INIT;
    if (!l->dirty)
        return MOOR_OK;
    moor_code c = moor_store_begin(l->store, &tx, err);
    for (struct machine *m = l->dirty; !c; m = m->dirty) {
        c = write_one(l, m, plat_utc_ms(), err);
        if (m->dirty == m)
            break;
    }
    if (c || (c = moor_store_commit(&tx, err)))
        return c;
    for (struct machine *m = l->dirty, *next = NULL; m; m = next) {
        next = m->dirty == m ? NULL : m->dirty;
        m->dirty = NULL;
    }
    l->dirty = NULL;
    return MOOR_OK;
}

static void on_flush(void *ctx)
{
    struct moor_live *l = ctx;
    struct moor_error err = MOOR_ERROR_INIT;
    if (flush(l, &err)) {
        moor_log_error(MOOR_LOG_WARNING, "heartbeats.unwritten", &err, NULL);
        moor_timer_arm(l->flush_timer, RETRY_DELAY_MS);
    }
}

/* Waiters. */
static void unlink_queued(struct moor_live_waiter *w)
{
    struct moor_live *l = w->live;
    struct moor_live_waiter *before = NULL;
    for (struct moor_live_waiter *q = w->queued ? l->wake_first : NULL; q && q != w;) {
        before = q;
        q = q->queued == q ? NULL : q->queued;
    }
    if (!w->queued)
        return;
    struct moor_live_waiter *after = w->queued == w ? NULL : w->queued;
    if (before)
        before->queued = after ? after : before;
    else
        l->wake_first = after;
    if (l->wake_last == w)
        l->wake_last = before;
    w->queued = NULL;
}

void moor_live_wait_cancel(struct moor_live_waiter *w)
{
    if (!w)
        return;
    unlink_queued(w);
    w->machine->waiter = NULL;
    w->live->waiters--;
    moor_timer_free(w->timer);
    free(w);
}

static void end_wait(struct moor_live_waiter *w, bool changed)
{
    moor_live_fn fn = w->fn;
    void *ctx = w->ctx;
    moor_live_wait_cancel(w);
    fn(ctx, changed);
}

static void on_wait_over(void *ctx)
{
    end_wait(ctx, false);
}

static void on_wake_turn(void *ctx)
{
    struct moor_live *l = ctx;
    l->wake_budget = WAKE_PER_SECOND;
    while (l->wake_first && l->wake_budget) {
        l->wake_budget--;
        end_wait(l->wake_first, true);
    }
    if (l->wake_first)
        moor_timer_arm(l->wake_timer, 1000);
}

static void wake(struct moor_live *l, struct moor_live_waiter *w)
{
    if (w->queued)
        return;
    if (l->wake_budget == WAKE_PER_SECOND && l->wake_timer && !moor_timer_armed(l->wake_timer))
        moor_timer_arm(l->wake_timer, 1000);
    if (l->wake_budget && !l->wake_first) {
        l->wake_budget--;
        end_wait(w, true);
        return;
    }
    if (l->wake_last)
        l->wake_last->queued = w;
    else
        l->wake_first = w;
    w->queued = w;
    l->wake_last = w;
}

moor_code moor_live_wait(struct moor_live *l, const char *vm_id, uint64_t desired_counter,
                         uint32_t seconds, moor_live_fn fn, void *ctx,
                         struct moor_live_waiter **out, struct moor_error *err)
{
    struct machine *m = find_or_add(l, vm_id);
    if (m && m->waiter)
        end_wait(m->waiter, false);
    if (l->waiters >= l->max_waiters)
        return moor_fail(err, MOOR_E_THROTTLED, "too many machines wait");
    struct moor_live_waiter *w = m ? calloc(1, sizeof(*w)) : NULL;
    if (!w)
        return moor_fail(err, MOOR_E_NOMEM, "wait: no memory");
    moor_code c = moor_timer_new(l->loop, on_wait_over, w, &w->timer, err);
    if (c) {
        free(w);
        return c;
    }
    w->live = l;
    w->machine = m;
    w->desired_counter = desired_counter;
    w->fn = fn;
    w->ctx = ctx;
    m->waiter = w;
    l->waiters++;
    moor_timer_arm(w->timer, (uint64_t)seconds * 1000);
    *out = w;
    return MOOR_OK;
}

void moor_live_end_waits(struct moor_live *l)
{
    for (size_t i = 0; i < l->slot_count; i++)
        for (struct machine *m = l->slots[i]; m; m = m->next)
            if (m->waiter)
                end_wait(m->waiter, false);
}

void moor_live_period(struct moor_live *l, uint32_t seconds)
{
    l->period_ms = seconds * INT64_C(1000);
}

void moor_live_max_waiters(struct moor_live *l, uint32_t max)
{
    l->max_waiters = max;
}

void moor_live_changed(struct moor_live *l, const char *vm_id, uint64_t desired_counter)
{
    (void)desired_counter; /* the waiter reads the revision itself */
    struct machine *m = find(l, vm_id);
    if (m && m->waiter)
        wake(l, m->waiter);
}

static void look_at(void *ctx, const char *vm_id, uint64_t desired_counter)
{
    struct moor_live *l = ctx;
    const struct machine *m = find(l, vm_id);
    if (m && m->waiter && m->waiter->desired_counter != desired_counter)
        wake(l, m->waiter);
}

moor_code moor_live_look(struct moor_live *l, struct moor_error *err)
{
    return l->waiters ? moor_machine_each_counter(l->store, look_at, l, err) : MOOR_OK;
}

void moor_live_forget(struct moor_live *l, const char *vm_id)
{
    struct machine *m = find(l, vm_id);
    if (!m)
        return;
    if (m->waiter)
        end_wait(m->waiter, true);
    unlink_dirty(l, m);
    struct machine **at = &l->slots[slot_of(l, vm_id)];
    while (*at != m)
        at = &(*at)->next;
    *at = m->next;
    l->count--;
    machine_free(m);
}

/* Status and beats. */
void moor_live_status(struct moor_live *l, const char *vm_id, int64_t now_ms,
                      struct moor_live_status *out)
{
    const struct machine *m = find(l, vm_id);
    struct moor_status_facts facts = { .last_heartbeat_ms = 0 };
    struct moor_status s;
    if (m)
        facts = (struct moor_status_facts){ m->last_ms,
                                            m->since_ms,
                                            m->certificate_end_ms,
                                            m->error_since_ms,
                                            moor_beats_forked(&m->beats, now_ms),
                                            l->period_ms };
    moor_status_of(&facts, now_ms, &s);
    *out = (struct moor_live_status){
        .status = s.status,
        .status_reason = s.reason,
        .agent_version = m ? m->agent_version : "",
        .error_details = m && m->error_details ? m->error_details : "[]",
        .last_change_ms = s.since_ms,
        .last_heartbeat_ms = facts.last_heartbeat_ms,
    };
}

static void note_status(const struct moor_live *l, struct machine *m,
                        const struct moor_live_beat *beat, int64_t now_ms)
{
    bool was_silent = now_ms >= m->last_ms + MOOR_SILENT_PERIODS * l->period_ms;
    bool was_error = m->error_since_ms != 0;
    if (was_silent || (was_error && !beat->error))
        m->since_ms = now_ms;
    if (!beat->error)
        m->error_since_ms = 0;
    else if (!was_error)
        m->error_since_ms = now_ms;
    if (now_ms > m->last_ms)
        m->last_ms = now_ms;
    copy_text(m->agent_version, sizeof(m->agent_version), beat->agent_version);
    free(m->error_details);
    m->error_details =
        moor_streq(beat->error_details, "[]") ? NULL : moor_strdup(beat->error_details);
}

static void note_token(struct machine *m, const struct moor_live_beat *beat, int64_t now_ms)
{
    if (beat->token_ms < m->token_ms)
        return;
    m->token_ms = beat->token_ms;
    m->token_beat_ms = now_ms;
}

moor_code moor_live_take(struct moor_live *l, const char *vm_id, const struct moor_live_beat *beat,
                         int64_t now_ms, struct moor_live_answer *out, struct moor_error *err)
{
    struct machine *m = find_or_add(l, vm_id);
    if (!m)
        return moor_fail(err, MOOR_E_NOMEM, "heartbeat: no memory");
    if (beat->token_ms < m->beats.settled_ms) {
        *out = (struct moor_live_answer){ .verdict = MOOR_BEAT_CLONE };
        return MOOR_OK;
    }
    note_token(m, beat, now_ms);
    out->verdict = moor_beats_take(&m->beats, &beat->beat, now_ms, (uint64_t)l->period_ms);
    out->forked_ms = out->verdict == MOOR_BEAT_FINE ? 0 : m->beats.forked_ms;
    out->send_properties = !moor_streq(m->properties_hash, beat->properties_hash);
    out->send_report = !moor_streq(m->report_hash, beat->report_hash);
    out->wait_seconds = l->waiters < l->max_waiters || m->waiter ? WAIT_SECONDS : 0;
    if (out->verdict != MOOR_BEAT_CLONE) /* a clone says nothing about the machine */
        note_status(l, m, beat, now_ms);
    mark_dirty(l, m);
    return MOOR_OK;
}

void moor_live_settle(struct moor_live *l, const char *vm_id, const char *boot_id, int64_t since_ms)
{
    struct machine *m = find(l, vm_id);
    if (!m)
        return;
    moor_beats_settle(&m->beats, boot_id, since_ms);
    mark_dirty(l, m);
}

void moor_live_properties_stored(struct moor_live *l, const char *vm_id, const char *hash,
                                 const char *agent_version)
{
    struct machine *m = find_or_add(l, vm_id);
    if (!m)
        return; /* the agent is asked once more */
    copy_text(m->properties_hash, sizeof(m->properties_hash), hash);
    copy_text(m->agent_version, sizeof(m->agent_version), agent_version);
    mark_dirty(l, m);
}

void moor_live_report_stored(struct moor_live *l, const char *vm_id, const char *hash)
{
    struct machine *m = find_or_add(l, vm_id);
    if (!m)
        return; /* as above */
    copy_text(m->report_hash, sizeof(m->report_hash), hash);
    mark_dirty(l, m);
}

void moor_live_certificate_issued(struct moor_live *l, const char *vm_id, int64_t end_ms)
{
    struct machine *m = find_or_add(l, vm_id);
    if (!m)
        return;
    m->certificate_end_ms = end_ms;
    mark_dirty(l, m);
}

bool moor_live_forked(struct moor_live *l, const char *vm_id, int64_t now_ms)
{
    const struct machine *m = find(l, vm_id);
    return m && moor_beats_forked(&m->beats, now_ms);
}

int64_t moor_live_newest_key_ms(struct moor_live *l, const char *vm_id)
{
    const struct machine *m = find(l, vm_id);
    return m ? m->token_beat_ms : 0;
}

int64_t moor_live_settled_ms(struct moor_live *l, const char *vm_id)
{
    const struct machine *m = find(l, vm_id);
    return m ? m->beats.settled_ms : 0;
}

bool moor_live_fingerprint_fits(struct moor_live *l, const char *vm_id,
                                const struct moor_fingerprint *f)
{
    const struct machine *m = find(l, vm_id);
    return !m || moor_fingerprint_empty(&m->beats.registered) ||
           moor_fingerprint_same(&m->beats.registered, f);
}

/* Start and end. */
static void load_one(void *ctx, const char *vm_id, const char *json, int64_t written_ms)
{
    (void)written_ms;
    struct moor_live *l = ctx;
    MOOR_AUTOPTR(moor_json) doc = NULL;
    if (moor_json_parse(moor_span_str(json), &doc, NULL))
        return; /* the next beat starts anew */
    struct machine *m = find_or_add(l, vm_id);
    if (m && !m->last_ms)
        from_json(doc, m);
}

moor_code moor_live_new(struct moor_loop *loop, struct moor_store *store, struct moor_live **out,
                        struct moor_error *err)
{
    MOOR_AUTOPTR(moor_live) l = calloc(1, sizeof(*l));
    if (!l || !grow(l))
        return moor_fail(err, MOOR_E_NOMEM, "heartbeats: no memory");
    l->store = store;
    l->max_waiters = MAX_WAITERS;
    l->period_ms = PERIOD_MS;
    l->wake_budget = WAKE_PER_SECOND;
    moor_code c = moor_machine_doc_each(store, DOC_KIND, load_one, l, err);
    if (!c && loop)
        c = moor_timer_new(loop, on_flush, l, &l->flush_timer, err);
    if (!c && loop)
        c = moor_timer_new(loop, on_wake_turn, l, &l->wake_timer, err);
    if (c)
        return c;
    l->loop = loop;
    *out = MOOR_TAKE(l);
    return MOOR_OK;
}

void moor_live_free(struct moor_live *l)
{
    struct moor_error err = MOOR_ERROR_INIT;
    if (!l)
        return;
    if (l->loop && flush(l, &err))
        moor_log_error(MOOR_LOG_WARNING, "heartbeats.unwritten", &err, NULL);
    moor_timer_free(l->flush_timer);
    moor_timer_free(l->wake_timer);
    for (size_t i = 0; i < l->slot_count; i++) {
        for (struct machine *m = l->slots[i], *next; m; m = next) {
            next = m->next;
            moor_live_wait_cancel(m->waiter);
            machine_free(m);
        }
    }
    free(l->slots);
    free(l);
}
