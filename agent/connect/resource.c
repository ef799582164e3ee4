/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/resource.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "connect/session.h"
#include "core/arm.h"

#define BODY_MAX     (512 * 1024)
#define SUBS_VERSION "2022-12-01"

static moor_code call(const struct moor_arm *a, const char *method, const char *id,
                      const char *api_version, struct moor_span body, const int *keep,
                      struct moor_reply *reply, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) url = MOOR_BUF(4096);
    moor_arm_url(&url, a->base, id, api_version);
    moor_code c = moor_buf_ok(&url, id, err);
    if (c != MOOR_OK)
        return c;
    const struct moor_http_header headers[] = {
        { "x-ms-correlation-request-id", a->correlation_id },
    };
    const struct moor_http_request req = { .method = method,
                                           .url = moor_buf_cstr(&url),
                                           .headers = headers,
                                           .header_count = a->correlation_id ? 1 : 0,
                                           .bearer = a->token,
                                           .body = body,
                                           .body_max = BODY_MAX,
                                           .https_only = true };
    return moor_session_ask(a->session, &req, id, keep, reply, err);
}

static moor_code parse(const struct moor_reply *reply, const char *what, struct moor_json **out,
                       struct moor_error *err)
{
    if (moor_json_parse(moor_buf_view(&reply->body), out, err) != MOOR_OK)
        return moor_context(err, "%s: answer", what);
    return MOOR_OK;
}

moor_code moor_arm_find_subscription(const struct moor_arm *a, const char *name, const char **id,
                                     struct moor_arena *arena, struct moor_error *err)
{
    MOOR_AUTO(moor_reply) reply = MOOR_REPLY_INIT;
    MOOR_AUTOPTR(moor_json) v = NULL;
    const char *found = moor_uuid_valid(moor_span_str(name)) ? name : NULL;
    if (!found) {
        moor_code c =
            call(a, "GET", "/subscriptions", SUBS_VERSION, MOOR_SPAN_NONE, NULL, &reply, err);
        if (c == MOOR_OK)
            c = parse(&reply, "/subscriptions", &v, err);
        if (c != MOOR_OK)
            return c;
    }
    MOOR_JSON_EACH(item, moor_json_get(v, "value"))
    {
        const char *display = moor_json_get_str(item, "displayName");
        if (display && moor_strcasecmp(display, name) == 0)
            found = moor_json_get_str(item, "subscriptionId");
    }
    if (!found)
        return moor_fail(err, MOOR_E_NOTFOUND, "subscription %s: not found, or not visible", name);
    char *copy = moor_arena_str(arena, moor_span_str(found));
    if (!copy)
        return moor_fail(err, MOOR_E_NOMEM, "subscription: out of memory");
    moor_uuid_lower(copy);
    *id = copy;
    return MOOR_OK;
}

moor_code moor_arm_get(const struct moor_arm *a, const char *id, const char *api_version,
                       struct moor_json **out, struct moor_error *err)
{
    static const int absent[] = { 404, 0 };
    MOOR_AUTO(moor_reply) reply = MOOR_REPLY_INIT;
    moor_code c = call(a, "GET", id, api_version, MOOR_SPAN_NONE, absent, &reply, err);
    if (c != MOOR_OK)
        return c;
    if (reply.status != 404)
        return parse(&reply, id, out, err);
    *out = NULL;
    return MOOR_OK;
}

static moor_code write_resource(const struct moor_arm *a, const char *method, const char *id,
                                const char *api_version, const struct moor_json *body,
                                struct moor_reply *reply, struct moor_error *err)
{
    MOOR_AUTOSTR text = NULL;
    moor_code c = moor_json_print(body, BODY_MAX, &text, err);
    return c == MOOR_OK ? call(a, method, id, api_version, moor_span_str(text), NULL, reply, err)
                        : c;
}

moor_code moor_arm_put(const struct moor_arm *a, const char *id, const char *api_version,
                       const struct moor_json *body, struct moor_json **out, struct moor_error *err)
{
    MOOR_AUTO(moor_reply) reply = MOOR_REPLY_INIT;
    moor_code c = write_resource(a, "PUT", id, api_version, body, &reply, err);
    return c == MOOR_OK ? parse(&reply, id, out, err) : c;
}

moor_code moor_arm_patch(const struct moor_arm *a, const char *id, const char *api_version,
                         const struct moor_json *body, struct moor_error *err)
{
    MOOR_AUTO(moor_reply) reply = MOOR_REPLY_INIT;
    return write_resource(a, "PATCH", id, api_version, body, &reply, err);
}

moor_code moor_arm_delete(const struct moor_arm *a, const char *id, const char *api_version,
                          bool *existed, struct moor_error *err)
{
    static const int absent[] = { 404, 0 };
    MOOR_AUTO(moor_reply) reply = MOOR_REPLY_INIT;
    moor_code c = call(a, "DELETE", id, api_version, MOOR_SPAN_NONE, absent, &reply, err);
    if (c != MOOR_OK)
        return c;
    *existed = reply.status == 200 || reply.status == 202;
    return MOOR_OK;
}
