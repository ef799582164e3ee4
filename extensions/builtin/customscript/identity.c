/* SPDX-License-Identifier: Apache-2.0 */
#include "identity.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "http/client.h"
#include "http/retry.h"
#include "platform/file.h"
#include "run/loop.h"

#define QUERY   "?api-version=2019-11-01&resource=https%3A%2F%2Fstorage.azure.com%2F"
#define KEY_MAX 4096

struct asking {
    struct moor_loop *loop;
    struct moor_http_transport *transport;
    const char *url;
    struct moor_secret *token;
    bool challenged;
    struct moor_error err;
};

static moor_code ask(struct asking *a, const char *authorization, moor_http_done_fn done,
                     struct moor_error *err)
{
    struct moor_http_call *call = NULL;
    const struct moor_http_header headers[] = { { "Metadata", "true" },
                                                { "Authorization", authorization } };
    const struct moor_http_request req = {
        .method = "GET",
        .url = a->url,
        .headers = headers,
        .header_count = authorization ? 2 : 1,
    };
    return moor_http_send(a->transport, &req, done, a, &call, err);
}

static moor_code take_token(struct asking *a, const struct moor_http_response *r,
                            struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) doc = NULL;
    moor_code c = moor_json_parse(r->body, &doc, err);
    const char *token = c == MOOR_OK ? moor_json_get_str(doc, "access_token") : NULL;
    if (c == MOOR_OK && !token)
        return moor_fail(err, MOOR_E_PROTOCOL, "the identity endpoint gave no token");
    return c == MOOR_OK ? moor_secret_set(a->token, moor_span_str(token), err) : c;
}

static void on_answer(void *ctx, const struct moor_http_response *r, const struct moor_error *err);

/* 401 names a file that only root and chosen groups can read: what is in it proves who asks. */
static moor_code answer_challenge(struct asking *a, const struct moor_http_response *r,
                                  struct moor_error *err)
{
    static const char mark[] = "realm=";
    MOOR_AUTO(moor_buf) key = MOOR_BUF_SECRET(KEY_MAX);
    MOOR_AUTO(moor_buf) path = MOOR_BUF(KEY_MAX);
    MOOR_AUTO(moor_buf) value = MOOR_BUF_SECRET(2 * KEY_MAX);
    const char *header = moor_http_response_header(r, "www-authenticate");
    const char *realm = header ? strstr(header, mark) : NULL;
    if (!realm || a->challenged)
        return moor_fail(err, MOOR_E_DENIED, "the identity endpoint refused this program");
    a->challenged = true;
    realm += sizeof(mark) - 1 + (realm[sizeof(mark) - 1] == '"');
    moor_buf_add(&path, realm, strcspn(realm, "\""));
    if (moor_buf_cstr(&path)[0] != '/' || !moor_span_ends(moor_buf_view(&path), ".key"))
        return moor_fail(err, MOOR_E_PROTOCOL, "the identity endpoint names no key file");
    moor_code c = plat_read_all(moor_buf_cstr(&path), KEY_MAX, &key, err);
    if (c != MOOR_OK)
        return c;
    moor_buf_str(&value, "Basic ");
    moor_buf_span(&value, moor_span_trim(moor_buf_view(&key)));
    return ask(a, moor_buf_cstr(&value), on_answer, err);
}

static void on_answer(void *ctx, const struct moor_http_response *r, const struct moor_error *err)
{
    struct asking *a = ctx;
    moor_code c = err->code;
    a->err = *err;
    if (c == MOOR_OK && r->status == 401) {
        if (answer_challenge(a, r, &a->err) == MOOR_OK)
            return;
    } else if (c == MOOR_OK && r->status != 200) {
        c = moor_http_error_from(r, "identity endpoint", &a->err);
    } else if (c == MOOR_OK) {
        c = take_token(a, r, &a->err);
    }
    (void)c; /* kept in err */
    moor_loop_stop(a->loop);
}

moor_code customscript_storage_token(const char *endpoint, struct moor_secret *out,
                                     struct moor_error *err)
{
    static const struct moor_http_client_opts client_opts = { .user_agent = "CustomScript" };
    MOOR_AUTOPTR(moor_loop) loop = NULL;
    MOOR_AUTOPTR(moor_http_client) client = NULL;
    MOOR_AUTO(moor_buf) url = MOOR_BUF(KEY_MAX);
    if (!endpoint)
        return moor_fail(err, MOOR_E_NOTFOUND, "managedIdentity: this machine names no endpoint");
    moor_buf_str(&url, endpoint);
    moor_buf_str(&url, QUERY);
    moor_code c = moor_loop_new(&loop, err);
    if (c == MOOR_OK)
        c = moor_http_client_new(loop, &client_opts, &client, err);
    if (c != MOOR_OK)
        return c;
    struct asking a = { .loop = loop,
                        .transport = moor_http_client_transport(client),
                        .url = moor_buf_cstr(&url),
                        .token = out };
    c = ask(&a, NULL, on_answer, err);
    if (c == MOOR_OK)
        c = moor_loop_run(loop, err);
    if (c == MOOR_OK && a.err.code != MOOR_OK) {
        *err = a.err;
        c = moor_context(err, "managedIdentity");
    }
    return c;
}
