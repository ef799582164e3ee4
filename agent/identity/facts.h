/* SPDX-License-Identifier: Apache-2.0 */
/*
 * facts.h: what this machine tells the service about itself: the properties document and the
 * fingerprint of the heartbeat. The builders are pure: the host's facts are an argument.
 */
#ifndef MOOR_IDENTITY_FACTS_H
#define MOOR_IDENTITY_FACTS_H

#include "base/buf.h"
#include "base/error.h"
#include "core/service.h"
#include "core/settings.h"
#include "platform/host.h"

#define MOOR_FACTS_HASH_LEN 64

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

/* The body of PUT properties, and the hash in it: equal for equal properties. */
struct moor_facts {
    char hash[MOOR_FACTS_HASH_LEN + 1];
    struct moor_buf document;
};
void moor_facts_drop(struct moor_facts *f);
MOOR_DEFINE_AUTO(moor_facts)
MOOR_NODISCARD moor_code moor_facts_make(const struct plat_host *host,
                                         const struct moor_settings *settings,
                                         const char *agent_version, struct moor_facts *out,
                                         struct moor_error *err);

#endif
