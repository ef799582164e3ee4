/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_internal.h: what the json*.c files share. A struct moor_json is a cJSON node; nothing
 * outside these files knows that.
 *
 * Two things are ours in a node. The flag NODE_INCOMPLETE on a container says that a member got
 * lost for lack of memory. The valuestring of a number, when not NULL, is its text as it was
 * written: kept where a double would lose digits, so that documents pass through unchanged.
 */
#ifndef MOOR_BASE_JSON_INTERNAL_H
#define MOOR_BASE_JSON_INTERNAL_H

#include <cjson/cJSON.h>

#include "base/json.h"

#define NODE_INCOMPLETE (1 << 16)

/* Whole numbers below this are exact in a double, and so are their neighbours. */
#define MOOR_JSON_INT_LIMIT (INT64_C(1) << 53)

/* Longest number cJSON reads. */
#define MOOR_JSON_NUMBER_MAX 63

static inline const cJSON *node_of(const struct moor_json *v)
{
    return (const cJSON *)(const void *)v;
}

static inline cJSON *node_edit(struct moor_json *v)
{
    return (cJSON *)(void *)v;
}

static inline const struct moor_json *json_of(const cJSON *n)
{
    return (const struct moor_json *)(const void *)n;
}

static inline struct moor_json *json_edit(cJSON *n)
{
    return (struct moor_json *)(void *)n;
}

/* Members of an object, sorted by the bytes of their names; free() the array. NULL when out of
 * memory. */
const cJSON **moor_json_sorted(const cJSON *obj, size_t *count);

/* The one text that we write for a double; it reads as the same double. */
#define MOOR_JSON_NUMBER_SIZE 40
void moor_json_number_text(double n, char out[MOOR_JSON_NUMBER_SIZE]);

/* A number whose text is kept. */
struct moor_json_digits {
    size_t index;          /* how many numbers are before it in the document */
    struct moor_span text; /* in the document */
};

struct moor_json_digits_list {
    struct moor_json_digits *items;
    size_t count, cap;
};
void moor_json_digits_list_drop(struct moor_json_digits_list *l);
MOOR_DEFINE_AUTO(moor_json_digits_list)

/* Checks every rule of json.h. digits gets the numbers whose text must be kept, in order. */
MOOR_NODISCARD moor_code moor_json_scan(struct moor_span text, struct moor_json_digits_list *digits,
                                        struct moor_error *err);

/* "line L column C: why" for the byte at offset; columns count characters. */
MOOR_NODISCARD moor_code moor_json_fail_at(struct moor_span text, size_t offset, const char *why,
                                           struct moor_error *err);

#endif
