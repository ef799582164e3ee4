/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ingest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/json.h"
#include "base/text.h"
#include "base/timefmt.h"

#define CHUNK        ((size_t)256 << 10)
#define GZIP_WINDOW  (15 + 16) /* zlib: largest window, gzip framing only */
#define TOO_OLD_MS   (INT64_C(2) * 86400000)
#define TOO_NEW_MS   INT64_C(86400000)
#define MINUTE_MS    INT64_C(60000)
#define ROW_OVERHEAD 4 /* how much longer than the body its rows may be */

struct inflater {
    z_stream z;
    bool on;
};
static void inflater_drop(struct inflater *i)
{
    if (i->on)
        (void)inflateEnd(&i->z);
    i->on = false;
}
MOOR_DEFINE_AUTO(inflater)

void moor_ingested_drop(struct moor_ingested *i)
{
    moor_buf_drop(&i->text);
    free(i->rows);
    i->rows = NULL;
    i->count = 0;
}

static moor_code refuse(struct moor_error *err, moor_code code, const char *service_code,
                        const char *why)
{
    code = moor_fail(err, code, "%s", why);
    if (err)
        memcpy(err->service_code, service_code, strlen(service_code) + 1);
    return code;
}

static moor_code too_large(struct moor_error *err)
{
    return refuse(err, MOOR_E_NOMEM, "ContentLengthLimitExceeded",
                  "The decompressed content is larger than 52428800 bytes (50 MB).");
}

static moor_code bad_json(struct moor_error *err, const char *why)
{
    return refuse(err, MOOR_E_BADINPUT, "InvalidJson", why);
}

static moor_code gunzip(struct moor_span body, struct moor_buf *out, struct moor_error *err)
{
    MOOR_AUTO(inflater) in = { .on = false };
    if (inflateInit2(&in.z, GZIP_WINDOW) != Z_OK)
        return moor_fail(err, MOOR_E_NOMEM, "decompression: no memory");
    in.on = true;
    in.z.next_in = (Bytef *)(uintptr_t)body.p; /* zlib does not write there */
    in.z.avail_in = (uInt)body.n;
    int status = Z_OK;
    while (status == Z_OK) {
        if (out->len >= MOOR_INGEST_UNPACKED_MAX)
            return too_large(err);
        size_t room = MOOR_INGEST_UNPACKED_MAX - out->len < CHUNK
                          ? MOOR_INGEST_UNPACKED_MAX - out->len
                          : CHUNK;
        char *p = moor_buf_room(out, room);
        if (!p)
            return moor_buf_ok(out, "decompressed content", err);
        in.z.next_out = (Bytef *)p;
        in.z.avail_out = (uInt)room;
        status = inflate(&in.z, Z_NO_FLUSH);
        moor_buf_grew(out, room - in.z.avail_out);
        if (status == Z_STREAM_END && in.z.avail_in > 0) /* RFC 1952: another member follows */
            status = inflateReset(&in.z);
    }
    if (status != Z_STREAM_END)
        return bad_json(err, "The content is no complete gzip stream.");
    return MOOR_OK;
}

/* Splitting. */
static void skip_blanks(struct moor_span *s)
{
    while (s->n && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t')) {
        s->p++;
        s->n--;
    }
}

/* Bytes up to the comma or bracket that ends the element; n when there is none. Strings are
 * skipped; everything else about the element is checked when it is parsed. */
static size_t element_end(struct moor_span s)
{
    size_t depth = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '"') {
            for (i++; i < s.n && s.p[i] != '"'; i++)
                i += s.p[i] == '\\';
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && depth) {
            depth--;
        } else if ((c == ',' || c == ']') && !depth) {
            return i;
        }
    }
    return s.n;
}

bool moor_ingest_next(struct moor_span *rest, struct moor_span *item, bool *ok)
{
    skip_blanks(rest);
    size_t n = element_end(*rest);
    *ok = n < rest->n;
    *item = moor_span_trim(moor_span(rest->p, n));
    if (!*ok)
        return false;
    char end = rest->p[n];
    *rest = moor_span(rest->p + n + 1, rest->n - n - 1);
    if (end == ',') {
        /* A comma promises one more element. */
        skip_blanks(rest);
        *ok = item->n && rest->n && *rest->p != ']';
        return *ok;
    }
    if (item->n == 0)
        return false;
    /* The last element: what follows is looked at by the next call. */
    rest->p--;
    rest->n++;
    return true;
}

