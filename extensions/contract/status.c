/* SPDX-License-Identifier: Apache-2.0 */
#include "contract/status.h"

#include "base/text.h"
#include "base/timefmt.h"

#include <string.h>

#define TOP_MESSAGE_MAX (16 * 1024)
#define SUB_TEXT_MAX    (10 * 1024)
#define MESSAGE_KEEP    1024 /* of the message, when the whole is too long */
#define BRIEF_MAX       (MOOR_STATUS_REPORT_MAX - 16 * 1024) /* for substatuses beside the rest */

static const char *const state_names[] = { "", "transitioning", "success", "warning", "error" };

const char *moor_status_state_name(moor_status_state s)
{
    return state_names[s];
}

static bool find_state(const char *word, moor_status_state *out)
{
    for (size_t i = MOOR_STATUS_TRANSITIONING; i < MOOR_COUNTOF(state_names); i++) {
        if (word && moor_strcasecmp(word, state_names[i]) == 0) {
            *out = (moor_status_state)i;
            return true;
        }
    }
    return false;
}

/* A number, or a number as text; 0 otherwise. */
static int64_t lenient_code(const struct moor_json *v)
{
    int64_t n = 0;
    double d;
    if (moor_json_int(v, &n))
        return n;
    if (moor_json_number(v, &d) && d > -1e9 && d < 1e9)
        return (int64_t)d;
    if (moor_json_str(v) &&
        moor_parse_i64(moor_span_str(moor_json_str(v)), INT32_MIN, INT32_MAX, &n, NULL) == MOOR_OK)
        return n;
    return 0;
}

void moor_buf_redacted(struct moor_buf *b, struct moor_span text)
{
    static const char mark[] = "sig=", hidden[] = "<redacted>";
    while (text.n > 0) {
        bool at_mark = text.n >= sizeof(mark) - 1 && memcmp(text.p, mark, sizeof(mark) - 1) == 0;
        if (!at_mark) {
            moor_buf_char(b, *text.p);
            text = moor_span(text.p + 1, text.n - 1);
            continue;
        }
        size_t i = sizeof(mark) - 1;
        if (moor_span_starts(moor_span(text.p + i, text.n - i), hidden))
            i += sizeof(hidden) - 1;
        while (i < text.n && !strchr("& \t\r\n\"'<>", text.p[i]))
            i++;
        moor_buf_fmt(b, "%s%s", mark, hidden);
        text = moor_span(text.p + i, text.n - i);
    }
}

/* Cuts at a character's border and says so. */
static void add_cut(struct moor_buf *b, const char *s, size_t max)
{
    size_t n = strlen(s);
    if (n <= max) {
        moor_buf_redacted(b, moor_span(s, n));
        return;
    }
    while (max > 0 && ((unsigned char)s[max] & 0xC0) == 0x80)
        max--;
    moor_buf_redacted(b, moor_span(s, max));
    moor_buf_str(b, " ... [TRUNCATED]");
}

static struct moor_json *clean_str(const char *s, size_t max)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(4 * max + 64);
    add_cut(&b, s ? s : "", max);
    return moor_json_new_str(moor_buf_cstr(&b));
}

static struct moor_json *clean_message(const struct moor_json *formatted, size_t max)
{
    struct moor_json *out = moor_json_new_object();
    const char *lang = moor_json_get_str(formatted, "lang");
    moor_json_set(out, "lang", clean_str(lang ? lang : "en-US", 32));
    moor_json_set(out, "message", clean_str(moor_json_get_str(formatted, "message"), max));
    return out;
}

/* NULL for a null item, which handlers write and nobody means. */
static struct moor_json *clean_substatus(const struct moor_json *item, struct moor_error *err,
                                         moor_code *code)
{
    moor_status_state state;
    const char *word = moor_json_get_str(item, "status");
    if (moor_json_typeof(item) != MOOR_JSON_OBJECT)
        return NULL;
    if (!find_state(word, &state)) {
        *code = moor_fail(err, MOOR_E_BADINPUT, "status file: substatus: unknown status");
        return NULL;
    }
    struct moor_json *out = moor_json_new_object();
    moor_json_set(out, "name", clean_str(moor_json_get_str(item, "name"), SUB_TEXT_MAX));
    moor_json_set_str(out, "status", state_names[state]);
    moor_json_set_int(out, "code", lenient_code(moor_json_get(item, "code")));
    moor_json_set(out, "formattedMessage",
                  clean_message(moor_json_get(item, "formattedMessage"), SUB_TEXT_MAX));
    return out;
}

