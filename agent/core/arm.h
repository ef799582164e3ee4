/* SPDX-License-Identifier: Apache-2.0 */
/* arm.h: names and ids of Azure resources. Pure; any thread. */
#ifndef MOOR_CORE_ARM_H
#define MOOR_CORE_ARM_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

#define MOOR_ARM_API_VERSION       "2024-07-10" /* Microsoft.HybridCompute */
#define MOOR_ARM_GROUP_API_VERSION "2021-04-01" /* resource groups */

/* An id /subscriptions/S/resourceGroups/G/providers/NS/T/N[/T2/N2]. Literal segments and types
 * compare without case; names keep the casing they came with. */
struct moor_arm_id {
    const char *subscription; /* lower case */
    const char *group;
    const char *type;        /* "Microsoft.HybridCompute/machines[/extensions]" as given */
    const char *name;        /* last name */
    const char *parent_name; /* the machine of an extension; NULL for top-level resources */
};
/* Strings land in the arena. */
MOOR_NODISCARD moor_code moor_arm_id_parse(struct moor_span text, struct moor_arm_id *out,
                                           struct moor_arena *arena, struct moor_error *err);

/* Appends. The parts are checked already. */
void moor_arm_machine_id(struct moor_buf *b, const char *subscription, const char *group,
                         const char *name);
void moor_arm_group_id(struct moor_buf *b, const char *subscription, const char *group);
/* base, id percent-coded segment by segment, and ?api-version=. */
void moor_arm_url(struct moor_buf *b, const char *base, const char *id, const char *api_version);

/* Rules of the service, checked before anything is sent; errors name the rule. */
MOOR_NODISCARD moor_code moor_arm_check_machine_name(const char *name, struct moor_error *err);
MOOR_NODISCARD moor_code moor_arm_check_group_name(const char *name, struct moor_error *err);
MOOR_NODISCARD moor_code moor_arm_check_location(const char *location, struct moor_error *err);

/* "West Europe" and "westeurope" are one location: appends lower case without blanks. */
void moor_arm_normal_location(struct moor_buf *b, const char *location);

/* A machine name out of a host name: first label, forbidden characters turned into '-', cut to 54,
 * no '-', '_' or '.' at the end. BADINPUT when nothing is left. */
MOOR_NODISCARD moor_code moor_arm_name_from_host(const char *hostname, struct moor_buf *b,
                                                 struct moor_error *err);

#endif
