/* SPDX-License-Identifier: Apache-2.0 */
#include "http/call.h"

#include <event2/util.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "http/call_proxy.h"
#include "http/call_tls.h"
#include "http/response.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "platform/net.h"
#include "platform/random.h"

#define TIMEOUT_MS       60000
#define CONNECT_MS       15000
#define BODY_MAX         (1024u * 1024)
#define REQUEST_TEXT_MAX (128u * 1024)
#define HEADERS_TEXT_MAX (32u * 1024)
#define REDIRECTS_MAX    3
#define IDLE_REUSE_S     60l /* a connection idle for longer is not used again */

/* Where a connection goes. */

static bool is_public_text(const char *address)
{
    struct sockaddr_storage room;
    int n = sizeof(room);
    if (moor_strcasecmp(address, "localhost") == 0)
        return false;
    if (evutil_parse_sockaddr_port(address, (struct sockaddr *)&room, &n) != 0)
        return true; /* a name */
    return plat_net_is_public(&room, (size_t)n);
}

static void stop(struct moor_http_call *call, moor_code code, const char *what)
{
    if (call->stopped.code == MOOR_OK)
        (void)!moor_fail(&call->stopped, code, "%s: %s", call->peer_name, what);
}

/* With a proxy the address is the proxy's, which the machine's owner chose. */
static bool must_be_public(const struct moor_http_call *call)
{
    return call->req.public_only && !call->proxied;
}

static curl_socket_t on_open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct moor_http_call *call = ctx;
    (void)purpose;
    if (must_be_public(call) && !plat_net_is_public(&a->addr, a->addrlen)) {
        stop(call, MOOR_E_DENIED, "the address is local to this machine or link");
        return CURL_SOCKET_BAD;
    }
    return plat_net_socket(a->family, a->socktype, a->protocol);
}

/* Before the request leaves, on kept connections too, which another call may have made. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is libcurl's */
static int on_connected(void *ctx, char *peer, char *local, int peer_port, int local_port)
{
    struct moor_http_call *call = ctx;
    (void)local;
    (void)peer_port;
    (void)local_port;
    if (!must_be_public(call) || is_public_text(peer))
        return CURL_PREREQFUNC_OK;
    stop(call, MOOR_E_DENIED, "the address is local to this machine or link");
    return CURL_PREREQFUNC_ABORT;
}

static CURLcode on_ssl_context(CURL *easy, void *ssl_ctx, void *ctx)
{
    struct moor_http_call *call = ctx;
    bool to_proxy = false;
    (void)easy;
    bool ok = call->proxied
                  ? moor_call_proxy_tls(ssl_ctx, &call->settings->proxy, call->host, &to_proxy)
                  : moor_call_tls_tighten(ssl_ctx, call->host);
    return ok ? CURLE_OK : CURLE_SSL_CACERT_BADFILE;
}

/* The answer. */

static void forget_answer(struct moor_http_call *call)
{
    moor_arena_drop(&call->answer_arena);
    moor_buf_reset(&call->body);
    call->answer = (struct moor_http_response){ .headers = call->answer_headers };
    call->head_ended = false;
}

static void lower(char *s)
{
    for (; *s; s++)
        if (*s >= 'A' && *s <= 'Z')
            *s = (char)(*s - 'A' + 'a');
}

static bool add_answer_header(struct moor_http_call *call, struct moor_span line)
{
    struct moor_span name = moor_span_trim(moor_span_cut(&line, ':'));
    if (!line.p || call->answer.header_count == MOOR_HTTP_HEADERS_MAX)
        return true;
    char *n = moor_arena_str(&call->answer_arena, name);
    char *v = moor_arena_str(&call->answer_arena, moor_span_trim(line));
    if (!n || !v)
        return false;
    lower(n);
    call->answer_headers[call->answer.header_count++] = (struct moor_http_header){ n, v };
    return true;
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    struct moor_http_call *call = ctx;
    struct moor_span line = moor_span(data, size * count);
    if (moor_span_starts(line, "HTTP/")) { /* another answer: what came before was a 100 */
        forget_answer(call);
        return line.n;
    }
    if (moor_span_trim(line).n == 0)
        call->head_ended = true;
    if (add_answer_header(call, line))
        return line.n;
    stop(call, MOOR_E_PROTOCOL, "the headers of the answer are too long");
    return 0;
}

