/* SPDX-License-Identifier: Apache-2.0 */
#include "http/transport.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "http/response.h"

#define MESSAGE_MAX 300

const char *moor_http_response_header(const struct moor_http_response *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (moor_streq(r->headers[i].name, name))
            return r->headers[i].value;
    return NULL;
}

/* Copies what fits and is printable: the text goes to logs and terminals. */
static void copy_clean(char *out, size_t size, const char *s)
{
    size_t n = 0;
    while (s && *s && n + 1 < size) {
        size_t len = moor_utf8_sequence(moor_span_str(s));
        if (len == 0 || n + len >= size)
            break;
        if (len == 1)
            out[n] = (unsigned char)*s < ' ' || *s == 0x7f ? ' ' : *s;
        else
            memcpy(out + n, s, len);
        n += len;
        s += len;
    }
    out[n] = '\0';
}

/* Numbers that are too large are as good as the largest. */
static uint32_t whole_number(const char *s, uint64_t unit_ms)
{
    uint64_t n;
    if (!s || moor_parse_u64(moor_span_str(s), 0, UINT64_MAX, &n, NULL) != MOOR_OK)
        return 0;
    return n > UINT32_MAX / unit_ms ? UINT32_MAX : (uint32_t)(n * unit_ms);
}

static uint32_t until_date(const struct moor_http_response *r, const char *s, int64_t now_utc_ms)
{
    int64_t then;
    const char *date = moor_http_response_header(r, "date");
    if (!s || moor_http_date_parse(moor_span_str(s), &then, NULL) != MOOR_OK)
        return 0;
    if (date)
        (void)!moor_http_date_parse(moor_span_str(date), &now_utc_ms, NULL);
    if (then <= now_utc_ms)
        return 0;
    int64_t delta = then - now_utc_ms;
    return delta > UINT32_MAX ? UINT32_MAX : (uint32_t)delta;
}

void moor_http_response_read(struct moor_http_response *r, int64_t now_utc_ms)
{
    static const struct {
        const char *name;
        uint64_t unit_ms;
    } waits[] = { { "retry-after-ms", 1 }, { "x-ms-retry-after-ms", 1 }, { "retry-after", 1000 } };
    copy_clean(r->request_id, sizeof(r->request_id),
               moor_http_response_header(r, "x-ms-request-id"));
    r->retry_after_ms = 0;
    for (size_t i = 0; i < MOOR_COUNTOF(waits) && r->retry_after_ms == 0; i++)
        r->retry_after_ms =
            whole_number(moor_http_response_header(r, waits[i].name), waits[i].unit_ms);
    if (r->retry_after_ms == 0)
        r->retry_after_ms = until_date(r, moor_http_response_header(r, "retry-after"), now_utc_ms);
}

static moor_code code_of_status(int status)
{
    static const struct {
        int first, last;
        moor_code code;
    } classes[] = {
        { 200, 299, MOOR_OK },          { 401, 401, MOOR_E_DENIED },
        { 403, 403, MOOR_E_DENIED },    { 404, 404, MOOR_E_NOTFOUND },
        { 408, 408, MOOR_E_TRANSIENT }, { 429, 429, MOOR_E_THROTTLED },
        { 400, 499, MOOR_E_REMOTE },    { 500, 599, MOOR_E_TRANSIENT },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(classes); i++)
        if (status >= classes[i].first && status <= classes[i].last)
            return classes[i].code;
    return MOOR_E_PROTOCOL;
}

/* {"error":{"code","message"}} of ARM, {"error","error_description"} of OAuth 2,
 * {"code","message"} of some data planes. */
static void read_details(const struct moor_json *body, const char **code, const char **message)
{
    const struct moor_json *error = moor_json_get(body, "error");
    if (moor_json_typeof(error) == MOOR_JSON_STRING) {
        *code = moor_json_str(error);
        *message = moor_json_get_str(body, "error_description");
        return;
    }
    const struct moor_json *from = error ? error : body;
    *code = moor_json_get_str(from, "code");
    *message = moor_json_get_str(from, "message");
}

moor_code moor_http_error_from(const struct moor_http_response *r, const char *what,
                               struct moor_error *err)
{
    moor_code code = code_of_status(r->status);
    if (code == MOOR_OK)
        return MOOR_OK;
    const char *service_code = NULL;
    const char *message = NULL;
    char clean_code[64];
    char clean_message[MESSAGE_MAX];
    MOOR_AUTOPTR(moor_json) body = NULL;
    if (moor_json_parse(r->body, &body, NULL) == MOOR_OK)
        read_details(body, &service_code, &message);
    copy_clean(clean_code, sizeof(clean_code), service_code);
    copy_clean(clean_message, sizeof(clean_message), message);
    (void)!moor_fail(err, code, "%s: HTTP %d%s%s%s%s", what, r->status, *clean_code ? " " : "",
                     clean_code, *clean_message ? ": " : "", clean_message);
    if (!err)
        return code;
    err->http = r->status;
    err->retry_after_ms = r->retry_after_ms;
    memcpy(err->service_code, clean_code, sizeof(clean_code));
    memcpy(err->request_id, r->request_id, sizeof(err->request_id));
    return code;
}
