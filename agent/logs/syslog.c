/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/syslog.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "base/timefmt.h"
#include "logs/lines.h"
#include "logs/stamp.h"

#define PRI_DEFAULT 13 /* user.notice */
#define PRI_MAX     191
#define COUNT_MAX   9 /* digits of a message's length */
#define CUT_MARK    "...[cut]"
#define ALL_BITS    UINT32_C(0xffffffff)

/* By number; the names are those of the Syslog table. */
static const char *const facilities[24] = {
    "kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
    "uucp",   "cron",   "authpriv", "ftp",    "ntp",    "audit",  "alert",  "clock",
    "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7",
};
static const char *const severities[8] = { "emerg",   "alert",  "crit", "err",
                                           "warning", "notice", "info", "debug" };
/* What rules call them. */
static const char *const levels[8] = { "Emergency", "Alert",  "Critical", "Error",
                                       "Warning",   "Notice", "Info",     "Debug" };

/* Up to the next blank, which is passed over. */
static struct moor_span word(struct moor_span *rest)
{
    return moor_span_cut(rest, ' ');
}

static struct moor_span nil_is_empty(struct moor_span s)
{
    return s.n == 1 && s.p[0] == '-' ? MOOR_SPAN_NONE : s;
}

/* "<13>" at the front. */
static bool take_pri(struct moor_span *rest, unsigned *pri)
{
    unsigned v = 0;
    size_t i = 1;
    if (rest->n < 3 || rest->p[0] != '<')
        return false;
    for (; i < rest->n && i < 4 && rest->p[i] >= '0' && rest->p[i] <= '9'; i++)
        v = v * 10 + (unsigned)(rest->p[i] - '0');
    if (i == 1 || i == rest->n || rest->p[i] != '>' || v > PRI_MAX)
        return false;
    *pri = v;
    rest->p += i + 1;
    rest->n -= i + 1;
    return true;
}

/* Passes over structured data: "-", or [..] as often as it comes, with \] and \" in values. */
static bool pass_structured(struct moor_span *rest)
{
    size_t i = 0;
    if (rest->n > 0 && rest->p[0] == '-')
        i = 1;
    while (i < rest->n && rest->p[i] == '[') {
        bool quoted = false;
        for (i++; i < rest->n && (quoted || rest->p[i] != ']'); i++) {
            if (rest->p[i] == '\\' && quoted)
                i++;
            else if (rest->p[i] == '"')
                quoted = !quoted;
        }
        if (i >= rest->n)
            return false;
        i++;
    }
    if (i == 0 || (i < rest->n && rest->p[i] != ' '))
        return false;
    i += i < rest->n;
    rest->p += i;
    rest->n -= i;
    return true;
}

/* Behind "1 ": TIMESTAMP HOST APP PROCID MSGID DATA MSG. */
static bool parse_5424(struct moor_span rest, struct moor_syslog *out)
{
    struct moor_syslog m = *out;
    struct moor_span stamp = word(&rest);
    m.host = nil_is_empty(word(&rest));
    m.process = nil_is_empty(word(&rest));
    m.pid = nil_is_empty(word(&rest));
    (void)word(&rest);
    if (!pass_structured(&rest))
        return false;
    if (!moor_span_eq_str(stamp, "-") && moor_rfc3339_parse(stamp, &m.time_ms, NULL) != MOOR_OK)
        return false;
    if (moor_span_starts(rest, "\xef\xbb\xbf")) {
        rest.p += 3;
        rest.n -= 3;
    }
    m.text = rest;
    *out = m;
    return true;
}

/* "sshd[123]:" or "sshd:" or "sshd". */
static void parse_tag(struct moor_span tag, struct moor_syslog *out)
{
    if (moor_span_ends(tag, ":"))
        tag.n--;
    const char *open = tag.n > 2 && tag.p[tag.n - 1] == ']' ? memchr(tag.p, '[', tag.n) : NULL;
    if (open) {
        out->pid = moor_span(open + 1, (size_t)(tag.p + tag.n - 1 - (open + 1)));
        tag.n = (size_t)(open - tag.p);
    }
    out->process = tag;
}

/* Behind the time: "host tag: text", or "tag: text" of a program of this machine. */
static void parse_3164(struct moor_span rest, struct moor_syslog *out)
{
    struct moor_span after = rest, first = word(&after), more = after, second = word(&more);
    if (moor_span_ends(first, ":")) {
        parse_tag(first, out);
        out->text = after;
    } else if (moor_span_ends(second, ":")) {
        out->host = first;
        parse_tag(second, out);
        out->text = more;
    } else {
        out->host = first;
        out->text = after;
    }
}