static int status_of(const struct moor_http_call *call)
{
    long status = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

static bool is_success(int status)
{
    return status >= 200 && status <= 299;
}

/* Whether a 206 starts where the sink ends: "bytes 500-999/1000". */
static bool range_fits(const struct moor_http_call *call)
{
    const char *range = moor_http_response_header(&call->answer, "content-range");
    struct moor_span s = moor_span_str(range);
    uint64_t first;
    if (!moor_span_starts(s, "bytes "))
        return false;
    s = moor_span(s.p + 6, s.n - 6);
    return moor_parse_u64(moor_span_cut(&s, '-'), 0, UINT64_MAX, &first, NULL) == MOOR_OK &&
           first == call->req.offset;
}

/* Decides, once, where in the sink the answer's body goes. */
static moor_code start_sink(struct moor_http_call *call)
{
    if (call->sink_started)
        return MOOR_OK;
    call->sink_started = true;
    call->answer.received = 0;
    if (call->req.offset == 0)
        return MOOR_OK;
    if (status_of(call) != 206)
        return plat_truncate(call->req.sink, 0, &call->stopped);
    if (!range_fits(call))
        return moor_fail(&call->stopped, MOOR_E_PROTOCOL,
                         "%s: the answer is not the part that was asked for", call->peer_name);
    call->answer.received = call->req.offset;
    return MOOR_OK;
}

static moor_code write_sink(struct moor_http_call *call, struct moor_span bytes)
{
    moor_code c = start_sink(call);
    if (c != MOOR_OK)
        return c;
    uint64_t at = call->answer.received;
    if (bytes.n > call->req.sink_max || at > call->req.sink_max - bytes.n)
        return moor_fail(&call->stopped, MOOR_E_LIMIT, "%s: the answer is longer than %llu bytes",
                         call->peer_name, (unsigned long long)call->req.sink_max);
    c = plat_write_at(call->req.sink, at, bytes, &call->stopped);
    if (c == MOOR_OK)
        call->answer.received += bytes.n;
    return c;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct moor_http_call *call = ctx;
    struct moor_span bytes = moor_span(data, size * count);
    if (call->req.sink && is_success(status_of(call)))
        return write_sink(call, bytes) == MOOR_OK ? bytes.n : 0;
    moor_buf_span(&call->body, bytes);
    if (!call->body.failed)
        return bytes.n;
    (void)!moor_fail(&call->stopped, MOOR_E_LIMIT, "%s: the answer is longer than %zu bytes",
                     call->peer_name, call->req.body_max);
    return 0;
}

/* The request's headers. */

static void drop_headers(struct moor_http_call *call)
{
    for (struct curl_slist *h = call->headers; h; h = h->next)
        moor_wipe(h->data, strlen(h->data));
    curl_slist_free_all(call->headers);
    call->headers = NULL;
}

static bool add_line(struct moor_http_call *call, const char *line)
{
    struct curl_slist *grown = curl_slist_append(call->headers, line);
    if (grown)
        call->headers = grown;
    return grown != NULL;
}

static bool add_header(struct moor_http_call *call, const char *name, struct moor_span value)
{
    MOOR_AUTO(moor_buf) line = MOOR_BUF_SECRET(REQUEST_TEXT_MAX);
    /* libcurl's own writing of a header that is empty. */
    moor_buf_fmt(&line, value.n ? "%s: " : "%s;", name);
    moor_buf_span(&line, value);
    for (size_t i = 0; i < line.len; i++)
        if ((unsigned char)line.data[i] < ' ')
            return false;
    return !line.failed && add_line(call, moor_buf_cstr(&line));
}

static bool has_header(const struct moor_http_request *req, const char *name)
{
    for (size_t i = 0; i < req->header_count; i++)
        if (moor_strcasecmp(req->headers[i].name, name) == 0)
            return true;
    return false;
}

static bool add_bearer(struct moor_http_call *call, const struct moor_secret *token)
{
    MOOR_AUTO(moor_buf) value = MOOR_BUF_SECRET(REQUEST_TEXT_MAX);
    if (!token || call->redirects > 0)
        return true;
    moor_buf_str(&value, "Bearer ");
    moor_buf_span(&value, moor_secret_reveal(token));
    return !value.failed && add_header(call, "Authorization", moor_buf_view(&value));
}

/* After a redirect nothing that proves who we are goes along. */
static bool add_own_headers(struct moor_http_call *call)
{
    const struct moor_http_request *req = &call->req;
    for (size_t i = 0; i < req->header_count; i++) {
        const struct moor_http_header *h = &req->headers[i];
        if (call->redirects > 0 && moor_strcasecmp(h->name, "authorization") == 0)
            continue;
        if (!add_header(call, h->name, moor_span_str(h->value)))
            return false;
    }
    return true;
}

static bool set_headers(struct moor_http_call *call, const struct moor_secret *token)
{
    const struct moor_http_request *req = &call->req;
    char id[37];
    char range[40];
    drop_headers(call);
    plat_random_uuid(id);
    bool ok = add_bearer(call, token) && add_own_headers(call);
    if (ok && !req->bare && !has_header(req, "x-ms-client-request-id"))
        ok = add_header(call, "x-ms-client-request-id", moor_span_str(id));
    if (ok && req->body.n > 0 && !has_header(req, "content-type"))
        ok = add_header(call, "Content-Type", moor_span_str(req->content_type));
    if (ok && req->content_encoding)
        ok = add_header(call, "Content-Encoding", moor_span_str(req->content_encoding));
    if (ok && req->offset > 0) {
        (void)evutil_snprintf(range, sizeof(range), "bytes=%llu-", (unsigned long long)req->offset);
        ok = add_header(call, "Range", moor_span_str(range));
    }
    if (ok && req->bare)
        ok = add_line(call, "User-Agent:");
    /* libcurl would wait a second for a 100 before a long body, call an empty one a form, and say
     * that anything is accepted. */
    ok =
        ok && add_line(call, "Expect:") && (has_header(req, "accept") || add_line(call, "Accept:"));
    if (ok && req->body.n == 0 && !has_header(req, "content-type"))
        ok = add_line(call, "Content-Type:");
    return ok && curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers) == CURLE_OK;
}

