/* SPDX-License-Identifier: Apache-2.0 */
/* group.h: how plat_spawn finds a group of platform/group.h. */
#ifndef MOOR_POSIX_GROUP_H
#define MOOR_POSIX_GROUP_H

#include <stddef.h>

#define POSIX_GROUP_TREES 4

/* Opens what a process writes "0" into to be in the group; returns how many. */
size_t posix_group_open(const char *name, int fds[POSIX_GROUP_TREES]);

#endif
