/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/sources.h"

#include <stdlib.h>

#include "base/arena.h"
#include "core/version.h"
#include "logs/intake.h"
#include "logs/samples.h"
#include "platform/clock.h"
#include "platform/counters.h"
#include "platform/eventlog.h"
#include "platform/host.h"
#include "run/log.h"
#include "run/loop.h"

#define SETTING_BYTES   ((size_t)64 * 1024)
#define FACTS_BYTES     ((size_t)64 * 1024)
#define INSIGHTS_STREAM "Microsoft-InsightsMetrics"
#define JOURNAL_TICK_MS 1000 /* entries of so long go out together */

/* What a flow of samples remembers from one to the next. */
struct sampler {
    struct sampler *next;
    char *key; /* of the flow */
    uint64_t due_ms;
    bool measured;
    struct plat_counters last;
};

struct moor_sources {
    struct moor_loop *loop;
    struct moor_flow *const *flows;
    const size_t *count;
    const char *computer;
    const char *journal_folder;
    struct moor_intake *intake;
    char *intake_from; /* the setting it was made of */
    struct plat_eventlog *journal;
    struct moor_watch *journal_watch;
    struct moor_timer *journal_tick;
    struct sampler *samplers;
    struct moor_timer *sample_timer;
    struct moor_heartbeat_facts facts; /* texts in the arena */
    struct moor_arena arena;
};

/* The next flow of a kind, from *at on; NULL at the end. */
static struct moor_flow *next_of(const struct moor_sources *s, int kind, size_t *at)
{
    while (*at < *s->count) {
        struct moor_flow *f = s->flows[(*at)++];
        if (moor_flow_spec(f)->kind == kind)
            return f;
    }
    return NULL;
}

static bool any_of(const struct moor_sources *s, int kind)
{
    size_t at = 0;
    return next_of(s, kind, &at);
}

/* Syslog */

static void on_message(void *ctx, const struct moor_syslog *m,
                       const struct moor_syslog_origin *from, bool cut, bool waits)
{
    const struct moor_sources *s = ctx;
    size_t at = 0;
    for (struct moor_flow *f; (f = next_of(s, MOOR_FLOW_SYSLOG, &at));) {
        if (!moor_syslog_wanted(&moor_flow_spec(f)->filter, m))
            continue;
        if (!waits && moor_flow_is_full(f)) {
            moor_flow_drop(f, 1, 0);
            continue;
        }
        moor_syslog_row_add(moor_flow_row(f), m, from, cut);
        moor_flow_row_end(f, cut);
    }
}

/* Whose they were nobody knows: they are counted with the first. */
static void on_lost(void *ctx, uint32_t messages)
{
    size_t at = 0;
    struct moor_flow *f = next_of(ctx, MOOR_FLOW_SYSLOG, &at);
    if (f)
        moor_flow_drop(f, 0, messages);
}

static bool is_full(void *ctx)
{
    const struct moor_sources *s = ctx;
    size_t at = 0;
    for (struct moor_flow *f; (f = next_of(s, MOOR_FLOW_SYSLOG, &at));)
        if (moor_flow_is_full(f))
            return true;
    return false;
}

static void close_intake(struct moor_sources *s)
{
    moor_intake_free(s->intake);
    s->intake = NULL;
    free(s->intake_from);
    s->intake_from = NULL;
}

/* All that the sockets are made of. */
static moor_code join_settings(const struct moor_settings *set, char **out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(SETTING_BYTES);
    for (size_t i = 0; i < set->logs_syslog.count; i++)
        moor_buf_fmt(&b, "%s\n", set->logs_syslog.items[i]);
    moor_buf_fmt(&b, "%s\n%s\n%s", set->logs_syslog_certificate, set->logs_syslog_key,
                 set->logs_syslog_client_ca);
    return moor_buf_take(&b, "logs.syslog", out, err);
}

static const char *given(const char *path)
{
    return *path ? path : NULL;
}

