/* SPDX-License-Identifier: Apache-2.0 */
/* instance.h: the instance metadata document of docs/protocol/himds.md. Pure. */
#ifndef MOOR_IDENTITY_INSTANCE_H
#define MOOR_IDENTITY_INSTANCE_H

#include "base/json.h"
#include "core/agentconfig.h"

/* A new "compute" object; NULL when out of memory. tags: an object of texts, NULL = none. */
struct moor_json *moor_instance_compute(const struct moor_agentconfig *config, const char *os_type,
                                        const struct moor_json *tags);

#endif
