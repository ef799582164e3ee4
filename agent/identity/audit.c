/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/audit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/timefmt.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "run/log.h"
#include "run/loop.h"

#define AUDIENCE_MAX  256 /* longer ones lose their end */
#define OUTCOME_MAX   64
#define LINE_MAX      4096
#define CONTAINER_LEN 64 /* hexadecimal digits: how container engines name their control groups */
#define REST          "(others)"

struct event {
    struct plat_caller who;
    char audience[AUDIENCE_MAX];
    char outcome[OUTCOME_MAX];
    uint64_t count;
};

struct moor_audit {
    struct moor_timer *timer; /* the end of the window */
    char *path;
    struct plat_file file;
    uint64_t size;
    size_t count;
    struct event events[MOOR_AUDIT_ENTRIES + 1]; /* the last one: what had no room */
};

/* ---- lines ---- */

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* The container's id in the name of a control group, an empty span when there is none. */
static struct moor_span container_in(struct moor_span path)
{
    size_t run = 0;
    for (size_t i = 0; i < path.n; i++) {
        run = is_hex(path.p[i]) ? run + 1 : 0;
        if (run == CONTAINER_LEN)
            return moor_span(path.p + i + 1 - CONTAINER_LEN, CONTAINER_LEN);
    }
    return MOOR_SPAN_NONE;
}

/* The innermost part that is a unit of the service manager. */
static struct moor_span unit_in(struct moor_span path)
{
    struct moor_span unit = MOOR_SPAN_NONE;
    while (path.p) {
        struct moor_span part = moor_span_cut(&path, '/');
        if (moor_span_ends(part, ".service") || moor_span_ends(part, ".scope"))
            unit = part;
    }
    return unit;
}

static void set_span(struct moor_json *v, const char *name, struct moor_span s)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(LINE_MAX);
    moor_buf_span(&text, s);
    if (s.n)
        moor_json_set_str(v, name, moor_buf_cstr(&text));
}

static void set_caller(struct moor_json *v, const struct plat_caller *who)
{
    struct plat_caller_names names;
    plat_caller_names(who, &names);
    struct moor_span cgroup = moor_span_str(names.cgroup);
    if (who->known)
        moor_json_set_int(v, "user", who->uid);
    else
        (void)moor_json_set(v, "user", moor_json_new_null());
    if (who->pid)
        moor_json_set_int(v, "pid", who->pid);
    set_span(v, "process", moor_span_str(names.process));
    set_span(v, "unit", unit_in(cgroup));
    set_span(v, "container", container_in(cgroup));
    set_span(v, "cgroup", cgroup);
}

static void print_event(const struct event *e, uint64_t count, struct moor_buf *line)
{
    MOOR_AUTOPTR(moor_json) v = moor_json_new_object();
    char time[MOOR_RFC3339_LEN + 1];
    moor_rfc3339_format(plat_utc_ms(), time);
    moor_json_set_str(v, "time", time);
    set_caller(v, &e->who);
    moor_json_set_str(v, "audience", e->audience);
    moor_json_set_str(v, "outcome", e->outcome);
    moor_json_set_int(v, "count", (int64_t)count);
    moor_buf_json(line, v);
    moor_buf_char(line, '\n');
}

/* ---- the file ---- */

static void name_old(const struct moor_audit *a, unsigned number, struct moor_buf *out)
{
    moor_buf_reset(out);
    moor_buf_str(out, a->path);
    if (number)
        moor_buf_fmt(out, ".%u", number);
}

static moor_code rotate(struct moor_audit *a, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) from = MOOR_BUF(1024);
    MOOR_AUTO(moor_buf) to = MOOR_BUF(1024);
    plat_file_drop(&a->file);
    for (unsigned n = MOOR_AUDIT_OLD; n-- > 0;) {
        name_old(a, n, &from);
        name_old(a, n + 1, &to);
        moor_code c = plat_rename(moor_buf_cstr(&from), moor_buf_cstr(&to), err);
        if (c && c != MOOR_E_NOTFOUND)
            return c;
    }
    return MOOR_OK;
}

static moor_code open_file(struct moor_audit *a, struct moor_error *err)
{
    struct plat_stat st;
    if (plat_file_is_open(&a->file))
        return MOOR_OK;
    moor_code c = plat_open(a->path, PLAT_APPEND, &a->file, err);
    if (!c)
        c = plat_fstat(&a->file, &st, err);
    if (!c)
        a->size = st.size;
    return c;
}

