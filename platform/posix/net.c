/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "path.h"
#include "platform/oserr.h"

#define MESSAGE_BUFFER (8 * 1024 * 1024)

void plat_net_close(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

void plat_net_finish(int fd)
{
    (void)shutdown(fd, SHUT_WR);
}

int plat_net_socket(int family, int type, int protocol)
{
    return socket(family, type | SOCK_CLOEXEC, protocol);
}

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
    struct sockaddr_storage room;
};

/* Length of the address, 0 when text is no numeric address. */
static socklen_t address_from(const char *text, uint16_t port, union address *out)
{
    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, text, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(port);
        return sizeof(out->v4);
    }
    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons(port);
        return sizeof(out->v6);
    }
    return 0;
}

static uint16_t port_of(const union address *a)
{
    if (a->any.sa_family == AF_INET)
        return ntohs(a->v4.sin_port);
    return a->any.sa_family == AF_INET6 ? ntohs(a->v6.sin6_port) : 0;
}

static bool public_v4(const unsigned char ip[4])
{
    static const unsigned char host_of_vm[4] = { 168, 63, 129, 16 }; /* Azure's, from within */
    return ip[0] != 0 && ip[0] != 127 && ip[0] < 224 && !(ip[0] == 169 && ip[1] == 254) &&
           memcmp(ip, host_of_vm, sizeof(host_of_vm)) != 0;
}

static bool public_v6(const unsigned char ip[16])
{
    static const struct {
        unsigned char bytes[12];
        size_t length;
        size_t v4_at; /* where an IPv4 address stands behind it */
    } wraps[] = {
        { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff }, 12, 12 }, /* mapped */
        { { 0 }, 12, 12 },                                        /* compatible; also :: and ::1 */
        { { 0x00, 0x64, 0xff, 0x9b }, 12, 12 },                   /* NAT64 */
        { { 0x20, 0x02 }, 2, 2 },                                 /* 6to4 */
    };
    for (size_t i = 0; i < sizeof(wraps) / sizeof(wraps[0]); i++)
        if (memcmp(ip, wraps[i].bytes, wraps[i].length) == 0)
            return public_v4(ip + wraps[i].v4_at);
    return ip[0] != 0xff && !(ip[0] == 0xfe && (ip[1] & 0x80) != 0); /* link and site */
}

bool plat_net_is_public(const void *sockaddr, size_t n)
{
    union address a;
    memset(&a, 0, sizeof(a));
    memcpy(&a, sockaddr, n < sizeof(a) ? n : sizeof(a));
    if (a.any.sa_family == AF_INET && n >= sizeof(a.v4))
        return public_v4((const unsigned char *)&a.v4.sin_addr);
    return a.any.sa_family == AF_INET6 && n >= sizeof(a.v6) &&
           public_v6((const unsigned char *)&a.v6.sin6_addr);
}

static bool switch_on(int fd, int level, int option)
{
    const int on = 1;
    return setsockopt(fd, level, option, &on, sizeof(on)) == 0;
}

static int give(struct plat_file *s)
{
    int fd = s->fd_;
    s->fd_ = -1;
    return fd;
}

moor_code plat_listen_tcp(const char *address, uint16_t port, int backlog, int *fd,
                          uint16_t *bound_port, struct moor_error *err)
{
    union address a;
    socklen_t n = address_from(address, port, &a);
    if (n == 0)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: want a numeric address", address);
    MOOR_AUTO(plat_file) s = PLAT_FILE_INIT;
    s.fd_ = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s.fd_ < 0)
        return plat_fail(err, errno, "%s port %u", address, port);
    bool ok = switch_on(s.fd_, SOL_SOCKET, SO_REUSEADDR) &&
              switch_on(s.fd_, IPPROTO_TCP, TCP_NODELAY) &&
              (a.any.sa_family != AF_INET6 || switch_on(s.fd_, IPPROTO_IPV6, IPV6_V6ONLY));
    if (!ok || bind(s.fd_, &a.any, n) != 0 || listen(s.fd_, backlog) != 0 ||
        getsockname(s.fd_, &a.any, &n) != 0)
        return plat_fail(err, errno, "%s port %u", address, port);
    if (bound_port)
        *bound_port = port_of(&a);
    *fd = give(&s);
    return MOOR_OK;
}

