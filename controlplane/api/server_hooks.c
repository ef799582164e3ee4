/* SPDX-License-Identifier: Apache-2.0 */
/* Headers that every answer carries, and the body of the server's own refusals. */
#include "api/app.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "platform/clock.h"

static const struct moor_http_header fixed[] = {
    { "Cache-Control", "no-cache" },
    { "Pragma", "no-cache" },
    { "Expires", "-1" },
    { "Strict-Transport-Security", "max-age=31536000; includeSubDomains" },
    { "X-Content-Type-Options", "nosniff" },
    { "x-ms-ratelimit-remaining-subscription-resource-requests", "319" },
};

/* region:yyyymmddThhmmssZ:id, as ARM writes it. */
static void add_routing_id(const struct moor_app *app, struct moor_http_exchange *ex)
{
    struct moor_date d;
    MOOR_AUTO(moor_buf) b = MOOR_BUF(256);
    moor_date_from_ms(plat_utc_ms(), &d);
    moor_buf_fmt(&b, "%s:%04d%02d%02dT%02d%02d%02dZ:%s", app->config.location, d.year, d.month,
                 d.day, d.hour, d.minute, d.second, moor_http_request_id(ex));
    moor_http_reply_header(ex, "x-ms-routing-request-id", moor_buf_cstr(&b));
}

/* The agent reads none of ARM's headers, and gets an answer every few minutes for years. */
static bool is_service(const struct moor_http_exchange *ex)
{
    const struct moor_endpoint *e = moor_http_tag(ex);
    return e && e->audience == MOOR_AUD_SERVICE;
}

void moor_app_finish(void *ctx, struct moor_http_exchange *ex)
{
    const char *id = moor_http_request_id(ex);
    if (is_service(ex)) {
        moor_http_reply_header(ex, "x-ms-request-id", id);
        return;
    }
    const char *correlation = moor_http_header(ex, "x-ms-correlation-request-id");
    const char *client = moor_http_header(ex, "x-ms-client-request-id");
    const char *wanted = moor_http_header(ex, "x-ms-return-client-request-id");
    if (!correlation || !moor_uuid_valid(moor_span_str(correlation)))
        correlation = id;
    moor_http_reply_header(ex, "x-ms-request-id", id);
    moor_http_reply_header(ex, "x-ms-correlation-request-id", correlation);
    add_routing_id(ctx, ex);
    if (client && wanted && moor_strcasecmp(wanted, "true") == 0 &&
        moor_uuid_valid(moor_span_str(client)))
        moor_http_reply_header(ex, "x-ms-client-request-id", client);
    for (size_t i = 0; i < MOOR_COUNTOF(fixed); i++)
        moor_http_reply_header(ex, fixed[i].name, fixed[i].value);
}

void moor_app_refusal(void *ctx, int status, const char *code, const char *message,
                      struct moor_buf *body)
{
    (void)ctx;
    (void)status;
    moor_error_body(body, code, message);
}
