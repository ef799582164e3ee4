/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/queue.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "logs/positions.h"
#include "platform/file.h"
#include "run/log.h"

#define MAGIC       "MOORQ001"
#define MAGIC_BYTES 8
#define FRAME_BYTES (MAGIC_BYTES + 16)
#define HEAD_MAX    ((size_t)512 * 1024)
#define NAME_DIGITS 16
#define PATH_BYTES  4096
#define END                                                                                        \
    {                                                                                              \
        MOOR_F_END, NULL, 0, 0, 0, 0, NULL                                                         \
    }

#define H(member) offsetof(struct moor_queue_head, member)
static const struct moor_json_field head_fields[] = {
    { MOOR_F_STR, "key", H(key), MOOR_F_REQUIRED, 1, 512, NULL },
    { MOOR_F_STR, "endpoint", H(endpoint), MOOR_F_REQUIRED, 1, 2048, NULL },
    { MOOR_F_STR, "immutableId", H(immutable_id), MOOR_F_REQUIRED, 1, 64, NULL },
    { MOOR_F_STR, "stream", H(stream), MOOR_F_REQUIRED, 1, 128, NULL },
    { MOOR_F_U32, "rows", H(rows), MOOR_F_REQUIRED, 1, 0, NULL },
    { MOOR_F_TIME, "created", H(created_ms), 0, 0, 0, NULL },
    { MOOR_F_OBJ_LIST, "sources", H(sources), 0, 0, 0, &moor_position_shape },
    END,
};
static const struct moor_json_shape head_shape = { sizeof(struct moor_queue_head), head_fields,
                                                   MOOR_F_STRICT };

static void put_u32(struct moor_buf *b, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        moor_buf_char(b, (char)(n >> (8 * i)));
}

static uint32_t get_u32(const char *p)
{
    uint32_t n = 0;
    for (int i = 3; i >= 0; i--)
        n = n << 8 | (unsigned char)p[i];
    return n;
}

static uint32_t crc_of(struct moor_span s)
{
    return (uint32_t)crc32(crc32(0, NULL, 0), (const Bytef *)s.p, (uInt)s.n);
}

void moor_queue_encode(struct moor_buf *b, const struct moor_queue_head *head,
                       struct moor_span body)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(HEAD_MAX);
    moor_json_encode(&text, &head_shape, head);
    if (text.failed) {
        moor_buf_fail(b);
        return;
    }
    moor_buf_str(b, MAGIC);
    put_u32(b, (uint32_t)text.len);
    put_u32(b, (uint32_t)body.n);
    put_u32(b, crc_of(moor_buf_view(&text)));
    put_u32(b, crc_of(body));
    moor_buf_span(b, moor_buf_view(&text));
    moor_buf_span(b, body);
}

moor_code moor_queue_decode(struct moor_span text, bool head_only, struct moor_queue_head *head,
                            struct moor_span *body, struct moor_arena *arena,
                            struct moor_error *err)
{
    struct moor_queue_head h = { .rows = 0 };
    if (text.n < FRAME_BYTES || memcmp(text.p, MAGIC, MAGIC_BYTES) != 0)
        return moor_fail(err, MOOR_E_PROTOCOL, "is no entry of the queue");
    size_t head_len = get_u32(text.p + MAGIC_BYTES), body_len = get_u32(text.p + MAGIC_BYTES + 4);
    uint32_t head_crc = get_u32(text.p + MAGIC_BYTES + 8);
    uint32_t body_crc = get_u32(text.p + MAGIC_BYTES + 12);
    if (head_len > HEAD_MAX || text.n - FRAME_BYTES < head_len)
        return moor_fail(err, MOOR_E_PROTOCOL, "head is torn");
    struct moor_span head_text = { text.p + FRAME_BYTES, head_len };
    if (crc_of(head_text) != head_crc)
        return moor_fail(err, MOOR_E_PROTOCOL, "head is damaged");
    moor_code c = moor_json_decode(head_text, "head", &head_shape, &h, arena, err);
    if (c != MOOR_OK)
        return c;
    struct moor_span rest = { head_text.p + head_len, text.n - FRAME_BYTES - head_len };
    if (!head_only && (rest.n != body_len || crc_of(rest) != body_crc))
        return moor_fail(err, MOOR_E_PROTOCOL, "body is %s",
                         rest.n < body_len ? "torn" : "damaged");
    *head = h;
    if (body)
        *body = head_only ? MOOR_SPAN_NONE : rest;
    return MOOR_OK;
}

static void entry_path(struct moor_buf *b, const char *folder, uint64_t number, const char *suffix)
{
    moor_buf_fmt(b, "%s/%016" PRIx64 "%s", folder, number, suffix);
}

