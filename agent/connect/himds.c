/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/himds.h"

#include <string.h>

#include "connect/session.h"
#include "platform/dirs.h"

#define FINISH_MS    (180 * 1000)
#define CALL_MS      (60 * 1000)
#define SETTLE_MS    100
#define SETTLE_TRIES 30

static void copy_text(char *out, size_t size, const char *in)
{
    size_t n = in ? strlen(in) : 0;
    n = n < size ? n : size - 1;
    if (n > 0)
        memcpy(out, in, n);
    out[n] = '\0';
}

/* The role's own words: what its message says needs no "HTTP 502" around it, and what the service
 * behind it said is in innererror. */
static moor_code refusal(const struct moor_reply *reply, struct moor_error *err)
{
    const struct moor_http_response r = { .status = reply->status,
                                          .body = moor_buf_view(&reply->body) };
    MOOR_AUTOPTR(moor_json) v = NULL;
    struct moor_error whole = MOOR_ERROR_INIT;
    moor_code c = moor_http_error_from(&r, "identity service", &whole);
    const char *message = moor_json_parse(r.body, &v, NULL) == MOOR_OK
                              ? moor_json_str(moor_json_path(v, "error.message"))
                              : NULL;
    if (message) {
        whole.code = moor_fail(&whole, c, "identity service: %s", message);
        whole.http = reply->status;
        copy_text(whole.service_code, sizeof(whole.service_code),
                  moor_json_str(moor_json_path(v, "error.innererror.serviceCode")));
        copy_text(whole.request_id, sizeof(whole.request_id),
                  moor_json_str(moor_json_path(v, "error.innererror.requestId")));
    }
    if (err)
        *err = whole;
    return c;
}

/* One exchange; any status but 200 is an error. *out may be NULL. */
static moor_code call(struct moor_session *s, const char *method, const char *path,
                      struct moor_span body, uint64_t timeout_ms, struct moor_json **out,
                      struct moor_error *err)
{
    MOOR_AUTOSTR socket = NULL;
    MOOR_AUTO(moor_reply) reply = MOOR_REPLY_INIT;
    MOOR_AUTO(moor_buf) url = MOOR_BUF(256);
    moor_buf_fmt(&url, "http://himds%s", path);
    moor_code c = plat_path(PLAT_DIR_SOCKS, &socket, err, "himds.sock");
    if (c != MOOR_OK)
        return c;
    const struct moor_http_request req = { .method = method,
                                           .url = moor_buf_cstr(&url),
                                           .unix_socket = socket,
                                           .body = body,
                                           .timeout_ms = timeout_ms };
    if (moor_session_call(s, &req, &reply, err) != MOOR_OK)
        return moor_context(err, "identity service at %s", socket);
    if (reply.status < 200 || reply.status > 299)
        return refusal(&reply, err);
    if (!out)
        return MOOR_OK;
    if (moor_json_parse(moor_buf_view(&reply.body), out, err) != MOOR_OK)
        return moor_context(err, "identity service: answer to %s", path);
    return MOOR_OK;
}

moor_code moor_himds_status(struct moor_session *s, struct moor_json **out, struct moor_error *err)
{
    return call(s, "GET", "/status", MOOR_SPAN_NONE, CALL_MS, out, err);
}

moor_code moor_himds_settled_status(struct moor_session *s, struct moor_json **out,
                                    struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) v = NULL;
    moor_code c = moor_himds_status(s, &v, err);
    /* "" = still looking. An older service knows nothing of it. */
    for (unsigned n = 0; !c && n < SETTLE_TRIES; n++) {
        const char *provider = moor_json_get_str(v, "cloudProvider");
        if (!provider || *provider)
            break;
        moor_json_free(MOOR_TAKE(v));
        c = moor_session_pause(s, SETTLE_MS, err);
        if (!c)
            c = moor_himds_status(s, &v, err);
    }
    if (!c)
        *out = MOOR_TAKE(v);
    return c;
}

moor_code moor_himds_begin(struct moor_session *s, const struct moor_himds_begin *b,
                           struct moor_buf *public_key, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) body = MOOR_BUF_SECRET(16384);
    MOOR_AUTOPTR(moor_json) v = NULL;
    moor_buf_str(&body, "{\"vmId\":");
    moor_buf_json_str(&body, moor_span_str(b->vm_id));
    moor_buf_str(&body, ",\"resourceId\":");
    moor_buf_json_str(&body, moor_span_str(b->resource_id));
    if (b->tpm)
        moor_buf_str(&body, ",\"keyStore\":\"tpm\"");
    if (b->client_id)
        moor_buf_fmt(&body, ",\"clientId\":\"%s\"", b->client_id);
    if (b->given) {
        moor_buf_str(&body, ",\"privateKey\":");
        moor_buf_json_str(&body, moor_secret_reveal(b->given));
    }
    moor_buf_char(&body, '}');
    moor_code c = moor_buf_ok(&body, "connect request", err);
    if (c == MOOR_OK)
        c = call(s, "POST", "/connect/begin", moor_buf_view(&body), CALL_MS, &v, err);
    if (c != MOOR_OK)
        return c;
    const char *key = moor_json_get_str(v, "clientPublicKey");
    const char *echoed = moor_json_get_str(v, "vmId");
    if (!key || !*key || (echoed && moor_strcasecmp(echoed, b->vm_id) != 0))
        return moor_fail(err, MOOR_E_PROTOCOL,
                         "identity service: answer to /connect/begin: no key for this machine id");
    moor_buf_str(public_key, key);
    return moor_buf_ok(public_key, "public key", err);
}

moor_code moor_himds_finish(struct moor_session *s, struct moor_json **out, struct moor_error *err)
{
    return call(s, "POST", "/connect/finish", MOOR_SPAN_LIT("{}"), FINISH_MS, out, err);
}

moor_code moor_himds_disconnect(struct moor_session *s, struct moor_error *err)
{
    return call(s, "POST", "/disconnect", MOOR_SPAN_LIT("{}"), CALL_MS, NULL, err);
}
