/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <zlib.h>

#include "logs/squeeze.h"

#define GZIP_WINDOW (15 + 16)
#define ROOM_BYTES  ((size_t)64 * 1024)

static void *open_zlib(int level)
{
    z_stream *z = calloc(1, sizeof(*z));
    if (z && deflateInit2(z, level, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) == Z_OK)
        return z;
    free(z);
    return NULL;
}

static bool feed_zlib(void *state, struct moor_span in, moor_squeeze_how how, struct moor_buf *out)
{
    static const int flush[] = { Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FINISH };
    z_stream *z = state;
    z->next_in = (Bytef *)(uintptr_t)in.p;
    z->avail_in = (uInt)in.n;
    do {
        char *room = moor_buf_room(out, ROOM_BYTES);
        if (!room)
            return false;
        z->next_out = (Bytef *)room;
        z->avail_out = (uInt)ROOM_BYTES;
        int r = deflate(z, flush[how]);
        moor_buf_grew(out, ROOM_BYTES - z->avail_out);
        if (r == Z_STREAM_ERROR)
            return false;
    } while (z->avail_out == 0);
    return how != MOOR_SQUEEZE_END || deflateReset(z) == Z_OK;
}

static void close_zlib(void *state)
{
    (void)deflateEnd(state);
    free(state);
}

const struct moor_squeeze_library moor_squeeze_zlib = {
    "zlib", 1, 9, true, open_zlib, feed_zlib, close_zlib,
};
