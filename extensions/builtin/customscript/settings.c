/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include "base/json.h"
#include "base/text.h"

#include <stddef.h>
#include <string.h>

#include <zlib.h>

struct one {
    const char *command, *script, *identity, *account, *key;
    struct moor_str_list uris;
    int64_t timestamp; /* only there to make a difference */
    bool keep_line_ends;
};
static const struct moor_json_field one_fields[] = {
    { MOOR_F_STR, "commandToExecute", offsetof(struct one, command), 0, 1, 128 * 1024, NULL },
    { MOOR_F_STR, "script", offsetof(struct one, script), 0, 1, 512 * 1024, NULL },
    { MOOR_F_STR_LIST, "fileUris", offsetof(struct one, uris), 0, 0, CUSTOMSCRIPT_FILES_MAX, NULL },
    { MOOR_F_BOOL, "skipDos2Unix", offsetof(struct one, keep_line_ends), 0, 0, 0, NULL },
    { MOOR_F_I64, "timestamp", offsetof(struct one, timestamp), 0, INT32_MIN, INT32_MAX, NULL },
    { MOOR_F_STR, "storageAccountName", offsetof(struct one, account), 0, 1, 64, NULL },
    { MOOR_F_STR, "storageAccountKey", offsetof(struct one, key), 0, 1, 1024, NULL },
    { MOOR_F_OBJ_JSON, "managedIdentity", offsetof(struct one, identity), 0, 0, 0, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape one_shape = { sizeof(struct one), one_fields, 0 };

void customscript_job_drop(struct customscript_job *j)
{
    moor_secret_drop(&j->command);
    moor_secret_drop(&j->script);
    moor_secret_drop(&j->storage_key);
    j->uris = NULL;
    j->uri_count = 0;
}

static moor_code decode(struct moor_span text, const char *what, struct one *out,
                        struct moor_arena *arena, struct moor_error *err)
{
    if (moor_span_trim(text).n == 0)
        return MOOR_OK;
    return moor_json_decode(text, what, &one_shape, out, arena, err);
}

/* How files are read that are not everybody's: in the protected half only, one way. */
static moor_code take_access(const struct one *pub, const struct one *prot,
                             struct customscript_job *out, struct moor_error *err)
{
    if (pub->identity || pub->account || pub->key)
        return moor_fail(err, MOOR_E_BADINPUT, "settings: %s: belongs into protectedSettings",
                         pub->identity  ? "managedIdentity"
                         : pub->account ? "storageAccountName"
                                        : "storageAccountKey");
    if (!prot->account != !prot->key)
        return moor_fail(err, MOOR_E_BADINPUT,
                         "storageAccountName and storageAccountKey: give both");
    if (prot->identity && prot->account)
        return moor_fail(err, MOOR_E_BADINPUT,
                         "managedIdentity and storageAccountName: give only one");
    if (prot->identity && strcmp(prot->identity, "{}") != 0)
        return moor_fail(err, MOOR_E_UNSUPPORTED,
                         "managedIdentity: want {}: this machine has one identity, its own");
    out->identity = prot->identity != NULL;
    out->storage_account = prot->account;
    return prot->key ? moor_secret_set(&out->storage_key, moor_span_str(prot->key), err) : MOOR_OK;
}

/* script is base64 of the text, or of the text compressed by gzip. */
static moor_code inflate_script(struct moor_span packed, struct moor_buf *out,
                                struct moor_error *err)
{
    z_stream z = { 0 };
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
        return moor_fail(err, MOOR_E_NOMEM, "script: out of memory");
    char *room = moor_buf_room(out, CUSTOMSCRIPT_SCRIPT_MAX);
    int r = Z_MEM_ERROR;
    if (room) {
        MOOR_AUTO(moor_buf) input = MOOR_BUF_SECRET(packed.n);
        moor_buf_span(&input, packed);
        z.next_in = (unsigned char *)input.data;
        z.avail_in = (unsigned)input.len;
        z.next_out = (unsigned char *)room;
        z.avail_out = CUSTOMSCRIPT_SCRIPT_MAX;
        r = inflate(&z, Z_FINISH);
        moor_buf_grew(out, CUSTOMSCRIPT_SCRIPT_MAX - z.avail_out);
    }
    inflateEnd(&z);
    if (r != Z_STREAM_END)
        return moor_fail(err, MOOR_E_BADINPUT,
                         "script: want gzip data of at most %d bytes unpacked",
                         CUSTOMSCRIPT_SCRIPT_MAX);
    return MOOR_OK;
}

static moor_code read_script(const char *base64, struct moor_secret *out, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) packed = MOOR_BUF_SECRET(CUSTOMSCRIPT_SCRIPT_MAX);
    MOOR_AUTO(moor_buf) text = MOOR_BUF_SECRET(CUSTOMSCRIPT_SCRIPT_MAX);
    if (moor_base64_decode(moor_span_str(base64), &packed, err) != MOOR_OK)
        return moor_context(err, "script");
    moor_code c = moor_buf_ok(&packed, "script", err);
    if (c != MOOR_OK)
        return c;
    if (!moor_span_starts(moor_buf_view(&packed), "\x1f\x8b"))
        return moor_secret_take(out, &packed, err);
    c = inflate_script(moor_buf_view(&packed), &text, err);
    return c == MOOR_OK ? moor_secret_take(out, &text, err) : c;
}

static moor_code merge_uris(const struct one *a, const struct one *b, struct customscript_job *out,
                            struct moor_arena *arena, struct moor_error *err)
{
    size_t n = a->uris.count + b->uris.count;
    if (n > CUSTOMSCRIPT_FILES_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "fileUris: want at most %d", CUSTOMSCRIPT_FILES_MAX);
    out->uris = moor_arena_array(arena, n, sizeof(*out->uris));
    if (!out->uris)
        return moor_fail(err, MOOR_E_NOMEM, "fileUris: out of memory");
    for (size_t i = 0; i < a->uris.count; i++)
        out->uris[out->uri_count++] = a->uris.items[i];
    for (size_t i = 0; i < b->uris.count; i++)
        out->uris[out->uri_count++] = b->uris.items[i];
    for (size_t i = 0; i < n; i++) {
        struct moor_span u = moor_span_str(out->uris[i]);
        if (!moor_span_starts(u, "https://") && !moor_span_starts(u, "http://"))
            return moor_fail(err, MOOR_E_BADINPUT, "fileUris[%zu]: want https:// or http://", i);
    }
    return MOOR_OK;
}

static moor_code take_work(const char *command, const char *script, struct customscript_job *out,
                           struct moor_error *err)
{
    if (!command && !script)
        return moor_fail(err, MOOR_E_BADINPUT, "commandToExecute or script: one is required");
    if (command && script)
        return moor_fail(err, MOOR_E_BADINPUT, "commandToExecute and script: give only one");
    if (command)
        return moor_secret_set(&out->command, moor_span_str(command), err);
    return read_script(script, &out->script, err);
}

moor_code customscript_job_read(struct moor_span public_text, struct moor_span protected_text,
                                struct customscript_job *out, struct moor_arena *arena,
                                struct moor_error *err)
{
    struct one pub = { 0 }, prot = { 0 };
    MOOR_AUTO(customscript_job) job = { 0 };
    moor_code c = decode(public_text, "settings", &pub, arena, err);
    if (c == MOOR_OK)
        c = decode(protected_text, "protectedSettings", &prot, arena, err);
    if (c != MOOR_OK)
        return c;
    if ((pub.command && prot.command) || (pub.script && prot.script))
        return moor_fail(err, MOOR_E_BADINPUT,
                         "%s: stands in settings and in protectedSettings: give it once",
                         pub.command && prot.command ? "commandToExecute" : "script");
    c = take_work(pub.command ? pub.command : prot.command, pub.script ? pub.script : prot.script,
                  &job, err);
    if (c == MOOR_OK)
        c = merge_uris(&pub, &prot, &job, arena, err);
    if (c == MOOR_OK)
        c = take_access(&pub, &prot, &job, err);
    if (c != MOOR_OK)
        return c;
    job.keep_line_ends = pub.keep_line_ends || prot.keep_line_ends;
    *out = job;
    job = (struct customscript_job){ 0 };
    return MOOR_OK;
}
