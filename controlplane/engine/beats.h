/* SPDX-License-Identifier: Apache-2.0 */
/*
 * beats.h: whether one identity beats from two machines (docs/protocol/service.md 3.3).
 *
 * Pure and without allocation. A machine's last four boots are kept, each with its first beat,
 * last beat and highest sequence. These only grow outwards (min and max), so that a beat that was
 * never written down, a second process or a restored database can only delay a verdict.
 *
 * Fork: the older of two boots beat more than a period after the newer one's first beat, and the
 * newer beat again after that; or, under one boot, three beats at or below the highest sequence,
 * each between two that raised it. A retry (same sequence, same sentAt) is no beat of its own.
 */
#ifndef MOOR_ENGINE_BEATS_H
#define MOOR_ENGINE_BEATS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

#define MOOR_BEATS_BOOTS 4
#define MOOR_BOOT_ID_LEN 32

struct moor_fingerprint {
    char part[3][65]; /* machineId, smbiosUuid, macs: 64 hexadecimal digits or "" */
};

struct moor_boot {
    char id[MOOR_BOOT_ID_LEN + 1];
    int64_t first_ms, last_ms; /* the service's clock */
    uint64_t highest;
    uint64_t last_sequence; /* of the last beat taken, to know a retry */
    int64_t last_sent_ms;
    uint32_t raises, lows; /* lows: beats that did not raise, between two that did */
    bool low_pending;
    char rival[MOOR_BOOT_ID_LEN + 1]; /* the boot it was seen forked with, "" = none */
    struct moor_fingerprint print;    /* of the last beat */
    struct moor_fingerprint other;    /* the last one seen that is another machine's, or empty */
};

struct moor_beats {
    struct moor_boot boots[MOOR_BEATS_BOOTS];
    uint32_t count;
    int64_t forked_ms;                  /* when the fork that stands was first seen, 0 = none */
    int64_t settled_ms;                 /* when the last one was settled: older facts are over */
    struct moor_fingerprint registered; /* of the first beat ever; parts follow slow changes */
};

struct moor_beat {
    const char *boot_id;
    uint64_t sequence;
    int64_t sent_ms;
    struct moor_fingerprint print;
};

typedef enum moor_beat_verdict {
    MOOR_BEAT_FINE,
    MOOR_BEAT_ROTATE, /* forked, and this side is the registered machine: goes on, new key */
    MOOR_BEAT_CLONE,  /* forked, and only the other side is: 409 IdentityCloned */
    MOOR_BEAT_UNSURE  /* forked, nobody can tell who is who: an administrator decides */
} moor_beat_verdict;

/* Takes one beat received at now_ms and judges its sender. period_ms: the heartbeat's period. */
moor_beat_verdict moor_beats_take(struct moor_beats *b, const struct moor_beat *beat,
                                  int64_t now_ms, uint64_t period_ms);

/* Whether two sides beat by what is known at now_ms; a fork is forgotten when one side has been
 * silent for a day. */
bool moor_beats_forked(const struct moor_beats *b, int64_t now_ms);

/* The key was rotated since the fork was seen: only the boot that has it counts from here. */
void moor_beats_settle(struct moor_beats *b, const char *boot_id, int64_t now_ms);

/* Adds what another process wrote: min of firsts, max of lasts and highest. */
void moor_beats_merge(struct moor_beats *into, const struct moor_beats *from);

/* Two of three parts are equal and there. */
bool moor_fingerprint_same(const struct moor_fingerprint *a, const struct moor_fingerprint *b);
bool moor_fingerprint_empty(const struct moor_fingerprint *f);

/* As a JSON object of its own, and back. NULL passes on, as in json.h; unreadable is empty. */
struct moor_json *moor_beats_to_json(const struct moor_beats *b);
void moor_beats_from_json(const struct moor_json *v, struct moor_beats *out);

#endif