static size_t printed_length(const struct moor_json *v)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(MOOR_STATUS_REPORT_MAX);
    moor_buf_json(&b, v);
    return b.failed ? MOOR_STATUS_REPORT_MAX : b.len + 1;
}

/* Adds as many as have room. */
static moor_code clean_substatus_list(const struct moor_json *list, size_t room,
                                      struct moor_json *out, struct moor_error *err)
{
    MOOR_JSON_EACH(item, list)
    {
        moor_code c = MOOR_OK;
        struct moor_json *sub = clean_substatus(item, err, &c);
        if (c != MOOR_OK)
            return c;
        if (!sub)
            continue;
        size_t n = room == SIZE_MAX ? 0 : printed_length(sub);
        if (n > room) {
            moor_json_free(sub);
            return MOOR_OK;
        }
        room -= n;
        moor_json_push(out, sub);
    }
    return MOOR_OK;
}

static moor_code clean_status(const struct moor_json *item, moor_status_state state,
                              size_t message_max, size_t substatus_room, struct moor_json **out,
                              struct moor_error *err)
{
    const struct moor_json *in = moor_json_get(item, "status");
    MOOR_AUTOPTR(moor_json) doc = moor_json_new_object();
    struct moor_json *status = moor_json_set(doc, "status", moor_json_new_object());
    const char *time = moor_json_get_str(item, "timestampUTC");
    moor_json_set(doc, "version", moor_json_new_number(1));
    moor_json_set(doc, "timestampUTC", clean_str(time, 64));
    moor_json_set(status, "name", clean_str(moor_json_get_str(in, "name"), 256));
    moor_json_set(status, "operation", clean_str(moor_json_get_str(in, "operation"), 256));
    moor_json_set_str(status, "status", state_names[state]);
    moor_json_set_int(status, "code", lenient_code(moor_json_get(in, "code")));
    moor_json_set(status, "formattedMessage",
                  clean_message(moor_json_get(in, "formattedMessage"), message_max));
    struct moor_json *list = moor_json_set(status, "substatus", moor_json_new_array());
    moor_code c = clean_substatus_list(moor_json_get(in, "substatus"), substatus_room, list, err);
    if (c != MOOR_OK)
        return c;
    *out = MOOR_TAKE(doc);
    return MOOR_OK;
}

static const char *print_in(struct moor_arena *arena, const struct moor_json *doc, size_t max)
{
    MOOR_AUTO(moor_buf) b = MOOR_BUF(max);
    moor_buf_json(&b, doc);
    return moor_buf_ok(&b, "status", NULL) == MOOR_OK ? moor_arena_str(arena, moor_buf_view(&b))
                                                      : NULL;
}

/* The whole when it fits, else the head of the message and as many substatuses as have room. */
static moor_code rewrite(const struct moor_json *item, moor_status_state state,
                         struct moor_handler_status *out, struct moor_arena *arena,
                         struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) doc = NULL;
    moor_code c = clean_status(item, state, TOP_MESSAGE_MAX, SIZE_MAX, &doc, err);
    if (c != MOOR_OK)
        return c;
    out->json = print_in(arena, doc, MOOR_STATUS_REPORT_MAX);
    if (!out->json) {
        MOOR_AUTOPTR(moor_json) brief = NULL;
        c = clean_status(item, state, MESSAGE_KEEP, BRIEF_MAX, &brief, err);
        if (c != MOOR_OK)
            return c;
        out->json = print_in(arena, brief, MOOR_STATUS_REPORT_MAX);
    }
    const char *message = moor_json_str(moor_json_path(doc, "status.formattedMessage.message"));
    const char *name = moor_json_str(moor_json_path(doc, "status.name"));
    const char *operation = moor_json_str(moor_json_path(doc, "status.operation"));
    out->message = moor_arena_str(arena, moor_span_str(message));
    out->name = moor_arena_str(arena, moor_span_str(name));
    out->operation = moor_arena_str(arena, moor_span_str(operation));
    if (!out->json || !out->message || !out->name || !out->operation)
        return moor_fail(err, MOOR_E_NOMEM, "status file: out of memory");
    return MOOR_OK;
}

