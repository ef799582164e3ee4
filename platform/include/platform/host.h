/* SPDX-License-Identifier: Apache-2.0 */
/* host.h: what this machine says of itself. Unknown values are "" or 0, never an error. */
#ifndef PLAT_HOST_H
#define PLAT_HOST_H

#include <stddef.h>
#include <stdint.h>

struct plat_host {
    char hostname[256]; /* as set, may be a full name */
    char fqdn[256];
    char os_type[16];      /* "linux" or "windows" */
    char os_name[128];     /* "Debian GNU/Linux" (os-release NAME) */
    char os_id[32];        /* "debian" (os-release ID) */
    char os_version[64];   /* kernel release on Linux */
    char os_sku[128];      /* "Debian GNU/Linux 12 (bookworm)" */
    char architecture[16]; /* "x86_64", "aarch64" */
    char machine_id[64];   /* /etc/machine-id */
    char smbios_uuid[40];  /* lower case; needs root on Linux */
    char manufacturer[128], model[128], serial[128], asset_tag[128];
    char cpu_name[128];
    uint32_t cpu_sockets, cpu_cores, cpu_logical;
    uint64_t memory_bytes;
    char macs[8][18]; /* of physical interfaces, sorted */
    size_t mac_count;
};

const char *plat_host_os_type(void); /* "linux" or "windows" */

void plat_host_read(struct plat_host *out);

/* 32 hexadecimal digits that last from boot to boot and are on no disk copy: the kernel's own
 * boot id. */
void plat_host_boot_id(char out[40]);

#endif