/* The request. */

static moor_code copy_request(struct moor_http_call *call, const struct moor_http_request *req,
                              struct moor_error *err)
{
    struct moor_arena *a = &call->arena;
    struct moor_http_header *headers = moor_arena_array(a, req->header_count, sizeof(*headers));
    call->req = *req;
    call->req.bearer = NULL;
    call->req.headers = headers;
    for (size_t i = 0; headers && i < req->header_count; i++) {
        headers[i].name = moor_arena_str(a, moor_span_str(req->headers[i].name));
        headers[i].value = moor_arena_str(a, moor_span_str(req->headers[i].value));
        if (!headers[i].name || !headers[i].value)
            return moor_fail(err, MOOR_E_NOMEM, "HTTP request: the headers are too long");
    }
    call->req.method = moor_arena_str(a, moor_span_str(req->method));
    call->req.url = moor_arena_str(a, moor_span_str(req->url));
    call->req.content_type = moor_arena_str(
        a, moor_span_str(req->content_type ? req->content_type : "application/json"));
    call->req.unix_socket =
        req->unix_socket ? moor_arena_str(a, moor_span_str(req->unix_socket)) : NULL;
    call->req.content_encoding =
        req->content_encoding ? moor_arena_str(a, moor_span_str(req->content_encoding)) : NULL;
    if (!headers || !call->req.method || !call->req.url || !call->req.content_type ||
        !call->req.unix_socket != !req->unix_socket ||
        !call->req.content_encoding != !req->content_encoding)
        return moor_fail(err, MOOR_E_NOMEM, "HTTP request: the URL is too long");
    call->sent_body = (struct moor_buf)MOOR_BUF_SECRET(req->body.n);
    moor_buf_span(&call->sent_body, req->body);
    return moor_buf_ok(&call->sent_body, "body of the request", err);
}

static void fill_in_defaults(struct moor_http_request *req)
{
    req->timeout_ms = req->timeout_ms ? req->timeout_ms : TIMEOUT_MS;
    req->connect_timeout_ms = req->connect_timeout_ms ? req->connect_timeout_ms : CONNECT_MS;
    req->body_max = req->body_max ? req->body_max : BODY_MAX;
    if (req->redirects_max > REDIRECTS_MAX)
        req->redirects_max = REDIRECTS_MAX;
}

static moor_code get_part(CURLU *u, CURLUPart part, unsigned flags, char **out)
{
    return curl_url_get(u, part, out, flags) == CURLUE_OK ? MOOR_OK : MOOR_E_BADINPUT;
}

