/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/eventlog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-journal.h>

#include "base/text.h"
#include "platform/oserr.h"

#define FIELD_MAX ((size_t)128 * 1024) /* of a text; longer ones come cut */

struct plat_eventlog {
    sd_journal *journal;
    bool at_next; /* the place is the entry that next is to give */
};

static moor_code add_match(sd_journal *j, const char *field, const char *value,
                           struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(1024);
    moor_buf_fmt(&text, "%s=%s", field, value);
    moor_code c = moor_buf_ok(&text, "journal: filter", err);
    int r = c == MOOR_OK ? sd_journal_add_match(j, text.data, text.len) : 0;
    return r < 0 ? plat_fail(err, -r, "journal: filter %s", value) : c;
}

moor_code plat_eventlog_open(const struct plat_eventlog_opts *opts, struct plat_eventlog **out,
                             struct moor_error *err)
{
    MOOR_AUTOPTR(plat_eventlog) l = calloc(1, sizeof(*l));
    if (!l)
        return moor_fail(err, MOOR_E_NOMEM, "journal: out of memory");
    int r = opts->folder ? sd_journal_open_directory(&l->journal, opts->folder, 0)
                         : sd_journal_open(&l->journal, SD_JOURNAL_LOCAL_ONLY);
    if (r < 0)
        return plat_fail(err, -r, "journal: %s", opts->folder ? opts->folder : "of this machine");
    (void)sd_journal_set_data_threshold(l->journal, FIELD_MAX);
    moor_code c = MOOR_OK;
    for (size_t i = 0; c == MOOR_OK && i < opts->unit_count; i++)
        c = add_match(l->journal, "_SYSTEMD_UNIT", opts->units[i], err);
    if (c == MOOR_OK)
        *out = MOOR_TAKE(l);
    return c;
}

void plat_eventlog_free(struct plat_eventlog *l)
{
    if (!l)
        return;
    sd_journal_close(l->journal);
    free(l);
}

moor_code plat_eventlog_seek(struct plat_eventlog *l, const char *cursor, bool *found,
                             struct moor_error *err)
{
    int r = sd_journal_seek_cursor(l->journal, cursor);
    if (r >= 0)
        r = sd_journal_next(l->journal);
    if (r < 0)
        return plat_fail(err, -r, "journal: cursor");
    *found = r > 0 && sd_journal_test_cursor(l->journal, cursor) > 0;
    l->at_next = r > 0 && !*found;
    return MOOR_OK;
}

moor_code plat_eventlog_seek_time(struct plat_eventlog *l, int64_t utc_ms, struct moor_error *err)
{
    uint64_t us = utc_ms > 0 ? (uint64_t)utc_ms * 1000 : 0;
    int r = sd_journal_seek_realtime_usec(l->journal, us);
    l->at_next = false;
    return r < 0 ? plat_fail(err, -r, "journal: time") : MOOR_OK;
}

static void set_number(struct moor_span value, int max, int *out)
{
    uint64_t v = 0;
    if (moor_parse_u64(value, 0, (uint64_t)max, &v, NULL) == MOOR_OK)
        *out = (int)v;
}

/* Fields as the journal has them; the first of a text that is there counts. */
static void take_field(struct plat_event *e, struct moor_span data)
{
    static const struct {
        const char *name;
        size_t text; /* offset of a span, 0 = a number */
        size_t number;
        int max;
    } fields[] = {
        { "MESSAGE=", offsetof(struct plat_event, message), 0, 0 },
        { "PRIORITY=", 0, offsetof(struct plat_event, severity), 7 },
        { "SYSLOG_FACILITY=", 0, offsetof(struct plat_event, facility), 23 },
        { "SYSLOG_IDENTIFIER=", offsetof(struct plat_event, process), 0, 0 },
        { "SYSLOG_PID=", offsetof(struct plat_event, pid), 0, 0 },
        { "_PID=", offsetof(struct plat_event, pid), 0, 0 },
        { "_HOSTNAME=", offsetof(struct plat_event, host), 0, 0 },
        { "_SYSTEMD_UNIT=", offsetof(struct plat_event, unit), 0, 0 },
        { "_COMM=", offsetof(struct plat_event, process), 0, 0 },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(fields); i++) {
        size_t n = strlen(fields[i].name);
        if (data.n < n || memcmp(data.p, fields[i].name, n) != 0)
            continue;
        const struct moor_span value = { data.p + n, data.n - n };
        struct moor_span *text = (void *)((char *)e + fields[i].text);
        if (fields[i].number)
            set_number(value, fields[i].max, (int *)(void *)((char *)e + fields[i].number));
        /* What the sender says of itself stands before what the kernel knows (_COMM). */
        else if (text->n == 0 || data.p[0] != '_')
            *text = value;
        return;
    }
}

moor_code plat_eventlog_next(struct plat_eventlog *l, struct plat_event *out,
                             struct moor_error *err)
{
    struct plat_event e = { .severity = -1, .facility = -1 };
    uint64_t us = 0;
    const void *data = NULL;
    size_t n = 0;
    int r = l->at_next ? 1 : sd_journal_next(l->journal);
    l->at_next = false;
    if (r == 0)
        return moor_fail(err, MOOR_E_NOTFOUND, "journal: is at its end");
    if (r > 0)
        r = sd_journal_get_realtime_usec(l->journal, &us);
    if (r < 0)
        return plat_fail(err, -r, "journal: entry");
    e.time_ms = (int64_t)(us / 1000);
    sd_journal_restart_data(l->journal);
    while (sd_journal_enumerate_available_data(l->journal, &data, &n) > 0)
        take_field(&e, moor_span(data, n));
    *out = e;
    return MOOR_OK;
}

moor_code plat_eventlog_cursor(struct plat_eventlog *l, char out[PLAT_CURSOR_MAX],
                               struct moor_error *err)
{
    char *text = NULL;
    int r = sd_journal_get_cursor(l->journal, &text);
    MOOR_AUTOSTR cursor = text;
    if (r < 0)
        return plat_fail(err, -r, "journal: cursor");
    size_t n = strlen(cursor);
    if (n >= PLAT_CURSOR_MAX)
        return moor_fail(err, MOOR_E_IO, "journal: cursor of %zu bytes", n);
    memcpy(out, cursor, n + 1);
    return MOOR_OK;
}

int plat_eventlog_fd(struct plat_eventlog *l)
{
    return sd_journal_get_fd(l->journal);
}

void plat_eventlog_changed(struct plat_eventlog *l)
{
    (void)sd_journal_process(l->journal);
}