moor_code moor_queue_put(const char *folder, uint64_t number, const struct moor_queue_head *head,
                         struct moor_span body, uint64_t *bytes, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_QUEUE_FILE_MAX);
    MOOR_AUTO(moor_buf) path = MOOR_BUF(PATH_BYTES);
    moor_queue_encode(&text, head, body);
    entry_path(&path, folder, number, "");
    moor_code c = moor_buf_ok(&text, "queue entry", err);
    if (c == MOOR_OK)
        c = plat_write_atomic(moor_buf_cstr(&path), moor_buf_view(&text), PLAT_OWNER_ONLY, err);
    if (c == MOOR_OK)
        *bytes = text.len;
    return c;
}

moor_code moor_queue_get(const char *folder, uint64_t number, struct moor_buf *body,
                         struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(MOOR_QUEUE_FILE_MAX);
    MOOR_AUTO(moor_buf) path = MOOR_BUF(PATH_BYTES);
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(2 * HEAD_MAX);
    struct moor_queue_head head;
    struct moor_span found = MOOR_SPAN_NONE;
    entry_path(&path, folder, number, "");
    moor_code c = plat_read_all(moor_buf_cstr(&path), MOOR_QUEUE_FILE_MAX, &text, err);
    if (c == MOOR_OK &&
        moor_queue_decode(moor_buf_view(&text), false, &head, &found, &arena, err) != MOOR_OK)
        c = moor_context(err, "%s", moor_buf_cstr(&path));
    if (c != MOOR_OK)
        return c;
    moor_buf_span(body, found);
    return moor_buf_ok(body, "queue entry", err);
}

static void entry_free(struct moor_queue_entry *e)
{
    if (!e)
        return;
    free(e->key);
    free(e->endpoint);
    free(e->immutable_id);
    free(e->stream);
    free(e);
}

moor_code moor_queue_add(struct moor_queue *q, uint64_t number, uint64_t bytes,
                         const struct moor_queue_head *head, struct moor_error *err)
{
    struct moor_queue_entry *e = calloc(1, sizeof(*e));
    if (e) {
        *e = (struct moor_queue_entry){ .number = number,
                                        .bytes = bytes,
                                        .rows = head->rows,
                                        .created_ms = head->created_ms,
                                        .key = moor_strdup(head->key),
                                        .endpoint = moor_strdup(head->endpoint),
                                        .immutable_id = moor_strdup(head->immutable_id),
                                        .stream = moor_strdup(head->stream) };
    }
    if (!e || !e->key || !e->endpoint || !e->immutable_id || !e->stream) {
        entry_free(e);
        return moor_fail(err, MOOR_E_NOMEM, "queue: out of memory");
    }
    struct moor_queue_entry **at = &q->first;
    while (*at && (*at)->number < number)
        at = &(*at)->next;
    e->next = *at;
    *at = e;
    q->bytes += bytes;
    if (number >= q->next_number)
        q->next_number = number + 1;
    return MOOR_OK;
}

static void set_aside(struct moor_queue *q, uint64_t number)
{
    MOOR_AUTO(moor_buf) from = MOOR_BUF(PATH_BYTES);
    MOOR_AUTO(moor_buf) to = MOOR_BUF(PATH_BYTES);
    struct moor_error e = MOOR_ERROR_INIT;
    entry_path(&from, q->folder, number, "");
    entry_path(&to, q->folder, number, ".bad");
    if (plat_rename(moor_buf_cstr(&from), moor_buf_cstr(&to), &e) != MOOR_OK)
        moor_log_error(MOOR_LOG_WARNING, "logs.queue_entry_stuck", &e, NULL);
    q->damaged++;
}

void moor_queue_forget(struct moor_queue *q, struct moor_queue_entry *e, bool damaged)
{
    struct moor_queue_entry **at = &q->first;
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    q->bytes -= e->bytes;
    if (damaged) {
        set_aside(q, e->number);
    } else {
        MOOR_AUTO(moor_buf) path = MOOR_BUF(PATH_BYTES);
        struct moor_error err = MOOR_ERROR_INIT;
        entry_path(&path, q->folder, e->number, "");
        if (plat_remove(moor_buf_cstr(&path), &err) != MOOR_OK)
            moor_log_error(MOOR_LOG_WARNING, "logs.queue_entry_stuck", &err, NULL);
    }
    entry_free(e);
}

struct moor_queue_entry *moor_queue_first(const struct moor_queue *q, const char *key)
{
    struct moor_queue_entry *e = q->first;
    while (e && !moor_streq(e->key, key))
        e = e->next;
    return e;
}

