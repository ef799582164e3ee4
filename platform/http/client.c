/* SPDX-License-Identifier: Apache-2.0 */
#include "http/client.h"

#include <event2/event.h>
#include <stdlib.h>

#include "http/call.h"
#include "http/forget.h"
#include "platform/self.h"
#include "run/loop.h"

#define CONNECTIONS_PER_HOST 4
#define CONNECTIONS_KEPT     8
#define IDLE_MS              30000

struct moor_http_client {
    struct moor_http_transport transport; /* first: the transport is the client */
    struct moor_loop *loop;
    struct moor_call_settings settings;
    long connections_max;
    CURLM *multi;             /* NULL while nothing is going on */
    struct moor_timer *timer; /* libcurl's */
    struct moor_timer *idle;
    struct moor_http_call *calls;
    bool *freed; /* set by free() while a completion runs */
};

/* The loop's side of libcurl. */

static void reap(struct moor_http_client *c);

static void on_ready(evutil_socket_t fd, short what, void *ctx)
{
    struct moor_http_client *c = ctx;
    int flags =
        ((what & EV_READ) ? CURL_CSELECT_IN : 0) | ((what & EV_WRITE) ? CURL_CSELECT_OUT : 0);
    int running;
    (void)curl_multi_socket_action(c->multi, fd, flags, &running);
    reap(c);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *watched)
{
    struct moor_http_client *c = ctx;
    (void)easy;
    if (watched)
        event_free(watched);
    short events =
        (short)(((what & CURL_POLL_IN) ? EV_READ : 0) | ((what & CURL_POLL_OUT) ? EV_WRITE : 0));
    struct event *ev = NULL;
    if (what != CURL_POLL_REMOVE && events) {
        ev = event_new(moor_loop_base(c->loop), fd, (short)(events | EV_PERSIST), on_ready, c);
        if (!ev || event_add(ev, NULL) != 0)
            return -1;
    }
    (void)curl_multi_assign(c->multi, fd, ev);
    return 0;
}

static int on_timeout_wanted(CURLM *multi, long ms, void *ctx)
{
    struct moor_http_client *c = ctx;
    (void)multi;
    if (ms < 0)
        moor_timer_disarm(c->timer);
    else
        moor_timer_arm(c->timer, (uint64_t)ms);
    return 0;
}

static void on_timer(void *ctx)
{
    struct moor_http_client *c = ctx;
    int running;
    (void)curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    reap(c);
}

static void drop_multi(struct moor_http_client *c)
{
    (void)curl_multi_cleanup(c->multi);
    c->multi = NULL;
    moor_timer_disarm(c->timer);
}

/* Closes kept connections and releases the loaded certificates; TLS sessions are kept. */
static void on_idle(void *ctx)
{
    drop_multi(ctx);
    plat_release_memory(); /* a system's certificates are 2 MB */
}

static moor_code need_multi(struct moor_http_client *c, struct moor_error *err)
{
    if (c->multi)
        return MOOR_OK;
    c->multi = curl_multi_init();
    if (!c->multi)
        return moor_fail(err, MOOR_E_NOMEM, "HTTP client: out of memory");
    (void)curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    (void)curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timeout_wanted);
    (void)curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    (void)curl_multi_setopt(c->multi, CURLMOPT_MAX_HOST_CONNECTIONS, c->connections_max);
    (void)curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    return MOOR_OK;
}

/* Calls. */

static void unlink_call(struct moor_http_client *c, struct moor_http_call *call)
{
    *(call->prev ? &call->prev->next : &c->calls) = call->next;
    if (call->next)
        call->next->prev = call->prev;
    (void)curl_multi_remove_handle(c->multi, call->easy);
    if (!c->calls)
        moor_timer_arm(c->idle, IDLE_MS);
}

/* Runs the completion of a call whose transfer ended. False when it freed the client. */
static bool complete(struct moor_http_client *c, struct moor_http_call *call, CURLcode result)
{
    const struct moor_http_response *answer;
    struct moor_error err = MOOR_ERROR_INIT;
    (void)curl_multi_remove_handle(c->multi, call->easy);
    if (moor_call_ended(call, result, &answer, &err)) {
        if (curl_multi_add_handle(c->multi, call->easy) == CURLM_OK)
            return true;
        (void)!moor_fail(&err, MOOR_E_NOMEM, "HTTP client: out of memory");
    }
    bool freed = false;
    c->freed = &freed;
    unlink_call(c, call);
    curl_easy_cleanup(call->easy); /* it holds the share, which a completion may free */
    call->easy = NULL;
    call->done(call->ctx, answer, &err);
    moor_call_free(call);
    if (!freed)
        c->freed = NULL;
    return !freed;
}

