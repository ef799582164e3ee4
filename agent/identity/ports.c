/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/ports.h"

#include <stdlib.h>

#include "http/server.h"
#include "platform/caller.h"
#include "platform/net.h"
#include "platform/service.h"
#include "run/log.h"
#include "run/loop.h"

#define BACKLOG      4096 /* the system may allow less */
#define RETRY_MIN_MS 500

/* IPv4 first: it chooses the port when any will do. */
static const char *const addresses[] = { "127.0.0.1", "::1" };
enum { ADDRESSES = MOOR_COUNTOF(addresses), IPV4 = 0 };

struct moor_ports {
    struct moor_http_server *server;
    struct moor_timer *timer;
    uint64_t delay_ms; /* to the next try */
    uint16_t number;
    bool held[ADDRESSES];
    struct moor_buf problem;
};

static moor_code hand_over(struct moor_ports *p, int fd, struct moor_error *err)
{
    moor_code c = moor_http_server_listen(p->server, fd, err);
    if (c)
        plat_net_close(fd);
    return c;
}

/* ---- from the service manager ---- */

static void take_inherited(struct moor_ports *p)
{
    int fd;
    for (unsigned n = 0; (fd = plat_service_socket_at(MOOR_PORTS_SERVICE, n)) >= 0; n++) {
        struct plat_peer at = { .port = 0 };
        struct moor_error err = MOOR_ERROR_INIT;
        moor_code c = plat_socket_address(fd, &at, &err);
        if (c)
            plat_net_close(fd);
        else
            c = hand_over(p, fd, &err);
        if (c) {
            moor_log_error(MOOR_LOG_ERROR, "himds.inherited_socket", &err, NULL);
            continue;
        }
        for (size_t i = 0; i < ADDRESSES; i++)
            if (moor_streq(at.address, addresses[i]))
                p->held[i] = true;
        if (at.port)
            p->number = at.port;
    }
}

/* ---- our own ---- */

static void tell_problem(struct moor_ports *p, const char *address, const struct moor_error *err)
{
    uint32_t uid = 0;
    if (p->problem.len)
        moor_buf_str(&p->problem, "; ");
    if (plat_port_holder(address, p->number, &uid, NULL) == MOOR_OK)
        moor_buf_fmt(&p->problem, "%s port %u is held by a program of user %u", address, p->number,
                     uid);
    else
        moor_buf_str(&p->problem, err->msg);
}

/* IPv6 may be off: that is no problem. Somebody else on its address is one: "localhost" may lead
 * callers there. */
static bool is_problem(size_t i, moor_code c)
{
    return i == IPV4 || c == MOOR_E_EXISTS || c == MOOR_E_DENIED;
}

static bool try_address(struct moor_ports *p, size_t i)
{
    struct moor_error err = MOOR_ERROR_INIT;
    uint16_t bound = p->number;
    int fd = -1;
    moor_code c = plat_listen_tcp(addresses[i], p->number, BACKLOG, &fd, &bound, &err);
    if (!c)
        c = hand_over(p, fd, &err);
    if (!c) {
        p->held[i] = true;
        p->number = bound;
        return true;
    }
    if (is_problem(i, c)) {
        tell_problem(p, addresses[i], &err);
        return false;
    }
    moor_log_error(MOOR_LOG_INFO, "himds.no_ipv6", &err, NULL);
    p->held[i] = true; /* nothing to wait for */
    return true;
}

static void try_all(void *ctx)
{
    struct moor_ports *p = ctx;
    MOOR_AUTO(moor_buf) before = MOOR_BUF(512);
    bool all = true;
    moor_buf_span(&before, moor_buf_view(&p->problem));
    moor_buf_reset(&p->problem);
    for (size_t i = 0; i < ADDRESSES; i++)
        if (!p->held[i] && !try_address(p, i))
            all = false;
    if (!all) {
        moor_timer_arm(p->timer, p->delay_ms);
        p->delay_ms =
            2 * p->delay_ms < MOOR_PORTS_RETRY_MAX_MS ? 2 * p->delay_ms : MOOR_PORTS_RETRY_MAX_MS;
    }
    if (!all && !moor_streq(moor_buf_cstr(&before), moor_ports_problem(p)))
        moor_log(MOOR_LOG_ERROR, "himds.port_taken", "problem", moor_ports_problem(p), NULL);
    if (all && before.len)
        moor_log(MOOR_LOG_NOTICE, "himds.port_back", NULL);
}

moor_code moor_ports_open(struct moor_loop *l, struct moor_http_server *server, uint16_t port,
                          struct moor_ports **out, struct moor_error *err)
{
    MOOR_AUTOPTR(moor_ports) p = calloc(1, sizeof(*p));
    if (!p)
        return moor_fail(err, MOOR_E_NOMEM, "local endpoint: out of memory");
    p->server = server;
    p->number = port;
    p->delay_ms = RETRY_MIN_MS;
    p->problem = (struct moor_buf)MOOR_BUF(512);
    moor_code c = moor_timer_new(l, try_all, p, &p->timer, err);
    if (c)
        return c;
    take_inherited(p);
    try_all(p);
    *out = MOOR_TAKE(p);
    return MOOR_OK;
}

uint16_t moor_ports_number(const struct moor_ports *p)
{
    return p->number;
}

const char *moor_ports_problem(const struct moor_ports *p)
{
    return p->problem.len ? moor_buf_cstr(&p->problem) : "";
}

void moor_ports_stop(struct moor_ports *p)
{
    moor_timer_disarm(p->timer);
}

void moor_ports_free(struct moor_ports *p)
{
    if (!p)
        return;
    moor_timer_free(p->timer);
    moor_buf_drop(&p->problem);
    free(p);
}
