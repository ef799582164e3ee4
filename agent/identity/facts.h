/* SPDX-License-Identifier: Apache-2.0 */
/*
 * facts.h: what this machine tells the service about itself: the properties document and the
 * fingerprint of the heartbeat. The builders are pure: the facts are an argument. A fact that is
 * not known is left out, or said as the reference says it ("unknown", "N/A"); none is ever an
 * error.
 */
#ifndef MOOR_IDENTITY_FACTS_H
#define MOOR_IDENTITY_FACTS_H

#include "base/buf.h"
#include "base/error.h"
#include "core/service.h"
#include "core/settings.h"
#include "identity/hostcloud.h"
#include "platform/host.h"
#include "platform/inventory.h"

#define MOOR_FACTS_HASH_LEN      64
#define MOOR_PROPERTIES_HASH_LEN 32

/* HMAC-SHA256 under the vmId, in hex; "" when the machine has no such part. */
struct moor_fingerprint_parts {
    char machine_id[MOOR_FACTS_HASH_LEN + 1];
    char smbios_uuid[MOOR_FACTS_HASH_LEN + 1];
    char macs[MOOR_FACTS_HASH_LEN + 1];
};
void moor_fingerprint_make(const struct plat_host *host, const char *vm_id,
                           struct moor_fingerprint_parts *out);

/* Borrows from parts. */
struct moor_fingerprint moor_fingerprint_of(const struct moor_fingerprint_parts *parts);

/* What the machine says of itself. Big: on the heap. */
#define MOOR_FACTS_NETIFS_MAX 32
#define MOOR_FACTS_DISKS_MAX  32
struct moor_facts_input {
    struct plat_host host;
    struct plat_netif netifs[MOOR_FACTS_NETIFS_MAX];
    size_t netif_count;
    struct plat_disk disks[MOOR_FACTS_DISKS_MAX];
    size_t disk_count;
    struct plat_databases databases;
    struct plat_unit_state extension_service;
};
/* Reads all of it. Blocking: on the pool. */
void moor_facts_collect(struct moor_facts_input *out);

/* The body of PUT properties, and the hash in it: equal for equal properties. A document over the
 * service's limit loses its lists, the longest-winded first; only NOMEM is an error. */
struct moor_facts {
    char hash[MOOR_FACTS_HASH_LEN + 1];
    struct moor_buf document;
};
void moor_facts_drop(struct moor_facts *f);
MOOR_DEFINE_AUTO(moor_facts)
MOOR_NODISCARD moor_code moor_facts_make(const struct moor_facts_input *in,
                                         const struct moor_host_cloud *cloud,
                                         const struct moor_settings *settings,
                                         const char *agent_version, struct moor_facts *out,
                                         struct moor_error *err);

#endif
