/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/positions.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "core/document.h"

#define PATH_BYTES 4095
#define END                                                                                        \
    {                                                                                              \
        MOOR_F_END, NULL, 0, 0, 0, 0, NULL                                                         \
    }

#define P(member) offsetof(struct moor_position, member)
static const struct moor_json_field position_fields[] = {
    { MOOR_F_STR, "path", P(path), MOOR_F_REQUIRED, 1, PATH_BYTES, NULL },
    { MOOR_F_STR, "id", P(id), MOOR_F_REQUIRED, 3, 40, NULL },
    { MOOR_F_U64, "offset", P(offset), MOOR_F_REQUIRED, 0, 0, NULL },
    { MOOR_F_BOOL, "skipping", P(skipping), 0, 0, 0, NULL },
    { MOOR_F_U32, "headLength", P(head_len), MOOR_F_REQUIRED, 0, MOOR_MARK_HEAD, NULL },
    { MOOR_F_BYTES, "head", P(head), MOOR_F_REQUIRED, MOOR_MARK_DIGEST, MOOR_MARK_DIGEST, NULL },
    { MOOR_F_BYTES, "tail", P(tail), MOOR_F_REQUIRED, MOOR_MARK_DIGEST, MOOR_MARK_DIGEST, NULL },
    { MOOR_F_TIME, "seen", P(seen_ms), 0, 0, 0, NULL },
    END,
};
const struct moor_json_shape moor_position_shape = { sizeof(struct moor_position), position_fields,
                                                     MOOR_F_STRICT };

#define C(member) offsetof(struct moor_log_counts, member)
static const struct moor_json_field counts_fields[] = {
    { MOOR_F_U64, "received", C(received), 0, 0, 0, NULL },
    { MOOR_F_U64, "acknowledged", C(acknowledged), 0, 0, 0, NULL },
    { MOOR_F_U64, "queued", C(queued), 0, 0, 0, NULL },
    { MOOR_F_U64, "droppedFormat", C(dropped_format), 0, 0, 0, NULL },
    { MOOR_F_U64, "droppedRefused", C(dropped_refused), 0, 0, 0, NULL },
    { MOOR_F_U64, "droppedDamaged", C(dropped_damaged), 0, 0, 0, NULL },
    { MOOR_F_U64, "droppedQueueFull", C(dropped_queue_full), 0, 0, 0, NULL },
    { MOOR_F_U64, "droppedFiltered", C(dropped_filtered), 0, 0, 0, NULL },
    { MOOR_F_U64, "droppedSocket", C(dropped_socket), 0, 0, 0, NULL },
    { MOOR_F_U64, "gaps", C(gaps), 0, 0, 0, NULL },
    { MOOR_F_U64, "cut", C(cut), 0, 0, 0, NULL },
    END,
};
const struct moor_json_shape moor_log_counts_shape = { sizeof(struct moor_log_counts),
                                                       counts_fields, MOOR_F_STRICT };

uint64_t moor_log_counts_dropped(const struct moor_log_counts *c)
{
    return c->dropped_format + c->dropped_refused + c->dropped_damaged + c->dropped_queue_full +
           c->dropped_filtered + c->dropped_socket;
}

#define F(member) offsetof(struct moor_flow_record, member)
static const struct moor_json_field flow_fields[] = {
    { MOOR_F_STR, "key", F(key), MOOR_F_REQUIRED, 1, 512, NULL },
    { MOOR_F_STR, "cursor", F(cursor), 0, 0, 255, NULL },
    { MOOR_F_U64, "queueDone", F(queue_done), 0, 0, 0, NULL },
    { MOOR_F_OBJ, "counts", F(counts), 0, 0, 0, &moor_log_counts_shape },
    { MOOR_F_OBJ_LIST, "files", F(files), 0, 0, 0, &moor_position_shape },
    END,
};
static const struct moor_json_shape flow_shape = { sizeof(struct moor_flow_record), flow_fields,
                                                   MOOR_F_STRICT };