moor_code moor_status_parse(struct moor_span text, struct moor_handler_status *out,
                            struct moor_arena *arena, struct moor_error *err)
{
    struct moor_handler_status s = { MOOR_STATUS_NONE, 0, "", "", "", "" };
    MOOR_AUTOPTR(moor_json) doc = NULL;
    if (moor_span_trim(text).n == 0) {
        *out = s;
        return MOOR_OK;
    }
    if (text.n > MOOR_STATUS_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "status file: want at most %d bytes",
                         MOOR_STATUS_MAX);
    if (moor_json_parse_lenient(text, &doc, err) != MOOR_OK)
        return moor_context(err, "status file");
    if (moor_json_typeof(doc) == MOOR_JSON_ARRAY && moor_json_size(doc) == 0) {
        *out = s;
        return MOOR_OK;
    }
    if (moor_json_typeof(doc) != MOOR_JSON_ARRAY)
        return moor_fail(err, MOOR_E_BADINPUT, "status file: want an array");
    const struct moor_json *item = moor_json_first(doc);
    const char *word = moor_json_str(moor_json_path(item, "status.status"));
    if (!word)
        return moor_fail(err, MOOR_E_BADINPUT, "status file: status.status: is required");
    if (!find_state(word, &s.state))
        return moor_fail(err, MOOR_E_BADINPUT,
                         "status file: status.status: want transitioning, success, warning or "
                         "error");
    s.code = lenient_code(moor_json_path(item, "status.code"));
    moor_code c = rewrite(item, s.state, &s, arena, err);
    if (c == MOOR_OK)
        *out = s;
    return c;
}

void moor_buf_status_element(struct moor_buf *b, const struct moor_status_entry *e)
{
    char time[MOOR_RFC3339_LEN + 1];
    moor_rfc3339_format(e->time_ms, time);
    moor_buf_fmt(b, "{\"version\":1.0,\"timestampUTC\":\"%s\",\"status\":{\"name\":", time);
    moor_buf_json_str(b, moor_span_str(e->name));
    moor_buf_str(b, ",\"operation\":");
    moor_buf_json_str(b, moor_span_str(e->operation));
    moor_buf_fmt(b,
                 ",\"configurationAppliedTime\":\"%s\",\"status\":\"%s\",\"code\":%lld,"
                 "\"formattedMessage\":{\"lang\":\"en-US\",\"message\":",
                 time, state_names[e->state], (long long)e->code);
    moor_buf_json_str(b, moor_span_str(e->message));
    moor_buf_str(b, "},\"substatus\":[]}}");
}

void moor_buf_status(struct moor_buf *b, const struct moor_status_entry *e)
{
    moor_buf_char(b, '[');
    moor_buf_status_element(b, e);
    moor_buf_char(b, ']');
}

moor_code moor_heartbeat_parse(struct moor_span text, struct moor_handler_heartbeat *out,
                               struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) doc = NULL;
    if (moor_json_parse_lenient(text, &doc, err) != MOOR_OK)
        return moor_context(err, "heartbeat file");
    const struct moor_json *beat = moor_json_get(moor_json_first(doc), "heartbeat");
    const char *word = moor_json_get_str(beat, "status");
    if (!word)
        return moor_fail(err, MOOR_E_BADINPUT, "heartbeat file: heartbeat.status: is required");
    const char *message = moor_json_str(moor_json_path(beat, "formattedMessage.message"));
    if (!message)
        message = moor_json_str(moor_json_get_nocase(beat, "message"));
    const char *mine = moor_arena_str(arena, moor_span_str(message ? message : ""));
    if (!mine)
        return moor_fail(err, MOOR_E_NOMEM, "heartbeat file: out of memory");
    out->ready = moor_strcasecmp(word, "ready") == 0;
    out->code = lenient_code(moor_json_get(beat, "code"));
    out->message = mine;
    return MOOR_OK;
}
