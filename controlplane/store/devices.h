/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices.h: device codes (RFC 8628) that wait for somebody's decision. A row ends when its code is
 * redeemed or its time is over; the device's half of the code is kept as a digest.
 */
#ifndef MOOR_STORE_DEVICES_H
#define MOOR_STORE_DEVICES_H

#include <stdint.h>

#include "base/arena.h"
#include "store/store.h"

typedef enum moor_device_state {
    MOOR_DEVICE_PENDING = 1,
    MOOR_DEVICE_APPROVED = 2,
    MOOR_DEVICE_DENIED = 3
} moor_device_state;

struct moor_device_row {
    const char *user_code;  /* what people type: 8 letters */
    unsigned char hash[32]; /* SHA-256 of what the device holds */
    const char *client_id;  /* the program that asks */
    const char *resource;   /* what the token is to be for */
    const char *peer;       /* address it was asked from */
    const char *object_id;  /* approved: as whom; "" otherwise */
    moor_device_state state;
    int64_t created_ms, expires_ms;
    int64_t polled_ms; /* last time the device asked, 0 = never */
};
struct moor_device_rows {
    struct moor_device_row *items; /* oldest first */
    size_t count;
};

MOOR_NODISCARD moor_code moor_device_add(struct moor_store *s, const struct moor_device_row *d,
                                         struct moor_error *err); /* EXISTS: draw again */
MOOR_NODISCARD moor_code moor_device_find(struct moor_store *s, const unsigned char hash[32],
                                          struct moor_arena *arena, struct moor_device_row *out,
                                          struct moor_error *err);
MOOR_NODISCARD moor_code moor_device_list(struct moor_store *s, struct moor_arena *arena,
                                          struct moor_device_rows *out, struct moor_error *err);
/* Only a pending code that is alive can be decided; NOTFOUND otherwise. */
MOOR_NODISCARD moor_code moor_device_decide(struct moor_store *s, const char *user_code,
                                            moor_device_state state, const char *object_id,
                                            int64_t now_ms, struct moor_error *err);
MOOR_NODISCARD moor_code moor_device_polled(struct moor_store *s, const char *user_code,
                                            int64_t now_ms, struct moor_error *err);
/* NOTFOUND when it was removed already: a code serves once. */
MOOR_NODISCARD moor_code moor_device_remove(struct moor_store *s, const char *user_code,
                                            struct moor_error *err);
MOOR_NODISCARD moor_code moor_device_expire(struct moor_store *s, int64_t now_ms,
                                            struct moor_error *err);

#endif
