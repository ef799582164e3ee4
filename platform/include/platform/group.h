/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group.h: processes that share limits, with all they start: control groups, of version 2 or 1.
 * plat_spawn puts a process into its group before it runs. A group outlives this process.
 * Blocking, microseconds; one thread.
 */
#ifndef PLAT_GROUP_H
#define PLAT_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"

struct plat_limits {
    uint32_t cpu_percent; /* of one processor: 250 is two and a half; 0 = no limit */
    uint64_t memory_max;  /* bytes; 0 = no limit */
    uint32_t tasks_max;   /* processes and threads; 0 = no limit */
};

/* Makes the group or changes its limits. name: letters, digits and ._- only. UNSUPPORTED where the
 * system has no groups for us. */
MOOR_NODISCARD moor_code plat_group_set(const char *name, const struct plat_limits *limits,
                                        struct moor_error *err);

/* "cgroup2" or "cgroup1"; NULL where plat_group_set() would say UNSUPPORTED. */
const char *plat_group_kind(void);

struct plat_usage {
    uint64_t cpu_ms;       /* since the group was made */
    uint64_t memory_bytes; /* now */
};
bool plat_group_usage(const char *name, struct plat_usage *out); /* false: not known */

/* Forgets the group; one that still has processes stays. */
void plat_group_remove(const char *name);

#endif
