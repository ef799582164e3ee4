/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine_rules.h: what a PUT or PATCH on a machine may change. Pure.
 *
 * vmId and clientPublicKey are set once; then they belong to the service. az writes back what it
 * read, so the same and former values are fine and everything the agent owns is ignored.
 */
#ifndef MOOR_API_MACHINE_RULES_H
#define MOOR_API_MACHINE_RULES_H

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "store/machines.h"

/* A deleted machine's vmId is free for its own tenant at once, for others after this. */
#define MOOR_VM_ID_KEPT_MS (INT64_C(90) * 24 * 3600 * 1000)

struct moor_enrolment {
    const char *vm_id;      /* lower case, "" = not given */
    const char *public_key; /* base64 of the PKCS#1 DER, "" = not given */
};

/* Reads properties.vmId and .clientPublicKey of the body. BADINPUT when one is malformed. */
MOOR_NODISCARD moor_code moor_machine_given(const struct moor_json *body, struct moor_arena *arena,
                                            struct moor_enrolment *out, struct moor_error *err);

/* A machine exists: MOOR_OK when what is given is absent or known, else 409
 * MachineAlreadyRegistered. */
MOOR_NODISCARD moor_code moor_machine_same(const struct moor_enrolment *given, const char *vm_id,
                                           const struct moor_machine_keys *keys,
                                           struct moor_error *err);

/* No machine exists yet: whether this one may be it. holder is who had the vmId, or NULL. */
MOOR_NODISCARD moor_code moor_machine_may_take(const struct moor_enrolment *given,
                                               const struct moor_machine *holder,
                                               const char *tenant_id, int64_t now_ms,
                                               struct moor_error *err);

/* RSA, 2048 to 4096 bits, PKCS#1, or BADINPUT. NULL is malformed. */
MOOR_NODISCARD moor_code moor_machine_check_key(const char *base64, struct moor_error *err);

/* Copies the properties a caller of ARM owns into target: replaced when given, removed when null,
 * left when absent. */
void moor_machine_take_own(struct moor_json *target, const struct moor_json *given);

#endif