#define D(member) offsetof(struct moor_positions, member)
static const struct moor_json_field positions_fields[] = {
    { MOOR_F_U32, "schema", D(schema), MOOR_F_REQUIRED, 1, 1, NULL },
    { MOOR_F_STR, "id", D(id), 0, MOOR_UUID_LEN, MOOR_UUID_LEN, NULL },
    { MOOR_F_TIME, "saved", D(saved_ms), 0, 0, 0, NULL },
    { MOOR_F_U64, "queueNext", D(queue_next), 0, 0, 0, NULL },
    { MOOR_F_U64, "queueDamaged", D(queue_damaged), 0, 0, 0, NULL },
    { MOOR_F_OBJ_LIST, "flows", D(flows), 0, 0, 0, &flow_shape },
    END,
};
static const struct moor_json_shape positions_shape = { sizeof(struct moor_positions),
                                                        positions_fields, MOOR_F_STRICT };

bool moor_position_write(struct moor_position *out, struct moor_arena *arena, const char *path,
                         const struct moor_file_key *key, const struct moor_mark *mark,
                         int64_t seen_ms)
{
    unsigned char *digests = moor_arena_alloc(arena, (size_t)2 * MOOR_MARK_DIGEST);
    *out = (struct moor_position){
        .path = path,
        .id = moor_arena_fmt(arena, "%" PRIx64 ":%" PRIx64, key->device, key->inode),
        .offset = mark->offset,
        .skipping = mark->skipping,
        .head_len = mark->head_len,
        .seen_ms = seen_ms,
    };
    if (!digests || !out->id)
        return false;
    memcpy(digests, mark->head, MOOR_MARK_DIGEST);
    memcpy(digests + MOOR_MARK_DIGEST, mark->tail, MOOR_MARK_DIGEST);
    out->head = moor_span(digests, MOOR_MARK_DIGEST);
    out->tail = moor_span(digests + MOOR_MARK_DIGEST, MOOR_MARK_DIGEST);
    return true;
}

static bool read_hex(struct moor_span s, uint64_t *out)
{
    uint64_t n = 0;
    if (s.n == 0 || s.n > 16)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        const char *digits = "0123456789abcdef";
        const char *at = s.p[i] ? strchr(digits, s.p[i]) : NULL;
        if (!at)
            return false;
        n = n << 4 | (uint64_t)(at - digits);
    }
    *out = n;
    return true;
}

bool moor_position_read(const struct moor_position *in, struct moor_file_key *key,
                        struct moor_mark *mark)
{
    struct moor_span rest = moor_span_str(in->id);
    struct moor_span device = moor_span_cut(&rest, ':');
    uint64_t want = in->offset < MOOR_MARK_HEAD ? in->offset : MOOR_MARK_HEAD;
    if (!read_hex(device, &key->device) || !read_hex(rest, &key->inode) ||
        (in->offset > 0 && in->head_len != want) || in->path[0] != '/')
        return false;
    *mark = (struct moor_mark){ .offset = in->offset,
                                .skipping = in->skipping,
                                .head_len = in->head_len };
    memcpy(mark->head, in->head.p, MOOR_MARK_DIGEST);
    memcpy(mark->tail, in->tail.p, MOOR_MARK_DIGEST);
    return true;
}

moor_code moor_positions_decode(struct moor_span text, const char *path, struct moor_positions *out,
                                struct moor_arena *arena, struct moor_error *err)
{
    struct moor_positions p = { .schema = 1 };
    moor_code c = moor_document_decode(text, path, &positions_shape, 1, &p, arena, err);
    if (c == MOOR_OK)
        *out = p;
    return c;
}

void moor_positions_encode(struct moor_buf *b, const struct moor_positions *p)
{
    moor_json_encode(b, &positions_shape, p);
}
