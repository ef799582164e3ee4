/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust.h: <ETC>/trust.d/<name>.json: whose signatures count for what. `mooring cloud register`
 * writes the gallery's file; the administrator may add, lower or revoke; the cloud never can.
 * Fields and rules: docs/protocol/files.md. Blocking; small files.
 */
#ifndef MOOR_CORE_TRUST_H
#define MOOR_CORE_TRUST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/jsontab.h"
#include "base/span.h"

typedef enum moor_trust_purpose {
    MOOR_TRUST_EXTENSION, /* a publisher's own key, for extensions */
    MOOR_TRUST_AGENT,     /* agent updates */
    MOOR_TRUST_GALLERY    /* a gallery vouches for what it offers */
} moor_trust_purpose;

struct moor_trust {
    uint32_t schema;
    const char *name;                  /* of the file, without .json; not in it */
    struct moor_str_list certificates; /* base64 DER, checked to be base64 */
    struct moor_str_list publishers;   /* "Contoso.*", "*" */
    int purpose;                       /* moor_trust_purpose */
    struct moor_str_list revoked;      /* SHA-256 of certificates, 64 lower-case hex digits */
};

MOOR_NODISCARD moor_code moor_trust_parse(struct moor_span text, struct moor_trust *out,
                                          struct moor_arena *arena, struct moor_error *err);

/* Every file, sorted by name, as an array in the arena. One file that breaks a rule fails the
 * whole: revocations must not be lost in silence. No folder is an empty list. */
MOOR_NODISCARD moor_code moor_trust_load_all(struct moor_trust **out, size_t *count,
                                             struct moor_arena *arena, struct moor_error *err);

MOOR_NODISCARD moor_code moor_trust_save(const struct moor_trust *in, struct moor_error *err);

/* Whether the pattern is this publisher, or ends in '*' and begins it. Case ignored. */
bool moor_publisher_matches(struct moor_span pattern, const char *publisher);
bool moor_trust_covers(const struct moor_trust *t, const char *publisher);

#endif
