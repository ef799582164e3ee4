/* SPDX-License-Identifier: Apache-2.0 */
#define SD_JOURNAL_SUPPRESS_LOCATION /* ours would be this file, always */
#include "platform/logsink.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/timefmt.h"
#include "platform/clock.h"

#define LINE_MAX_BYTES ((size_t)64 << 10)
#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define FIELDS_MAX     40

/* Whether stderr is the stream the service manager connected to the journal: JOURNAL_STREAM names
 * its device and inode. A child whose stderr was sent elsewhere inherits only the variable. */
static bool stderr_is_journal(void)
{
    const char *want = secure_getenv("JOURNAL_STREAM");
    struct stat st;
    if (!want || fstat(STDERR_FILENO, &st) != 0)
        return false;
    char have[64];
    (void)snprintf(have, sizeof(have), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(want, have) == 0;
}

static bool is_plain(const char *value)
{
    return value[0] != '\0' && value[strcspn(value, " \"=\\")] == '\0';
}

static void add_pairs(struct moor_buf *b, const char *event, const struct plat_log_field *fields,
                      size_t count)
{
    moor_buf_str(b, event);
    for (size_t i = 0; i < count; i++) {
        moor_buf_fmt(b, " %s=", fields[i].name);
        if (is_plain(fields[i].value)) {
            moor_buf_str(b, fields[i].value);
            continue;
        }
        moor_buf_char(b, '"');
        for (const char *p = fields[i].value; *p; p++) {
            if (*p == '"' || *p == '\\')
                moor_buf_char(b, '\\');
            moor_buf_char(b, *p);
        }
        moor_buf_char(b, '"');
    }
}

/* "MOORING_REQUEST_ID=...": a prefix, so that no field takes one of the journal's own names. */
static void add_journal_field(struct moor_buf *b, const char *name, const char *value)
{
    moor_buf_str(b, "MOORING_");
    for (const char *p = name; *p; p++)
        moor_buf_char(b, *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p);
    moor_buf_fmt(b, "=%s", value);
}

static bool write_journal(int priority, const char *program, const char *event,
                          const struct plat_log_field *fields, size_t count)
{
    /* All fields in one buffer, so that there is one thing that can fail; cuts are its borders. */
    MOOR_AUTO(moor_buf) b = MOOR_BUF(2 * LINE_MAX_BYTES);
    size_t cuts[FIELDS_MAX + 5], n = 0;
    if (count > FIELDS_MAX)
        count = FIELDS_MAX;
    cuts[n++] = 0;
    moor_buf_str(&b, "MESSAGE=");
    add_pairs(&b, event, fields, count);
    cuts[n++] = b.len;
    moor_buf_fmt(&b, "PRIORITY=%d", priority);
    cuts[n++] = b.len;
    moor_buf_fmt(&b, "SYSLOG_IDENTIFIER=%s", program);
    cuts[n++] = b.len;
    add_journal_field(&b, "event", event);
    cuts[n++] = b.len;
    for (size_t i = 0; i < count; i++) {
        add_journal_field(&b, fields[i].name, fields[i].value);
        cuts[n++] = b.len;
    }
    if (b.failed)
        return false;
    struct iovec parts[FIELDS_MAX + 4];
    for (size_t i = 0; i + 1 < n; i++)
        parts[i] = (struct iovec){ b.data + cuts[i], cuts[i + 1] - cuts[i] };
    /* Without the socket, as in some sandboxes, libsystemd says success and drops the record; the
     * stream that stderr is still works. */
    return access(JOURNAL_SOCKET, W_OK) == 0 && sd_journal_sendv(parts, (int)n - 1) == 0;
}

static const char *level_name(int priority)
{
    static const char *const names[] = { "emerg",   "alert",  "crit", "error",
                                         "warning", "notice", "info", "debug" };
    return names[priority & 7];
}

static void write_stderr(int priority, const char *event, const struct plat_log_field *fields,
                         size_t count)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(LINE_MAX_BYTES);
    char stamp[MOOR_RFC3339_LEN + 1];
    moor_rfc3339_format(plat_utc_ms(), stamp);
    moor_buf_fmt(&b, "%s %s ", stamp, level_name(priority));
    add_pairs(&b, event, fields, count);
    moor_buf_char(&b, '\n');

    /* One call, so that lines of several threads and processes do not mix. */
    struct moor_span line = b.failed ? MOOR_SPAN_LIT("log record too long\n") : moor_buf_view(&b);
    while (line.n > 0) {
        ssize_t n = write(STDERR_FILENO, line.p, line.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* there is nobody left to tell */
        line.p += n;
        line.n -= (size_t)n;
    }
}

void plat_log_write(int priority, const char *program, const char *event,
                    const struct plat_log_field *fields, size_t count)
{
    int e = errno;
    if (!stderr_is_journal() || !write_journal(priority, program, event, fields, count))
        write_stderr(priority, event, fields, count);
    errno = e;
}
