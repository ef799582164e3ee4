/* SPDX-License-Identifier: Apache-2.0 */
/* extension.h: what the extensions role keeps of this machine's extensions. */
#ifndef MOOR_CLI_EXTENSION_H
#define MOOR_CLI_EXTENSION_H

#include "base/error.h"
#include "base/json.h"

/* A list of objects: name, publisher, type, version, state, provisioningState, errorCode, message.
 * Empty when there are none; DENIED unless root calls. The caller frees. */
MOOR_NODISCARD moor_code moor_cli_extensions(struct moor_json **out, struct moor_error *err);

#endif
