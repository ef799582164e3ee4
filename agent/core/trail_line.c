/* SPDX-License-Identifier: Apache-2.0 */
#include "core/trail_line.h"

#include <inttypes.h>
#include <string.h>

#include "base/jsontab.h"
#include "base/sha256.h"
#include "base/timefmt.h"

#define OBJECT_MAX 256
#define DETAIL_MAX 512
#define RULE_MAX   128
#define WORD_MAX   32

#define HASH_BEFORE ",\"hash\":\""
#define HASH_AFTER  "\"}"
#define HASH_BYTES  (sizeof(HASH_BEFORE) - 1 + MOOR_TRAIL_HASH + sizeof(HASH_AFTER) - 1)

#define LINE(m) offsetof(struct moor_trail_line, m)
static const struct moor_json_field line_fields[] = {
    { MOOR_F_U64, "number", LINE(number), MOOR_F_REQUIRED, 1, INT64_C(1) << 52, NULL },
    { MOOR_F_TIME, "time", LINE(time_ms), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_STR, "by", LINE(by), MOOR_F_REQUIRED, 0, MOOR_TRAIL_LINE_MAX, NULL },
    { MOOR_F_STR, "verb", LINE(verb), MOOR_F_REQUIRED, 0, MOOR_TRAIL_LINE_MAX, NULL },
    { MOOR_F_STR, "object", LINE(object), MOOR_F_REQUIRED, 0, MOOR_TRAIL_LINE_MAX, NULL },
    { MOOR_F_STR, "detail", LINE(detail), MOOR_F_REQUIRED, 0, MOOR_TRAIL_LINE_MAX, NULL },
    { MOOR_F_STR, "verdict", LINE(verdict), MOOR_F_REQUIRED, 0, MOOR_TRAIL_LINE_MAX, NULL },
    { MOOR_F_STR, "rule", LINE(rule), MOOR_F_REQUIRED, 0, MOOR_TRAIL_LINE_MAX, NULL },
    { MOOR_F_STR, "previous", LINE(previous), MOOR_F_REQUIRED, MOOR_TRAIL_HASH, MOOR_TRAIL_HASH,
      NULL },
    { MOOR_F_STR, "hash", LINE(hash), MOOR_F_REQUIRED, MOOR_TRAIL_HASH, MOOR_TRAIL_HASH, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape line_shape = { sizeof(struct moor_trail_line), line_fields,
                                                   MOOR_F_STRICT };

struct head_document {
    uint32_t schema;
    uint64_t first, file, size, last;
    const char *tail, *hash;
};
#define HEAD(m) offsetof(struct head_document, m)
static const struct moor_json_field head_fields[] = {
    { MOOR_F_U32, "schema", HEAD(schema), MOOR_F_REQUIRED, 1, 1, NULL },
    { MOOR_F_U64, "first", HEAD(first), MOOR_F_REQUIRED, 1, INT64_C(1) << 52, NULL },
    { MOOR_F_U64, "file", HEAD(file), MOOR_F_REQUIRED, 1, INT64_C(1) << 52, NULL },
    { MOOR_F_U64, "size", HEAD(size), MOOR_F_REQUIRED, 0, INT64_C(1) << 52, NULL },
    { MOOR_F_U64, "last", HEAD(last), MOOR_F_REQUIRED, 0, INT64_C(1) << 52, NULL },
    { MOOR_F_STR, "tail", HEAD(tail), MOOR_F_REQUIRED, MOOR_TRAIL_HASH, MOOR_TRAIL_HASH, NULL },
    { MOOR_F_STR, "hash", HEAD(hash), MOOR_F_REQUIRED, MOOR_TRAIL_HASH, MOOR_TRAIL_HASH, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape head_shape = { sizeof(struct head_document), head_fields,
                                                   MOOR_F_STRICT };

static void add_text(struct moor_buf *b, const char *name, const char *value, size_t max)
{
    struct moor_span s = moor_span_str(value ? value : "");
    if (s.n > max)
        s.n = max; /* half a character at the end becomes U+FFFD */
    moor_buf_fmt(b, ",\"%s\":", name);
    moor_buf_json_str(b, s);
}

/* Ends the object that began at start. */
static void add_hash(struct moor_buf *b, size_t start, char hash[MOOR_TRAIL_HASH + 1])
{
    struct moor_span all = moor_buf_view(b);
    moor_sha256_hex(moor_span(all.p + start, all.n - start), hash);
    moor_buf_fmt(b, HASH_BEFORE "%s" HASH_AFTER "\n", hash);
}

static moor_code check_hash(struct moor_span text, struct moor_error *err)
{
    char hash[MOOR_TRAIL_HASH + 1];
    MOOR_AUTO(moor_buf) end = MOOR_BUF(HASH_BYTES);
    if (text.n < HASH_BYTES)
        return moor_fail(err, MOOR_E_BADINPUT, "it is too short");
    struct moor_span body = moor_span(text.p, text.n - HASH_BYTES);
    moor_sha256_hex(body, hash);
    moor_buf_fmt(&end, HASH_BEFORE "%s" HASH_AFTER, hash);
    if (!moor_span_eq(moor_buf_view(&end), moor_span(text.p + body.n, HASH_BYTES)))
        return moor_fail(err, MOOR_E_BADINPUT, "its hash is not that of its bytes");
    return MOOR_OK;
}

void moor_trail_print(struct moor_buf *b, uint64_t number, int64_t now_ms, const char *previous,
                      const struct moor_trail_entry *e, char hash[MOOR_TRAIL_HASH + 1])
{
    char time[MOOR_RFC3339_LEN + 1];
    size_t start = b->len;
    moor_rfc3339_format(now_ms, time);
    moor_buf_fmt(b, "{\"number\":%" PRIu64 ",\"time\":\"%s\"", number, time);
    add_text(b, "by", e->by, WORD_MAX);
    add_text(b, "verb", e->verb, WORD_MAX);
    add_text(b, "object", e->object, OBJECT_MAX);
    add_text(b, "detail", e->detail, DETAIL_MAX);
    add_text(b, "verdict", e->verdict, WORD_MAX);
    add_text(b, "rule", e->rule, RULE_MAX);
    add_text(b, "previous", previous, MOOR_TRAIL_HASH);
    add_hash(b, start, hash);
}

static moor_code parse_whole(struct moor_span text, struct moor_trail_line *out,
                             struct moor_arena *arena, struct moor_error *err)
{
    struct moor_trail_line line = { .torn = 0 };
    moor_code c = check_hash(text, err);
    if (c == MOOR_OK)
        c = moor_json_decode(text, "line", &line_shape, &line, arena, err);
    if (c == MOOR_OK)
        *out = line;
    return c;
}

void moor_trail_torn(struct moor_buf *b, struct moor_span bytes)
{
    char hash[MOOR_TRAIL_HASH + 1];
    moor_sha256_hex(bytes, hash);
    moor_buf_fmt(b, "%zu bytes before this line, SHA-256 %s", bytes.n, hash);
}

/* The seal behind what is left of an unfinished line, which it must describe. */
static bool parse_sealed(struct moor_span text, struct moor_trail_line *out,
                         struct moor_arena *arena)
{
    static const char begin[] = "{\"number\":";
    for (size_t at = 1; at + sizeof(begin) < text.n; at++) {
        MOOR_AUTO(moor_buf) torn = MOOR_BUF(256);
        struct moor_span rest = moor_span(text.p + at, text.n - at);
        if (!moor_span_starts(rest, begin) || parse_whole(rest, out, arena, NULL) != MOOR_OK)
            continue;
        moor_trail_torn(&torn, moor_span(text.p, at));
        out->torn = at;
        return moor_streq(out->verb, MOOR_TRAIL_SEAL) &&
               moor_streq(out->detail, moor_buf_cstr(&torn));
    }
    return false;
}

moor_code moor_trail_parse(struct moor_span text, struct moor_trail_line *out,
                           struct moor_arena *arena, struct moor_error *err)
{
    struct moor_trail_line sealed;
    moor_code c = parse_whole(text, out, arena, err);
    if (c == MOOR_OK && !moor_streq(out->verb, MOOR_TRAIL_SEAL))
        return MOOR_OK;
    if (c == MOOR_OK)
        return moor_fail(err, MOOR_E_BADINPUT, "what it seals is not there");
    if (!parse_sealed(text, &sealed, arena))
        return c;
    *out = sealed;
    return MOOR_OK;
}

void moor_trail_head_print(struct moor_buf *b, const struct moor_trail_head *h)
{
    char hash[MOOR_TRAIL_HASH + 1];
    size_t start = b->len;
    moor_buf_fmt(b,
                 "{\"schema\":1,\"first\":%" PRIu64 ",\"file\":%" PRIu64 ",\"size\":%" PRIu64
                 ",\"last\":%" PRIu64 ",\"tail\":\"%s\"",
                 h->first, h->file, h->size, h->last, h->tail);
    add_hash(b, start, hash);
}

moor_code moor_trail_head_parse(struct moor_span text, struct moor_trail_head *out,
                                struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(1024);
    struct head_document d = { .schema = 0 };
    if (!moor_span_ends(text, "\n"))
        return moor_fail(err, MOOR_E_BADINPUT, "it is not finished");
    text.n--;
    moor_code c = check_hash(text, err);
    if (c == MOOR_OK)
        c = moor_json_decode(text, "head", &head_shape, &d, &arena, err);
    if (c != MOOR_OK)
        return c;
    *out = (struct moor_trail_head){ d.first, d.file, d.size, d.last, "" };
    memcpy(out->tail, d.tail, sizeof(out->tail));
    return MOOR_OK;
}
