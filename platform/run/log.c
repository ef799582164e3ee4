/* SPDX-License-Identifier: Apache-2.0 */
#include "run/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/sha256.h"
#include "base/text.h"
#include "platform/clock.h"
#include "platform/logsink.h"
#include "platform/thread.h"

#define FIELDS_MAX 32
#define VALUE_MAX  ((size_t)1024)
/* A record that goes on repeating is shown again after an hour, with its count. */
#define REPEAT_MS 3600000

/* The program's one log: the only mutable state of file scope besides the platform's own. */
static struct {
    char program[64];
    moor_log_level level;
    struct plat_mutex *lock; /* of last; NULL before moor_log_init() */
    struct {
        unsigned char digest[MOOR_SHA256_LEN]; /* of the record, fields included */
        char event[64];
        moor_log_level level;
        uint64_t shown_ms;
        unsigned repeats;
    } last;
} state = { .program = "mooring", .level = MOOR_LOG_INFO };

struct record {
    moor_log_level level;
    const char *event;
    struct plat_log_field fields[FIELDS_MAX];
    char *values[FIELDS_MAX]; /* what fields own */
    size_t count;
};

static void record_drop(struct record *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->values[i]);
}
MOOR_DEFINE_AUTO(record)

void moor_log_init(const char *program, moor_log_level level)
{
    (void)snprintf(state.program, sizeof(state.program), "%s", program);
    state.level = level;
    if (!state.lock)
        MOOR_ASSERT(plat_mutex_new(&state.lock, NULL) == MOOR_OK);
}

/* value with everything a terminal or a line reader could take for its own written out. */
static void escape(struct moor_buf *out, const char *value)
{
    MOOR_AUTO(moor_buf) whole = MOOR_BUF(4 * VALUE_MAX);
    size_t len = strlen(value);
    moor_utf8_repair(&whole, moor_span(value, len < VALUE_MAX ? len : VALUE_MAX));
    struct moor_span s = moor_buf_view(&whole);
    while (s.n > 0 && out->len < VALUE_MAX) {
        unsigned char c = (unsigned char)s.p[0];
        size_t n = moor_utf8_sequence(s);
        if (n == 0)
            break;
        if (c == '\n')
            moor_buf_str(out, "\\n");
        else if (c < 0x20 || c == 0x7f)
            moor_buf_fmt(out, "\\x%02x", c);
        else if (c == 0xc2 && (unsigned char)s.p[1] < 0xa0)
            moor_buf_fmt(out, "\\x%02x", (unsigned char)s.p[1]);
        else
            moor_buf_add(out, s.p, n);
        s.p += n;
        s.n -= n;
    }
}

static void add_field(struct record *r, const char *name, const char *value)
{
    if (!value || r->count == FIELDS_MAX)
        return;
    MOOR_AUTO(moor_buf) b = MOOR_BUF(VALUE_MAX + 16);
    escape(&b, value);
    char *text = NULL;
    if (b.len > 0 && moor_buf_take(&b, name, &text, NULL) != MOOR_OK)
        text = NULL;
    r->values[r->count] = text;
    r->fields[r->count++] = (struct plat_log_field){ name, text ? text : "" };
}

static void add_pairs(struct record *r, va_list ap)
{
    const char *name;
    while ((name = va_arg(ap, const char *)))
        add_field(r, name, va_arg(ap, const char *));
}

static void digest(const struct record *r, unsigned char out[MOOR_SHA256_LEN])
{
    struct moor_sha256 h;
    moor_sha256_init(&h);
    /* The terminating NUL is the border between two texts. */
    moor_sha256_add(&h, moor_span(r->event, strlen(r->event) + 1));
    for (size_t i = 0; i < r->count; i++) {
        moor_sha256_add(&h, moor_span(r->fields[i].name, strlen(r->fields[i].name) + 1));
        moor_sha256_add(&h, moor_span(r->fields[i].value, strlen(r->fields[i].value) + 1));
    }
    moor_sha256_end(&h, out);
}

static void write_repeats(const char *event, moor_log_level level, unsigned repeats)
{
    char count[16];
    (void)snprintf(count, sizeof(count), "%u", repeats);
    const struct plat_log_field field = { "repeated", count };
    plat_log_write((int)level, state.program, event, &field, 1);
}

/* Whether r is shown; counts it otherwise. Tells of the repeats of what came before it. */
static bool admit(const struct record *r)
{
    unsigned char d[MOOR_SHA256_LEN];
    digest(r, d);
    uint64_t now = plat_mono_ms();
    bool same = state.last.event[0] && memcmp(d, state.last.digest, sizeof(d)) == 0;
    if (same && now - state.last.shown_ms < REPEAT_MS) {
        state.last.repeats++;
        return false;
    }
    if (state.last.repeats > 0)
        write_repeats(state.last.event, state.last.level, state.last.repeats);
    memcpy(state.last.digest, d, sizeof(d));
    (void)snprintf(state.last.event, sizeof(state.last.event), "%s", r->event);
    state.last.level = r->level;
    state.last.shown_ms = now;
    state.last.repeats = 0;
    return true;
}

static void write_record(const struct record *r)
{
    if (state.lock)
        plat_mutex_lock(state.lock);
    if (!state.lock || admit(r))
        plat_log_write((int)r->level, state.program, r->event, r->fields, r->count);
    if (state.lock)
        plat_mutex_unlock(state.lock);
}

void moor_log(moor_log_level level, const char *event, ...)
{
    if (level > state.level)
        return;
    MOOR_AUTO(record) r = { .level = level, .event = event };
    va_list ap;
    va_start(ap, event);
    add_pairs(&r, ap);
    va_end(ap);
    write_record(&r);
}

void moor_log_error(moor_log_level level, const char *event, const struct moor_error *err, ...)
{
    if (level > state.level)
        return;
    MOOR_AUTO(record) r = { .level = level, .event = event };
    va_list ap;
    va_start(ap, err);
    add_pairs(&r, ap);
    va_end(ap);
    add_field(&r, "error", err->msg);
    add_field(&r, "code", moor_code_name(err->code));
    add_field(&r, "service_code", err->service_code[0] ? err->service_code : NULL);
    add_field(&r, "request_id", err->request_id[0] ? err->request_id : NULL);
    char http[16];
    (void)snprintf(http, sizeof(http), "%d", (int)err->http);
    add_field(&r, "http", err->http ? http : NULL);
    write_record(&r);
}