static moor_code unix_address(const char *path, union address *out, struct moor_error *err)
{
    size_t n = strlen(path);
    if (n >= sizeof(out->un.sun_path))
        return moor_fail(err, MOOR_E_BADINPUT, "%s: a socket's path has at most %zu bytes", path,
                         sizeof(out->un.sun_path) - 1);
    memset(out, 0, sizeof(*out));
    out->un.sun_family = AF_UNIX;
    memcpy(out->un.sun_path, path, n);
    return MOOR_OK;
}

/* Whether leaf is a socket nobody listens on any more. */
static bool is_left_over(int at, const char *leaf, const union address *a, int type)
{
    struct stat st;
    if (fstatat(at, leaf, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    MOOR_AUTO(plat_file) probe = PLAT_FILE_INIT;
    probe.fd_ = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return probe.fd_ >= 0 && connect(probe.fd_, &a->any, sizeof(a->un)) != 0 &&
           errno == ECONNREFUSED;
}

/* bind() goes by path; that what it made is where the careful walk led shows that no link was
 * planted on the way. Nobody can connect before listen(). */
static int bind_unix(int s, int at, const char *leaf, const union address *a, mode_t mode)
{
    if (bind(s, &a->any, sizeof(a->un)) != 0)
        return errno;
    MOOR_AUTO(plat_file) node = PLAT_FILE_INIT;
    struct stat st;
    node.fd_ = openat(at, leaf, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (node.fd_ < 0 || fstat(node.fd_, &st) != 0)
        return errno;
    return S_ISSOCK(st.st_mode) ? posix_chmod_fd(node.fd_, mode) : ELOOP;
}

/* A socket of the type with this name; a left-over one of the name is replaced. */
static moor_code named_socket(const char *path, uint32_t mode, int type, struct plat_file *out,
                              struct moor_error *err)
{
    union address a;
    MOOR_AUTO(plat_file) parent = PLAT_FILE_INIT;
    MOOR_AUTO(plat_file) s = PLAT_FILE_INIT;
    char leaf[NAME_MAX + 1];
    moor_code c = unix_address(path, &a, err);
    if (c == MOOR_OK)
        c = posix_parent(path, &parent, leaf, err);
    if (c != MOOR_OK)
        return c;
    s.fd_ = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s.fd_ < 0)
        return plat_fail(err, errno, "%s", path);
    int e = bind_unix(s.fd_, parent.fd_, leaf, &a, mode);
    if (e == EADDRINUSE && is_left_over(parent.fd_, leaf, &a, type)) {
        (void)unlinkat(parent.fd_, leaf, 0);
        e = bind_unix(s.fd_, parent.fd_, leaf, &a, mode);
    }
    if (e)
        return plat_fail(err, e, "%s: cannot listen", path);
    plat_file_move(out, &s);
    return MOOR_OK;
}

moor_code plat_listen_unix(const char *path, uint32_t mode, int backlog, int *fd,
                           struct moor_error *err)
{
    MOOR_AUTO(plat_file) s = PLAT_FILE_INIT;
    moor_code c = named_socket(path, mode, SOCK_STREAM, &s, err);
    if (c != MOOR_OK)
        return c;
    if (listen(s.fd_, backlog) != 0)
        return plat_fail(err, errno, "%s: cannot listen", path);
    *fd = give(&s);
    return MOOR_OK;
}

/* Best effort: the system may give less, and not every socket counts. */
static void prepare_for_messages(int fd)
{
    int bytes = MESSAGE_BUFFER;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    (void)switch_on(fd, SOL_SOCKET, SO_RXQ_OVFL);
}

moor_code plat_bind_unix(const char *path, uint32_t mode, int *fd, struct moor_error *err)
{
    MOOR_AUTO(plat_file) s = PLAT_FILE_INIT;
    moor_code c = named_socket(path, mode, SOCK_DGRAM, &s, err);
    if (c != MOOR_OK)
        return c;
    prepare_for_messages(s.fd_);
    *fd = give(&s);
    return MOOR_OK;
}

moor_code plat_bind_udp(const char *address, uint16_t port, int *fd, uint16_t *bound_port,
                        struct moor_error *err)
{
    union address a;
    socklen_t n = address_from(address, port, &a);
    if (n == 0)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: want a numeric address", address);
    MOOR_AUTO(plat_file) s = PLAT_FILE_INIT;
    s.fd_ = socket(a.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool ok =
        s.fd_ >= 0 && (a.any.sa_family != AF_INET6 || switch_on(s.fd_, IPPROTO_IPV6, IPV6_V6ONLY));
    if (!ok || bind(s.fd_, &a.any, n) != 0 || getsockname(s.fd_, &a.any, &n) != 0)
        return plat_fail(err, errno, "%s port %u", address, port);
    prepare_for_messages(s.fd_);
    if (bound_port)
        *bound_port = port_of(&a);
    *fd = give(&s);
    return MOOR_OK;
}

static moor_code local_peer(int fd, struct plat_peer *out, struct moor_error *err)
{
    struct ucred who;
    socklen_t n = sizeof(who);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0)
        return plat_fail(err, errno, "caller of the socket");
    *out = (struct plat_peer){ .local = true, .pid = who.pid, .uid = who.uid, .gid = who.gid };
    return MOOR_OK;
}

static moor_code print_address(const union address *a, struct plat_peer *out,
                               struct moor_error *err)
{
    struct plat_peer p = { .port = port_of(a) };
    const void *raw = a->any.sa_family == AF_INET ? (const void *)&a->v4.sin_addr
                                                  : (const void *)&a->v6.sin6_addr;
    if (!inet_ntop(a->any.sa_family, raw, p.address, sizeof(p.address)))
        return plat_fail(err, errno, "address of the socket");
    *out = p;
    return MOOR_OK;
}

moor_code plat_peer_of(int fd, struct plat_peer *out, struct moor_error *err)
{
    union address a;
    socklen_t n = sizeof(a);
    memset(&a, 0, sizeof(a));
    if (getpeername(fd, &a.any, &n) != 0)
        return plat_fail(err, errno, "caller of the socket");
    return a.any.sa_family == AF_UNIX ? local_peer(fd, out, err) : print_address(&a, out, err);
}

moor_code plat_socket_address(int fd, struct plat_peer *out, struct moor_error *err)
{
    union address a;
    socklen_t n = sizeof(a);
    memset(&a, 0, sizeof(a));
    if (getsockname(fd, &a.any, &n) != 0)
        return plat_fail(err, errno, "address of the socket");
    if (a.any.sa_family != AF_UNIX)
        return print_address(&a, out, err);
    *out = (struct plat_peer){ .local = true };
    return MOOR_OK;
}

moor_code plat_accept(int fd, int *out, struct plat_peer *peer, struct moor_error *err)
{
    MOOR_AUTO(plat_file) s = PLAT_FILE_INIT;
    s.fd_ = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    /* Who gave up while waiting is as if he had not come. */
    if (s.fd_ < 0)
        return plat_fail(err, errno == ECONNABORTED || errno == EINTR ? EAGAIN : errno,
                         "connection");
    moor_code c = plat_peer_of(s.fd_, peer, err);
    if (c == MOOR_OK)
        *out = give(&s);
    return c;
}

/* What came with the message: how many were lost before it. */
static void take_lost(struct msghdr *m, uint32_t *lost)
{
    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h))
        if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SO_RXQ_OVFL)
            memcpy(lost, CMSG_DATA(h), sizeof(*lost));
}

