/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's own list of addresses, over netlink: it tells what getifaddrs(3) hides, which of
 * them are temporary. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "hostfile.h"
#include "platform/inventory.h"

#define ANSWER_S 2

struct found {
    struct plat_netif *list;
    size_t count, max;
};

static struct plat_netif *interface_of(struct found *f, unsigned index)
{
    char name[IF_NAMESIZE], mac[32];
    if (!if_indextoname(index, name))
        return NULL;
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->list[i].name, name) == 0)
            return &f->list[i];
    if (f->count == f->max)
        return NULL;
    struct plat_netif *n = &f->list[f->count++];
    *n = (struct plat_netif){ .address_count = 0 };
    memcpy(n->name, name, sizeof(n->name));
    if (posix_host_read(mac, sizeof(mac), "/sys/class/net/%s/address", name) &&
        strlen(mac) == sizeof(n->mac) - 1 && strspn(mac, "0:") != strlen(mac))
        memcpy(n->mac, mac, sizeof(n->mac));
    return n;
}

/* The address of a message, of the length its family has; NULL when there is none. */
static const void *address_in(const struct nlmsghdr *h, const struct ifaddrmsg *m)
{
    size_t want = m->ifa_family == AF_INET6 ? 16 : 4;
    const void *address = NULL;
    unsigned left = (unsigned)IFA_PAYLOAD(h);
    for (const struct rtattr *a = IFA_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        /* IFA_ADDRESS is the other end of a point-to-point link. */
        bool local = a->rta_type == IFA_LOCAL;
        if ((local || (a->rta_type == IFA_ADDRESS && !address)) && RTA_PAYLOAD(a) == want)
            address = RTA_DATA(a);
    }
    return address;
}

/* The first bits of an address of n bytes; the rest is 0. */
static void mask(const unsigned char *address, size_t n, unsigned bits, unsigned char *out)
{
    for (size_t i = 0; i < n; i++, bits -= bits < 8 ? bits : 8)
        out[i] = (unsigned char)(address[i] & (bits < 8 ? 0xff00 >> bits : 0xff));
}

static void take_address(struct found *f, const struct nlmsghdr *h)
{
    const struct ifaddrmsg *m = NLMSG_DATA(h);
    if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) ||
        (m->ifa_family != AF_INET && m->ifa_family != AF_INET6) || m->ifa_scope >= RT_SCOPE_LINK ||
        (m->ifa_flags & (IFA_F_TEMPORARY | IFA_F_TENTATIVE)))
        return;
    const void *address = address_in(h, m);
    struct plat_netif *n = address ? interface_of(f, m->ifa_index) : NULL;
    if (!n || n->address_count == MOOR_COUNTOF(n->addresses))
        return;
    struct plat_address *out = &n->addresses[n->address_count++];
    out->ipv6 = m->ifa_family == AF_INET6;
    out->prefix = m->ifa_prefixlen;
    (void)inet_ntop(m->ifa_family, address, out->text, sizeof(out->text));
    unsigned char network[16];
    mask(address, out->ipv6 ? 16 : 4, out->prefix, network);
    (void)inet_ntop(m->ifa_family, network, out->network, sizeof(out->network));
}

/* False when the list has ended. */
static bool take_messages(struct found *f, const struct nlmsghdr *h, size_t n)
{
    for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
        if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
            return false;
        if (h->nlmsg_type == RTM_NEWADDR)
            take_address(f, h);
    }
    return true;
}

static void receive_all(int fd, struct found *f)
{
    union {
        char bytes[16384];
        struct nlmsghdr first;
    } answer;
    bool more = true;
    while (more) {
        ssize_t n = recv(fd, answer.bytes, sizeof(answer.bytes), 0);
        if (n < 0 && errno == EINTR)
            continue;
        more = n > 0 && take_messages(f, &answer.first, (size_t)n);
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct plat_netif *)a)->name, ((const struct plat_netif *)b)->name);
}

size_t plat_netifs_read(struct plat_netif *out, size_t max)
{
    const struct {
        struct nlmsghdr h;
        struct ifaddrmsg m;
    } ask = {
        .h = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifaddrmsg)),
               .nlmsg_type = RTM_GETADDR,
               .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
        .m = { .ifa_family = AF_UNSPEC },
    };
    const struct timeval limit = { .tv_sec = ANSWER_S };
    struct found f = { out, 0, max };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0)
        return 0;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
        send(fd, &ask, ask.h.nlmsg_len, 0) == (ssize_t)ask.h.nlmsg_len)
        receive_all(fd, &f);
    (void)close(fd);
    qsort(out, f.count, sizeof(*out), compare_names);
    return f.count;
}
