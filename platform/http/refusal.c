/* SPDX-License-Identifier: Apache-2.0 */
#include "http/refusal.h"

#include <stddef.h>

#include "base/attr.h"

static const struct moor_refusal_text texts[MOOR_REFUSE_COUNT] = {
    [MOOR_REFUSE_REQUEST_LINE] = { 400, "InvalidRequestLine", "The request line is malformed." },
    [MOOR_REFUSE_METHOD] = { 501, "MethodNotImplemented", "The method is not implemented." },
    [MOOR_REFUSE_VERSION] = { 505, "HttpVersionNotSupported", "Only HTTP/1.1 is spoken here." },
    [MOOR_REFUSE_TARGET_FORM] = { 400, "InvalidRequestTarget",
                                  "The request target must be a path that starts with '/'." },
    [MOOR_REFUSE_TARGET] = { 400, "InvalidRequestTarget",
                             "The request target holds a character, escape or segment that is not "
                             "allowed." },
    [MOOR_REFUSE_LINE_END] = { 400, "InvalidLineEnd", "Lines of the head must end in CR LF." },
    [MOOR_REFUSE_FOLDING] = { 400, "InvalidHeader", "Folded headers are not accepted." },
    [MOOR_REFUSE_FIELD_NAME] = { 400, "InvalidHeader",
                                 "A header name holds a character that is not allowed." },
    [MOOR_REFUSE_FIELD_VALUE] = { 400, "InvalidHeader",
                                  "A header value holds a character that is not allowed." },
    [MOOR_REFUSE_TARGET_LONG] = { 414, "RequestTargetTooLong", "The request line is too long." },
    [MOOR_REFUSE_HEAD_LONG] = { 431, "RequestHeadersTooLarge", "The headers are too long." },
    [MOOR_REFUSE_FIELD_COUNT] = { 431, "RequestHeadersTooLarge", "There are too many headers." },
    [MOOR_REFUSE_REPEATED] = { 400, "DuplicateHeader",
                               "A header that may come once came more than once." },
    [MOOR_REFUSE_NO_HOST] = { 400, "MissingHost", "The Host header is missing." },
    [MOOR_REFUSE_HOST] = { 400, "InvalidHost", "The Host header is malformed." },
    [MOOR_REFUSE_LENGTH] = { 400, "InvalidContentLength",
                             "Content-Length must be a decimal number." },
    [MOOR_REFUSE_LENGTH_AND_CODING] = { 400, "InvalidContentLength",
                                        "Content-Length and Transfer-Encoding exclude each "
                                        "other." },
    [MOOR_REFUSE_CODING] = { 501, "TransferCodingNotImplemented",
                             "The only transfer coding is chunked." },
    [MOOR_REFUSE_EXPECT] = { 417, "ExpectationFailed",
                             "The only expectation that is met is 100-continue." },
    [MOOR_REFUSE_CHUNK] = { 400, "InvalidChunk", "The chunked body is malformed." },
    [MOOR_REFUSE_BODY_LONG] = { 413, "RequestEntityTooLarge", "The request body is too long." },
    [MOOR_REFUSE_HEAD_SLOW] = { 408, "RequestTimeout", "The head did not arrive in time." },
    [MOOR_REFUSE_BODY_SLOW] = { 408, "RequestTimeout", "The body did not arrive in time." },
    [MOOR_REFUSE_NO_ROUTE] = { 404, "ResourceNotFound", "There is nothing at this path." },
    [MOOR_REFUSE_NOT_ALLOWED] = { 405, "MethodNotAllowed",
                                  "The method is not allowed at this path." },
    [MOOR_REFUSE_NO_MEMORY] = { 503, "ServiceUnavailable", "The server is out of memory." },
};

const struct moor_refusal_text *moor_refusal_text(moor_refusal r)
{
    MOOR_ASSERT(r > MOOR_REFUSE_NOTHING && r < MOOR_REFUSE_COUNT);
    return &texts[r];
}

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    { 200, "OK" },
    { 201, "Created" },
    { 202, "Accepted" },
    { 204, "No Content" },
    { 206, "Partial Content" },
    { 301, "Moved Permanently" },
    { 302, "Found" },
    { 303, "See Other" },
    { 304, "Not Modified" },
    { 307, "Temporary Redirect" },
    { 308, "Permanent Redirect" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 406, "Not Acceptable" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 410, "Gone" },
    { 411, "Length Required" },
    { 412, "Precondition Failed" },
    { 413, "Content Too Large" },
    { 414, "URI Too Long" },
    { 415, "Unsupported Media Type" },
    { 416, "Range Not Satisfiable" },
    { 417, "Expectation Failed" },
    { 422, "Unprocessable Content" },
    { 423, "Locked" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Timeout" },
    { 505, "HTTP Version Not Supported" },
    { 507, "Insufficient Storage" },
};

const char *moor_http_reason(int status)
{
    for (size_t i = 0; i < MOOR_COUNTOF(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "";
}
