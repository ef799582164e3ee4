/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inventory.h: what this machine has several of, beside host.h and under its rules: nothing is an
 * error, what is not known is not listed, and more than fits is cut.
 */
#ifndef PLAT_INVENTORY_H
#define PLAT_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plat_address {
    char text[46], network[46]; /* numeric; the address, and the network it is in */
    uint8_t prefix;
    bool ipv6;
};

/* Up to max, sorted by name; none without an address of more than link scope. Addresses that come
 * and go by themselves (IPv6 privacy) are left out. */
struct plat_netif {
    char name[16];
    char mac[18]; /* lower case; "" = none */
    struct plat_address addresses[8];
    size_t address_count;
};
size_t plat_netifs_read(struct plat_netif *out, size_t max);

/* Whole disks a device is behind, sorted by name; no partitions, loops or volumes on top. */
struct plat_disk {
    char path[40]; /* "/dev/sda" */
    char name[64]; /* the model, else the device's name */
    char id[64];   /* world wide or serial number */
    char type[8];  /* "HDD", "SSD" */
    uint64_t bytes;
};
size_t plat_disks_read(struct plat_disk *out, size_t max);

/* Database servers that are installed, running or not. */
struct plat_databases {
    bool mssql, mysql, postgresql;
};
void plat_databases_read(struct plat_databases *out);

/* A unit of the service manager, such as "ssh.service". */
struct plat_unit_state {
    bool known; /* false: this machine has no service manager we can ask */
    bool active, enabled;
};
void plat_unit_read(const char *unit, struct plat_unit_state *out);

#endif
