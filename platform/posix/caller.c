/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/caller.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/inet_diag.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/text.h"
#include "path.h"
#include "platform/file.h"
#include "platform/oserr.h"
#include "proc.h"

#define FOLDERS_MAX 4096 /* control groups looked at for one number */
#define DEPTH_MAX   16

/* Names that older headers do not have; kernels that do not know them say so. */
#ifndef INET_DIAG_CGROUP_ID
#define INET_DIAG_CGROUP_ID 21
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* ---- what the kernel knows of a TCP socket: one question, one answer, or a list ---- */

struct question {
    struct nlmsghdr head;
    struct inet_diag_req_v2 body;
};

union answer {
    struct nlmsghdr head;
    char room[8192];
};

static int ask(const struct question *q)
{
    int s = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    if (s >= 0 && sendto(s, q, sizeof(*q), 0, (const struct sockaddr *)&kernel, sizeof(kernel)) ==
                      (ssize_t)sizeof(*q))
        return s;
    int e = errno;
    if (s >= 0)
        (void)close(s);
    errno = e;
    return -1;
}

static struct question question_about(int family, uint16_t flags, uint32_t states)
{
    return (struct question){
        .head = { .nlmsg_len = sizeof(struct question),
                  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                  .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags) },
        .body = { .sdiag_family = (uint8_t)family,
                  .sdiag_protocol = IPPROTO_TCP,
                  .idiag_states = states,
                  .id = { .idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } } },
    };
}

/* Fills one end of the question; false for what is no IP address. */
static bool set_end(const struct sockaddr_storage *a, __be16 *port, __be32 address[4])
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
    if (a->ss_family == AF_INET) {
        *port = v4->sin_port;
        memcpy(address, &v4->sin_addr, sizeof(v4->sin_addr));
    } else if (a->ss_family == AF_INET6) {
        *port = v6->sin6_port;
        memcpy(address, &v6->sin6_addr, sizeof(v6->sin6_addr));
    }
    return a->ss_family == AF_INET || a->ss_family == AF_INET6;
}

/* NLMSG_DATA() drops const. */
static const void *payload_of(const struct nlmsghdr *head)
{
    return (const char *)head + NLMSG_HDRLEN;
}

static uint64_t cgroup_in(const struct nlmsghdr *head)
{
    const char *at = (const char *)payload_of(head) + NLMSG_ALIGN(sizeof(struct inet_diag_msg));
    const char *end = (const char *)head + head->nlmsg_len;
    struct nlattr a;
    uint64_t id = 0;
    while (end - at >= (ptrdiff_t)sizeof(a)) {
        memcpy(&a, at, sizeof(a));
        if (a.nla_len < sizeof(a) || a.nla_len > end - at)
            break;
        if (a.nla_type == INET_DIAG_CGROUP_ID && a.nla_len == sizeof(a) + sizeof(id))
            memcpy(&id, at + sizeof(a), sizeof(id));
        at += ((size_t)a.nla_len + NLA_ALIGNTO - 1) & ~(size_t)(NLA_ALIGNTO - 1);
    }
    return id;
}

static void tcp_caller(const struct sockaddr_storage *theirs, const struct sockaddr_storage *ours,
                       struct plat_caller *out)
{
    struct question q = question_about(theirs->ss_family, 0, UINT32_MAX);
    struct inet_diag_sockid *id = &q.body.id;
    if (!set_end(theirs, &id->idiag_sport, id->idiag_src) ||
        !set_end(ours, &id->idiag_dport, id->idiag_dst))
        return;
    MOOR_AUTO(plat_file) s = PLAT_FILE_INIT;
    union answer a;
    s.fd_ = ask(&q);
    ssize_t n = s.fd_ < 0 ? -1 : recv(s.fd_, &a, sizeof(a), 0); /* it is there already */
    if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct inet_diag_msg)) || a.head.nlmsg_len > (size_t)n ||
        a.head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return;
    const struct inet_diag_msg *m = NLMSG_DATA(&a.head);
    /* Without an inode nobody holds it, and the owner it has then means nothing. */
    if (m->idiag_inode == 0)
        return;
    *out = (struct plat_caller){ .known = true, .uid = m->idiag_uid, .cgroup = cgroup_in(&a.head) };
}

/* The pid of a Unix socket's other end, 0 when it has ended: the number may be another's then. */
static int64_t living(int fd, pid_t pid)
{
    MOOR_AUTO(plat_file) handle = PLAT_FILE_INIT;
    socklen_t n = sizeof(handle.fd_);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &handle.fd_, &n) != 0)
        return errno == ENOPROTOOPT ? pid : 0;
    struct pollfd p = { .fd = handle.fd_, .events = POLLIN };
    return poll(&p, 1, 0) == 0 ? pid : 0;
}

struct plat_caller plat_caller_of(int fd)
{
    struct plat_caller c = { .known = false };
    struct sockaddr_storage theirs, ours;
    socklen_t n = sizeof(theirs), m = sizeof(ours);
    memset(&theirs, 0, sizeof(theirs));
    memset(&ours, 0, sizeof(ours));
    if (getpeername(fd, (struct sockaddr *)&theirs, &n) != 0 ||
        getsockname(fd, (struct sockaddr *)&ours, &m) != 0)
        return c;
    if (ours.ss_family != AF_UNIX) {
        tcp_caller(&theirs, &ours, &c);
        return c;
    }
    struct ucred who;
    n = sizeof(who);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0)
        c = (struct plat_caller){ .known = true, .uid = who.uid, .pid = living(fd, who.pid) };
    return c;
}

