/* SPDX-License-Identifier: Apache-2.0 */
/* counters.h: how busy this machine is, as plain numbers. What is unknown is 0. Any thread. */
#ifndef PLAT_COUNTERS_H
#define PLAT_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#define PLAT_VOLUMES_MAX 32
#define PLAT_LINKS_MAX   32

/* Since boot, in ticks of any length; total holds them all. */
struct plat_cpu_times {
    uint64_t total, user, system, idle, iowait;
};
/* Bytes. */
struct plat_memory {
    uint64_t total, available, swap_total, swap_free;
};
struct plat_volume {
    char mount[128];
    uint64_t bytes, bytes_free; /* free: for those who are not root */
    uint64_t files, files_free;
};
/* Since boot; loopback is none. */
struct plat_link {
    char name[32];
    uint64_t rx_bytes, rx_packets, rx_errors, tx_bytes, tx_packets, tx_errors;
};

struct plat_counters {
    uint64_t mono_ms; /* when */
    uint64_t uptime_s;
    struct plat_cpu_times cpu;
    struct plat_memory memory;
    struct plat_volume volumes[PLAT_VOLUMES_MAX]; /* of disks, each once */
    size_t volume_count;
    struct plat_link links[PLAT_LINKS_MAX];
    size_t link_count;
};
/* Asks disks for their room: may block when one is gone. */
void plat_counters_read(struct plat_counters *out);

#endif
