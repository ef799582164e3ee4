/* SPDX-License-Identifier: Apache-2.0 */
#include <isa-l/igzip_lib.h>
#include <stdlib.h>

#include "logs/squeeze.h"

#define ROOM_BYTES ((size_t)64 * 1024)

struct isal {
    struct isal_zstream z;
    uint32_t level;
    unsigned char room[];
};

static void begin(struct isal *s, uint32_t room)
{
    isal_deflate_init(&s->z);
    s->z.level = s->level;
    s->z.level_buf = s->room;
    s->z.level_buf_size = room;
    s->z.gzip_flag = IGZIP_GZIP;
}

static void *open_isal(int level)
{
    static const uint32_t rooms[] = { 0, ISAL_DEF_LVL1_DEFAULT, ISAL_DEF_LVL2_DEFAULT,
                                      ISAL_DEF_LVL3_DEFAULT };
    struct isal *s = calloc(1, sizeof(*s) + rooms[level]);
    if (!s)
        return NULL;
    s->level = (uint32_t)level;
    begin(s, rooms[level]);
    return s;
}

static bool feed_isal(void *state, struct moor_span in, moor_squeeze_how how, struct moor_buf *out)
{
    struct isal *s = state;
    s->z.next_in = (uint8_t *)(uintptr_t)in.p;
    s->z.avail_in = (uint32_t)in.n;
    s->z.end_of_stream = how == MOOR_SQUEEZE_END;
    s->z.flush = how == MOOR_SQUEEZE_FLUSH ? SYNC_FLUSH : NO_FLUSH;
    do {
        char *room = moor_buf_room(out, ROOM_BYTES);
        if (!room)
            return false;
        s->z.next_out = (uint8_t *)room;
        s->z.avail_out = (uint32_t)ROOM_BYTES;
        int r = isal_deflate(&s->z);
        moor_buf_grew(out, ROOM_BYTES - s->z.avail_out);
        if (r != COMP_OK)
            return false;
    } while (s->z.avail_out == 0 || s->z.avail_in > 0);
    if (how == MOOR_SQUEEZE_END)
        begin(s, s->z.level_buf_size);
    return true;
}

static void close_isal(void *state)
{
    free(state);
}

/* Level 0 codes by a fixed table, and may make more of bytes than they were. */
const struct moor_squeeze_library moor_squeeze_isal = {
    "isal", 1, 3, true, open_isal, feed_isal, close_isal,
};