/* ---- names ---- */

/* The last n - 1 bytes of text. */
static void keep_end(char *out, size_t n, const char *text)
{
    size_t len = strlen(text);
    (void)snprintf(out, n, "%s", len < n ? text : text + len - (n - 1));
}

static int open_tree(void)
{
    static const char *const roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
    for (size_t i = 0; i < MOOR_COUNTOF(roots); i++) {
        struct statfs fs;
        int fd = open(roots[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
            return fd;
        if (fd >= 0)
            (void)close(fd);
    }
    return -1;
}

struct search {
    uint64_t id;
    unsigned folders; /* seen so far */
    char path[PATH_MAX];
};

/* Looks for the folder whose inode is the number; fd, which is taken, is the one s->path names. */
static bool find_cgroup(struct search *s, int fd, size_t length, unsigned depth)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && st.st_ino == s->id) {
        (void)close(fd);
        return true;
    }
    DIR *d = fdopendir(fd);
    if (!d) {
        (void)close(fd);
        return false;
    }
    bool found = false;
    const struct dirent *e;
    while (!found && depth < DEPTH_MAX && s->folders < FOLDERS_MAX && (e = posix_next_entry(d))) {
        size_t n = strlen(e->d_name);
        if (e->d_type != DT_DIR || length + n + 2 > sizeof(s->path))
            continue;
        s->folders++;
        s->path[length] = '/';
        memcpy(s->path + length + 1, e->d_name, n + 1);
        int child = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        found = child >= 0 && find_cgroup(s, child, length + n + 1, depth + 1);
    }
    (void)closedir(d);
    return found;
}

static void cgroup_by_number(uint64_t id, struct plat_caller_names *out)
{
    struct search s = { .id = id };
    int root = open_tree();
    if (root >= 0 && find_cgroup(&s, root, 0, 0))
        keep_end(out->cgroup, sizeof(out->cgroup), s.path[0] ? s.path : "/");
}

static void names_of_process(int64_t pid, struct plat_caller_names *out)
{
    char path[64], text[PATH_MAX];
    (void)snprintf(path, sizeof(path), "/proc/%lld/comm", (long long)pid);
    (void)posix_read_system(path, out->process, sizeof(out->process));
    (void)snprintf(path, sizeof(path), "/proc/%lld/cgroup", (long long)pid);
    if (!posix_read_system(path, text, sizeof(text)))
        return;
    struct moor_span rest = moor_span_str(text);
    while (rest.p) {
        struct moor_span line = moor_span_cut(&rest, '\n');
        if (moor_span_starts(line, "0::/"))
            (void)snprintf(
                out->cgroup, sizeof(out->cgroup), "%.*s",
                (int)(line.n - 3 < sizeof(out->cgroup) ? line.n - 3 : sizeof(out->cgroup) - 1),
                line.p + 3);
    }
}

void plat_caller_names(const struct plat_caller *c, struct plat_caller_names *out)
{
    *out = (struct plat_caller_names){ .process = "" };
    if (c->known && c->pid > 0)
        names_of_process(c->pid, out);
    else if (c->known && c->cgroup)
        cgroup_by_number(c->cgroup, out);
}

/* ---- who listens ---- */

struct listener_wanted {
    __be16 port;
    __be32 address[4];
    uint32_t uid;
    bool found;
};

static void look_at(struct listener_wanted *w, const struct nlmsghdr *head)
{
    static const __be32 every[4];
    const struct inet_diag_msg *m = payload_of(head);
    if (head->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) || m->id.idiag_sport != w->port)
        return;
    size_t n = m->idiag_family == AF_INET ? 4 : sizeof(w->address);
    if (memcmp(m->id.idiag_src, w->address, n) != 0 && memcmp(m->id.idiag_src, every, n) != 0)
        return;
    w->uid = m->idiag_uid;
    w->found = true;
}

/* Reads one message of the list; false at its end. */
static bool read_list(int s, struct listener_wanted *w)
{
    union answer a;
    ssize_t got = recv(s, &a, sizeof(a), 0);
    if (got <= 0)
        return false;
    unsigned left = (unsigned)got;
    for (struct nlmsghdr *h = &a.head; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
        if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY)
            return false;
        look_at(w, h);
    }
    return !w->found;
}

static void look_for_listener(int family, struct listener_wanted *w)
{
    const struct question q = question_about(family, NLM_F_DUMP, 1u << TCP_LISTEN);
    MOOR_AUTO(plat_file) s = PLAT_FILE_INIT;
    s.fd_ = ask(&q);
    while (s.fd_ >= 0 && read_list(s.fd_, w))
        ;
}

moor_code plat_port_holder(const char *address, uint16_t port, uint32_t *uid,
                           struct moor_error *err)
{
    struct listener_wanted w = { .port = htons(port) };
    bool v4 = inet_pton(AF_INET, address, w.address) == 1;
    if (!v4 && inet_pton(AF_INET6, address, w.address) != 1)
        return moor_fail(err, MOOR_E_BADINPUT, "%s: want a numeric address", address);
    if (v4)
        look_for_listener(AF_INET, &w);
    /* A socket for all IPv6 addresses may serve IPv4 as well. */
    if (v4 && !w.found)
        memset(w.address, 0, sizeof(w.address));
    if (!w.found)
        look_for_listener(AF_INET6, &w);
    if (!w.found)
        return moor_fail(err, MOOR_E_NOTFOUND, "%s port %u: nobody listens", address, port);
    *uid = w.uid;
    return MOOR_OK;
}