/* Looks at the parsed URL and names the peer for errors; the rest of a URL may hold secrets. */
static moor_code check_parsed(struct moor_http_call *call, CURLU *u, struct moor_error *err)
{
    char *scheme = NULL;
    char *host = NULL;
    char *port = NULL;
    char *user = NULL;
    moor_code c = get_part(u, CURLUPART_SCHEME, 0, &scheme);
    if (c == MOOR_OK)
        c = get_part(u, CURLUPART_HOST, 0, &host);
    if (c == MOOR_OK)
        c = get_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, &port);
    if (c != MOOR_OK || (!moor_streq(scheme, "http") && !moor_streq(scheme, "https")))
        c = moor_fail(err, MOOR_E_BADINPUT, "URL: want http or https, a host and a path");
    else if (get_part(u, CURLUPART_USER, 0, &user) == MOOR_OK)
        c = moor_fail(err, MOOR_E_BADINPUT, "URL of %s: want no user name in it", host);
    else if (call->settings->proxy.refusal && !call->req.unix_socket)
        c = moor_fail(err, MOOR_E_PROXY, "%s: %s", host, call->settings->proxy.refusal);
    else if (call->req.https_only && !moor_streq(scheme, "https"))
        c = moor_fail(err, MOOR_E_DENIED, "URL of %s: want https", host);
    else if (call->req.public_only && !is_public_text(host))
        c = moor_fail(err, MOOR_E_DENIED, "URL of %s: the address is local to this machine or link",
                      host);
    else if (!(call->peer_name = moor_arena_fmt(&call->arena, "%s://%s:%s", scheme, host, port)) ||
             !(call->host = moor_arena_str(&call->arena, moor_span_str(host))))
        c = moor_fail(err, MOOR_E_NOMEM, "HTTP request: out of memory");
    else
        call->proxied =
            !call->req.unix_socket && moor_call_proxy_applies(u, &call->settings->proxy);
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(user);
    return c;
}

static moor_code check_url(struct moor_http_call *call, const char *url, struct moor_error *err)
{
    CURLU *u = curl_url();
    if (!u)
        return moor_fail(err, MOOR_E_NOMEM, "HTTP request: out of memory");
    moor_code c = curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK
                      ? check_parsed(call, u, err)
                      : moor_fail(err, MOOR_E_BADINPUT, "URL: malformed");
    curl_url_cleanup(u);
    return c;
}

/* Options by type, so that a failed one is found without looking at each call. */
struct long_option {
    CURLoption option;
    long value;
};
struct text_option {
    CURLoption option;
    const char *value;
};

static bool set_longs(CURL *easy, const struct long_option *o, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (curl_easy_setopt(easy, o[i].option, o[i].value) != CURLE_OK)
            return false;
    return true;
}

static bool set_texts(CURL *easy, const struct text_option *o, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (curl_easy_setopt(easy, o[i].option, o[i].value) != CURLE_OK)
            return false;
    return true;
}

static bool set_connection(struct moor_http_call *call)
{
    const struct moor_call_settings *s = call->settings;
    const struct long_option longs[] = {
        { CURLOPT_NOSIGNAL, 1 },
        { CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
        { CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
        { CURLOPT_SSL_VERIFYPEER, 1 },
        { CURLOPT_SSL_VERIFYHOST, 2 },
        { CURLOPT_TCP_NODELAY, 1 },
        { CURLOPT_MAXAGE_CONN, IDLE_REUSE_S },
        { CURLOPT_BUFFERSIZE, 16 * 1024 },
        { CURLOPT_UPLOAD_BUFFERSIZE, 16 * 1024 },
        /* Without this, giving up waits for the thread that looks a name up. */
        { CURLOPT_QUICK_EXIT, 1 },
    };
    const struct text_option texts[] = {
        { CURLOPT_PROTOCOLS_STR, call->req.https_only ? "https" : "http,https" },
        { CURLOPT_USERAGENT, s->user_agent },
    };
    return set_longs(call->easy, longs, MOOR_COUNTOF(longs)) &&
           set_texts(call->easy, texts, MOOR_COUNTOF(texts)) &&
           (!call->req.unix_socket || curl_easy_setopt(call->easy, CURLOPT_UNIX_SOCKET_PATH,
                                                       call->req.unix_socket) == CURLE_OK);
}

/* One file replaces the system's store. Where the system has its store as a folder too, only that
 * is used: it is searched for the one issuer needed, while the file is read whole. */
static bool set_trust(struct moor_http_call *call)
{
    const struct moor_call_settings *s = call->settings;
    const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
    if (s->ca_file)
        return curl_easy_setopt(call->easy, CURLOPT_CAINFO, s->ca_file) == CURLE_OK &&
               curl_easy_setopt(call->easy, CURLOPT_CAPATH, NULL) == CURLE_OK;
    return !v->capath || curl_easy_setopt(call->easy, CURLOPT_CAINFO, NULL) == CURLE_OK;
}

static bool set_callbacks(struct moor_http_call *call)
{
    CURL *e = call->easy;
    return curl_easy_setopt(e, CURLOPT_PRIVATE, call) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_SHARE, call->settings->share) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_ERRORBUFFER, call->curl_text) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HEADERDATA, call) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEDATA, call) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open_socket) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, call) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, on_ssl_context) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, call) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_connected) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PREREQDATA, call) == CURLE_OK;
}

