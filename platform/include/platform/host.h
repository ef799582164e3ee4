/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host.h: what this machine says of itself, read from files, never by a program. Unknown values are
 * "" or 0, never an error; texts are cut to size and cleaned of control characters and of what
 * makers leave when they had nothing to say ("To Be Filled By O.E.M."). Blocking, some
 * milliseconds: on the pool. Any thread.
 *
 * Some of the firmware's words only root may read. For others there may be copies, made by root at
 * start-up, in <RUN>/dmi, under the kernel's names (docs/protocol/files.md).
 *
 * For tests: a folder <MOORING_ROOT>/host, when there is one, stands for / in all of this.
 */
#ifndef PLAT_HOST_H
#define PLAT_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plat_host {
    char hostname[256];  /* as set, may be a full name */
    char fqdn[256];      /* as /etc/hosts or the resolver's domain has it; else hostname */
    char realm[256];     /* the Kerberos realm it is a member of, lower case */
    char os_type[16];    /* "linux" or "windows" */
    char os_name[128];   /* "Debian GNU/Linux" (os-release NAME) */
    char os_id[32];      /* "debian" (os-release ID) */
    char os_version[64]; /* kernel release on Linux */
    char os_sku[128];    /* "Debian GNU/Linux 12 (bookworm)" */
    char os_edition[64]; /* "server" (os-release VARIANT_ID) */
    int64_t os_installed_ms;
    char architecture[16]; /* "x86_64", "aarch64" */
    char machine_id[64];   /* /etc/machine-id */
    char smbios_uuid[40];  /* lower case; needs root on Linux */
    char manufacturer[128], model[128], serial[128], asset_tag[128];
    char bios_vendor[128], bios_version[128];
    char firmware[8]; /* "UEFI", "BIOS" */
    bool tpm;         /* there is a TPM 2.0 the kernel drives */
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

/* The system's packages have asked for a restart that has not come yet. */
bool plat_host_reboot_pending(void);

/* Local time less UTC at that moment, in milliseconds. */
int64_t plat_local_offset_ms(int64_t utc_ms);

#endif
