/* SPDX-License-Identifier: Apache-2.0 */
/* identity.h: this machine's own token, from its local identity endpoint. Blocks. */
#ifndef MOOR_CUSTOMSCRIPT_IDENTITY_H
#define MOOR_CUSTOMSCRIPT_IDENTITY_H

#include "base/error.h"
#include "base/secret.h"

/* For Azure's storage. endpoint: IDENTITY_ENDPOINT of the environment; NULL is NOTFOUND. Errors say
 * what the endpoint answered, never the token. */
MOOR_NODISCARD moor_code customscript_storage_token(const char *endpoint, struct moor_secret *out,
                                                    struct moor_error *err);

#endif