static bool set_method(struct moor_http_call *call)
{
    const char *method = call->req.method;
    CURL *e = call->easy;
    bool takes_body = moor_streq(method, "POST") || moor_streq(method, "PUT") ||
                      moor_streq(method, "PATCH") || call->sent_body.len > 0;
    if (moor_streq(method, "HEAD"))
        return curl_easy_setopt(e, CURLOPT_NOBODY, 1L) == CURLE_OK;
    if (moor_streq(method, "GET") && !takes_body)
        return curl_easy_setopt(e, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    if (takes_body &&
        (curl_easy_setopt(e, CURLOPT_POSTFIELDS, moor_buf_cstr(&call->sent_body)) != CURLE_OK ||
         curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->sent_body.len) !=
             CURLE_OK))
        return false;
    return curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK;
}

/* What changes from hop to hop. */
static bool set_hop(struct moor_http_call *call, const char *url)
{
    uint64_t now = plat_mono_ms();
    uint64_t left = call->deadline_ms > now ? call->deadline_ms - now : 1;
    uint64_t connect = call->req.connect_timeout_ms;
    return curl_easy_setopt(call->easy, CURLOPT_URL, url) == CURLE_OK &&
           moor_call_proxy_set(call->easy, call->proxied ? &call->settings->proxy : NULL) &&
           curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, (long)left) == CURLE_OK &&
           curl_easy_setopt(call->easy, CURLOPT_CONNECTTIMEOUT_MS,
                            (long)(connect < left ? connect : left)) == CURLE_OK;
}

static moor_code prepare(struct moor_http_call *call, const struct moor_http_request *req,
                         struct moor_error *err)
{
    moor_code c = copy_request(call, req, err);
    if (c != MOOR_OK)
        return c;
    fill_in_defaults(&call->req);
    c = check_url(call, call->req.url, err);
    if (c != MOOR_OK)
        return c;
    call->body = (struct moor_buf)MOOR_BUF_SECRET(call->req.body_max);
    call->deadline_ms = plat_mono_ms() + call->req.timeout_ms;
    forget_answer(call);
    call->easy = curl_easy_init();
    if (!call->easy)
        return moor_fail(err, MOOR_E_NOMEM, "HTTP request: out of memory");
    if (!set_connection(call) || !set_trust(call) || !set_callbacks(call) || !set_method(call) ||
        !set_hop(call, call->req.url))
        return moor_fail(err, MOOR_E_BADINPUT, "%s: a setting of the request is not accepted",
                         call->peer_name);
    if (!set_headers(call, req->bearer))
        return moor_fail(err, MOOR_E_BADINPUT, "%s: a header of the request is not accepted",
                         call->peer_name);
    return MOOR_OK;
}

moor_code moor_call_new(const struct moor_call_settings *settings,
                        const struct moor_http_request *req, struct moor_http_call **out,
                        struct moor_error *err)
{
    struct moor_http_call *call = calloc(1, sizeof(*call));
    if (!call)
        return moor_fail(err, MOOR_E_NOMEM, "HTTP request: out of memory");
    call->settings = settings;
    call->arena.max = REQUEST_TEXT_MAX;
    call->answer_arena.max = HEADERS_TEXT_MAX;
    moor_code c = prepare(call, req, err);
    if (c != MOOR_OK) {
        moor_call_free(call);
        return c;
    }
    *out = call;
    return MOOR_OK;
}

void moor_call_free(struct moor_http_call *call)
{
    curl_easy_cleanup(call->easy);
    drop_headers(call);
    moor_arena_drop(&call->arena);
    moor_arena_drop(&call->answer_arena);
    moor_buf_drop(&call->sent_body);
    moor_buf_drop(&call->body);
    free(call);
}

/* The end. */

