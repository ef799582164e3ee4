/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/sources.h"

#include <stdlib.h>

#include "logs/intake.h"
#include "platform/eventlog.h"
#include "run/log.h"
#include "run/loop.h"

#define SETTING_BYTES   ((size_t)64 * 1024)
#define JOURNAL_TICK_MS 1000 /* entries of so long go out together */

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

static moor_code join_setting(const struct moor_str_list *from, char **out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(SETTING_BYTES);
    for (size_t i = 0; i < from->count; i++) {
        moor_buf_str(&b, from->items[i]);
        moor_buf_char(&b, '\n');
    }
    return moor_buf_take(&b, "logs.syslog", out, err);
}

static void apply_intake(struct moor_sources *s, const struct moor_str_list *from)
{
    const struct moor_intake_to to = { s->computer, on_message, on_lost, is_full, s };
    struct moor_error e = MOOR_ERROR_INIT;
    MOOR_AUTOSTR wanted = NULL;
    if (!any_of(s, MOOR_FLOW_SYSLOG)) {
        close_intake(s);
        return;
    }
    moor_code c = join_setting(from, &wanted, &e);
    if (c == MOOR_OK && s->intake && moor_streq(wanted, s->intake_from))
        return;
    close_intake(s);
    if (c == MOOR_OK)
        c = moor_intake_new(s->loop, from, &to, &s->intake, &e);
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
    moor_code c = moor_timer_new(l, on_journal_tick, s, &s->journal_tick, err);
    if (c == MOOR_OK)
        *out = MOOR_TAKE(s);
    return c;
}

void moor_sources_stop(struct moor_sources *s)
{
    close_intake(s);
    close_journal(s);
}

void moor_sources_free(struct moor_sources *s)
{
    if (!s)
        return;
    moor_sources_stop(s);
    moor_timer_free(s->journal_tick);
    free(s);
}

void moor_sources_apply(struct moor_sources *s, const struct moor_logs_config *c)
{
    apply_intake(s, &c->settings.logs_syslog);
    apply_journal(s);
}

void moor_sources_resume(struct moor_sources *s)
{
    if (s->intake)
        moor_intake_resume(s->intake);
}