static void write_event(struct moor_audit *a, const struct event *e, uint64_t count)
{
    MOOR_AUTO(moor_buf) line = MOOR_BUF(LINE_MAX);
    struct moor_error err = MOOR_ERROR_INIT;
    print_event(e, count, &line);
    moor_code c = open_file(a, &err);
    if (!c && a->size >= MOOR_AUDIT_FILE_MAX) {
        c = rotate(a, &err);
        if (!c)
            c = open_file(a, &err);
    }
    if (!c)
        c = moor_buf_ok(&line, "line of tokens.log", &err);
    if (!c)
        c = plat_append(&a->file, moor_buf_view(&line), &err);
    a->size += line.len;
    if (!c)
        return;
    plat_file_drop(&a->file);
    moor_log_error(MOOR_LOG_ERROR, "audit.not_written", &err, NULL);
}

/* ---- events ---- */

/* What came after the first ones of this minute. */
static void on_window(void *ctx)
{
    struct moor_audit *a = ctx;
    for (size_t i = 0; i < a->count; i++)
        if (a->events[i].count > 1)
            write_event(a, &a->events[i], a->events[i].count - 1);
    if (a->events[MOOR_AUDIT_ENTRIES].count)
        write_event(a, &a->events[MOOR_AUDIT_ENTRIES], a->events[MOOR_AUDIT_ENTRIES].count);
    a->events[MOOR_AUDIT_ENTRIES].count = 0;
    a->count = 0;
}

static bool same_user(const struct plat_caller *a, const struct plat_caller *b)
{
    return a->known == b->known && a->uid == b->uid;
}

static bool is_event(const struct event *e, const struct event *other)
{
    return same_user(&e->who, &other->who) && e->who.pid == other->who.pid &&
           e->who.cgroup == other->who.cgroup && moor_streq(e->audience, other->audience) &&
           moor_streq(e->outcome, other->outcome);
}

/* The entry of an equal event, or a new one; the user's last place, and the last of all, are for
 * what has no place of its own. */
static struct event *place_of(struct moor_audit *a, struct event *e)
{
    size_t of_user = 0;
    for (size_t i = 0; i < a->count; i++) {
        of_user += same_user(&a->events[i].who, &e->who);
        if (is_event(&a->events[i], e))
            return &a->events[i];
    }
    if (a->count >= MOOR_AUDIT_ENTRIES) {
        a->events[MOOR_AUDIT_ENTRIES] = (struct event){
            .audience = REST, .outcome = REST, .count = a->events[MOOR_AUDIT_ENTRIES].count
        };
        return &a->events[MOOR_AUDIT_ENTRIES];
    }
    if (of_user >= MOOR_AUDIT_PER_USER - 1) {
        struct event rest = { .who = e->who, .audience = REST, .outcome = REST };
        rest.who.pid = 0;
        rest.who.cgroup = 0;
        for (size_t i = 0; i < a->count; i++)
            if (is_event(&a->events[i], &rest))
                return &a->events[i];
        *e = rest;
    }
    a->events[a->count] = *e;
    return &a->events[a->count++];
}

void moor_audit_note(struct moor_audit *a, const struct plat_caller *who, const char *audience,
                     const char *outcome)
{
    struct event e = { .who = *who };
    (void)snprintf(e.audience, sizeof(e.audience), "%s", audience);
    (void)snprintf(e.outcome, sizeof(e.outcome), "%s", outcome);
    struct event *place = place_of(a, &e);
    if (++place->count == 1 && place != &a->events[MOOR_AUDIT_ENTRIES])
        write_event(a, place, 1);
    if (!moor_timer_armed(a->timer))
        moor_timer_arm(a->timer, MOOR_AUDIT_WINDOW_MS);
}

/* ---- life ---- */

moor_code moor_audit_new(struct moor_loop *l, const char *folder, struct moor_audit **out,
                         struct moor_error *err)
{
    MOOR_AUTOPTR(moor_audit) a = calloc(1, sizeof(*a));
    MOOR_AUTO(moor_buf) path = MOOR_BUF(1024);
    if (!a)
        return moor_fail(err, MOOR_E_NOMEM, "audit: out of memory");
    a->file = (struct plat_file)PLAT_FILE_INIT;
    moor_buf_fmt(&path, "%s/tokens.log", folder);
    moor_code c = moor_buf_take(&path, "audit", &a->path, err);
    if (!c)
        c = moor_timer_new(l, on_window, a, &a->timer, err);
    if (!c)
        c = plat_make_dirs(folder, PLAT_GROUP_READ, err);
    if (!c)
        *out = MOOR_TAKE(a);
    return c;
}

void moor_audit_free(struct moor_audit *a)
{
    if (!a)
        return;
    if (a->path)
        on_window(a);
    moor_timer_free(a->timer);
    plat_file_drop(&a->file);
    free(a->path);
    free(a);
}
