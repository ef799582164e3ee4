/* SPDX-License-Identifier: Apache-2.0 */
#include "download.h"

#include "http/client.h"
#include "http/retry.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "platform/random.h"
#include "run/loop.h"
#include "storage.h"

#include <string.h>

#define SAS_MS       ((int64_t)60 * 60 * 1000)
#define TRIES        4
#define FILE_MAX     ((uint64_t)2 * 1024 * 1024 * 1024)
#define FILE_TIMEOUT (30ull * 60 * 1000)
#define TEXT_MAX     (1024 * 1024) /* files whose line ends are mended */

struct download {
    const struct customscript_job *job;
    const char *folder;
    const struct customscript_access *access;
    struct moor_loop *loop;
    struct moor_http_transport *transport;
    struct moor_timer *again;
    struct plat_file sink;
    char *name;
    size_t index;
    unsigned attempt;
    struct moor_error err;
};

static void next_file(struct download *d);

static void free_name(struct download *d)
{
    moor_str_autofree(&d->name);
    d->name = NULL;
}

static void finish(struct download *d)
{
    moor_loop_stop(d->loop);
}

static moor_code path_of(const struct download *d, struct moor_buf *path, struct moor_error *err)
{
    moor_buf_fmt(path, "%s/%s", d->folder, d->name);
    return moor_buf_ok(path, "file name", err);
}

/* Shell scripts written elsewhere often have CR LF line ends, which the kernel does not run. */
static moor_code mend_lines(const char *path, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(TEXT_MAX);
    moor_code c = plat_read_all(path, TEXT_MAX, &text, err);
    if (c == MOOR_E_NOMEM)
        return MOOR_OK;
    if (c != MOOR_OK || !text.data || memchr(text.data, 0, text.len) ||
        !moor_span_starts(moor_buf_view(&text), "#!"))
        return c;
    moor_buf_cut(&text, customscript_unix_lines(text.data, text.len));
    return plat_write_atomic(path, moor_buf_view(&text), PLAT_OWNER_ONLY, err);
}

static moor_code keep(struct download *d, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    moor_code c = path_of(d, &path, err);
    if (c == MOOR_OK)
        c = plat_sync(&d->sink, err);
    plat_file_drop(&d->sink);
    if (c == MOOR_OK && !d->job->keep_line_ends)
        c = mend_lines(moor_buf_cstr(&path), err);
    return c == MOOR_OK ? plat_set_mode(moor_buf_cstr(&path), 0700, err) : c;
}

static void give_up_or_retry(struct download *d)
{
    static const struct moor_retry_policy policy = { 2000, 30000, 20 };
    if (moor_error_retry(&d->err) == MOOR_RETRY_NEVER || ++d->attempt >= TRIES) {
        moor_code c = moor_context(&d->err, "fileUris[%zu]", d->index);
        (void)c;
        finish(d);
        return;
    }
    moor_timer_arm(
        d->again, moor_retry_delay_ms(&policy, &d->err, d->attempt, plat_random_below(UINT32_MAX)));
}

static void on_answer(void *ctx, const struct moor_http_response *r, const struct moor_error *err)
{
    struct download *d = ctx;
    d->err = *err;
    if (err->code == MOOR_OK && (r->status < 200 || r->status > 299)) {
        moor_code c = moor_http_error_from(r, "download", &d->err);
        (void)c;
    }
    if (d->err.code != MOOR_OK || keep(d, &d->err) != MOOR_OK) {
        give_up_or_retry(d);
        return;
    }
    d->index++;
    d->attempt = 0;
    next_file(d);
}

/* The URI with what the service wants to see, a secret from then on. */
static moor_code address(const struct download *d, const char *uri, struct moor_buf *out,
                         struct moor_error *err)
{
    if (d->job->storage_account)
        return customscript_sign_uri(uri, d->job->storage_account, &d->job->storage_key,
                                     plat_utc_ms() + SAS_MS, out, err);
    moor_buf_str(out, uri);
    return moor_buf_ok(out, "fileUris", err);
}

static moor_code send(struct download *d, struct moor_error *err)
{
    static const struct moor_http_header version = { "x-ms-version", "2017-11-09" };
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) url = MOOR_BUF_SECRET(16 * 1024);
    struct moor_http_call *call = NULL;
    const char *uri = d->job->uris[d->index];
    bool known = d->access->token && customscript_blob_may_have_token(uri);
    free_name(d);
    moor_code c = customscript_file_name(uri, &d->name, err);
    if (c == MOOR_OK)
        c = path_of(d, &path, err);
    if (c == MOOR_OK)
        c = plat_remove(moor_buf_cstr(&path), err);
    if (c == MOOR_OK)
        c = plat_create_new(moor_buf_cstr(&path), PLAT_OWNER_ONLY, &d->sink, err);
    if (c == MOOR_OK)
        c = address(d, uri, &url, err);
    if (c != MOOR_OK)
        return c;
    const struct moor_http_request req = {
        .method = "GET",
        .url = moor_buf_cstr(&url),
        .bearer = known ? d->access->token : NULL,
        .headers = &version,
        .header_count = known ? 1 : 0,
        .timeout_ms = FILE_TIMEOUT,
        .sink = &d->sink,
        .sink_max = FILE_MAX,
        .redirects_max = 3,
    };
    return moor_http_send(d->transport, &req, on_answer, d, &call, err);
}

static void next_file(struct download *d)
{
    if (d->index == d->job->uri_count) {
        finish(d);
        return;
    }
    plat_file_drop(&d->sink);
    if (send(d, &d->err) != MOOR_OK)
        give_up_or_retry(d);
}

static void on_again(void *ctx)
{
    next_file(ctx);
}

moor_code customscript_download(const struct customscript_job *job, const char *folder,
                                const struct customscript_access *access, struct moor_error *err)
{
    const struct moor_http_client_opts client_opts = { .user_agent = "CustomScript",
                                                       .proxy = access->proxy };
    MOOR_AUTOPTR(moor_loop) loop = NULL;
    MOOR_AUTOPTR(moor_timer) again = NULL;
    MOOR_AUTOPTR(moor_http_client) client = NULL;
    struct download d = { .job = job, .folder = folder, .access = access, .sink = PLAT_FILE_INIT };
    if (job->uri_count == 0)
        return MOOR_OK;
    moor_code c = moor_loop_new(&loop, err);
    if (c == MOOR_OK)
        c = moor_http_client_new(loop, &client_opts, &client, err);
    if (c == MOOR_OK)
        c = moor_timer_new(loop, on_again, &d, &again, err);
    if (c != MOOR_OK)
        return c;
    d.loop = loop;
    d.transport = moor_http_client_transport(client);
    d.again = again;
    moor_timer_arm(again, 0);
    c = moor_loop_run(loop, err);
    plat_file_drop(&d.sink);
    free_name(&d);
    if (c == MOOR_OK && d.err.code != MOOR_OK && err)
        *err = d.err;
    return c != MOOR_OK ? c : d.err.code;
}
