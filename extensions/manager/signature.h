/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signature.h: whether a package's signatures are what this machine asks for. Blocking: pool.
 */
#ifndef MOOR_MANAGER_SIGNATURE_H
#define MOOR_MANAGER_SIGNATURE_H

#include "base/error.h"
#include "base/span.h"
#include "core/settings.h"
#include "core/trust.h"
#include "platform/file.h"

struct moor_signature_request {
    moor_signature_rule rule;
    const struct moor_trust *trust; /* every file of trust.d */
    size_t trust_count;
    const char *publisher, *type;
    struct moor_span gallery;      /* detached CMS, DER; empty = none */
    struct moor_span by_publisher; /* the same */
};

/* DENIED with service_code PackageSignatureInvalid, naming what is missing and where trust is
 * kept. A signature that is there and bad is refused whatever the rule. */
MOOR_NODISCARD moor_code moor_signature_check(const struct moor_signature_request *r,
                                              const struct plat_file *zip, struct moor_error *err);

#endif
