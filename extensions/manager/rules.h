/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules.h: hands the cloud's data collection rules to the logs role, one file each in
 * <LIB>/rules.d; what is no longer wanted goes. Fields: docs/protocol/rules.md.
 */
#ifndef MOOR_MANAGER_RULES_H
#define MOOR_MANAGER_RULES_H

#include "base/error.h"
#include "core/desired.h"

/* Goes on past one that fails; the first error is returned. */
MOOR_NODISCARD moor_code moor_rules_write(const struct moor_desired_rule *rules, size_t count,
                                          struct moor_error *err);

#endif
