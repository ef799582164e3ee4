/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/incoming.h"

#include "base/buf.h"
#include "crypto/digest.h"
#include "platform/file.h"
#include "platform/random.h"

#define COPY_CHUNK ((size_t)256 * 1024)

void moor_incoming_drop(struct moor_incoming *in)
{
    if (in->path && plat_remove(in->path, NULL) != MOOR_OK)
        return; /* a leftover is harmless: nothing refers to it */
    in->path = NULL;
}

static moor_code copy_file(const char *from, const char *to, unsigned char sha256[32],
                           uint64_t *size, struct moor_error *err)
{
    MOOR_AUTO(plat_file) in = PLAT_FILE_INIT;
    MOOR_AUTO(plat_file) out = PLAT_FILE_INIT;
    MOOR_AUTOPTR(moor_digest) digest = NULL;
    MOOR_AUTO(moor_buf) chunk = MOOR_BUF(COPY_CHUNK);
    moor_code c;
    if ((c = plat_open(from, PLAT_READ, &in, err)) ||
        (c = plat_create_new(to, PLAT_OWNER_ONLY, &out, err)) ||
        (c = moor_digest_new(&digest, err)))
        return c;
    char *room = moor_buf_room(&chunk, COPY_CHUNK);
    if (!room)
        return moor_buf_ok(&chunk, from, err);
    uint64_t at = 0;
    for (size_t got = COPY_CHUNK; got == COPY_CHUNK; at += got) {
        if ((c = plat_read_at(&in, at, room, COPY_CHUNK, &got, err)) ||
            (c = moor_digest_add(digest, moor_span(room, got), err)) ||
            (c = plat_append(&out, moor_span(room, got), err)))
            return c;
        if (at + got > MOOR_INCOMING_MAX)
            return moor_fail(err, MOOR_E_BADINPUT, "%s: over 2 GiB", from);
    }
    *size = at;
    if ((c = plat_sync(&out, err)))
        return c;
    return moor_digest_end(digest, sha256, err);
}

moor_code moor_incoming_copy(const char *from, const char *folder, struct moor_arena *arena,
                             struct moor_incoming *out, struct moor_error *err)
{
    char nonce[37];
    unsigned char digest[32];
    MOOR_AUTO(moor_incoming) in = MOOR_INCOMING_INIT;
    moor_code c = plat_make_dirs(folder, PLAT_OWNER_ONLY, err);
    if (c)
        return c;
    plat_random_uuid(nonce);
    in.path = moor_arena_fmt(arena, "%s/.incoming-%s", folder, nonce);
    if (!in.path)
        return moor_fail(err, MOOR_E_NOMEM, "%s: no memory", from);
    if ((c = copy_file(from, in.path, digest, &in.size, err)))
        return c;
    MOOR_AUTO(moor_buf) hex = MOOR_BUF(64);
    moor_buf_hex(&hex, moor_span(digest, sizeof digest));
    in.sha256 = moor_arena_str(arena, moor_buf_view(&hex));
    if (!in.sha256)
        return moor_fail(err, MOOR_E_NOMEM, "%s: no memory", from);
    *out = in;
    in.path = NULL;
    return MOOR_OK;
}

moor_code moor_incoming_keep(struct moor_incoming *in, const char *folder, const char *final,
                             struct moor_error *err)
{
    moor_code c = plat_rename(in->path, final, err);
    if (c)
        return c;
    in->path = NULL;
    return plat_sync_dir(folder, err);
}
