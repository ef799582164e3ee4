/* SPDX-License-Identifier: Apache-2.0 */
#include <libdeflate.h>
#include <stdlib.h>

#include "logs/squeeze.h"

#define RAW_MAX   ((size_t)64 * 1024 * 1024)
#define OUT_USUAL ((size_t)1024 * 1024) /* more is rare, and memory */

/* The library takes whole texts only. */
struct whole {
    struct libdeflate_compressor *compressor;
    struct moor_buf raw;
};

static void close_libdeflate(void *state)
{
    struct whole *w = state;
    if (w->compressor)
        libdeflate_free_compressor(w->compressor);
    moor_buf_drop(&w->raw);
    free(w);
}

static void *open_libdeflate(int level)
{
    struct whole *w = calloc(1, sizeof(*w));
    if (!w)
        return NULL;
    w->raw.max = RAW_MAX;
    w->compressor = libdeflate_alloc_compressor(level);
    if (w->compressor)
        return w;
    close_libdeflate(w);
    return NULL;
}

/* False when it takes more than n bytes. */
static bool compress_into(struct whole *w, struct moor_buf *out, size_t n)
{
    char *room = moor_buf_room(out, n);
    size_t got =
        room ? libdeflate_gzip_compress(w->compressor, w->raw.data, w->raw.len, room, n) : 0;
    if (room)
        moor_buf_grew(out, got);
    return got > 0;
}

static bool feed_libdeflate(void *state, struct moor_span in, moor_squeeze_how how,
                            struct moor_buf *out)
{
    struct whole *w = state;
    moor_buf_span(&w->raw, in);
    if (w->raw.failed || how != MOOR_SQUEEZE_END)
        return !w->raw.failed;
    size_t bound = libdeflate_gzip_compress_bound(w->compressor, w->raw.len);
    bool good =
        (bound > OUT_USUAL && compress_into(w, out, OUT_USUAL)) || compress_into(w, out, bound);
    moor_buf_reset(&w->raw);
    return good;
}

const struct moor_squeeze_library moor_squeeze_libdeflate = {
    "libdeflate", 1, 12, false, open_libdeflate, feed_libdeflate, close_libdeflate,
};
