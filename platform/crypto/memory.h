/* SPDX-License-Identifier: Apache-2.0 */
/* memory.h: what the crypto library leaves in freed memory. */
#ifndef MOOR_CRYPTO_MEMORY_H
#define MOOR_CRYPTO_MEMORY_H

/* From now on memory that the library gives back is wiped first: its decoders free the plain text
 * of private keys as it is. First thing in main(): once it has allocated, nothing changes. */
void moor_crypto_wipe_freed(void);

#endif