bool moor_queue_has_room(const struct moor_queue *q, size_t bytes)
{
    return q->bytes + bytes <= q->bytes_max;
}

/* The numbers of the folder's entries; a name of another form is none of ours. */
struct listing {
    uint64_t *numbers;
    size_t count, cap;
    const char *folder;
    bool failed;
};

static bool read_number(const char *name, uint64_t *out)
{
    uint64_t n = 0;
    for (int i = 0; i < NAME_DIGITS; i++) {
        const char *digits = "0123456789abcdef";
        const char *at = name[i] ? strchr(digits, name[i]) : NULL;
        if (!at)
            return false;
        n = n << 4 | (uint64_t)(at - digits);
    }
    *out = n;
    return name[NAME_DIGITS] == '\0';
}

static bool on_name(void *ctx, const char *name, const struct plat_stat *st)
{
    struct listing *l = ctx;
    uint64_t number = 0;
    if (!st->is_file || !read_number(name, &number))
        return true;
    if (l->count == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 64;
        uint64_t *more = realloc(l->numbers, cap * sizeof(*more));
        l->failed = !more;
        if (!more)
            return false;
        l->numbers = more;
        l->cap = cap;
    }
    l->numbers[l->count++] = number;
    return true;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Reads the head only: a start does not cost what the queue weighs. */
static moor_code look_at(struct moor_queue *q, uint64_t number, moor_queue_found_fn found,
                         void *ctx, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(PATH_BYTES);
    MOOR_AUTO(moor_buf) text = MOOR_BUF(FRAME_BYTES + HEAD_MAX);
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(2 * HEAD_MAX);
    MOOR_AUTO(plat_file) f = PLAT_FILE_INIT;
    struct moor_queue_head head;
    struct plat_stat st;
    size_t got = 0;
    entry_path(&path, q->folder, number, "");
    moor_code c = plat_open(moor_buf_cstr(&path), PLAT_READ, &f, err);
    if (c == MOOR_OK)
        c = plat_fstat(&f, &st, err);
    char *room = c == MOOR_OK ? moor_buf_room(&text, FRAME_BYTES + HEAD_MAX) : NULL;
    if (room)
        c = plat_read_at(&f, 0, room, FRAME_BYTES + HEAD_MAX, &got, err);
    moor_buf_grew(&text, got);
    if (c == MOOR_OK &&
        moor_queue_decode(moor_buf_view(&text), true, &head, NULL, &arena, err) != MOOR_OK)
        c = moor_context(err, "%s", moor_buf_cstr(&path));
    if (c == MOOR_OK)
        c = moor_queue_add(q, number, st.size, &head, err);
    if (c == MOOR_OK) {
        struct moor_queue_entry *e = q->first;
        while (e->number != number)
            e = e->next;
        found(ctx, e, &head);
    }
    return c;
}

moor_code moor_queue_open(struct moor_queue *q, const char *folder, uint64_t bytes_max,
                          moor_queue_found_fn found, void *ctx, struct moor_error *err)
{
    struct listing l = { .folder = folder };
    *q = (struct moor_queue){ .bytes_max = bytes_max, .next_number = 1 };
    q->folder = moor_strdup(folder);
    if (!q->folder)
        return moor_fail(err, MOOR_E_NOMEM, "queue: out of memory");
    moor_code c = plat_make_dirs(folder, PLAT_OWNER_ONLY, err);
    if (c == MOOR_OK)
        c = plat_list_dir(folder, on_name, &l, err);
    if (c == MOOR_OK && l.failed)
        c = moor_fail(err, MOOR_E_NOMEM, "queue: out of memory");
    if (l.count > 0)
        qsort(l.numbers, l.count, sizeof(*l.numbers), by_number);
    for (size_t i = 0; c == MOOR_OK && i < l.count; i++) {
        struct moor_error e = MOOR_ERROR_INIT;
        if (look_at(q, l.numbers[i], found, ctx, &e) == MOOR_OK)
            continue;
        moor_log_error(MOOR_LOG_WARNING, "logs.queue_entry_damaged", &e, NULL);
        set_aside(q, l.numbers[i]);
        if (l.numbers[i] >= q->next_number)
            q->next_number = l.numbers[i] + 1;
    }
    free(l.numbers);
    return c;
}

void moor_queue_drop(struct moor_queue *q)
{
    while (q->first) {
        struct moor_queue_entry *e = q->first;
        q->first = e->next;
        entry_free(e);
    }
    free(q->folder);
    *q = (struct moor_queue){ .folder = NULL };
}
