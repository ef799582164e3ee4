/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "base/jsontab.h"

struct item {
    const char *name;
    uint32_t size;
};

struct part {
    uint32_t interval;
    struct moor_obj_list items;
};

struct doc {
    const char *name;
    bool on;
    uint32_t small;
    uint64_t big;
    int64_t delta;
    double ratio;
    struct part part;
    struct moor_str_list tags;
    const char *any;
    const char *settings;
    int64_t at_ms;
    const char *id;
    struct moor_span blob;
    int level;
};

static const struct moor_json_field item_fields[] = {
    { MOOR_F_STR, "name", offsetof(struct item, name), MOOR_F_REQUIRED, 1, 8, NULL },
    { MOOR_F_U32, "size", offsetof(struct item, size), 0, 0, 0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape item_shape = { sizeof(struct item), item_fields,
                                                   MOOR_F_STRICT };

static const struct moor_json_field part_fields[] = {
    { MOOR_F_U32, "seconds", offsetof(struct part, interval), MOOR_F_REQUIRED, 0, 86400, NULL },
    { MOOR_F_OBJ_LIST, "items", offsetof(struct part, items), 0, 0, 3, &item_shape },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape part_shape = { sizeof(struct part), part_fields, 0 };

static const char *const level_names[] = { "low", "high", NULL };

static const struct moor_json_field doc_fields[] = {
    { MOOR_F_STR, "name", offsetof(struct doc, name), 0, 1, 64, NULL },
    { MOOR_F_BOOL, "on", offsetof(struct doc, on), 0, 0, 0, NULL },
    { MOOR_F_U32, "small", offsetof(struct doc, small), 0, 0, 0, NULL },
    { MOOR_F_U64, "big", offsetof(struct doc, big), 0, 0, 0, NULL },
    { MOOR_F_I64, "delta", offsetof(struct doc, delta), 0, -5, 5, NULL },
    { MOOR_F_DOUBLE, "ratio", offsetof(struct doc, ratio), 0, 0, 0, NULL },
    { MOOR_F_OBJ, "part", offsetof(struct doc, part), 0, 0, 0, &part_shape },
    { MOOR_F_STR_LIST, "tags", offsetof(struct doc, tags), 0, 0, 2, NULL },
    { MOOR_F_JSON, "any", offsetof(struct doc, any), 0, 0, 0, NULL },
    { MOOR_F_OBJ_JSON, "settings", offsetof(struct doc, settings), 0, 0, 0, NULL },
    { MOOR_F_TIME, "at", offsetof(struct doc, at_ms), 0, 0, 0, NULL },
    { MOOR_F_UUID, "id", offsetof(struct doc, id), 0, 0, 0, NULL },
    { MOOR_F_BYTES, "blob", offsetof(struct doc, blob), 0, 0, 8, NULL },
    { MOOR_F_ENUM, "level", offsetof(struct doc, level), 0, 0, 0, level_names },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape doc_shape = { sizeof(struct doc), doc_fields, MOOR_F_STRICT };

/* Decodes text and appends what it became to out; false when it was refused. */
static bool recode(struct moor_span text, size_t memory, struct moor_buf *out)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(memory);
    struct doc d;
    memset(&d, 0, sizeof d);
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code c = moor_json_decode(text, "doc", &doc_shape, &d, &arena, &err);
    MOOR_ASSERT(arena.used <= memory);
    if (c != MOOR_OK) {
        MOOR_ASSERT(c == MOOR_E_BADINPUT || c == MOOR_E_NOMEM);
        MOOR_ASSERT(strncmp(err.msg, "doc: ", 5) == 0);
        return false;
    }
    moor_json_encode(out, &doc_shape, &d);
    MOOR_ASSERT(!out->failed);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moor_span text = moor_span(data, size);
    MOOR_AUTO(moor_buf) scrap = MOOR_BUF(1 << 20);
    recode(text, 256, &scrap);
    MOOR_AUTO(moor_buf) first = MOOR_BUF(1 << 20);
    if (!recode(text, 1 << 20, &first))
        return 0;
    MOOR_AUTO(moor_buf) second = MOOR_BUF(1 << 20);
    MOOR_ASSERT(recode(moor_buf_view(&first), 1 << 20, &second));
    MOOR_ASSERT(moor_span_eq(moor_buf_view(&first), moor_buf_view(&second)));
    return 0;
}
