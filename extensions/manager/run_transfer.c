/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/run_transfer.h"

#include <stdlib.h>
#include <string.h>

#include "manager/internal.h"
#include "manager/package.h"
#include "manager/run.h"
#include "platform/file.h"

#define TIMEOUT_MS   (10ull * 60 * 1000)
#define BLOCK_MAX    ((size_t)512 * 1024)
#define URL_MAX      2100
#define BLOB_VERSION "2021-08-06"

struct moor_run_transfer {
    struct moor_manager *m;
    struct moor_run *run;
    moor_run_transfer_fn done;
    struct moor_secret url;
    struct moor_http_transport *transport;
    struct moor_http_call *call;
    struct plat_file file; /* the script as it comes, or the stream */
    const char *sha256;    /* owned; NULL = none */
    uint64_t offset;       /* of the stream, sent already */
};

void moor_run_transfer_free(struct moor_run_transfer *t)
{
    if (!t)
        return;
    if (t->call)
        moor_http_cancel(t->transport, t->call);
    plat_file_drop(&t->file);
    moor_secret_drop(&t->url);
    free((void *)(uintptr_t)t->sha256);
    free(t);
}

static void end(struct moor_run_transfer *t, const struct moor_error *err)
{
    struct moor_manager *m = t->m;
    struct moor_run *r = t->run;
    moor_run_transfer_fn done = t->done;
    r->transfer = NULL;
    moor_run_transfer_free(t);
    done(m, r, err);
}

/* The transport for the URL. The token that packages may have is not for scripts and blobs. */
static moor_code choose(struct moor_run_transfer *t, bool *public_only, struct moor_error *err)
{
    const struct moor_secret *token = NULL;
    t->transport = moor_link_for(t->m->link, moor_secret_reveal(&t->url).p, &token);
    *public_only = token == NULL;
    return t->transport ? MOOR_OK
                        : moor_fail(err, MOOR_E_TRANSIENT, "this machine is not connected");
}

static void describe(const struct moor_http_response *r, const char *what, struct moor_error *err)
{
    if (err->code == MOOR_OK && (r->status < 200 || r->status > 299)) {
        moor_code c = moor_http_error_from(r, what, err);
        (void)c; /* it is in err */
    }
}

static moor_code check_digest(const struct plat_file *f, const char *sha256, struct moor_error *err)
{
    struct plat_stat st;
    moor_code c = plat_fstat(f, &st, err);
    return c == MOOR_OK ? moor_package_check_bytes(f, st.size, sha256, err) : c;
}

static moor_code keep_script(struct moor_run_transfer *t, struct moor_error *err)
{
    MOOR_AUTOSTR part = NULL;
    MOOR_AUTOSTR script = NULL;
    moor_code c = t->sha256 ? check_digest(&t->file, t->sha256, err) : MOOR_OK;
    if (c == MOOR_OK)
        c = moor_run_path(t->run->id, "script.part", &part, err);
    if (c == MOOR_OK)
        c = moor_run_path(t->run->id, "script", &script, err);
    return c == MOOR_OK ? plat_rename(part, script, err) : c;
}

static void on_script(void *ctx, const struct moor_http_response *r, const struct moor_error *err)
{
    struct moor_run_transfer *t = ctx;
    struct moor_error why = *err;
    t->call = NULL;
    describe(r, "script", &why);
    if (why.code == MOOR_OK) {
        moor_code c = keep_script(t, &why);
        (void)c; /* it is in why */
    }
    end(t, &why);
}

static moor_code ask_for_script(struct moor_run_transfer *t, struct moor_error *err)
{
    bool public_only = true;
    moor_code c = choose(t, &public_only, err);
    if (c == MOOR_OK)
        c = plat_truncate(&t->file, 0, err);
    if (c != MOOR_OK)
        return c;
    const struct moor_http_request req = {
        .method = "GET",
        .url = moor_secret_reveal(&t->url).p,
        .timeout_ms = TIMEOUT_MS,
        .sink = &t->file,
        .sink_max = MOOR_RUN_SCRIPT_MAX,
        .redirects_max = 3,
        .https_only = true,
        .public_only = public_only,
    };
    return moor_http_send(t->transport, &req, on_script, t, &t->call, err);
}

static void on_block(void *ctx, const struct moor_http_response *r, const struct moor_error *err);

static moor_code put(struct moor_run_transfer *t, const char *url,
                     const struct moor_http_header *headers, size_t count, struct moor_span body,
                     struct moor_error *err)
{
    bool public_only = true;
    moor_code c = choose(t, &public_only, err);
    if (c != MOOR_OK)
        return c;
    const struct moor_http_request req = {
        .method = "PUT",
        .url = url,
        .headers = headers,
        .header_count = count,
        .body = body,
        .content_type = "text/plain; charset=utf-8",
        .timeout_ms = TIMEOUT_MS,
        .https_only = true,
        .public_only = public_only,
    };
    return moor_http_send(t->transport, &req, on_block, t, &t->call, err);
}

