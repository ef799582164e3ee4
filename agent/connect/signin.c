/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/signin.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "connect/patience.h"
#include "connect/signin_ways.h"
#include "core/grant.h"
#include "platform/clock.h"

#define TOKEN_MAX (32 * 1024)

moor_code moor_signin_post(struct moor_session *s, const char *url, const struct moor_buf *form,
                           struct moor_reply *reply, struct moor_error *err)
{
    static const int refused[] = { 400, 401, 403, 0 };
    moor_code c = moor_buf_ok(form, MOOR_SIGNIN_WHAT, err);
    if (c != MOOR_OK)
        return c;
    const struct moor_http_request req = { .method = "POST",
                                           .url = url,
                                           .body = moor_buf_view(form),
                                           .content_type = "application/x-www-form-urlencoded",
                                           .body_max = TOKEN_MAX,
                                           .https_only = true };
    c = moor_session_ask(s, &req, MOOR_SIGNIN_WHAT, refused, reply, err);
    if (c != MOOR_OK || reply->status == 200)
        return c;
    struct moor_http_response r = { .status = reply->status, .body = moor_buf_view(&reply->body) };
    memcpy(r.request_id, reply->request_id, sizeof(r.request_id));
    c = moor_http_error_from(&r, MOOR_SIGNIN_WHAT, err);
    return c == MOOR_OK
               ? moor_fail(err, MOOR_E_PROTOCOL, MOOR_SIGNIN_WHAT ": status %d", reply->status)
               : c;
}

moor_code moor_signin_take(struct moor_span answer, const char *member, struct moor_secret *token,
                           struct moor_error *err)
{
    MOOR_AUTOPTR(moor_json) v = NULL;
    if (moor_json_parse(answer, &v, err) != MOOR_OK)
        return moor_context(err, MOOR_SIGNIN_WHAT ": answer");
    const char *text = moor_json_get_str(v, member);
    if (!text || !*text)
        return moor_fail(err, MOOR_E_PROTOCOL, MOOR_SIGNIN_WHAT ": answer: %s: required", member);
    return moor_secret_set(token, moor_span_str(text), err);
}

void moor_signin_scope(struct moor_buf *form, const struct moor_cloud *cloud)
{
    MOOR_AUTO(moor_buf) scope = MOOR_BUF(2048);
    moor_buf_fmt(&scope, "%s/.default", cloud->arm_audience);
    moor_form_field(form, "scope", moor_buf_view(&scope));
}

static moor_code ask_as_principal(const struct moor_signin_job *job, struct moor_secret *token,
                                  struct moor_error *err)
{
    const struct moor_credential *who = job->who;
    MOOR_AUTO(moor_buf) url = MOOR_BUF(2048);
    MOOR_AUTO(moor_buf) form = MOOR_BUF_SECRET(TOKEN_MAX);
    MOOR_AUTO(moor_reply) reply = MOOR_REPLY_INIT;
    moor_cloud_token_url(&url, job->cloud, who->tenant_id);
    moor_code c = moor_buf_ok(&url, MOOR_SIGNIN_WHAT, err);
    if (c != MOOR_OK)
        return c;
    moor_form_field(&form, "grant_type", MOOR_SPAN_LIT("client_credentials"));
    moor_form_field(&form, "client_id", moor_span_str(who->client_id));
    moor_signin_scope(&form, job->cloud);
    if (who->way == MOOR_SIGNIN_SECRET) {
        moor_form_field(&form, "client_secret", moor_secret_reveal(who->client_secret));
    } else {
        const struct moor_assertion a = { .key = who->key,
                                          .cert = who->cert,
                                          .token_url = moor_buf_cstr(&url),
                                          .client_id = who->client_id,
                                          .now_s = plat_utc_ms() / 1000 };
        c = moor_form_assertion(&form, &a, err);
    }
    if (c == MOOR_OK)
        c = moor_signin_post(job->session, moor_buf_cstr(&url), &form, &reply, err);
    return c == MOOR_OK ? moor_signin_take(moor_buf_view(&reply.body), "access_token", token, err)
                        : c;
}

static moor_code by_principal(const struct moor_signin_job *job, struct moor_secret *token,
                              struct moor_error *err)
{
    struct moor_patience patience = moor_patience_start(job->session, job->progress);
    moor_code c;
    while ((c = ask_as_principal(job, token, err)) != MOOR_OK && job->who->awaited &&
           moor_is_unknown_principal(err)) {
        *job->who->awaited = true;
        if (!moor_patience_again(&patience, "the service principal is not known yet", err))
            return err->code;
    }
    return c;
}

static moor_code by_token(const struct moor_signin_job *job, struct moor_secret *token,
                          struct moor_error *err)
{
    const struct moor_credential *who = job->who;
    struct moor_claims claims;
    moor_token_claims(who->access_token, &claims);
    if (claims.expires_ms != 0 && claims.expires_ms <= plat_utc_ms())
        return moor_fail(err, MOOR_E_BADINPUT, "access token: is expired");
    if (who->tenant_id && *claims.tenant_id &&
        moor_strcasecmp(who->tenant_id, claims.tenant_id) != 0)
        return moor_fail(err, MOOR_E_BADINPUT, "access token: is of tenant %s, not of %s",
                         claims.tenant_id, who->tenant_id);
    return moor_secret_set(token, moor_secret_reveal(who->access_token), err);
}

moor_code moor_signin(struct moor_session *s, const struct moor_cloud *cloud,
                      const struct moor_credential *who, const struct moor_progress *progress,
                      struct moor_secret *token, struct moor_error *err)
{
    static moor_code (*const ways[MOOR_SIGNIN_WAYS])(const struct moor_signin_job *,
                                                     struct moor_secret *, struct moor_error *) = {
        [MOOR_SIGNIN_TOKEN] = by_token,
        [MOOR_SIGNIN_SECRET] = by_principal,
        [MOOR_SIGNIN_CERTIFICATE] = by_principal,
        [MOOR_SIGNIN_DEVICE] = moor_signin_by_device,
        [MOOR_SIGNIN_AZCLI] = moor_signin_by_azcli,
    };
    const struct moor_signin_job job = { s, cloud, who, progress };
    MOOR_ASSERT(who->way < MOOR_SIGNIN_WAYS);
    return ways[who->way](&job, token, err);
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
