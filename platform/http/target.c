/* SPDX-License-Identifier: Apache-2.0 */
#include "http/target.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/span.h"
#include "base/text.h"

static bool is_unreserved_or_sub_delim(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~!$&'()*+,;=:@%", c) != NULL);
}

static bool chars_allowed(struct moor_span s, const char *also)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_unreserved_or_sub_delim(s.p[i]) && !strchr(also, s.p[i]))
            return false;
    return true;
}

/* Escapes decoded into the arena; NULL with *why when they are broken. */
static const char *decode(struct moor_span s, bool form, struct moor_arena *arena,
                          moor_refusal *why)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(s.n + 1);
    *why = MOOR_REFUSE_TARGET;
    if (moor_percent_decode(s, form, &text, NULL) != MOOR_OK)
        return NULL;
    if (!moor_utf8_valid(moor_buf_view(&text)))
        return NULL;
    const char *copy = moor_arena_str(arena, moor_buf_view(&text));
    *why = copy && !text.failed ? MOOR_REFUSE_NOTHING : MOOR_REFUSE_NO_MEMORY;
    return copy;
}

static bool segment_allowed(const char *s)
{
    if (moor_streq(s, ".") || moor_streq(s, ".."))
        return false;
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f || *s == '/' || *s == '\\')
            return false;
    return true;
}

static size_t count_byte(struct moor_span s, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == c;
    return n;
}

static moor_refusal join_path(struct moor_arena *arena, struct moor_target *out)
{
    size_t n = 2;
    for (size_t i = 0; i < out->segment_count; i++)
        n += strlen(out->segments[i]) + 1;
    char *path = moor_arena_alloc(arena, n);
    if (!path)
        return MOOR_REFUSE_NO_MEMORY;
    char *at = path;
    for (size_t i = 0; i < out->segment_count; i++) {
        size_t len = strlen(out->segments[i]);
        *at++ = '/';
        memcpy(at, out->segments[i], len);
        at += len;
    }
    if (at == path)
        *at = '/';
    out->path = path;
    return MOOR_REFUSE_NOTHING;
}

static moor_refusal parse_path(struct moor_span raw, struct moor_arena *arena,
                               struct moor_target *out)
{
    if (!chars_allowed(raw, "/"))
        return MOOR_REFUSE_TARGET;
    const char **segments = moor_arena_array(arena, count_byte(raw, '/') + 1, sizeof(*segments));
    if (!segments)
        return MOOR_REFUSE_NO_MEMORY;
    out->segments = segments;
    while (raw.p) {
        struct moor_span part = moor_span_cut(&raw, '/');
        if (part.n == 0)
            continue;
        moor_refusal why;
        const char *text = decode(part, false, arena, &why);
        if (!text)
            return why;
        if (!segment_allowed(text))
            return MOOR_REFUSE_TARGET;
        segments[out->segment_count++] = text;
    }
    return join_path(arena, out);
}

static moor_refusal parse_query(struct moor_span raw, struct moor_arena *arena,
                                struct moor_target *out)
{
    if (!chars_allowed(raw, "/?[]"))
        return MOOR_REFUSE_TARGET;
    struct moor_target_pair *pairs =
        moor_arena_array(arena, count_byte(raw, '&') + 1, sizeof(*pairs));
    if (!pairs)
        return MOOR_REFUSE_NO_MEMORY;
    out->query = pairs;
    while (raw.p) {
        struct moor_span value = moor_span_cut(&raw, '&');
        if (value.n == 0)
            continue;
        struct moor_span name = moor_span_cut(&value, '=');
        moor_refusal why;
        struct moor_target_pair *pair = &pairs[out->query_count];
        if (!(pair->name = decode(name, true, arena, &why)) ||
            !(pair->value = decode(value, true, arena, &why)))
            return why;
        out->query_count++;
    }
    return MOOR_REFUSE_NOTHING;
}

moor_refusal moor_target_parse(const char *raw, struct moor_arena *arena, struct moor_target *out)
{
    struct moor_target t = { 0 };
    struct moor_span query = moor_span_str(raw);
    struct moor_span path = moor_span_cut(&query, '?');
    moor_refusal r = parse_path(path, arena, &t);
    if (r == MOOR_REFUSE_NOTHING)
        r = parse_query(query, arena, &t);
    if (r == MOOR_REFUSE_NOTHING)
        *out = t;
    return r;
}

const char *moor_target_query(const struct moor_target *t, const char *name)
{
    for (size_t i = 0; i < t->query_count; i++)
        if (moor_strcasecmp(t->query[i].name, name) == 0)
            return t->query[i].value;
    return NULL;
}
