/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.h: one request of http/client.h: its copy of what was asked, its easy handle, and the
 * answer as it comes in. client.c drives it; call.c knows what the bytes mean.
 */
#ifndef MOOR_HTTP_CALL_H
#define MOOR_HTTP_CALL_H

#include <curl/curl.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "http/proxy.h"
#include "http/transport.h"

/* What all calls of a client have in common; the client's. */
struct moor_call_settings {
    char *ca_file;
    char *user_agent;
    struct moor_proxy proxy;
    CURLSH *share;
};

struct moor_http_call {
    struct moor_http_call *prev, *next; /* the client's list */
    const struct moor_call_settings *settings;
    moor_http_done_fn done;
    void *ctx;

    CURL *easy;
    struct curl_slist *headers; /* of the request; with the token: wiped */
    struct moor_arena arena;    /* copies of the request's texts */
    struct moor_buf sent_body;
    struct moor_http_request req;
    uint64_t deadline_ms;
    unsigned redirects;    /* followed so far */
    const char *host;      /* of the URL, for the certificate */
    bool proxied;          /* this hop */
    const char *peer_name; /* "https://host:port", for errors */

    struct moor_arena answer_arena;
    struct moor_http_header answer_headers[MOOR_HTTP_HEADERS_MAX];
    struct moor_http_response answer;
    struct moor_buf body;
    bool head_ended; /* the empty line was there */
    bool sink_started;
    struct moor_error stopped; /* why we broke it off ourselves; MOOR_OK = we did not */
    char curl_text[CURL_ERROR_SIZE];
};

/* Copies the request and prepares the handle. */
MOOR_NODISCARD moor_code moor_call_new(const struct moor_call_settings *settings,
                                       const struct moor_http_request *req,
                                       struct moor_http_call **out, struct moor_error *err);
void moor_call_free(struct moor_http_call *call); /* the handle must not be in a multi */

/* After a transfer: true when the answer is a redirect that is to be followed, and the handle is
 * ready to be added again. On false the call has ended: *answer is set, or err says why not. */
MOOR_NODISCARD bool moor_call_ended(struct moor_http_call *call, CURLcode result,
                                    const struct moor_http_response **answer,
                                    struct moor_error *err);

#endif