moor_code plat_receive(int fd, void *p, size_t n, size_t *got, struct plat_peer *from,
                       uint32_t *lost, struct moor_error *err)
{
    union {
        char room[CMSG_SPACE(sizeof(uint32_t))];
        struct cmsghdr align;
    } control;
    union address a;
    memset(&a, 0, sizeof(a));
    struct iovec part = { p, n };
    struct msghdr m = { .msg_name = &a,
                        .msg_namelen = sizeof(a),
                        .msg_iov = &part,
                        .msg_iovlen = 1,
                        .msg_control = control.room,
                        .msg_controllen = sizeof(control.room) };
    ssize_t r;
    do {
        r = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (r < 0 && errno == EINTR);
    if (r < 0)
        return plat_fail(err, errno, "socket: cannot receive");
    if (lost)
        take_lost(&m, lost);
    if (from && (m.msg_namelen == 0 || a.any.sa_family == AF_UNIX ||
                 print_address(&a, from, NULL) != MOOR_OK))
        *from = (struct plat_peer){ .local = true };
    *got = (size_t)r;
    return MOOR_OK;
}

moor_code plat_socket_pair(struct plat_file *a, struct plat_file *b, struct moor_error *err)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
        return plat_fail(err, errno, "socket pair");
    plat_file_drop(a);
    plat_file_drop(b);
    a->fd_ = fds[0];
    b->fd_ = fds[1];
    return MOOR_OK;
}

