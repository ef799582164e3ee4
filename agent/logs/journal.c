/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/journal.h"

#include <string.h>

#include "platform/dirs.h"

/* What journald takes a message for that says nothing of itself. */
#define FACILITY_DEFAULT 1
#define SEVERITY_DEFAULT 6
#define ROW_BYTES_MAX    ((size_t)1 << 20)

static moor_code begin(struct moor_journal_read *j, struct plat_eventlog *log, int64_t now_ms,
                       struct moor_error *err)
{
    bool found = false;
    j->gap = false;
    if (!*j->from)
        return plat_eventlog_seek_time(log, now_ms - MOOR_JOURNAL_BACK_MS, err);
    moor_code c = plat_eventlog_seek(log, j->from, &found, err);
    j->gap = c == MOOR_OK && !found;
    return c;
}

static void message_of(const struct plat_event *e, struct moor_syslog *m)
{
    *m = (struct moor_syslog){
        .facility = (unsigned)(e->facility < 0 ? FACILITY_DEFAULT : e->facility),
        .severity = (unsigned)(e->severity < 0 ? SEVERITY_DEFAULT : e->severity),
        .time_ms = e->time_ms,
        .host = e->host,
        .process = e->process,
        .pid = e->pid,
        .text = e->message,
    };
}

/* False: nothing is left of it. */
static bool add_transformed(const struct moor_journal_read *j, struct moor_packer *packer,
                            const struct moor_syslog *m, const struct moor_syslog_origin *from,
                            bool cut)
{
    MOOR_AUTO(moor_buf) row = MOOR_BUF(ROW_BYTES_MAX);
    bool kept = false;
    moor_syslog_row_add(&row, m, from, cut);
    return moor_transform_row(j->transform, moor_buf_view(&row), moor_packer_row(packer), &kept,
                              NULL) == MOOR_OK &&
           kept;
}

/* False: it does not fit any more. */
static bool add_row(struct moor_journal_read *j, struct moor_packer *packer, struct moor_syslog *m,
                    int64_t now_ms)
{
    const struct moor_syslog_origin from = { now_ms, j->computer, "" };
    bool cut = m->text.n > MOOR_SYSLOG_MAX;
    if (cut)
        m->text.n = MOOR_SYSLOG_MAX;
    if (!j->transform) {
        moor_syslog_row_add(moor_packer_row(packer), m, &from, cut);
    } else if (!add_transformed(j, packer, m, &from, cut)) {
        moor_packer_forget(packer);
        j->filtered++;
        return true;
    }
    if (!moor_packer_keep(packer))
        return false;
    j->rows++;
    j->cut += cut;
    return true;
}

moor_code moor_journal_read(struct moor_journal_read *j, struct moor_packer *packer, int64_t now_ms,
                            struct moor_error *err)
{
    MOOR_AUTOPTR(plat_eventlog) log = NULL;
    const struct plat_eventlog_opts opts = { j->folder, j->units.items, j->units.count };
    struct plat_event e;
    memcpy(j->to, j->from, sizeof(j->to));
    j->rows = j->cut = j->filtered = 0;
    j->more = false;
    moor_code c = plat_eventlog_open(&opts, &log, err);
    if (c == MOOR_OK)
        c = begin(j, log, now_ms, err);
    while (c == MOOR_OK && (c = plat_eventlog_next(log, &e, err)) == MOOR_OK) {
        struct moor_syslog m;
        message_of(&e, &m);
        if (moor_syslog_wanted(&j->filter, &m) && !add_row(j, packer, &m, now_ms)) {
            j->more = true;
            break;
        }
        c = plat_eventlog_cursor(log, j->to, err);
    }
    return c == MOOR_E_NOTFOUND ? MOOR_OK : c;
}

char *moor_journal_folder(void)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(4096);
    char *path = NULL;
    if (!*plat_dirs_root())
        return NULL;
    moor_buf_fmt(&b, "%s/var/log/journal", plat_dirs_root());
    return moor_buf_take(&b, "journal", &path, NULL) == MOOR_OK ? path : NULL;
}