static moor_code make_blob(struct moor_run_transfer *t, struct moor_error *err)
{
    static const struct moor_http_header headers[] = { { "x-ms-blob-type", "AppendBlob" },
                                                       { "x-ms-version", BLOB_VERSION } };
    return put(t, moor_secret_reveal(&t->url).p, headers, MOOR_COUNTOF(headers), MOOR_SPAN_NONE,
               err);
}

static moor_code append_block(struct moor_run_transfer *t, struct moor_span block,
                              struct moor_error *err)
{
    static const struct moor_http_header headers[] = { { "x-ms-version", BLOB_VERSION } };
    MOOR_AUTO(moor_buf) url = MOOR_BUF_SECRET(URL_MAX);
    struct moor_span given = moor_secret_reveal(&t->url);
    moor_buf_span(&url, given);
    moor_buf_str(&url, memchr(given.p, '?', given.n) ? "&comp=appendblock" : "?comp=appendblock");
    moor_code c = moor_buf_ok(&url, "URI of a blob", err);
    return c == MOOR_OK ? put(t, moor_buf_cstr(&url), headers, MOOR_COUNTOF(headers), block, err)
                        : c;
}

/* The next block; *more is false behind the last. */
static moor_code send_block(struct moor_run_transfer *t, bool *more, struct moor_error *err)
{
    size_t got = 0;
    char *block = malloc(BLOCK_MAX);
    if (!block)
        return moor_fail(err, MOOR_E_NOMEM, "output: out of memory");
    moor_code c = plat_read_at(&t->file, t->offset, block, BLOCK_MAX, &got, err);
    *more = c == MOOR_OK && got > 0;
    if (*more)
        c = append_block(t, moor_span(block, got), err);
    if (c == MOOR_OK)
        t->offset += got;
    free(block);
    return c;
}

static void on_block(void *ctx, const struct moor_http_response *r, const struct moor_error *err)
{
    struct moor_run_transfer *t = ctx;
    struct moor_error why = *err;
    bool more = false;
    t->call = NULL;
    describe(r, "blob", &why);
    if (why.code == MOOR_OK) {
        moor_code c = send_block(t, &more, &why);
        (void)c; /* it is in why */
    }
    if (why.code != MOOR_OK || !more)
        end(t, &why);
}

static moor_code new_transfer(struct moor_manager *m, struct moor_run *r,
                              const struct moor_secret *url, const char *file,
                              moor_run_transfer_fn done, struct moor_run_transfer **out,
                              struct moor_error *err)
{
    MOOR_AUTOSTR path = NULL;
    struct moor_run_transfer *t = calloc(1, sizeof(*t));
    if (!t)
        return moor_fail(err, MOOR_E_NOMEM, "run command: out of memory");
    t->m = m;
    t->run = r;
    t->done = done;
    t->file = (struct plat_file)PLAT_FILE_INIT;
    t->url = (struct moor_secret)MOOR_SECRET_INIT;
    moor_code c = moor_secret_set(&t->url, moor_secret_reveal(url), err);
    if (c == MOOR_OK)
        c = moor_run_path(r->id, file, &path, err);
    if (c == MOOR_OK)
        c = plat_open(path, PLAT_READ_WRITE, &t->file, err);
    if (c != MOOR_OK) {
        moor_run_transfer_free(t);
        return c;
    }
    *out = t;
    return MOOR_OK;
}

moor_code moor_run_fetch_script(struct moor_manager *m, struct moor_run *r,
                                const struct moor_secret *url, const char *sha256,
                                moor_run_transfer_fn done, struct moor_error *err)
{
    struct moor_run_transfer *t = NULL;
    char *digest = NULL;
    moor_code c = new_transfer(m, r, url, "script.part", done, &t, err);
    if (c == MOOR_OK && sha256)
        c = moor_span_dup(moor_span_str(sha256), &digest, err);
    if (c == MOOR_OK) {
        t->sha256 = digest;
        c = ask_for_script(t, err);
    }
    if (c != MOOR_OK) {
        moor_run_transfer_free(t);
        return c;
    }
    r->transfer = t;
    return MOOR_OK;
}

moor_code moor_run_send_stream(struct moor_manager *m, struct moor_run *r,
                               const struct moor_secret *url, const char *stream,
                               moor_run_transfer_fn done, struct moor_error *err)
{
    struct moor_run_transfer *t = NULL;
    moor_code c = new_transfer(m, r, url, stream, done, &t, err);
    if (c == MOOR_OK)
        c = make_blob(t, err);
    if (c != MOOR_OK) {
        moor_run_transfer_free(t);
        return c;
    }
    r->transfer = t;
    return MOOR_OK;
}
