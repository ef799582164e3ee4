/* SPDX-License-Identifier: Apache-2.0 */
/* storage.h: files that lie in Azure's blob storage and are not everybody's. Pure. */
#ifndef MOOR_CUSTOMSCRIPT_STORAGE_H
#define MOOR_CUSTOMSCRIPT_STORAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/secret.h"

/* Whether a host of Azure's blob storage is asked, over TLS: nobody else gets a token. */
bool customscript_blob_may_have_token(const char *uri);

/* The URI of a blob of the account with a shared access signature for reading until expires_ms,
 * made with the account's key (base64). BADINPUT, naming neither: another host than
 * <account>.blob.*, or a key that is no base64. out holds a secret. */
MOOR_NODISCARD moor_code customscript_sign_uri(const char *uri, const char *account,
                                               const struct moor_secret *key, int64_t expires_ms,
                                               struct moor_buf *out, struct moor_error *err);

#endif
