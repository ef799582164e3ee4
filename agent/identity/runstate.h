/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runstate.h: what survives a restart of the service but not of the machine, in <RUN>:
 *
 *   boot-id                   32 hexadecimal digits the agent drew; read by every role
 *   identity/tags.json        the resource's tags, as the extensions role told them
 *   identity/heartbeat.json   the highest sequence under that id, when the last beat was accepted,
 * and what its answer said that a restart must not forget
 *
 * Blocking, small files; loop thread.
 */
#ifndef MOOR_IDENTITY_RUNSTATE_H
#define MOOR_IDENTITY_RUNSTATE_H

#include <stdint.h>

#include "base/error.h"
#include "base/json.h"

#define MOOR_BOOT_ID_LEN 32

struct moor_runstate {
    char boot_id[MOOR_BOOT_ID_LEN + 1];
    uint64_t sequence;     /* highest used; 0 = none yet */
    int64_t last_beat_ms;  /* wall clock; 0 = none yet */
    uint32_t wait_seconds; /* of the last answer */
    uint32_t period_s;     /* of the last answer; 0 = none yet */
    char revision[65];     /* of the desired state; "" = none yet */
};

/* Reads both, making the id when there is none. Never fails: when <RUN> cannot be written the id
 * is derived from the system's own, and the log says so. */
void moor_runstate_load(struct moor_runstate *s, const char *vm_id);

/* Only the heartbeat part. */
MOOR_NODISCARD moor_code moor_runstate_save(const struct moor_runstate *s, struct moor_error *err);
void moor_runstate_forget(void); /* removes heartbeat and tags */

/* NULL when there are none. The caller frees. */
struct moor_json *moor_runstate_tags(void);
MOOR_NODISCARD moor_code moor_runstate_save_tags(const struct moor_json *tags,
                                                 struct moor_error *err);

#endif
