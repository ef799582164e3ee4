/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "base/json.h"

#define TEXT_MAX (1 << 20)

/* What is printed reads as an equal value and prints as the same text. */
static void prints_what_it_reads(const struct moor_json *v)
{
    static void (*const printers[])(struct moor_buf *, const struct moor_json *) = {
        moor_buf_json, moor_buf_json_canonical, moor_buf_json_pretty
    };
    for (size_t i = 0; i < MOOR_COUNTOF(printers); i++) {
        MOOR_AUTO(moor_buf) text = MOOR_BUF(TEXT_MAX);
        printers[i](&text, v);
        MOOR_ASSERT(!text.failed);
        MOOR_AUTOPTR(moor_json) back = NULL;
        MOOR_ASSERT(moor_json_parse(moor_buf_view(&text), &back, NULL) == MOOR_OK);
        MOOR_ASSERT(moor_json_equal(v, back));
        MOOR_AUTO(moor_buf) again = MOOR_BUF(TEXT_MAX);
        printers[i](&again, back);
        MOOR_ASSERT(moor_span_eq(moor_buf_view(&text), moor_buf_view(&again)));
    }
}

static void merges_into_nothing_and_itself(const struct moor_json *v)
{
    MOOR_AUTOPTR(moor_json) target = moor_json_new_object();
    MOOR_AUTOPTR(moor_json) copy = moor_json_copy(v);
    MOOR_ASSERT(moor_json_equal(v, copy));
    if (moor_json_typeof(v) != MOOR_JSON_OBJECT)
        return;
    MOOR_ASSERT(moor_json_merge_patch(target, v, NULL) == MOOR_OK);
    MOOR_ASSERT(moor_json_merge_patch(copy, v, NULL) == MOOR_OK);
    /* A patch without null members is the result; one with them has lost some. */
    MOOR_ASSERT(moor_json_size(target) <= moor_json_size(v));
    MOOR_ASSERT(moor_json_equal(target, copy));
}

static void walks(const struct moor_json *v, int depth)
{
    MOOR_ASSERT(depth <= MOOR_JSON_DEPTH_MAX);
    double d = 0;
    int64_t n = 0;
    if (moor_json_int(v, &n))
        MOOR_ASSERT(moor_json_number(v, &d) && (int64_t)d == n);
    MOOR_JSON_EACH(item, v)
    {
        const char *name = moor_json_name(item);
        MOOR_ASSERT((name != NULL) == (moor_json_typeof(v) == MOOR_JSON_OBJECT));
        /* Names are unique. */
        MOOR_ASSERT(!name || moor_json_get(v, name) == item);
        walks(item, depth + 1);
    }
}

/* Reads the text both ways. cJSON must accept whatever the scan let pass. */
static void reads(struct moor_span text)
{
    MOOR_AUTOPTR(moor_json) strict = NULL;
    MOOR_AUTOPTR(moor_json) lenient = NULL;
    struct moor_error err = MOOR_ERROR_INIT;
    moor_code c = moor_json_parse(text, &strict, &err);
    MOOR_ASSERT(c == MOOR_OK || c == MOOR_E_BADINPUT);
    MOOR_ASSERT(c == MOOR_OK || strncmp(err.msg, "line ", 5) == 0);
    moor_code lenient_code = moor_json_parse_lenient(text, &lenient, NULL);
    MOOR_ASSERT(lenient_code == MOOR_OK || lenient_code == MOOR_E_BADINPUT);
    if (c == MOOR_OK)
        MOOR_ASSERT(moor_json_equal(strict, lenient));
    const struct moor_json *v = strict ? strict : lenient;
    if (!v)
        return;
    walks(v, 0);
    prints_what_it_reads(v);
    merges_into_nothing_and_itself(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    reads(moor_span(data, size));
    return 0;
}
