/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caller.h: who on this machine has the other end of a connection: over a Unix socket and over TCP
 * on a loopback address. What the kernel says, at the time of the call; nothing is remembered. Any
 * thread; does not wait for anybody.
 */
#ifndef PLAT_CALLER_H
#define PLAT_CALLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"

struct plat_caller {
    bool known;      /* else nothing below is */
    uint32_t uid;    /* of whoever made the socket */
    int64_t pid;     /* over a Unix socket; 0 = not known */
    uint64_t cgroup; /* where the socket was made, over TCP; 0 = not known */
};

/* fd is the accepted end. A caller that has closed its end already is not known: a socket that
 * nobody holds any more belongs to root, for the kernel. */
struct plat_caller plat_caller_of(int fd);

struct plat_caller_names {
    char process[32]; /* name of the process, "" = not known */
    char cgroup[256]; /* path below the root of the tree, such as "/system.slice/cron.service"; ""
                         = not known. Longer ones lose their start. */
};
/* Looks at up to 4096 folders when only the number of the control group is known. */
void plat_caller_names(const struct plat_caller *c, struct plat_caller_names *out);

/* Whose socket listens on this TCP port, on this numeric address or on all of them. NOTFOUND when
 * there is none to be seen. */
MOOR_NODISCARD moor_code plat_port_holder(const char *address, uint16_t port, uint32_t *uid,
                                          struct moor_error *err);

#endif