/* Rows. */
static void put_text(struct moor_buf *b, struct moor_span s)
{
    if (s.n > MOOR_INGEST_FIELD_MAX) {
        s.n = MOOR_INGEST_FIELD_MAX;
        while (s.n && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
            s.n--;
    }
    moor_buf_json_str(b, s);
}

static bool put_number(struct moor_buf *b, const struct moor_json *v, bool whole)
{
    int64_t i = 0;
    double r = 0;
    const char *text = moor_json_str(v);
    if (text && whole && moor_parse_i64(moor_span_str(text), INT64_MIN, INT64_MAX, &i, NULL))
        return false;
    if (!text && whole && !moor_json_int(v, &i))
        return false;
    if (whole) {
        moor_buf_fmt(b, "%" PRId64, i);
        return true;
    }
    MOOR_AUTOPTR(moor_json) parsed = NULL;
    if (text && (moor_json_parse(moor_span_str(text), &parsed, NULL)))
        return false;
    if (!moor_json_number(text ? parsed : v, &r))
        return false;
    moor_buf_json(b, text ? parsed : v);
    return true;
}

static bool put_bool(struct moor_buf *b, const struct moor_json *v)
{
    bool truth = false;
    const char *text = moor_json_str(v);
    if (text)
        truth = moor_strcasecmp(text, "true") == 0;
    if (text ? !truth && moor_strcasecmp(text, "false") != 0 : !moor_json_bool(v, &truth))
        return false;
    moor_buf_str(b, truth ? "true" : "false");
    return true;
}

static bool put_time(struct moor_buf *b, const struct moor_json *v)
{
    int64_t ms = 0;
    if (moor_rfc3339_parse(moor_span_str(moor_json_str(v)), &ms, NULL))
        return false;
    moor_buf_char(b, '"');
    moor_buf_rfc3339(b, ms);
    moor_buf_char(b, '"');
    return true;
}

static bool put_guid(struct moor_buf *b, const struct moor_json *v)
{
    const char *text = moor_json_str(v);
    if (!text || !moor_uuid_valid(moor_span_str(text)))
        return false;
    moor_buf_json_str(b, moor_span_str(text));
    return true;
}

static void put_as_text(struct moor_buf *b, const struct moor_json *v)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_INGEST_UNPACKED_MAX);
    const char *s = moor_json_str(v);
    if (!s)
        moor_buf_json(&text, v);
    put_text(b, s ? moor_span_str(s) : moor_buf_view(&text));
}

/* A value of the column's type, or nothing: what cannot be converted is null. */
static bool put_value(struct moor_buf *b, moor_kql_type type, const struct moor_json *v)
{
    switch (type) {
    case MOOR_KQL_LONG:
    case MOOR_KQL_INT:
        return put_number(b, v, true);
    case MOOR_KQL_REAL:
        return put_number(b, v, false);
    case MOOR_KQL_BOOL:
        return put_bool(b, v);
    case MOOR_KQL_DATETIME:
        return put_time(b, v);
    case MOOR_KQL_GUID:
        return put_guid(b, v);
    case MOOR_KQL_DYNAMIC:
        moor_buf_json(b, v);
        return true;
    case MOOR_KQL_STRING:
    case MOOR_KQL_TIMESPAN:
    default:
        put_as_text(b, v);
        return true;
    }
}

static int64_t time_of(const struct moor_json *row, int64_t now_ms)
{
    int64_t ms = 0;
    const char *text = moor_json_get_str(row, "TimeGenerated");
    if (!text || moor_rfc3339_parse(moor_span_str(text), &ms, NULL) || ms < now_ms - TOO_OLD_MS ||
        ms > now_ms + TOO_NEW_MS)
        return now_ms;
    return ms;
}

static void put_row(const struct moor_ingest *in, const struct moor_json *row, int64_t time_ms,
                    struct moor_buf *b)
{
    moor_buf_str(b, "{\"TimeGenerated\":\"");
    moor_buf_rfc3339(b, time_ms);
    moor_buf_char(b, '"');
    for (size_t i = 0; i < in->columns.count; i++) {
        const struct moor_kql_column *column = &in->columns.items[i];
        const struct moor_json *v = moor_json_get(row, column->name);
        if (!v || moor_json_typeof(v) == MOOR_JSON_NULL ||
            moor_strcasecmp(column->name, "TimeGenerated") == 0)
            continue;
        size_t before = b->len;
        moor_buf_fmt(b, ",\"%s\":", column->name);
        if (!put_value(b, column->type, v))
            moor_buf_cut(b, before);
    }
    if (*in->resource_id) {
        moor_buf_str(b, ",\"_ResourceId\":");
        moor_buf_json_str(b, moor_span_str(in->resource_id));
    }
    moor_buf_char(b, '}');
}

static bool add_row(struct moor_ingested *out, size_t *room, int64_t time_ms, size_t offset)
{
    if (out->count == *room) {
        size_t bigger = *room ? *room * 2 : 256;
        struct moor_log_row *rows = realloc(out->rows, bigger * sizeof(*rows));
        if (!rows)
            return false;
        out->rows = rows;
        *room = bigger;
    }
    /* The text may move while it grows: offsets now, addresses at the end. */
    out->rows[out->count++] = (struct moor_log_row){ time_ms, { NULL, offset } };
    return true;
}

