/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lifecycle.h: how long an identity lives and how it may come back (docs/protocol/service.md 3.2).
 * The subscription's rules are in config.json; a machine may have rules of its own, a small JSON
 * document in the store. Pure.
 */
#ifndef MOOR_ENGINE_LIFECYCLE_H
#define MOOR_ENGINE_LIFECYCLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

#define MOOR_LIFECYCLE_DOC    "lifecycle" /* its kind among a machine's documents */
#define MOOR_REENROLLMENT_MAX 3650        /* days */

struct moor_lifecycle {
    uint32_t heartbeat_s;       /* the period machines are told, 1..86400 */
    uint32_t certificate_s;     /* life of a machine's certificate; from half of it on renewed */
    uint32_t reenrollment_days; /* after its end the old key still proves; 0 = never */
    bool accept_previous_key;   /* a key that was rotated away may come back with a snapshot */
};
#define MOOR_LIFECYCLE_DEFAULT                                                                     \
    {                                                                                              \
        300, 90u * 86400u, 180, true                                                               \
    }

/* The machine's own rules over the subscription's: absent members leave those as they are. json
 * "" or unreadable changes nothing. */
void moor_lifecycle_override(struct moor_lifecycle *rules, struct moor_span json);

/* The document of a machine's own rules; what is NULL keeps what json had. */
struct moor_lifecycle_change {
    const uint32_t *reenrollment_days;
    const bool *accept_previous_key;
};
MOOR_NODISCARD moor_code moor_lifecycle_change(struct moor_span json,
                                               const struct moor_lifecycle_change *change,
                                               struct moor_buf *out, struct moor_error *err);

#endif