static void apply_intake(struct moor_sources *s, const struct moor_settings *set)
{
    const struct moor_intake_to to = { s->computer, on_message, on_lost, is_full, s };
    const struct moor_http_tls files = { given(set->logs_syslog_certificate),
                                         given(set->logs_syslog_key),
                                         given(set->logs_syslog_client_ca) };
    const struct moor_http_tls *tls = files.certificate_file && files.key_file ? &files : NULL;
    struct moor_error e = MOOR_ERROR_INIT;
    MOOR_AUTOSTR wanted = NULL;
    if (!any_of(s, MOOR_FLOW_SYSLOG)) {
        close_intake(s);
        return;
    }
    moor_code c = join_settings(set, &wanted, &e);
    if (c == MOOR_OK && s->intake && moor_streq(wanted, s->intake_from)) {
        moor_intake_reload(s->intake, tls);
        return;
    }
    close_intake(s);
    if (c == MOOR_OK)
        c = moor_intake_new(s->loop, &set->logs_syslog, tls, &to, &s->intake, &e);
    if (c != MOOR_OK)
        moor_log_error(MOOR_LOG_ERROR, "logs.syslog_refused", &e, NULL);
    s->intake_from = MOOR_TAKE(wanted);
}

/* The journal */

static void on_journal_tick(void *ctx)
{
    struct moor_sources *s = ctx;
    size_t at = 0;
    if (s->journal_watch)
        moor_watch_pause(s->journal_watch, false);
    for (struct moor_flow *f; (f = next_of(s, MOOR_FLOW_JOURNAL, &at));) {
        moor_flow_journal_changed(f);
        moor_flow_go(f, false);
    }
}

static void on_journal(void *ctx)
{
    struct moor_sources *s = ctx;
    plat_eventlog_changed(s->journal);
    moor_watch_pause(s->journal_watch, true);
    moor_timer_arm(s->journal_tick, JOURNAL_TICK_MS);
}

static void close_journal(struct moor_sources *s)
{
    moor_watch_free(s->journal_watch);
    s->journal_watch = NULL;
    plat_eventlog_free(s->journal);
    s->journal = NULL;
    moor_timer_disarm(s->journal_tick);
}

static void apply_journal(struct moor_sources *s)
{
    const struct plat_eventlog_opts opts = { .folder = s->journal_folder };
    struct moor_error e = MOOR_ERROR_INIT;
    if (!any_of(s, MOOR_FLOW_JOURNAL)) {
        close_journal(s);
        return;
    }
    if (s->journal)
        return;
    moor_code c = plat_eventlog_open(&opts, &s->journal, &e);
    if (c == MOOR_OK)
        c = moor_watch_new(s->loop, plat_eventlog_fd(s->journal), on_journal, s, &s->journal_watch,
                           &e);
    if (c == MOOR_OK)
        return;
    close_journal(s);
    moor_log_error(MOOR_LOG_WARNING, "logs.journal_unwatched", &e, NULL);
}

/* Samples */

static void free_samplers(struct moor_sources *s)
{
    while (s->samplers) {
        struct sampler *x = s->samplers;
        s->samplers = x->next;
        free(x->key);
        free(x);
    }
}

/* The flow's sampler, made when it has none; NULL when out of memory. */
static struct sampler *sampler_of(struct moor_sources *s, const struct moor_flow *f)
{
    for (struct sampler *x = s->samplers; x; x = x->next)
        if (moor_streq(x->key, moor_flow_key(f)))
            return x;
    struct sampler *x = calloc(1, sizeof(*x));
    if (x)
        x->key = moor_strdup(moor_flow_key(f));
    if (!x || !x->key) {
        free(x);
        return NULL;
    }
    x->next = s->samplers;
    s->samplers = x;
    return x;
}

static struct moor_buf *sample_row(void *ctx)
{
    return moor_flow_row(ctx);
}

static void sample_end(void *ctx)
{
    moor_flow_row_end(ctx, false);
}

/* What became of the records of all flows; NULL when out of memory. */
static struct moor_flow_sample *account(const struct moor_sources *s)
{
    struct moor_flow_sample *all = calloc(*s->count, sizeof(*all));
    for (size_t i = 0; all && i < *s->count; i++)
        moor_flow_account(s->flows[i], &all[i]);
    return all;
}

static void take_counters(struct moor_sources *s, struct moor_flow *f, struct sampler *x)
{
    const struct moor_flow_spec *spec = moor_flow_spec(f);
    struct plat_counters now;
    struct moor_flow_sample *flows = account(s);
    plat_counters_read(&now);
    const struct moor_sample sample = { .before = x->measured ? &x->last : NULL,
                                        .now = &now,
                                        .flows = flows,
                                        .flow_count = flows ? *s->count : 0,
                                        .utc_ms = plat_utc_ms(),
                                        .computer = s->computer,
                                        .insights = moor_streq(spec->stream, INSIGHTS_STREAM) };
    moor_sample_rows(&sample, &spec->patterns, sample_row, sample_end, f);
    free(flows);
    x->last = now;
    x->measured = true;
}