static void fix_spans(struct moor_ingested *out)
{
    for (size_t i = 0; i < out->count; i++) {
        size_t start = out->rows[i].json.n;
        size_t end = i + 1 < out->count ? out->rows[i + 1].json.n : out->text.len;
        out->rows[i].json = moor_span(out->text.data + start, end - start);
    }
}

static moor_code read_rows(const struct moor_ingest *in, struct moor_span text,
                           struct moor_ingested *out, struct moor_error *err)
{
    size_t room = 0;
    bool ok = true;
    struct moor_span rest = moor_span_trim(text), item;
    if (!rest.n || *rest.p != '[')
        return bad_json(err, "The content is not a JSON array.");
    rest = moor_span(rest.p + 1, rest.n - 1);
    while (moor_ingest_next(&rest, &item, &ok)) {
        MOOR_AUTOPTR(moor_json) row = NULL;
        struct moor_error why = MOOR_ERROR_INIT;
        if (moor_json_parse(item, &row, &why))
            return bad_json(err, why.msg);
        if (moor_json_typeof(row) != MOOR_JSON_OBJECT)
            return bad_json(err, "The content is not a JSON array of objects.");
        int64_t time_ms = time_of(row, in->now_ms);
        if (!add_row(out, &room, time_ms, out->text.len))
            return moor_fail(err, MOOR_E_NOMEM, "rows: no memory");
        put_row(in, row, time_ms, &out->text);
    }
    if (!ok || rest.n)
        return bad_json(err, "The content is not one complete JSON array.");
    fix_spans(out);
    return moor_buf_ok(&out->text, "rows", err);
}

moor_code moor_ingest_rows(const struct moor_ingest *in, struct moor_ingested *out,
                           struct moor_error *err)
{
    MOOR_AUTO(moor_buf) clear = MOOR_BUF(MOOR_INGEST_UNPACKED_MAX);
    struct moor_span text = in->body;
    out->text = (struct moor_buf)MOOR_BUF(MOOR_INGEST_UNPACKED_MAX * ROW_OVERHEAD);
    if (in->gzip) {
        moor_code c = gunzip(in->body, &clear, err);
        if (c)
            return c;
        text = moor_buf_view(&clear);
    }
    return read_rows(in, text, out, err);
}

uint32_t moor_quota_take(struct moor_quota *q, uint64_t bytes, uint64_t requests_max,
                         uint64_t bytes_max, int64_t now_ms)
{
    if (now_ms < q->window_ms || now_ms >= q->window_ms + MINUTE_MS)
        *q = (struct moor_quota){ .window_ms = now_ms };
    if (q->requests < requests_max && q->bytes + bytes <= bytes_max) {
        q->requests++;
        q->bytes += bytes;
        return 0;
    }
    return (uint32_t)((q->window_ms + MINUTE_MS - now_ms + 999) / 1000);
}

struct entry {
    char rule[64];
    struct moor_quota quota;
};

struct moor_quotas {
    uint64_t requests_max, bytes_max;
    struct entry *entries;
    size_t count, room;
};

moor_code moor_quotas_new(uint64_t requests_max, uint64_t bytes_max, struct moor_quotas **out,
                          struct moor_error *err)
{
    struct moor_quotas *q = calloc(1, sizeof(*q));
    if (!q)
        return moor_fail(err, MOOR_E_NOMEM, "quotas: no memory");
    q->requests_max = requests_max;
    q->bytes_max = bytes_max;
    *out = q;
    return MOOR_OK;
}

void moor_quotas_free(struct moor_quotas *q)
{
    if (q)
        free(q->entries);
    free(q);
}

static struct entry *new_entry(struct moor_quotas *q, const char *rule)
{
    size_t n = strlen(rule);
    if (n >= sizeof(q->entries->rule))
        return NULL;
    if (q->count == q->room) {
        size_t room = q->room ? q->room * 2 : 16;
        struct entry *entries = realloc(q->entries, room * sizeof(*entries));
        if (!entries)
            return NULL;
        q->entries = entries;
        q->room = room;
    }
    struct entry *e = &q->entries[q->count++];
    *e = (struct entry){ .quota = { 0, 0, 0 } };
    memcpy(e->rule, rule, n + 1);
    return e;
}

uint32_t moor_quotas_take(struct moor_quotas *q, const char *rule, uint64_t bytes, int64_t now_ms)
{
    struct entry *found = NULL;
    for (size_t i = q->count; i-- > 0;)
        if (now_ms >= q->entries[i].quota.window_ms + MINUTE_MS)
            q->entries[i] = q->entries[--q->count];
    for (size_t i = 0; !found && i < q->count; i++)
        if (strcmp(q->entries[i].rule, rule) == 0)
            found = &q->entries[i];
    if (!found)
        found = new_entry(q, rule);
    return found ? moor_quota_take(&found->quota, bytes, q->requests_max, q->bytes_max, now_ms) : 1;
}
