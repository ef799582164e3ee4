/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/fetch_transport.h with this program as the fetch role: started as "PROGRAM fetch" it plays
 * a role that answers, lies, hangs or dies as the URL says.
 */
#include "core/fetch_transport.h"

#include <stdlib.h>

#include "check.h"
#include "core/fetch_wire.h"
#include "platform/dirs.h"
#include "platform/file.h"
#include "platform/self.h"
#include "run/loop.h"

#define BIG (200 * 1024)

/* The role's side. */

struct role {
    struct moor_loop *loop;
    struct moor_fetch_link *link;
};

static void reply(struct role *r, uint64_t id, uint64_t announced, size_t sent)
{
    struct moor_fetch_header headers[] = { { "etag", "\"e\"" } };
    const struct moor_fetch_message m = { .type = MOOR_FETCH_ANSWER,
                                          .id = id,
                                          .status = 200,
                                          .headers = { headers, 1 },
                                          .request_id = "r-1",
                                          .body_length = announced };
    MOOR_AUTOSTR body = calloc(1, sent + 1);
    memset(body, 'b', sent);
    if (moor_fetch_link_send(r->link, &m, MOOR_SPAN_NONE, NULL, NULL) != MOOR_OK ||
        moor_fetch_link_body(r->link, id, moor_span(body, sent), NULL) != MOOR_OK)
        exit(9);
}

static void play(void *ctx, const struct moor_fetch_message *m, struct moor_span payload,
                 struct plat_file *passed)
{
    struct role *r = ctx;
    if (m->type != MOOR_FETCH_REQUEST)
        return;
    if (strstr(m->url, "/token"))
        reply(r, m->id, payload.n, payload.n);
    else if (strstr(m->url, "/big"))
        reply(r, m->id, BIG, BIG);
    else if (strstr(m->url, "/die"))
        exit(3);
    else if (strstr(m->url, "/lie"))
        reply(r, m->id, 2, 3);
    else if (strstr(m->url, "/toolong"))
        reply(r, m->id, 5 * 1024 * 1024, 0);
    else if (strstr(m->url, "/sink") &&
             plat_append(passed, MOOR_SPAN_LIT("0123456789"), NULL) == MOOR_OK)
        reply(r, m->id, 0, 0);
    else if (strstr(m->url, "/error"))
        (void)!moor_fetch_link_send(r->link,
                                    &(struct moor_fetch_message){ .type = MOOR_FETCH_ERROR,
                                                                  .id = m->id,
                                                                  .code = MOOR_E_TIMEOUT,
                                                                  .message = "too slow" },
                                    MOOR_SPAN_NONE, NULL, NULL);
}

static void on_gone(void *ctx, const struct moor_error *err)
{
    (void)err;
    moor_loop_stop(((struct role *)ctx)->loop);
}

static int be_the_role(void)
{
    struct role r = { NULL, NULL };
    MOOR_AUTO(plat_file) socket = PLAT_FILE_INIT;
    const struct moor_fetch_link_opts opts = { play, on_gone, &r };
    if (plat_inherited(&socket, NULL) != MOOR_OK || moor_loop_new(&r.loop, NULL) != MOOR_OK ||
        moor_fetch_link_new(r.loop, &socket, &opts, &r.link, NULL) != MOOR_OK)
        return 2;
    (void)!moor_loop_run(r.loop, NULL);
    moor_fetch_link_free(r.link);
    moor_loop_free(r.loop);
    return 0;
}

/* The parent's side. */

struct call {
    bool done, answered;
    struct moor_error err;
    int status;
    size_t body_n;
    uint64_t received;
    char first[64];
    struct moor_fetch_transport **to_free; /* freed by the completion */
};

static void on_done(void *ctx, const struct moor_http_response *r, const struct moor_error *err)
{
    struct call *c = ctx;
    c->done = true;
    c->err = *err;
    c->answered = r != NULL;
    if (r) {
        c->status = r->status;
        c->body_n = r->body.n;
        c->received = r->received;
        (void)snprintf(c->first, sizeof(c->first), "%.*s", (int)(r->body.n < 32 ? r->body.n : 32),
                       r->body.p ? r->body.p : "");
        CHECK_STR(moor_http_response_header(r, "etag"), "\"e\"");
    }
    if (c->to_free) {
        moor_fetch_transport_free(*c->to_free);
        *c->to_free = NULL;
    }
}

