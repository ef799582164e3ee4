/* SPDX-License-Identifier: Apache-2.0 */
#include "builtin/download.h"

#include "builtin/place.h"
#include "builtin/text.h"
#include "http/client.h"
#include "http/proxy.h"
#include "http/retry.h"
#include "platform/file.h"
#include "platform/random.h"
#include "run/loop.h"

#include <string.h>

#define TRIES        4
#define FILE_MAX     ((uint64_t)2 * 1024 * 1024 * 1024)
#define FILE_TIMEOUT (30ull * 60 * 1000)
#define TEXT_MAX     (1024 * 1024) /* files whose line ends are mended */

struct download {
    const struct builtin_download *what;
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
    moor_buf_fmt(path, "%s/%s", d->what->folder, d->name);
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
    moor_buf_cut(&text, builtin_unix_lines(text.data, text.len));
    return plat_write_atomic(path, moor_buf_view(&text), PLAT_OWNER_ONLY, err);
}

static moor_code keep(struct download *d, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    moor_code c = path_of(d, &path, err);
    if (c == MOOR_OK)
        c = plat_sync(&d->sink, err);
    plat_file_drop(&d->sink);
    if (c == MOOR_OK && !d->what->keep_line_ends)
        c = mend_lines(moor_buf_cstr(&path), err);
    return c == MOOR_OK ? plat_set_mode(moor_buf_cstr(&path), 0700, err) : c;
}

static void give_up_or_retry(struct download *d)
{
    static const struct moor_retry_policy policy = { 2000, 30000, 20 };
    if (moor_error_retry(&d->err) == MOOR_RETRY_NEVER || ++d->attempt >= TRIES) {
        moor_code c =
            moor_context(&d->err, d->what->name ? "%s" : "%s[%zu]", d->what->what, d->index);
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

static moor_code choose_name(struct download *d, struct moor_error *err)
{
    free_name(d);
    if (d->what->name)
        return moor_span_dup(moor_span_str(d->what->name), &d->name, err);
    return builtin_file_name(d->what->uris[d->index], &d->name, err);
}

static moor_code send(struct download *d, struct moor_error *err)
{
    static const struct moor_http_header version = { "x-ms-version", "2017-11-09" };
    MOOR_AUTO(moor_buf) path = MOOR_BUF(4096);
    MOOR_AUTO(moor_buf) url = MOOR_BUF_SECRET(16 * 1024);
    struct moor_http_call *call = NULL;
    const char *uri = d->what->uris[d->index];
    const struct moor_secret *bearer = NULL;
    moor_code c = choose_name(d, err);
    if (c == MOOR_OK)
        c = path_of(d, &path, err);
    if (c == MOOR_OK)
        c = plat_remove(moor_buf_cstr(&path), err);
    if (c == MOOR_OK)
        c = plat_create_new(moor_buf_cstr(&path), PLAT_OWNER_ONLY, &d->sink, err);
    if (c == MOOR_OK)
        c = d->what->authorize(d->what->ctx, uri, &url, &bearer, err);
    if (c != MOOR_OK)
        return c;
    const struct moor_http_request req = {
        .method = "GET",
        .url = moor_buf_cstr(&url),
        .bearer = bearer,
        .headers = &version,
        .header_count = bearer ? 1 : 0,
        .timeout_ms = FILE_TIMEOUT,
        .sink = &d->sink,
        .sink_max = d->what->max ? d->what->max : FILE_MAX,
        .redirects_max = 3,
    };
    return moor_http_send(d->transport, &req, on_answer, d, &call, err);
}

static void next_file(struct download *d)
{
    if (d->index == d->what->count) {
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

/* To all but what the agent names, and what is on this machine. */
static moor_code read_proxy(char *const *env, struct moor_proxy *out, struct moor_error *err)
{
    const char *url = builtin_env(env, "https_proxy");
    const char *direct = builtin_env(env, "no_proxy");
    moor_code c = MOOR_OK;
    if (url)
        c = moor_span_dup(moor_span_str(url), &out->url, err);
    if (c == MOOR_OK && url && direct)
        c = moor_span_dup(moor_span_str(direct), &out->bypass, err);
    out->direct_to_self = true;
    out->setting = "https_proxy";
    return c;
}

moor_code builtin_download(const struct builtin_download *what, char *const *env,
                           struct moor_error *err)
{
    MOOR_AUTO(moor_proxy) proxy = MOOR_PROXY_INIT;
    MOOR_AUTOPTR(moor_loop) loop = NULL;
    MOOR_AUTOPTR(moor_timer) again = NULL;
    MOOR_AUTOPTR(moor_http_client) client = NULL;
    struct download d = { .what = what, .sink = PLAT_FILE_INIT };
    if (what->count == 0)
        return MOOR_OK;
    moor_code c = read_proxy(env, &proxy, err);
    const struct moor_http_client_opts client_opts = { .user_agent = what->user_agent,
                                                       .proxy = proxy.url ? &proxy : NULL };
    if (c == MOOR_OK)
        c = moor_loop_new(&loop, err);
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