static void take_heartbeat(struct moor_sources *s, struct moor_flow *f, struct sampler *x)
{
    (void)x;
    moor_heartbeat_row_add(moor_flow_row(f), &s->facts, plat_utc_ms());
    moor_flow_row_end(f, false);
}

/* Takes the samples of a kind that are due; *next_ms is lowered to when the next are. */
static void sample_kind(struct moor_sources *s, int kind,
                        void (*take)(struct moor_sources *, struct moor_flow *, struct sampler *),
                        uint64_t *next_ms)
{
    uint64_t now = plat_mono_ms();
    size_t at = 0;
    for (struct moor_flow *f; (f = next_of(s, kind, &at));) {
        struct sampler *x = sampler_of(s, f);
        if (!x)
            continue;
        if (x->due_ms <= now && !moor_flow_is_full(f))
            take(s, f, x);
        if (x->due_ms <= now)
            x->due_ms = now + (uint64_t)moor_flow_spec(f)->seconds * 1000;
        if (x->due_ms < *next_ms)
            *next_ms = x->due_ms;
    }
}

static void on_sample_timer(void *ctx)
{
    struct moor_sources *s = ctx;
    uint64_t next = UINT64_MAX, now = plat_mono_ms();
    sample_kind(s, MOOR_FLOW_COUNTERS, take_counters, &next);
    sample_kind(s, MOOR_FLOW_HEARTBEAT, take_heartbeat, &next);
    if (next == UINT64_MAX)
        moor_timer_disarm(s->sample_timer);
    else
        moor_timer_arm(s->sample_timer, next > now ? next - now : 1);
}

static const char *keep(struct moor_sources *s, const char *text)
{
    return text ? moor_arena_str(&s->arena, moor_span_str(text)) : NULL;
}

/* What heartbeats say of this machine. */
static void read_facts(struct moor_sources *s, const struct moor_agentconfig *m)
{
    struct plat_host *h = calloc(1, sizeof(*h));
    if (!h)
        return;
    plat_host_read(h);
    struct moor_span rest = moor_span_str(h->os_version), major = moor_span_cut(&rest, '.');
    struct moor_span minor = moor_span_cut(&rest, '.');
    moor_arena_drop(&s->arena);
    s->arena = (struct moor_arena)MOOR_ARENA(FACTS_BYTES);
    s->facts = (struct moor_heartbeat_facts){ .computer = s->computer,
                                              .os_name = keep(s, h->os_sku),
                                              .os_major = moor_arena_str(&s->arena, major),
                                              .os_minor = moor_arena_str(&s->arena, minor),
                                              .version = moor_version(),
                                              .vm_id = keep(s, m->vm_id),
                                              .resource_id = keep(s, m->resource_id),
                                              .resource_group = keep(s, m->resource_group),
                                              .resource_name = keep(s, m->resource_name),
                                              .subscription_id = keep(s, m->subscription_id) };
    free(h);
}

moor_code moor_sources_new(struct moor_loop *l, struct moor_flow *const *flows, const size_t *count,
                           const char *computer, const char *journal_folder,
                           struct moor_sources **out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_sources) s = calloc(1, sizeof(*s));
    if (!s)
        return moor_fail(err, MOOR_E_NOMEM, "out of memory");
    s->loop = l;
    s->flows = flows;
    s->count = count;
    s->computer = computer;
    s->journal_folder = journal_folder;
    s->arena = (struct moor_arena)MOOR_ARENA(FACTS_BYTES);
    moor_code c = moor_timer_new(l, on_journal_tick, s, &s->journal_tick, err);
    if (c == MOOR_OK)
        c = moor_timer_new(l, on_sample_timer, s, &s->sample_timer, err);
    if (c == MOOR_OK)
        *out = MOOR_TAKE(s);
    return c;
}

void moor_sources_stop(struct moor_sources *s)
{
    close_intake(s);
    close_journal(s);
    moor_timer_disarm(s->sample_timer);
    free_samplers(s);
}

void moor_sources_free(struct moor_sources *s)
{
    if (!s)
        return;
    moor_sources_stop(s);
    moor_timer_free(s->journal_tick);
    moor_timer_free(s->sample_timer);
    moor_arena_drop(&s->arena);
    free(s);
}

void moor_sources_apply(struct moor_sources *s, const struct moor_logs_config *c)
{
    apply_intake(s, &c->settings);
    apply_journal(s);
    read_facts(s, &c->machine);
    on_sample_timer(s);
}

void moor_sources_resume(struct moor_sources *s)
{
    if (s->intake)
        moor_intake_resume(s->intake);
}