struct world {
    struct moor_loop *loop;
    struct moor_fetch_transport *t;
};

static void start(struct world *w)
{
    MOOR_AUTOSTR self = NULL;
    CHECK_INT(plat_program_path(&self, NULL), MOOR_OK);
    const struct moor_fetch_transport_opts opts = { .program = self };
    CHECK_INT(moor_loop_new(&w->loop, NULL), MOOR_OK);
    CHECK_INT(moor_fetch_transport_new(w->loop, &opts, &w->t, NULL), MOOR_OK);
}

static void stop(struct world *w)
{
    moor_fetch_transport_free(w->t);
    moor_loop_free(w->loop);
}

static struct moor_http_call *send(struct world *w, const char *url, struct plat_file *sink,
                                   uint64_t sink_max, struct call *c)
{
    MOOR_AUTO(moor_secret) token = MOOR_SECRET_INIT;
    struct moor_http_call *call = NULL;
    CHECK_INT(moor_secret_set(&token, MOOR_SPAN_LIT("canary"), NULL), MOOR_OK);
    const struct moor_http_request req = {
        .method = "GET", .url = url, .bearer = &token, .sink = sink, .sink_max = sink_max
    };
    *c = (struct call){ .done = false };
    CHECK_INT(moor_http_send(moor_fetch_transport_http(w->t), &req, on_done, c, &call, NULL),
              MOOR_OK);
    return call;
}

static void on_late(void *ctx)
{
    *(bool *)ctx = true;
}

static bool finish(struct world *w, const struct call *c)
{
    MOOR_AUTOPTR(moor_timer) timer = NULL;
    bool late = false;
    CHECK_INT(moor_timer_new(w->loop, on_late, &late, &timer, NULL), MOOR_OK);
    moor_timer_arm(timer, 20000);
    while (!c->done && !late)
        moor_loop_turn(w->loop);
    return CHECK(c->done);
}

static void answers_come_from_a_process_started_on_demand(void)
{
    struct world w;
    struct call a, b;
    start(&w);
    (void)send(&w, "https://h/token", NULL, 0, &a);
    (void)send(&w, "https://h/big", NULL, 0, &b);
    finish(&w, &a);
    finish(&w, &b);
    CHECK(a.answered && b.answered);
    CHECK_STR(a.first, "bbbbbb"); /* one for each byte of the token */
    CHECK_INT(b.body_n, BIG);
    stop(&w);
}

static void a_dead_role_fails_calls_in_flight_and_is_started_again(void)
{
    struct world w;
    struct call hangs, dies, after;
    start(&w);
    (void)send(&w, "https://h/hang", NULL, 0, &hangs);
    (void)send(&w, "https://h/die", NULL, 0, &dies);
    finish(&w, &hangs);
    finish(&w, &dies);
    CHECK_INT(hangs.err.code, MOOR_E_TRANSIENT);
    CHECK_INT(dies.err.code, MOOR_E_TRANSIENT);
    (void)send(&w, "https://h/token", NULL, 0, &after);
    finish(&w, &after);
    CHECK_INT(after.err.code, MOOR_OK);
    stop(&w);
}

static void a_program_that_cannot_be_started_fails_the_call(void)
{
    MOOR_AUTOPTR(moor_loop) loop = NULL;
    MOOR_AUTOPTR(moor_fetch_transport) t = NULL;
    const struct moor_fetch_transport_opts opts = { .program = "/nonexistent/mooringd" };
    const struct moor_http_request req = { .method = "GET", .url = "https://h" };
    struct moor_http_call *call = NULL;
    struct call c = { .done = false };
    CHECK_INT(moor_loop_new(&loop, NULL), MOOR_OK);
    CHECK_INT(moor_fetch_transport_new(loop, &opts, &t, NULL), MOOR_OK);
    CHECK(moor_http_send(moor_fetch_transport_http(t), &req, on_done, &c, &call, NULL) != MOOR_OK);
    CHECK(!c.done);
}

