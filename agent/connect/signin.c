/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/signin.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "connect/session.h"
#include "core/cloud.h"
#include "platform/clock.h"

#define TOKEN_MAX  (32 * 1024)
#define TOKEN_WHAT "sign-in"

static void form(struct moor_buf *b, const char *name, struct moor_span value)
{
    moor_buf_str(b, b->len > 0 ? "&" : "");
    moor_buf_str(b, name);
    moor_buf_char(b, '=');
    moor_buf_url_part(b, value);
}

static moor_code read_token(const struct moor_reply *reply, struct moor_secret *token,
                            struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) v = NULL;
    if (moor_json_parse(moor_buf_view(&reply->body), &v, err) != MOOR_OK)
        return moor_context(err, TOKEN_WHAT ": answer");
    const char *text = moor_json_get_str(v, "access_token");
    if (!text || !*text)
        return moor_fail(err, MOOR_E_PROTOCOL, TOKEN_WHAT ": answer: access_token: required");
    return moor_secret_set(token, moor_span_str(text), err);
}

static moor_code by_secret(struct moor_session *s, const struct moor_cloud *cloud,
                           const struct moor_credential *who, struct moor_secret *token,
                           struct moor_error *err)
{
    static const int refused[] = { 400, 401, 403, 0 };
    MOOR_AUTO(moor_buf) url = MOOR_BUF(2048);
    MOOR_AUTO(moor_buf) body = MOOR_BUF_SECRET(TOKEN_MAX);
    MOOR_AUTO(moor_buf) scope = MOOR_BUF(2048);
    MOOR_AUTO(moor_reply) reply = MOOR_REPLY_INIT;
    moor_buf_fmt(&scope, "%s/.default", cloud->arm_audience);
    moor_cloud_token_url(&url, cloud, who->tenant_id);
    form(&body, "grant_type", MOOR_SPAN_LIT("client_credentials"));
    form(&body, "client_id", moor_span_str(who->client_id));
    form(&body, "client_secret", moor_secret_reveal(who->client_secret));
    form(&body, "scope", moor_buf_view(&scope));
    moor_code c = moor_buf_ok(&body, TOKEN_WHAT, err);
    if (c == MOOR_OK)
        c = moor_buf_ok(&url, TOKEN_WHAT, err);
    if (c != MOOR_OK)
        return c;
    const struct moor_http_request req = { .method = "POST",
                                           .url = moor_buf_cstr(&url),
                                           .body = moor_buf_view(&body),
                                           .content_type = "application/x-www-form-urlencoded",
                                           .body_max = TOKEN_MAX,
                                           .https_only = true };
    c = moor_session_ask(s, &req, TOKEN_WHAT, refused, &reply, err);
    if (c != MOOR_OK)
        return c;
    if (reply.status == 200)
        return read_token(&reply, token, err);
    struct moor_http_response r = { .status = reply.status, .body = moor_buf_view(&reply.body) };
    memcpy(r.request_id, reply.request_id, sizeof(r.request_id));
    c = moor_http_error_from(&r, TOKEN_WHAT, err);
    return c == MOOR_OK ? moor_fail(err, MOOR_E_PROTOCOL, TOKEN_WHAT ": status %d", reply.status)
                        : c;
}

static moor_code check_given(const struct moor_credential *who, struct moor_error *err)
{
    struct moor_claims claims;
    moor_token_claims(who->access_token, &claims);
    if (claims.expires_ms != 0 && claims.expires_ms <= plat_utc_ms())
        return moor_fail(err, MOOR_E_BADINPUT, "access token: is expired");
    if (who->tenant_id && *claims.tenant_id &&
        moor_strcasecmp(who->tenant_id, claims.tenant_id) != 0)
        return moor_fail(err, MOOR_E_BADINPUT, "access token: is of tenant %s, not of %s",
                         claims.tenant_id, who->tenant_id);
    return MOOR_OK;
}

moor_code moor_signin(struct moor_session *s, const struct moor_cloud *cloud,
                      const struct moor_credential *who, struct moor_secret *token,
                      struct moor_error *err)
{
    if (!who->access_token)
        return by_secret(s, cloud, who, token, err);
    moor_code c = check_given(who, err);
    return c == MOOR_OK ? moor_secret_set(token, moor_secret_reveal(who->access_token), err) : c;
}

void moor_token_claims(const struct moor_secret *token, struct moor_claims *out)
{
    MOOR_AUTO(moor_buf) payload = MOOR_BUF_SECRET(TOKEN_MAX);
    MOOR_AUTOPTR(moor_json) v = NULL;
    struct moor_span rest = moor_secret_reveal(token);
    (void)moor_span_cut(&rest, '.');
    struct moor_span middle = moor_span_cut(&rest, '.');
    *out = (struct moor_claims){ .expires_ms = 0 };
    if (!rest.p || moor_base64url_decode(middle, &payload, NULL) != MOOR_OK ||
        moor_json_parse(moor_buf_view(&payload), &v, NULL) != MOOR_OK)
        return;
    const char *tid = moor_json_get_str(v, "tid");
    int64_t exp = 0;
    if (tid && moor_uuid_valid(moor_span_str(tid)))
        memcpy(out->tenant_id, tid, MOOR_UUID_LEN + 1);
    if (moor_json_int(moor_json_get(v, "exp"), &exp) && exp > 0)
        out->expires_ms = exp * 1000;
}