static moor_code code_of(CURLcode result)
{
    static const struct {
        CURLcode result;
        moor_code code;
    } codes[] = {
        { CURLE_OPERATION_TIMEDOUT, MOOR_E_TIMEOUT },
        { CURLE_OUT_OF_MEMORY, MOOR_E_NOMEM },
        { CURLE_PEER_FAILED_VERIFICATION, MOOR_E_UNTRUSTED },
        { CURLE_UNSUPPORTED_PROTOCOL, MOOR_E_PROTOCOL }, /* an answer that is no HTTP/1 */
        { CURLE_URL_MALFORMAT, MOOR_E_BADINPUT },
        { CURLE_SSL_CACERT_BADFILE, MOOR_E_IO },
        { CURLE_WEIRD_SERVER_REPLY, MOOR_E_PROTOCOL },
        { CURLE_TOO_MANY_REDIRECTS, MOOR_E_PROTOCOL },
        { CURLE_BAD_CONTENT_ENCODING, MOOR_E_PROTOCOL },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(codes); i++)
        if (codes[i].result == result)
            return codes[i].code;
    return MOOR_E_TRANSIENT; /* look-up, connection, TLS, a cut answer */
}

static bool is_redirect(const struct moor_http_call *call, int status)
{
    bool moved = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    bool safe = moor_streq(call->req.method, "GET") || moor_streq(call->req.method, "HEAD");
    return moved && safe && call->req.redirects_max > 0;
}

/* Prepares the next hop. */
static moor_code follow(struct moor_http_call *call, struct moor_error *err)
{
    const char *found = NULL;
    (void)curl_easy_getinfo(call->easy, CURLINFO_REDIRECT_URL, &found);
    if (!found)
        return moor_fail(err, MOOR_E_PROTOCOL, "%s: redirected without saying where to",
                         call->peer_name);
    if (call->redirects++ == call->req.redirects_max)
        return moor_fail(err, MOOR_E_PROTOCOL, "%s: redirected too often", call->peer_name);
    const char *url = moor_arena_str(&call->arena, moor_span_str(found));
    if (!url)
        return moor_fail(err, MOOR_E_NOMEM, "%s: the new URL is too long", call->peer_name);
    call->req.https_only = true;
    moor_code c = check_url(call, url, err);
    if (c != MOOR_OK)
        return moor_context(err, "redirected");
    forget_answer(call);
    if (!set_hop(call, url) || !set_headers(call, NULL) ||
        curl_easy_setopt(call->easy, CURLOPT_PROTOCOLS_STR, "https") != CURLE_OK)
        return moor_fail(err, MOOR_E_NOMEM, "%s: out of memory", call->peer_name);
    return MOOR_OK;
}

static moor_code finish_answer(struct moor_http_call *call, int status, struct moor_error *err)
{
    call->answer.status = status;
    call->answer.body = moor_buf_view(&call->body);
    if (call->req.sink && is_success(status) && start_sink(call) != MOOR_OK) {
        *err = call->stopped;
        return err->code;
    }
    moor_http_response_read(&call->answer, plat_utc_ms());
    return MOOR_OK;
}

static void tell_failure(const struct moor_http_call *call, CURLcode result, struct moor_error *err)
{
    const char *text = *call->curl_text ? call->curl_text : curl_easy_strerror(result);
    moor_code code = code_of(result);
    if (!call->proxied || !moor_call_proxy_failed(call->easy, result, code, &call->settings->proxy,
                                                  call->peer_name, text, err))
        (void)!moor_fail(err, code, "%s: %s", call->peer_name, text);
}

bool moor_call_ended(struct moor_http_call *call, CURLcode result,
                     const struct moor_http_response **answer, struct moor_error *err)
{
    *answer = NULL;
    if (call->stopped.code != MOOR_OK) {
        *err = call->stopped;
        return false;
    }
    if (result != CURLE_OK) {
        tell_failure(call, result, err);
        return false;
    }
    if (!call->head_ended) { /* libcurl takes a head that ends too early for an answer */
        (void)!moor_fail(err, MOOR_E_TRANSIENT, "%s: the answer was cut short", call->peer_name);
        return false;
    }
    int status = status_of(call);
    if (call->proxied && status == 407) { /* http: the proxy answers in the peer's place */
        (void)!moor_call_proxy_unauthorized(&call->settings->proxy, call->peer_name, err);
        return false;
    }
    if (is_redirect(call, status))
        return follow(call, err) == MOOR_OK;
    if (finish_answer(call, status, err) == MOOR_OK)
        *answer = &call->answer;
    return false;
}