static void reap(struct moor_http_client *c)
{
    int left;
    CURLMsg *m;
    while ((m = curl_multi_info_read(c->multi, &left))) {
        char *call = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode result = m->data.result;
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &call);
        if (!complete(c, (void *)call, result))
            return;
    }
}

static moor_code send_request(struct moor_http_transport *t, const struct moor_http_request *req,
                              moor_http_done_fn done, void *ctx, struct moor_http_call **out,
                              struct moor_error *err)
{
    struct moor_http_client *c = (void *)t;
    struct moor_http_call *call = NULL;
    moor_code code = need_multi(c, err);
    if (code == MOOR_OK)
        code = moor_call_new(&c->settings, req, &call, err);
    if (code != MOOR_OK)
        return code;
    call->done = done;
    call->ctx = ctx;
    if (curl_multi_add_handle(c->multi, call->easy) != CURLM_OK) {
        moor_call_free(call);
        return moor_fail(err, MOOR_E_NOMEM, "HTTP client: out of memory");
    }
    call->next = c->calls;
    if (c->calls)
        c->calls->prev = call;
    c->calls = call;
    moor_timer_disarm(c->idle);
    if (out)
        *out = call;
    return MOOR_OK;
}

static void cancel(struct moor_http_transport *t, struct moor_http_call *call)
{
    if (!call)
        return;
    unlink_call((void *)t, call);
    moor_call_free(call);
}

/* The client. */

static bool copy_text(char **out, const char *s)
{
    *out = s ? moor_strdup(s) : NULL;
    return !s || *out;
}

static moor_code set_up(struct moor_http_client *c, const struct moor_http_client_opts *opts,
                        struct moor_error *err)
{
    struct moor_call_settings *s = &c->settings;
    s->share = curl_share_init();
    if (!s->share || !copy_text(&s->ca_file, opts->ca_file) ||
        !copy_text(&s->user_agent, opts->user_agent ? opts->user_agent : "mooring/" MOOR_VERSION) ||
        curl_share_setopt(s->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK)
        return moor_fail(err, MOOR_E_NOMEM, "HTTP client: out of memory");
    moor_code code = moor_proxy_copy(opts->proxy, &s->proxy, err);
    if (code == MOOR_OK)
        code = moor_timer_new(c->loop, on_timer, c, &c->timer, err);
    return code == MOOR_OK ? moor_timer_new(c->loop, on_idle, c, &c->idle, err) : code;
}

moor_code moor_http_client_new(struct moor_loop *l, const struct moor_http_client_opts *opts,
                               struct moor_http_client **out, struct moor_error *err)
{
    if (!moor_http_start_curl()) /* counted */
        return moor_fail(err, MOOR_E_NOMEM, "HTTP client: libcurl does not start");
    MOOR_AUTOPTR(moor_http_client) c = calloc(1, sizeof(*c));
    if (!c) {
        curl_global_cleanup();
        return moor_fail(err, MOOR_E_NOMEM, "HTTP client: out of memory");
    }
    c->transport = (struct moor_http_transport){ send_request, cancel };
    c->loop = l;
    c->connections_max = opts->connections_max ? (long)opts->connections_max : CONNECTIONS_PER_HOST;
    moor_code code = set_up(c, opts, err);
    if (code != MOOR_OK)
        return code;
    *out = MOOR_TAKE(c);
    return MOOR_OK;
}

void moor_http_client_free(struct moor_http_client *c)
{
    if (!c)
        return;
    if (c->freed)
        *c->freed = true;
    while (c->calls)
        cancel(&c->transport, c->calls);
    if (c->multi)
        drop_multi(c);
    if (c->settings.share)
        (void)curl_share_cleanup(c->settings.share);
    free(c->settings.ca_file);
    free(c->settings.user_agent);
    moor_proxy_drop(&c->settings.proxy);
    moor_timer_free(c->timer);
    moor_timer_free(c->idle);
    free(c);
    curl_global_cleanup();
}

struct moor_http_transport *moor_http_client_transport(struct moor_http_client *c)
{
    return &c->transport;
}