static moor_code connect_unix(const char *path, int type, struct plat_file *out,
                              struct moor_error *err)
{
    union address a;
    moor_code c = unix_address(path, &a, err);
    if (c != MOOR_OK)
        return c;
    MOOR_AUTO(plat_file) s = PLAT_FILE_INIT;
    s.fd_ = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (s.fd_ < 0 || connect(s.fd_, &a.any, sizeof(a.un)) != 0)
        return plat_fail(err, errno, "%s: cannot connect", path);
    plat_file_move(out, &s);
    return MOOR_OK;
}

moor_code plat_connect_unix(const char *path, struct plat_file *out, struct moor_error *err)
{
    return connect_unix(path, SOCK_STREAM | SOCK_NONBLOCK, out, err);
}

moor_code plat_connect_messages(const char *path, struct plat_file *out, struct moor_error *err)
{
    return connect_unix(path, SOCK_SEQPACKET | SOCK_NONBLOCK, out, err);
}

/* Room for more than the one descriptor allowed, so that a second one is seen and closed. */
#define PASSED_MAX 4
union control {
    char room[CMSG_SPACE(sizeof(int) * PASSED_MAX)];
    struct cmsghdr align;
};

moor_code plat_message_send(const struct plat_file *s, struct moor_span bytes,
                            const struct plat_file *pass, struct moor_error *err)
{
    if (bytes.n == 0)
        return moor_fail(err, MOOR_E_BADINPUT, "message: is empty");
    union control control;
    memset(&control, 0, sizeof(control));
    struct iovec part = { (void *)(uintptr_t)bytes.p, bytes.n };
    struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
    if (pass) {
        m.msg_control = control.room;
        m.msg_controllen = CMSG_SPACE(sizeof(int));
        struct cmsghdr *h = CMSG_FIRSTHDR(&m);
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(h), &pass->fd_, sizeof(int));
    }
    ssize_t n;
    do {
        n = sendmsg(s->fd_, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? plat_fail(err, errno, "message: cannot send") : MOOR_OK;
}

/* Takes the descriptors out of a message: the first one, and how many there were. */
static size_t take_passed(struct msghdr *m, struct plat_file *first)
{
    size_t count = 0;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            struct plat_file f;
            memcpy(&f.fd_, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
            if (count++ == 0)
                plat_file_move(first, &f);
            plat_file_drop(&f);
        }
    }
    return count;
}

moor_code plat_message_receive(const struct plat_file *s, void *p, size_t n, size_t *got,
                               struct plat_file *passed, struct moor_error *err)
{
    union control control;
    struct iovec part = { p, n };
    struct msghdr m = { .msg_iov = &part,
                        .msg_iovlen = 1,
                        .msg_control = control.room,
                        .msg_controllen = sizeof(control.room) };
    ssize_t r;
    do {
        r = recvmsg(s->fd_, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (r < 0 && errno == EINTR);
    if (r < 0 && errno != ECONNRESET)
        return plat_fail(err, errno, "message: cannot receive");

    MOOR_AUTO(plat_file) first = PLAT_FILE_INIT;
    size_t count = r > 0 ? take_passed(&m, &first) : 0;
    if (r > 0 && (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        return moor_fail(err, MOOR_E_PROTOCOL, "message: is longer than %zu bytes", n);
    if (count > (passed ? 1U : 0U))
        return moor_fail(err, MOOR_E_PROTOCOL, "message: brings %zu descriptors, want %d", count,
                         passed ? 1 : 0);
    if (passed)
        plat_file_move(passed, &first);
    *got = r > 0 ? (size_t)r : 0;
    return MOOR_OK;
}
