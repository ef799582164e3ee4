/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intake.h: the sockets that syslog messages come in by: Unix datagrams, UDP, TCP and TLS (RFC
 * 6587, both framings; RFC 5425). While there is no room connections are not read, so that senders
 * wait; datagrams are read, dropped and counted, since their senders cannot wait. Loop thread.
 *
 * Nobody can exhaust us: at most 256 connections, 64 of one address, each with one unfinished
 * message; whoever comes beyond that is turned away.
 */
#ifndef MOOR_LOGS_INTAKE_H
#define MOOR_LOGS_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"
#include "base/jsontab.h"
#include "http/server.h"
#include "logs/syslog.h"

struct moor_loop;
struct moor_intake;

struct moor_intake_to {
    const char *computer;
    /* waits: its sender was made to wait while there was no room; what is read is taken. */
    void (*on_message)(void *ctx, const struct moor_syslog *m,
                       const struct moor_syslog_origin *from, bool cut, bool waits);
    /* The system threw so many away for which there was no room in a socket. */
    void (*on_lost)(void *ctx, uint32_t messages);
    bool (*is_full)(void *ctx);
    void *ctx;
};

/* from: "unix:/path", "udp:ADDRESS:PORT", "tcp:ADDRESS:PORT", "tls:ADDRESS:PORT" with numeric
 * addresses, those of IPv6 in brackets; "journal" is passed over. A socket that cannot be had is
 * logged, and the others are used. tls: its files, NULL = there are none. to is copied. */
MOOR_NODISCARD moor_code moor_intake_new(struct moor_loop *l, const struct moor_str_list *from,
                                         const struct moor_http_tls *tls,
                                         const struct moor_intake_to *to, struct moor_intake **out,
                                         struct moor_error *err);
void moor_intake_free(struct moor_intake *in);
MOOR_DEFINE_AUTOPTR(moor_intake)

/* Reads certificate and key anew, for connections from now on. What cannot be read is logged, and
 * the former pair stays. */
void moor_intake_reload(struct moor_intake *in, const struct moor_http_tls *tls);

/* There may be room again. */
void moor_intake_resume(struct moor_intake *in);

#endif
