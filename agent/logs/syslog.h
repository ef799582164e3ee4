/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syslog.h: syslog messages as they come over a socket, made into rows of the Syslog table.
 *
 * RFC 5424 and RFC 3164, both as they are really sent: without a host name by local programs, with
 * an RFC 3339 time by rsyslog. What cannot be understood is all message, of facility user and
 * severity notice, as RFC 3164 (4.3.3) has it: nothing is thrown away for its form. Pure.
 */
#ifndef MOOR_LOGS_SYSLOG_H
#define MOOR_LOGS_SYSLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/jsontab.h"
#include "base/span.h"

#define MOOR_SYSLOG_MAX ((size_t)64 * 1024) /* longer messages are cut, with a mark */

/* Texts are borrowed from the message. */
struct moor_syslog {
    unsigned facility; /* 0..23 */
    unsigned severity; /* 0..7 */
    int64_t time_ms;   /* INT64_MIN = it says none */
    struct moor_span host, process, pid, text;
};

/* offset_ms: local time less UTC, for times without a zone; their year is the one that brings
 * them nearest to now. */
void moor_syslog_parse(struct moor_span message, int64_t now_ms, int64_t offset_ms,
                       struct moor_syslog *out);

struct moor_syslog_origin {
    int64_t now_ms;
    const char *computer; /* this machine */
    const char *address;  /* of the sender, "" = this machine */
};
/* Appends a row: TimeGenerated, EventTime, Facility, SeverityLevel, HostName, Computer, HostIP,
 * ProcessName, ProcessID, SyslogMessage, CollectorHostName, SourceSystem. */
void moor_syslog_row_add(struct moor_buf *b, const struct moor_syslog *m,
                         const struct moor_syslog_origin *from, bool cut);

/* Which messages a rule wants: a bit for each facility and severity. */
struct moor_syslog_filter {
    uint32_t facilities, severities;
};
bool moor_syslog_wanted(const struct moor_syslog_filter *f, const struct moor_syslog *m);
/* facilityNames and logLevels of a rule. "*" is all; an unknown name is BADINPUT. */
MOOR_NODISCARD moor_code moor_syslog_filter_make(const struct moor_str_list *facilities,
                                                 const struct moor_str_list *levels,
                                                 struct moor_syslog_filter *out,
                                                 struct moor_error *err);

/* Messages of a stream: RFC 6587, each message its own way: counted ("11 <13>message"), or ended
 * by LF or NUL. */
struct moor_syslog_frames {
    uint64_t pass_over; /* bytes of a counted message that was cut */
    bool to_the_end;    /* of a line that was cut */
};
/* The next message at the front of *rest, which moves behind it. False: more bytes are needed; at
 * most MOOR_SYSLOG_MAX + 16 are ever kept. cut: the message is only the first part. last: there
 * will be no more bytes. */
bool moor_syslog_frame(struct moor_syslog_frames *f, struct moor_span *rest, bool last,
                       struct moor_span *message, bool *cut);

#endif