static void what_the_role_says_is_not_believed(void)
{
    static const struct {
        const char *url;
        moor_code code;
    } cases[] = {
        { "https://h/lie", MOOR_E_PROTOCOL },
        { "https://h/toolong", MOOR_E_LIMIT },
        { "https://h/error", MOOR_E_TIMEOUT },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(cases); i++) {
        struct world w;
        struct call c;
        start(&w);
        (void)send(&w, cases[i].url, NULL, 0, &c);
        finish(&w, &c);
        CHECK_INT(c.err.code, cases[i].code);
        stop(&w);
    }
}

static void downloads_go_to_the_given_file_and_are_measured_there(void)
{
    static const uint64_t limits[] = { 10, 9 };
    for (size_t i = 0; i < MOOR_COUNTOF(limits); i++) {
        struct world w;
        struct call c;
        MOOR_AUTOSTR path = NULL;
        MOOR_AUTO(plat_file) sink = PLAT_FILE_INIT;
        start(&w);
        CHECK_INT(plat_path(PLAT_DIR_LIB, &path, NULL, "download"), MOOR_OK);
        CHECK_INT(plat_make_dirs(plat_dir_path(PLAT_DIR_LIB), PLAT_OWNER_ONLY, NULL), MOOR_OK);
        CHECK_INT(plat_remove(path, NULL), MOOR_OK);
        CHECK_INT(plat_create_new(path, PLAT_OWNER_ONLY, &sink, NULL), MOOR_OK);
        (void)send(&w, "https://h/sink", &sink, limits[i], &c);
        finish(&w, &c);
        CHECK_INT(c.err.code, i == 0 ? MOOR_OK : MOOR_E_PROTOCOL);
        CHECK(i != 0 || c.received == 10);
        stop(&w);
    }
}

static void a_cancelled_call_does_not_complete(void)
{
    struct world w;
    struct call cancelled, other;
    start(&w);
    struct moor_http_call *call = send(&w, "https://h/token", NULL, 0, &cancelled);
    moor_http_cancel(moor_fetch_transport_http(w.t), call);
    (void)send(&w, "https://h/token", NULL, 0, &other);
    finish(&w, &other);
    CHECK(!cancelled.done);
    stop(&w);
}

static void a_completion_may_free_the_transport(void)
{
    struct world w;
    struct call first, second;
    start(&w);
    (void)send(&w, "https://h/hang", NULL, 0, &second);
    (void)send(&w, "https://h/die", NULL, 0, &first);
    first.to_free = second.to_free = &w.t;
    struct call *const either[] = { &first, &second };
    while (!either[0]->done && !either[1]->done)
        moor_loop_turn(w.loop);
    CHECK(w.t == NULL);
    CHECK(first.done != second.done);
    stop(&w);
}

static void unix_sockets_are_refused(void)
{
    struct world w;
    struct moor_http_call *call = NULL;
    const struct moor_http_request req = { .method = "GET",
                                           .url = "http://x",
                                           .unix_socket = "/x" };
    start(&w);
    CHECK_INT(moor_http_send(moor_fetch_transport_http(w.t), &req, on_done, NULL, &call, NULL),
              MOOR_E_UNSUPPORTED);
    stop(&w);
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        CHECK_TEST(answers_come_from_a_process_started_on_demand),
        CHECK_TEST(a_dead_role_fails_calls_in_flight_and_is_started_again),
        CHECK_TEST(a_program_that_cannot_be_started_fails_the_call),
        CHECK_TEST(what_the_role_says_is_not_believed),
        CHECK_TEST(downloads_go_to_the_given_file_and_are_measured_there),
        CHECK_TEST(a_cancelled_call_does_not_complete),
        CHECK_TEST(a_completion_may_free_the_transport),
        CHECK_TEST(unix_sockets_are_refused),
    };
    if (argc > 1 && strcmp(argv[1], "fetch") == 0)
        return be_the_role();
    if (plat_dirs_init(false, NULL) != MOOR_OK || !*plat_dirs_root()) {
        printf("1..0 # SKIP MOORING_ROOT is not set\n");
        return 0;
    }
    return check_run(tests, MOOR_COUNTOF(tests));
}
