/* SPDX-License-Identifier: Apache-2.0 */
/* service.h: what the routes of the service protocol share (docs/protocol/service.md 1). */
#ifndef MOOR_API_SERVICE_H
#define MOOR_API_SERVICE_H

#include "api/app.h"
#include "base/jsontab.h"
#include "engine/beats.h"
#include "store/machines.h"

#define MOOR_SERVICE_VERSION "2026-11-01"

/* The api-version is ours, or answers 400. */
MOOR_NODISCARD bool moor_service_version(struct moor_call *c);

/* The version, and the living machine {vmId} names, or answers 400, 403 MachineDisabled or 404. */
MOOR_NODISCARD bool moor_service_machine(struct moor_call *c, struct moor_machine *out);
/* The same, and 403 AgentTooOld for an agent below minimumAgentVersion: all calls but those that it
 * needs to live and to be upgraded. */
MOOR_NODISCARD bool moor_service_worker(struct moor_call *c, struct moor_machine *out);

/* The body by a table, or answers 400 InvalidRequestContent. */
MOOR_NODISCARD bool moor_service_decode(struct moor_call *c, const struct moor_json_shape *shape,
                                        void *out);

/* {"serverTime": now} with more members added by the caller; free it. */
struct moor_json *moor_service_answer(struct moor_call *c);

/* "fingerprint" of a body. */
struct moor_service_print {
    const char *machine_id, *smbios_uuid, *macs;
};
extern const struct moor_json_shape moor_service_print_shape;
/* Each part is "" or 64 hexadecimal digits, or answers 400. NULLs count as "". */
MOOR_NODISCARD bool moor_service_fingerprint(struct moor_call *c,
                                             const struct moor_service_print *in,
                                             struct moor_fingerprint *out);
/* 32 lower-case hexadecimal digits, or answers 400. */
MOOR_NODISCARD bool moor_service_boot_id(struct moor_call *c, const char *boot_id);

/* An error of the service's own, to be answered by moor_call_fail(). */
MOOR_NODISCARD MOOR_PRINTF(4, 5) moor_code
    moor_service_refuse(struct moor_error *err, int http, const char *service_code, const char *fmt,
                        ...);

#endif
