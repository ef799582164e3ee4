/* SPDX-License-Identifier: Apache-2.0 */
#include "base/jsontab.h"

#include <stddef.h>

#include "check.h"

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

#define AT(type, member) offsetof(struct type, member)

static const struct moor_json_field item_fields[] = {
    { MOOR_F_STR, "name", AT(item, name), MOOR_F_REQUIRED, 1, 8, NULL },
    { MOOR_F_U32, "size", AT(item, size), 0, 0, 0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape item_shape = { sizeof(struct item), item_fields,
                                                   MOOR_F_STRICT };

static const struct moor_json_field part_fields[] = {
    { MOOR_F_U32, "intervalSeconds", AT(part, interval), MOOR_F_REQUIRED, 30, 86400, NULL },
    { MOOR_F_OBJ_LIST, "items", AT(part, items), 0, 0, 3, &item_shape },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape part_shape = { sizeof(struct part), part_fields, 0 };

static const char *const level_names[] = { "low", "high", NULL };

static const struct moor_json_field doc_fields[] = {
    { MOOR_F_STR, "name", AT(doc, name), MOOR_F_REQUIRED, 1, 64, NULL },
    { MOOR_F_BOOL, "on", AT(doc, on), 0, 0, 0, NULL },
    { MOOR_F_U32, "small", AT(doc, small), 0, 0, 0, NULL },
    { MOOR_F_U64, "big", AT(doc, big), 0, 1, 0, NULL },
    { MOOR_F_I64, "delta", AT(doc, delta), 0, -5, 0, NULL },
    { MOOR_F_DOUBLE, "ratio", AT(doc, ratio), 0, 0, 0, NULL },
    { MOOR_F_OBJ, "properties", AT(doc, part), 0, 0, 0, &part_shape },
    { MOOR_F_STR_LIST, "tags", AT(doc, tags), 0, 1, 2, NULL },
    { MOOR_F_JSON, "any", AT(doc, any), 0, 0, 0, NULL },
    { MOOR_F_OBJ_JSON, "settings", AT(doc, settings), 0, 0, 0, NULL },
    { MOOR_F_TIME, "at", AT(doc, at_ms), 0, 0, 0, NULL },
    { MOOR_F_UUID, "id", AT(doc, id), 0, 0, 0, NULL },
    { MOOR_F_BYTES, "blob", AT(doc, blob), 0, 1, 4, NULL },
    { MOOR_F_ENUM, "level", AT(doc, level), 0, 0, 0, level_names },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape doc_shape = { sizeof(struct doc), doc_fields, 0 };
static const struct moor_json_shape strict_shape = { sizeof(struct doc), doc_fields,
                                                     MOOR_F_STRICT };

static const char full_text[] =
    "{\"name\":\"n\",\"on\":true,\"small\":4294967295,\"big\":9007199254740991,\"delta\":-5,"
    "\"ratio\":0.5,\"properties\":{\"intervalSeconds\":300,\"items\":[{\"name\":\"a\",\"size\":1},"
    "{\"name\":\"b\",\"size\":0}]},\"tags\":[\"x\",\"\"],\"any\":[1,{\"k\":12345678901234567890}],"
    "\"settings\":{\"s\":null},\"at\":\"2026-11-22T17:19:30.123Z\","
    "\"id\":\"0a1b2c3d-0000-4000-8000-00000000000f\",\"blob\":\"AAEC\",\"level\":\"high\"}";

static void every_kind_is_decoded_and_encoded_back(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(4096);
    struct doc d = { 0 };
    struct moor_error err = MOOR_ERROR_INIT;
    CHECK_INT(moor_json_decode(MOOR_SPAN_LIT(full_text), "doc", &doc_shape, &d, &arena, &err),
              MOOR_OK);
    CHECK_STR(err.msg, "");
    CHECK_STR(d.name, "n");
    CHECK(d.on && d.small == UINT32_MAX && d.delta == -5 && d.level == 1);
    CHECK(d.big == UINT64_C(9007199254740991));
    CHECK(d.ratio > 0.49 && d.ratio < 0.51);
    CHECK_INT(d.part.interval, 300);
    CHECK_INT(d.part.items.count, 2);
    const struct item *items = d.part.items.items;
    CHECK_STR(items[1].name, "b");
    CHECK_INT(d.tags.count, 2);
    CHECK_STR(d.tags.items[0], "x");
    CHECK_STR(d.any, "[1,{\"k\":12345678901234567890}]");
    CHECK_STR(d.settings, "{\"s\":null}");
    CHECK_INT(d.at_ms, INT64_C(1795367970123));
    CHECK(moor_span_eq(d.blob, MOOR_SPAN_LIT("\0\1\2")));
    MOOR_AUTO(moor_buf) b = MOOR_BUF(4096);
    moor_json_encode(&b, &doc_shape, &d);
    CHECK_STR(moor_buf_cstr(&b), full_text);
}

static void absent_and_null_members_leave_the_defaults(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(4096);
    struct doc d = { .small = 7, .on = true, .level = 1, .id = "default" };
    CHECK_INT(moor_json_decode(MOOR_SPAN_LIT("{\"name\":\"n\",\"on\":null,\"id\":null,"
                                             "\"tags\":null,\"unknown\":{}}"),
                               "doc", &doc_shape, &d, &arena, NULL),
              MOOR_OK);
    CHECK(d.small == 7 && d.on && d.level == 1 && d.tags.count == 0);
    CHECK_STR(d.id, "default");
    MOOR_AUTO(moor_buf) b = MOOR_BUF(4096);
    struct doc empty = { 0 };
    moor_json_encode(&b, &doc_shape, &empty);
    CHECK_STR(moor_buf_cstr(&b),
              "{\"on\":false,\"small\":0,\"big\":0,\"delta\":0,\"ratio\":0,"
              "\"properties\":{\"intervalSeconds\":0,\"items\":[]},\"tags\":[],\"level\":\"low\"}");
}

static void uuids_are_lowered_and_times_moved_to_utc(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(4096);
    struct doc d = { 0 };
    CHECK_INT(moor_json_decode(MOOR_SPAN_LIT("{\"name\":\"n\","
                                             "\"id\":\"ABCDEF00-1111-2222-3333-444455556666\","
                                             "\"at\":\"1970-01-01T01:00:01+01:00\"}"),
                               "doc", &doc_shape, &d, &arena, NULL),
              MOOR_OK);
    CHECK_STR(d.id, "abcdef00-1111-2222-3333-444455556666");
    CHECK_INT(d.at_ms, 1000);
}

static void refusals_name_document_path_and_rule(void)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        { "{\"name\":\"n\",\"properties\":{\"intervalSeconds\":5}}",
          "heartbeat reply: properties.intervalSeconds: want a whole number 30..86400" },
        { "{\"name\":\"n\",\"properties\":{\"intervalSeconds\":86401}}",
          "heartbeat reply: properties.intervalSeconds: want a whole number 30..86400" },
        { "{\"name\":\"n\",\"properties\":{\"intervalSeconds\":\"30\"}}",
          "heartbeat reply: properties.intervalSeconds: want a whole number 30..86400" },
        { "{\"name\":\"n\",\"properties\":{}}",
          "heartbeat reply: properties.intervalSeconds: missing" },
        { "{\"name\":\"n\",\"properties\":{\"intervalSeconds\":null}}",
          "heartbeat reply: properties.intervalSeconds: missing" },
        { "{}", "heartbeat reply: name: missing" },
        { "{\"Name\":\"n\"}", "heartbeat reply: name: missing" },
        { "{\"name\":null}", "heartbeat reply: name: missing" },
        { "[]", "heartbeat reply: want an object" },
        { "{\"a\":1,\n\"a\":2}", "heartbeat reply: line 2 column 1: duplicate name" },
        { "{\"name\":\"\"}", "heartbeat reply: name: want a text of 1..64 bytes" },
        { "{\"name\":1}", "heartbeat reply: name: want a text of 1..64 bytes" },
        { "{\"name\":\"12345678901234567890123456789012345678901234567890123456789012345\"}",
          "heartbeat reply: name: want a text of 1..64 bytes" },
        { "{\"name\":\"n\",\"on\":1}", "heartbeat reply: on: want true or false" },
        { "{\"name\":\"n\",\"small\":4294967296}",
          "heartbeat reply: small: want a whole number 0..4294967295" },
        { "{\"name\":\"n\",\"small\":-1}",
          "heartbeat reply: small: want a whole number 0..4294967295" },
        { "{\"name\":\"n\",\"small\":1.5}",
          "heartbeat reply: small: want a whole number 0..4294967295" },
        { "{\"name\":\"n\",\"big\":0}",
          "heartbeat reply: big: want a whole number 1..9007199254740991" },
        { "{\"name\":\"n\",\"big\":9007199254740992}",
          "heartbeat reply: big: want a whole number 1..9007199254740991" },
        { "{\"name\":\"n\",\"delta\":1}", "heartbeat reply: delta: want a whole number -5..0" },
        { "{\"name\":\"n\",\"ratio\":\"1\"}", "heartbeat reply: ratio: want a number" },
        { "{\"name\":\"n\",\"properties\":[]}", "heartbeat reply: properties: want an object" },
        { "{\"name\":\"n\",\"tags\":[]}", "heartbeat reply: tags: want a list of 1..2 texts" },
        { "{\"name\":\"n\",\"tags\":{\"a\":1}}",
          "heartbeat reply: tags: want a list of 1..2 texts" },
        { "{\"name\":\"n\",\"tags\":[\"a\",2]}", "heartbeat reply: tags[1]: want a text" },
        { "{\"name\":\"n\",\"tags\":[null]}", "heartbeat reply: tags[0]: want a text" },
        { "{\"name\":\"n\",\"properties\":{\"intervalSeconds\":30,\"items\":[{},{},{},{}]}}",
          "heartbeat reply: properties.items: want a list of 0..3 objects" },
        { "{\"name\":\"n\",\"properties\":{\"intervalSeconds\":30,\"items\":[{\"name\":\"a\"},{}]}"
          "}",
          "heartbeat reply: properties.items[1].name: missing" },
        { "{\"name\":\"n\",\"properties\":{\"intervalSeconds\":30,\"items\":[1]}}",
          "heartbeat reply: properties.items[0]: want an object" },
        { "{\"name\":\"n\",\"properties\":{\"intervalSeconds\":30,"
          "\"items\":[{\"name\":\"a\",\"x\\ny\":0}]}}",
          "heartbeat reply: properties.items[0].x?y: unknown name" },
        { "{\"name\":\"n\",\"settings\":[]}", "heartbeat reply: settings: want an object" },
        { "{\"name\":\"n\",\"at\":\"2026-02-30T00:00:00Z\"}",
          "heartbeat reply: at: want a time like 2026-11-22T17:19:30Z" },
        { "{\"name\":\"n\",\"at\":1}",
          "heartbeat reply: at: want a time like 2026-11-22T17:19:30Z" },
        { "{\"name\":\"n\",\"id\":\"x\"}", "heartbeat reply: id: want a UUID" },
        { "{\"name\":\"n\",\"id\":{}}", "heartbeat reply: id: want a UUID" },
        { "{\"name\":\"n\",\"blob\":\"A\"}",
          "heartbeat reply: blob: want base64 text of 1..4 bytes" },
        { "{\"name\":\"n\",\"blob\":\"\"}",
          "heartbeat reply: blob: want base64 text of 1..4 bytes" },
        { "{\"name\":\"n\",\"blob\":\"AAECAwQ=\"}",
          "heartbeat reply: blob: want base64 text of 1..4 bytes" },
        { "{\"name\":\"n\",\"blob\":0}", "heartbeat reply: blob: want base64 text of 1..4 bytes" },
        { "{\"name\":\"n\",\"level\":\"Low\"}", "heartbeat reply: level: want one of low, high" },
        { "{\"name\":\"n\",\"level\":0}", "heartbeat reply: level: want one of low, high" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rows); i++) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(4096);
        struct doc d = { 0 };
        struct moor_error err = MOOR_ERROR_INIT;
        CHECK_INT(moor_json_decode(moor_span_str(rows[i].in), "heartbeat reply", &doc_shape, &d,
                                   &arena, &err),
                  MOOR_E_BADINPUT);
        CHECK_STR(err.msg, rows[i].want);
    }
}

static void strict_shapes_refuse_unknown_names(void)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(4096);
    struct doc d = { 0 };
    struct moor_error err = MOOR_ERROR_INIT;
    struct moor_span text = MOOR_SPAN_LIT("{\"name\":\"n\",\"nmae\":1}");
    CHECK_INT(moor_json_decode(text, "agent.json", &strict_shape, &d, &arena, &err),
              MOOR_E_BADINPUT);
    CHECK_STR(err.msg, "agent.json: nmae: unknown name");
    /* The flag is of its own shape only: the inner object may have more. */
    text = MOOR_SPAN_LIT("{\"name\":\"n\",\"properties\":{\"intervalSeconds\":30,\"more\":1}}");
    CHECK_INT(moor_json_decode(text, "agent.json", &strict_shape, &d, &arena, NULL), MOOR_OK);
}

static void the_arena_limits_what_is_decoded(void)
{
    for (size_t max = 0; max < 400; max += 8) {
        MOOR_AUTO(moor_arena) arena = MOOR_ARENA(max);
        struct doc d = { 0 };
        struct moor_error err = MOOR_ERROR_INIT;
        moor_code c =
            moor_json_decode(MOOR_SPAN_LIT(full_text), "doc", &doc_shape, &d, &arena, &err);
        CHECK(arena.used <= max);
        CHECK(c == MOOR_OK || c == MOOR_E_NOMEM);
        CHECK(c == MOOR_OK || moor_span_starts(moor_span_str(err.msg), "doc: over the limit of "));
    }
}

CHECK_MAIN(CHECK_TEST(every_kind_is_decoded_and_encoded_back),
           CHECK_TEST(absent_and_null_members_leave_the_defaults),
           CHECK_TEST(uuids_are_lowered_and_times_moved_to_utc),
           CHECK_TEST(refusals_name_document_path_and_rule),
           CHECK_TEST(strict_shapes_refuse_unknown_names),
           CHECK_TEST(the_arena_limits_what_is_decoded))