void moor_syslog_parse(struct moor_span message, int64_t now_ms, int64_t offset_ms,
                       struct moor_syslog *out)
{
    struct moor_span rest = message;
    unsigned pri = PRI_DEFAULT;
    bool has_pri = take_pri(&rest, &pri);
    *out = (struct moor_syslog){
        .facility = pri / 8, .severity = pri % 8, .time_ms = INT64_MIN, .text = rest
    };
    if (!has_pri)
        return;
    if (moor_span_starts(rest, "1 ") &&
        parse_5424((struct moor_span){ rest.p + 2, rest.n - 2 }, out))
        return;
    size_t used = moor_stamp_bsd(rest, now_ms, offset_ms, &out->time_ms);
    if (used == 0) {
        struct moor_span after = rest, first = word(&after);
        if (moor_rfc3339_parse(first, &out->time_ms, NULL) == MOOR_OK)
            used = rest.n - after.n;
    }
    if (used > 0 && used < rest.n)
        parse_3164((struct moor_span){ rest.p + used, rest.n - used }, out);
    else if (used == 0 && memchr(rest.p, ':', rest.n < 64 ? rest.n : 64))
        parse_3164(rest, out);
}

static void add_text(struct moor_buf *b, const char *name, struct moor_span s)
{
    moor_buf_str(b, ",\"");
    moor_buf_str(b, name);
    moor_buf_str(b, "\":");
    if (s.n && memchr(s.p, '\0', s.n)) {
        MOOR_AUTO(moor_buf) clean = MOOR_BUF(4 * MOOR_SYSLOG_MAX);
        moor_line_clean(&clean, s);
        moor_buf_json_str(b, moor_buf_view(&clean));
    } else {
        moor_buf_json_str(b, s);
    }
}

static void add_time(struct moor_buf *b, int64_t ms)
{
    char text[MOOR_RFC3339_LEN + 1];
    moor_rfc3339_format(ms, text);
    moor_buf_add(b, text, MOOR_RFC3339_LEN);
}

