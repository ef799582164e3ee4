/* SPDX-License-Identifier: Apache-2.0 */
/* guarded.h: what was put as protected and only the machine may read, as rows keep it. */
#ifndef MOOR_STORE_GUARDED_H
#define MOOR_STORE_GUARDED_H

#include "base/span.h"

typedef enum moor_protect_kind {
    MOOR_PROTECT_NONE = 0,
    MOOR_PROTECT_SEALED = 1, /* blob is sealed with the control plane's key: no certificate yet */
    MOOR_PROTECT_CMS = 2     /* blob is CMS to the machine's settings certificate */
} moor_protect_kind;

struct moor_guarded {
    moor_protect_kind protect; /* what blob is */
    struct moor_span blob;
    const char *thumbprint;      /* settings certificate of a CMS blob: SHA-1 hex, upper case */
    unsigned char clear_mac[32]; /* HMAC of the clear text, zero = none */
};

#endif
