/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsontab.h: documents of a known shape, decoded by a table into a struct.
 *
 *   struct reply { const char *name; uint32_t seconds; bool rotate; };
 *   static const struct moor_json_field reply_fields[] = {
 *       { MOOR_F_STR, "name", offsetof(struct reply, name), MOOR_F_REQUIRED, 1, 64, NULL },
 *       { MOOR_F_U32, "nextSeconds", offsetof(struct reply, seconds), 0, 30, 86400, NULL },
 *       { MOOR_F_BOOL, "rotate", offsetof(struct reply, rotate), 0, 0, 0, NULL },
 *       { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
 *   };
 *   static const struct moor_json_shape reply_shape = { sizeof(struct reply), reply_fields, 0 };
 *   c = moor_json_decode(body, "heartbeat reply", &reply_shape, &r, &arena, err);
 *
 * Strings and lists land in the arena. A member that is absent, or null and not required, leaves
 * the field as the caller set it: zero the struct, or fill in defaults, before decoding. Errors
 * name the document, the path and the rule:
 *   heartbeat reply: properties.intervalSeconds: want a whole number 30..86400
 * A max of 0 (with a min of 0 or more) means no limit but the document's or the type's; for I64 a
 * min of 0 without a max means none either.
 */
#ifndef MOOR_BASE_JSONTAB_H
#define MOOR_BASE_JSONTAB_H

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/span.h"

typedef enum moor_json_kind {
    MOOR_F_END = 0,
    MOOR_F_STR,      /* const char *; min..max bytes */
    MOOR_F_BOOL,     /* bool */
    MOOR_F_U32,      /* uint32_t; min..max */
    MOOR_F_U64,      /* uint64_t; min..max, below 2^53 */
    MOOR_F_I64,      /* int64_t; min..max, below +-2^53 */
    MOOR_F_DOUBLE,   /* double, finite; no range */
    MOOR_F_OBJ,      /* struct of sub's size, in place */
    MOOR_F_STR_LIST, /* struct moor_str_list; min..max items */
    MOOR_F_OBJ_LIST, /* struct moor_obj_list of sub's structs; min..max items */
    MOOR_F_JSON,     /* const char *: any value, printed compactly */
    MOOR_F_OBJ_JSON, /* the same, but the value must be an object */
    MOOR_F_TIME,     /* int64_t: RFC 3339 text as milliseconds since 1970 UTC */
    MOOR_F_UUID,     /* const char *: 36 characters, lower-cased */
    MOOR_F_BYTES,    /* struct moor_span: base64 text decoded; min..max bytes */
    MOOR_F_ENUM      /* int: index in sub, a NULL-terminated array of names, case-sensitive */
} moor_json_kind;

enum {
    MOOR_F_REQUIRED = 1 << 0, /* absent or null is an error */
    MOOR_F_STRICT = 1 << 0    /* shape flag: an unknown name is an error (our own files) */
};

struct moor_json_field {
    moor_json_kind kind;
    const char *name;
    size_t offset;
    unsigned flags;
    int64_t min, max;
    const void *sub; /* const struct moor_json_shape *, or names of MOOR_F_ENUM */
};

struct moor_json_shape {
    size_t size;
    const struct moor_json_field *fields; /* ends with MOOR_F_END */
    unsigned flags;
};

struct moor_str_list {
    const char *const *items;
    size_t count;
};
struct moor_obj_list {
    void *items; /* array of structs of the sub shape's size */
    size_t count;
};

/* what names the document in errors. On failure *out may be half filled; the arena owns all. */
MOOR_NODISCARD moor_code moor_json_decode(struct moor_span text, const char *what,
                                          const struct moor_json_shape *shape, void *out,
                                          struct moor_arena *arena, struct moor_error *err);

/* The same for a value already parsed. */
MOOR_NODISCARD moor_code moor_json_decode_value(const struct moor_json *v, const char *what,
                                                const struct moor_json_shape *shape, void *out,
                                                struct moor_arena *arena, struct moor_error *err);

/* The mirror: appends the struct as a JSON object, by the same table. NULL strings and bytes and
 * empty MOOR_F_JSON are left out; MOOR_F_TIME 0 is left out. Lists are always written. */
void moor_json_encode(struct moor_buf *b, const struct moor_json_shape *shape, const void *in);

#endif
