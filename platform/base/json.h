/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h: JSON values, and the one border through which outside JSON enters.
 *
 * moor_json_parse() scans the text before cJSON sees it and refuses what cJSON lets pass: bytes
 * behind the value, duplicate names, NUL (raw or as \u0000), invalid UTF-8, unpaired surrogates,
 * numbers outside a double's range or badly written (01, 1., +1) or of more than 63 characters,
 * control characters in strings, a byte order mark, and nesting over 64. Names are compared
 * exactly, case included, unless a function says otherwise.
 *
 * A number that a double cannot hold keeps its text: it is printed as it was read, and equals only
 * a number written the same.
 *
 * A value belongs to its tree; free the root. Values are not shared between threads.
 * For documents of a known shape use the tables of jsontab.h instead of these accessors.
 */
#ifndef MOOR_BASE_JSON_H
#define MOOR_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

struct moor_json; /* opaque: a value and, for objects and arrays, what is in it */

typedef enum moor_json_type {
    MOOR_JSON_NULL,
    MOOR_JSON_BOOLEAN,
    MOOR_JSON_NUMBER,
    MOOR_JSON_STRING,
    MOOR_JSON_ARRAY,
    MOOR_JSON_OBJECT
} moor_json_type;

#define MOOR_JSON_DEPTH_MAX 64

/* Where the memory of values comes from and goes to, instead of malloc() and free(): before the
 * first value is made. */
void moor_json_memory(void *(*alloc)(size_t n), void (*release)(void *p));

/* text is only read during the call. The error says where: "line 3 column 7: duplicate name". */
MOOR_NODISCARD moor_code moor_json_parse(struct moor_span text, struct moor_json **out,
                                         struct moor_error *err);

/* JSON with comments and a byte order mark, as handlers write it: the same refusals otherwise. */
MOOR_NODISCARD moor_code moor_json_parse_lenient(struct moor_span text, struct moor_json **out,
                                                 struct moor_error *err);

void moor_json_free(struct moor_json *root);
MOOR_DEFINE_AUTOPTR(moor_json)

/* Reading. Every accessor takes NULL and wrong types and then answers NULL, 0, "not there". */
moor_json_type moor_json_typeof(const struct moor_json *v); /* NULL gives MOOR_JSON_NULL */
const struct moor_json *moor_json_get(const struct moor_json *obj, const char *name);
const struct moor_json *moor_json_get_nocase(const struct moor_json *obj, const char *name);
const struct moor_json *moor_json_path(const struct moor_json *v, const char *dotted); /* "a.b.c" */
const char *moor_json_str(const struct moor_json *v); /* NULL unless a string */
const char *moor_json_get_str(const struct moor_json *obj, const char *name);
bool moor_json_number(const struct moor_json *v, double *out);
bool moor_json_int(const struct moor_json *v, int64_t *out); /* a whole number below +-2^53 */
bool moor_json_bool(const struct moor_json *v, bool *out);
bool moor_json_is_true(const struct moor_json *v);
size_t moor_json_size(const struct moor_json *v); /* members or items */
/* First and next item of an array or member of an object; name is NULL inside arrays. */
const struct moor_json *moor_json_first(const struct moor_json *v);
const struct moor_json *moor_json_next(const struct moor_json *item);
const char *moor_json_name(const struct moor_json *item);
bool moor_json_equal(const struct moor_json *a, const struct moor_json *b); /* member order free */

#define MOOR_JSON_EACH(item, v)                                                                    \
    for (const struct moor_json *item = moor_json_first(v); item; item = moor_json_next(item))

/* Building. A constructor answers NULL when out of memory, and every function below takes NULL
 * and passes it on, so that a tree is built without checks and moor_json_print() reports NOMEM. */
struct moor_json *moor_json_new_object(void);
struct moor_json *moor_json_new_array(void);
struct moor_json *moor_json_new_str(const char *s); /* NULL gives JSON null */
struct moor_json *moor_json_new_int(int64_t n);     /* |n| < 2^53, else asserts */
struct moor_json *moor_json_new_number(double n);   /* finite, else asserts */
struct moor_json *moor_json_new_bool(bool b);
struct moor_json *moor_json_new_null(void);
struct moor_json *moor_json_copy(const struct moor_json *v);

/* Puts v (moved in, also on failure) under name, replacing what was there. Returns v, so that
 * nested objects are built inline; NULL when out of memory or v was NULL: the tree is marked and
 * cannot be printed. */
struct moor_json *moor_json_set(struct moor_json *obj, const char *name, struct moor_json *v);
struct moor_json *moor_json_push(struct moor_json *arr, struct moor_json *v);
void moor_json_set_str(struct moor_json *obj, const char *name, const char *s);
void moor_json_set_int(struct moor_json *obj, const char *name, int64_t n);
void moor_json_set_bool(struct moor_json *obj, const char *name, bool b);
void moor_json_remove(struct moor_json *obj, const char *name);
struct moor_json *moor_json_edit(struct moor_json *obj, const char *name); /* mutable member */

/* RFC 7396: patch applied to target in place; both are objects, else BADINPUT. After NOMEM the
 * target is half patched: free it. */
MOOR_NODISCARD moor_code moor_json_merge_patch(struct moor_json *target,
                                               const struct moor_json *patch,
                                               struct moor_error *err);

/* Printing, compact, members in their order. NULL and incomplete trees make the buffer fail. */
void moor_buf_json(struct moor_buf *b, const struct moor_json *v);
/* The same with sorted names: one text for equal values, for digests. */
void moor_buf_json_canonical(struct moor_buf *b, const struct moor_json *v);
void moor_buf_json_pretty(struct moor_buf *b,
                          const struct moor_json *v); /* two blanks; no LF at the end */
/* A heap string; NOMEM when the tree is incomplete or the text passes max. */
MOOR_NODISCARD moor_code moor_json_print(const struct moor_json *v, size_t max, char **out,
                                         struct moor_error *err);

#endif
