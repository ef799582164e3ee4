/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net.h: sockets: making listeners, knowing callers, passing descriptors.
 * A descriptor is an int on both systems (Winsock handles fit); -1 is none.
 */
#ifndef PLAT_NET_H
#define PLAT_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"
#include "base/span.h"
#include "platform/file.h"

/* address is a numeric IPv4 or IPv6 address; port 0 takes any. Non-blocking, close-on-exec, not
 * shared with other processes, TCP_NODELAY inherited by what is accepted. */
MOOR_NODISCARD moor_code plat_listen_tcp(const char *address, uint16_t port, int backlog, int *fd,
                                         uint16_t *bound_port, struct moor_error *err);

/* A Unix socket at path (at most 107 bytes). A left-over socket nobody listens on is replaced;
 * a live one is EXISTS. mode is set before anybody can connect. */
MOOR_NODISCARD moor_code plat_listen_unix(const char *path, uint32_t mode, int backlog, int *fd,
                                          struct moor_error *err);
/* Sockets for messages without connection: UDP as plat_listen_tcp(), Unix as plat_listen_unix().
 * The system is asked for a large buffer, and to count what it throws away. */
MOOR_NODISCARD moor_code plat_bind_udp(const char *address, uint16_t port, int *fd,
                                       uint16_t *bound_port, struct moor_error *err);
MOOR_NODISCARD moor_code plat_bind_unix(const char *path, uint32_t mode, int *fd,
                                        struct moor_error *err);
void plat_net_close(int fd); /* -1 is fine */
/* Sends nothing more: the other side reads what is on its way, then the end. */
void plat_net_finish(int fd);

/* For http/client.c, which checks where a connection goes before it is made. The numbers and the
 * address are the system's own (struct sockaddr). -1 when it cannot be had. */
int plat_net_socket(int family, int type, int protocol);
/* False for the unspecified, loopback, link-local, site-local, multicast and broadcast addresses
 * and for 168.63.129.16, where a virtual machine of Azure reaches its host; also when they are
 * wrapped in IPv6 (mapped, compatible, NAT64, 6to4), and for all that is not IP. */
bool plat_net_is_public(const void *sockaddr, size_t n);

struct plat_peer {
    bool local; /* Unix socket: pid, uid, gid are the kernel's word */
    int64_t pid;
    uint32_t uid, gid;
    char address[64]; /* numeric, "" for Unix sockets */
    uint16_t port;
};
MOOR_NODISCARD moor_code plat_peer_of(int fd, struct plat_peer *out, struct moor_error *err);
/* The same for our own end: address and port; nothing more for a Unix socket. */
MOOR_NODISCARD moor_code plat_socket_address(int fd, struct plat_peer *out, struct moor_error *err);

/* The next connection of a listener, non-blocking. TRANSIENT: there is none. */
MOOR_NODISCARD moor_code plat_accept(int fd, int *out, struct plat_peer *peer,
                                     struct moor_error *err);
/* What is there, without waiting. Of a connection *got = 0 means that the other side is gone. from
 * may be NULL; *lost grows to how many messages this socket's buffer had no room for, ever.
 * TRANSIENT: there is nothing. */
MOOR_NODISCARD moor_code plat_receive(int fd, void *p, size_t n, size_t *got,
                                      struct plat_peer *from, uint32_t *lost,
                                      struct moor_error *err);

/* The pair that joins a parent and its helper: messages keep their borders. */
MOOR_NODISCARD moor_code plat_socket_pair(struct plat_file *a, struct plat_file *b,
                                          struct moor_error *err);
MOOR_NODISCARD moor_code plat_connect_unix(const char *path, struct plat_file *out,
                                           struct moor_error *err);
/* The same as an end of plat_socket_pair(), the other end being who listens there. Nobody made the
 * socket: NOTFOUND. */
MOOR_NODISCARD moor_code plat_connect_messages(const char *path, struct plat_file *out,
                                               struct moor_error *err);
/* One message with at most one descriptor. receive: *got = 0 means the other side is gone;
 * TRANSIENT means nothing is there yet. */
MOOR_NODISCARD moor_code plat_message_send(const struct plat_file *s, struct moor_span bytes,
                                           const struct plat_file *pass, struct moor_error *err);
MOOR_NODISCARD moor_code plat_message_receive(const struct plat_file *s, void *p, size_t n,
                                              size_t *got, struct plat_file *passed,
                                              struct moor_error *err);
int plat_file_fd(const struct plat_file *f); /* for run/loop.h watchers; stays owned by f */

#endif
