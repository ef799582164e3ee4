/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ports.h: the loopback addresses of the local endpoint, held from the start on.
 *
 * Sockets that the service manager holds under the name MOOR_PORTS_SERVICE are taken as they are:
 * then nobody else can have had the port since boot. Without them 127.0.0.1 and, where there is
 * IPv6, [::1] are listened on. An address that another program holds is tried again, soon at
 * first, then every MOOR_PORTS_RETRY_MAX_MS; until then what is wrong, and whose program it is, can
 * be asked. Loop thread.
 */
#ifndef MOOR_IDENTITY_PORTS_H
#define MOOR_IDENTITY_PORTS_H

#include <stdint.h>

#include "base/error.h"

struct moor_http_server;
struct moor_loop;
struct moor_ports;

#define MOOR_PORTS_SERVICE      "himds-tcp"
#define MOOR_PORTS_RETRY_MAX_MS 30000

/* port 0 takes any. Fails only when out of memory. */
MOOR_NODISCARD moor_code moor_ports_open(struct moor_loop *l, struct moor_http_server *server,
                                         uint16_t port, struct moor_ports **out,
                                         struct moor_error *err);
void moor_ports_free(struct moor_ports *p); /* the server closes what it listens on */
MOOR_DEFINE_AUTOPTR(moor_ports)

uint16_t moor_ports_number(const struct moor_ports *p);

/* "" when every address is held; valid until the loop turns. */
const char *moor_ports_problem(const struct moor_ports *p);

/* No more tries. */
void moor_ports_stop(struct moor_ports *p);

#endif
