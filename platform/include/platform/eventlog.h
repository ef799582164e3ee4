/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eventlog.h: the system's own log: the systemd journal, the Windows event log. Read forwards, from
 * a cursor: a text of the system's that names an entry for as long as it is kept.
 *
 * An open log belongs to the thread that opened it, for all its life. Blocking, but for the waiting
 * side. UNSUPPORTED where there is none.
 */
#ifndef PLAT_EVENTLOG_H
#define PLAT_EVENTLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"
#include "base/span.h"

#define PLAT_CURSOR_MAX 256

struct plat_eventlog_opts {
    const char *folder;       /* journal files of this folder; NULL = the machine's own log */
    const char *const *units; /* only entries of these units; none = all */
    size_t unit_count;
};

struct plat_eventlog;
MOOR_NODISCARD moor_code plat_eventlog_open(const struct plat_eventlog_opts *opts,
                                            struct plat_eventlog **out, struct moor_error *err);
void plat_eventlog_free(struct plat_eventlog *l);
MOOR_DEFINE_AUTOPTR(plat_eventlog)

/* The next entry is the one behind cursor. *found is false when that entry is gone (vacuumed,
 * rotated away): then the next is the oldest one that followed it. */
MOOR_NODISCARD moor_code plat_eventlog_seek(struct plat_eventlog *l, const char *cursor,
                                            bool *found, struct moor_error *err);
/* The next entry is the first that is not older. */
MOOR_NODISCARD moor_code plat_eventlog_seek_time(struct plat_eventlog *l, int64_t utc_ms,
                                                 struct moor_error *err);

/* An entry. Texts live until the next call; absent ones are empty. */
struct plat_event {
    int64_t time_ms;
    int severity, facility; /* syslog's numbers, -1 = it says none */
    struct moor_span host, process, pid, unit, message;
};
/* NOTFOUND: there is none yet. */
MOOR_NODISCARD moor_code plat_eventlog_next(struct plat_eventlog *l, struct plat_event *out,
                                            struct moor_error *err);
/* Of the entry that next gave. */
MOOR_NODISCARD moor_code plat_eventlog_cursor(struct plat_eventlog *l, char out[PLAT_CURSOR_MAX],
                                              struct moor_error *err);

/* Waiting: readable when there may be new entries; then call changed(), which does not block. */
int plat_eventlog_fd(struct plat_eventlog *l);
void plat_eventlog_changed(struct plat_eventlog *l);

#endif
