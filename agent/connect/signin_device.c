/* SPDX-License-Identifier: Apache-2.0 */
/* Device code (RFC 8628): a person signs in elsewhere while this machine asks again and again. */
#include <string.h>

#include "base/jsontab.h"
#include "connect/signin_ways.h"
#include "core/grant.h"
#include "platform/clock.h"

/* The public client that Azure's own tools name; it exists in every Entra tenant. */
#define CLIENT_ID  "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
#define GRANT      "urn:ietf:params:oauth:grant-type:device_code"
#define FORM_MAX   (16 * 1024)
#define SLOWER_S   5
#define INTERVAL_S 5

struct device {
    const char *device_code, *user_code, *url;
    uint32_t expires_s, interval_s;
};
#define DV(member) offsetof(struct device, member)
static const struct moor_json_field device_fields[] = {
    { MOOR_F_STR, "device_code", DV(device_code), MOOR_F_REQUIRED, 1, 4096, NULL },
    { MOOR_F_STR, "user_code", DV(user_code), MOOR_F_REQUIRED, 1, 64, NULL },
    { MOOR_F_STR, "verification_uri", DV(url), MOOR_F_REQUIRED, 1, 1024, NULL },
    { MOOR_F_U32, "expires_in", DV(expires_s), MOOR_F_REQUIRED, 1, 86400, NULL },
    { MOOR_F_U32, "interval", DV(interval_s), 0, 1, 60, NULL },
    { MOOR_F_END, NULL, 0, 0, 0, 0, NULL },
};
static const struct moor_json_shape device_shape = { sizeof(struct device), device_fields, 0 };

/* The endpoint beside the registered token endpoint, as in every authority of Microsoft's form. */
static moor_code device_url(const struct moor_signin_job *job, struct moor_buf *token_url,
                            struct moor_buf *url, struct moor_error *err)
{
    moor_cloud_token_url(token_url, job->cloud, job->who->tenant_id);
    struct moor_span base = moor_buf_view(token_url);
    if (!moor_span_ends(base, "/token"))
        return moor_fail(err, MOOR_E_UNSUPPORTED, "cloud %s: has no sign-in by device code",
                         job->cloud->name);
    moor_buf_add(url, base.p, base.n - strlen("token"));
    moor_buf_str(url, "devicecode");
    return moor_buf_ok(url, MOOR_SIGNIN_WHAT, err);
}

static moor_code ask_code(const struct moor_signin_job *job, const char *url, struct device *out,
                          struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) form = MOOR_BUF(FORM_MAX);
    MOOR_AUTO(moor_reply) reply = MOOR_REPLY_INIT;
    moor_form_field(&form, "client_id", MOOR_SPAN_LIT(CLIENT_ID));
    moor_signin_scope(&form, job->cloud);
    moor_code c = moor_signin_post(job->session, url, &form, &reply, err);
    if (c == MOOR_OK)
        c = moor_json_decode(moor_buf_view(&reply.body), "device code answer", &device_shape, out,
                             arena, err);
    return c;
}

/* What a refusal means: the "error" of RFC 8628 3.5. */
static bool is_answer(const struct moor_reply *reply, const char *error)
{
    MOOR_AUTOPTR(moor_json) v = NULL;
    return moor_json_parse(moor_buf_view(&reply->body), &v, NULL) == MOOR_OK &&
           moor_streq(moor_json_get_str(v, "error"), error);
}

static moor_code poll_token(const struct moor_signin_job *job, const char *url,
                            const struct device *d, struct moor_secret *token,
                            struct moor_error *err)
{
    const uint64_t end = plat_mono_ms() + (uint64_t)d->expires_s * 1000;
    uint64_t interval_s = d->interval_s;
    MOOR_AUTO(moor_buf) form = MOOR_BUF_SECRET(FORM_MAX);
    moor_form_field(&form, "grant_type", MOOR_SPAN_LIT(GRANT));
    moor_form_field(&form, "client_id", MOOR_SPAN_LIT(CLIENT_ID));
    moor_form_field(&form, "device_code", moor_span_str(d->device_code));
    while (plat_mono_ms() < end) {
        MOOR_AUTO(moor_reply) reply = MOOR_REPLY_INIT;
        moor_code c = moor_session_pause(job->session, interval_s * 1000, err);
        if (c == MOOR_OK)
            c = moor_signin_post(job->session, url, &form, &reply, err);
        if (c == MOOR_OK)
            return moor_signin_take(moor_buf_view(&reply.body), "access_token", token, err);
        if (is_answer(&reply, "slow_down"))
            interval_s += SLOWER_S;
        else if (!is_answer(&reply, "authorization_pending"))
            return c;
    }
    return moor_fail(err, MOOR_E_DENIED, MOOR_SIGNIN_WHAT ": nobody approved the code in time");
}

moor_code moor_signin_by_device(const struct moor_signin_job *job, struct moor_secret *token,
                                struct moor_error *err)
{
    MOOR_AUTO(moor_arena) arena = MOOR_ARENA(64 * 1024);
    MOOR_AUTO(moor_buf) token_url = MOOR_BUF(2048);
    MOOR_AUTO(moor_buf) url = MOOR_BUF(2048);
    struct device d = { .interval_s = INTERVAL_S };
    moor_code c = device_url(job, &token_url, &url, err);
    if (c == MOOR_OK)
        c = ask_code(job, moor_buf_cstr(&url), &d, &arena, err);
    if (c != MOOR_OK)
        return c;
    job->progress->code(job->progress->ctx, d.url, d.user_code, d.expires_s);
    return poll_token(job, moor_buf_cstr(&token_url), &d, token, err);
}
