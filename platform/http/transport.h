/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport.h: "send this request, give me the answer", without saying who does it.
 *
 * Two implementations: http/client.h does it in this process; core/fetch.h asks the fetch role,
 * for the process that has no network. Tests use a scripted one.
 */
#ifndef MOOR_HTTP_TRANSPORT_H
#define MOOR_HTTP_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/span.h"

struct plat_file;

struct moor_http_header {
    const char *name;
    const char *value;
};

#define MOOR_HTTP_HEADERS_MAX 32

/* Everything is borrowed during the call to send and copied, but sink, which must stay open until
 * the completion. Zero what you do not need. */
struct moor_http_request {
    const char *method;      /* "GET" ... */
    const char *url;         /* absolute; http or https */
    const char *unix_socket; /* connect here instead; the URL still gives Host and path */
    const struct moor_http_header *headers;
    size_t header_count;
    const struct moor_secret *bearer; /* Authorization: Bearer, not sent after a redirect */
    struct moor_span body;
    const char *content_type;     /* for body; NULL = application/json */
    const char *content_encoding; /* NULL = none */
    uint64_t timeout_ms;          /* whole exchange; 0 = 60 s */
    uint64_t connect_timeout_ms;  /* 0 = 15 s */
    size_t body_max;              /* answer's body at most; 0 = 1 MiB */
    struct plat_file *sink;       /* answer's body of a 2xx goes here, appended from offset */
    uint64_t offset;        /* > 0: Range: bytes=offset-; a 200 instead of a 206 truncates sink */
    uint64_t sink_max;      /* bytes in sink at most */
    unsigned redirects_max; /* 0 = none followed; https only, 3 at most */
    bool public_only;       /* refuse loopback and link-local addresses after look-up */
    bool https_only;
    bool bare; /* no header of convenience: User-Agent, x-ms-client-request-id */
};

/* Lives during the completion only. */
struct moor_http_response {
    int status;
    const struct moor_http_header *headers; /* names in lower case */
    size_t header_count;
    struct moor_span body;
    uint64_t received;       /* bytes in sink now */
    char request_id[40];     /* x-ms-request-id, "" = none */
    uint32_t retry_after_ms; /* from retry-after-ms, x-ms-retry-after-ms or Retry-After */
};

/* NULL when absent. name in lower case. */
const char *moor_http_response_header(const struct moor_http_response *r, const char *name);

/* err->code is MOOR_OK when there is an answer, whatever its status: r is then set. Otherwise r is
 * NULL and err says TRANSIENT (look-up, connection, TLS), TIMEOUT, LIMIT, PROTOCOL, PROXY ... */
typedef void (*moor_http_done_fn)(void *ctx, const struct moor_http_response *r,
                                  const struct moor_error *err);

struct moor_http_call; /* one request in flight */

struct moor_http_transport {
    /* On failure done is never called. On success it is called exactly once, later, on the loop,
     * unless the call is cancelled first. */
    moor_code (*send)(struct moor_http_transport *t, const struct moor_http_request *req,
                      moor_http_done_fn done, void *ctx, struct moor_http_call **out,
                      struct moor_error *err);
    /* Forgets the call: done will not run. NULL is fine. Not after done has run. */
    void (*cancel)(struct moor_http_transport *t, struct moor_http_call *call);
};

MOOR_NODISCARD static inline moor_code moor_http_send(struct moor_http_transport *t,
                                                      const struct moor_http_request *req,
                                                      moor_http_done_fn done, void *ctx,
                                                      struct moor_http_call **out,
                                                      struct moor_error *err)
{
    return t->send(t, req, done, ctx, out, err);
}
static inline void moor_http_cancel(struct moor_http_transport *t, struct moor_http_call *call)
{
    t->cancel(t, call);
}

/* Turns an answer that is not 2xx into an error: status to code, ARM's or OAuth's error body to
 * service_code and message (cut, cleaned of control characters), request id, Retry-After. */
MOOR_NODISCARD moor_code moor_http_error_from(const struct moor_http_response *r, const char *what,
                                              struct moor_error *err);

#endif