static void add_message(struct moor_buf *b, struct moor_span text, bool cut)
{
    MOOR_AUTO(moor_buf) marked = MOOR_BUF(2 * MOOR_SYSLOG_MAX);
    while (text.n > 0 &&
           (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r' || text.p[text.n - 1] == '\0'))
        text.n--;
    if (cut) {
        moor_buf_span(&marked, text);
        moor_buf_str(&marked, CUT_MARK);
        text = moor_buf_view(&marked);
    }
    add_text(b, "SyslogMessage", text);
}

void moor_syslog_row_add(struct moor_buf *b, const struct moor_syslog *m,
                         const struct moor_syslog_origin *from, bool cut)
{
    struct moor_span here = moor_span_str(from->computer);
    struct moor_span host = m->host.n ? m->host : here;
    uint64_t pid = 0;
    moor_buf_str(b, "{\"TimeGenerated\":\"");
    add_time(b, from->now_ms);
    moor_buf_str(b, "\",\"EventTime\":\"");
    add_time(b, m->time_ms == INT64_MIN ? from->now_ms : m->time_ms);
    moor_buf_char(b, '"');
    add_text(b, "Facility", moor_span_str(facilities[m->facility]));
    add_text(b, "SeverityLevel", moor_span_str(severities[m->severity]));
    add_text(b, "HostName", host);
    add_text(b, "Computer", host);
    if (*from->address)
        add_text(b, "HostIP", moor_span_str(from->address));
    if (m->process.n)
        add_text(b, "ProcessName", m->process);
    if (m->pid.n && moor_parse_u64(m->pid, 0, INT32_MAX, &pid, NULL) == MOOR_OK) {
        moor_buf_fmt(b, ",\"ProcessID\":%" PRIu64, pid);
    }
    add_message(b, m->text, cut);
    add_text(b, "CollectorHostName", here);
    moor_buf_str(b, ",\"SourceSystem\":\"Linux\"}");
}

bool moor_syslog_wanted(const struct moor_syslog_filter *f, const struct moor_syslog *m)
{
    return (f->facilities >> m->facility & 1) && (f->severities >> m->severity & 1);
}

static moor_code add_bit(const char *name, const char *const *table, size_t count, const char *what,
                         uint32_t *bits, struct moor_error *err)
{
    if (moor_streq(name, "*")) {
        *bits = ALL_BITS;
        return MOOR_OK;
    }
    for (size_t i = 0; i < count; i++) {
        if (moor_strcasecmp(name, table[i]) == 0) {
            *bits |= UINT32_C(1) << i;
            return MOOR_OK;
        }
    }
    return moor_fail(err, MOOR_E_BADINPUT, "%s: %s: is unknown", what, name);
}

moor_code moor_syslog_filter_make(const struct moor_str_list *names,
                                  const struct moor_str_list *wanted_levels,
                                  struct moor_syslog_filter *out, struct moor_error *err)
{
    struct moor_syslog_filter f = { 0, 0 };
    moor_code c = MOOR_OK;
    for (size_t i = 0; c == MOOR_OK && i < names->count; i++) {
        /* Azure's list has it; no system sends it. */
        if (!moor_streq(names->items[i], "mark"))
            c = add_bit(names->items[i], facilities, MOOR_COUNTOF(facilities), "facilityNames",
                        &f.facilities, err);
    }
    for (size_t i = 0; c == MOOR_OK && i < wanted_levels->count; i++)
        c = add_bit(wanted_levels->items[i], levels, MOOR_COUNTOF(levels), "logLevels",
                    &f.severities, err);
    if (c != MOOR_OK)
        return c;
    out->facilities = names->count ? f.facilities : ALL_BITS;
    out->severities = wanted_levels->count ? f.severities : ALL_BITS;
    return MOOR_OK;
}

static void eat(struct moor_span *rest, size_t n)
{
    rest->p += n;
    rest->n -= n;
}

/* What is left of messages that were cut. False: more bytes are needed. */
static bool pass_over(struct moor_syslog_frames *f, struct moor_span *rest)
{
    if (f->pass_over > 0) {
        size_t n = f->pass_over < rest->n ? (size_t)f->pass_over : rest->n;
        eat(rest, n);
        f->pass_over -= n;
    }
    if (f->to_the_end && rest->n > 0) {
        const char *lf = memchr(rest->p, '\n', rest->n);
        eat(rest, lf ? (size_t)(lf - rest->p) + 1 : rest->n);
        f->to_the_end = !lf;
    }
    return rest->n > 0 && f->pass_over == 0 && !f->to_the_end;
}

/* Digits and a blank at the front: their length, and the count. 0: it is a line. */
static size_t counted(struct moor_span s, uint64_t *count)
{
    size_t i = 0;
    uint64_t v = 0;
    if (s.n == 0 || s.p[0] < '1')
        return 0;
    for (; i < s.n && i < COUNT_MAX && s.p[i] >= '0' && s.p[i] <= '9'; i++)
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    *count = v;
    /* A line may begin with a number too; a message begins with its priority. */
    return i + 1 < s.n && s.p[i] == ' ' && s.p[i + 1] == '<' ? i + 1 : 0;
}

static bool take_counted(struct moor_syslog_frames *f, struct moor_span *rest, size_t head,
                         uint64_t count, struct moor_span *message, bool *cut)
{
    size_t n = count < MOOR_SYSLOG_MAX ? (size_t)count : MOOR_SYSLOG_MAX;
    if (rest->n - head < n)
        return false;
    *cut = count > n;
    *message = moor_span(rest->p + head, n);
    f->pass_over = count - n;
    eat(rest, head + n);
    return true;
}

/* The first LF or NUL. */
static const char *line_end(struct moor_span s)
{
    const char *lf = memchr(s.p, '\n', s.n);
    const char *nul = memchr(s.p, '\0', lf ? (size_t)(lf - s.p) : s.n);
    return nul ? nul : lf;
}

bool moor_syslog_frame(struct moor_syslog_frames *f, struct moor_span *rest, bool last,
                       struct moor_span *message, bool *cut)
{
    uint64_t count = 0;
    *cut = false;
    if (!pass_over(f, rest))
        return false;
    size_t head = counted(*rest, &count);
    if (head > 0 && !last)
        return take_counted(f, rest, head, count, message, cut);
    if (head > 0 && take_counted(f, rest, head, count, message, cut))
        return true;
    eat(rest, head); /* the stream ended within a counted message */
    const char *end = line_end(*rest);
    size_t n = end ? (size_t)(end - rest->p) : rest->n;
    if (n > MOOR_SYSLOG_MAX) {
        *cut = true;
        *message = moor_span(rest->p, MOOR_SYSLOG_MAX);
        f->to_the_end = !end;
        eat(rest, end ? n + 1 : rest->n);
        return true;
    }
    if (!end && !last)
        return false;
    *message = moor_span(rest->p, n);
    eat(rest, n + (end ? 1 : 0));
    return true;
}
