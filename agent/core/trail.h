/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trail.h: the local audit log: what the cloud asked of this machine and local policy refused or
 * permitted, and what the administrator changed, in <LIB>/audit, which only root reads.
 *
 * Lines are chained: each holds the digest of the one before and its own. head.json holds the last
 * number and digest, so that lines cut off at the end are missed. A line is on the disk before
 * moor_trail_add() returns: call it before what it permits begins. What a crash left of an
 * unfinished line stays, and the next line tells its length and digest ("seal"); if more is wrong
 * the next line says so and the chain goes on from head.json ("resume"), but never verifies. At
 * MOOR_TRAIL_FILE_MAX bytes a new file begins, whose first line is chained to the last one of the
 * file before; the oldest beyond MOOR_TRAIL_FILES goes. Format: docs/protocol/files.md section 6.
 *
 * Writers of several processes take turns. Blocking; two flushes.
 */
#ifndef MOOR_CORE_TRAIL_H
#define MOOR_CORE_TRAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define MOOR_TRAIL_FILE_MAX ((uint64_t)256 * 1024)
#define MOOR_TRAIL_FILES    16

#define MOOR_TRAIL_PERMITTED "permitted"
#define MOOR_TRAIL_REFUSED   "refused"
#define MOOR_TRAIL_BY_CLOUD  "cloud"
#define MOOR_TRAIL_BY_LOCAL  "local"

/* Texts may come from outside: they are cut and escaped. NULL is "". */
struct moor_trail_entry {
    const char *by;      /* MOOR_TRAIL_BY_CLOUD, MOOR_TRAIL_BY_LOCAL */
    const char *verb;    /* moor_policy_verb_name(), "config" */
    const char *object;  /* the resource's or setting's name, 256 bytes of it */
    const char *detail;  /* "Publisher/Type 1.0.3", the new value, 512 bytes of it; no secrets */
    const char *verdict; /* MOOR_TRAIL_PERMITTED, MOOR_TRAIL_REFUSED */
    const char *rule;    /* that refused, 128 bytes of it */
};
MOOR_NODISCARD moor_code moor_trail_add(const struct moor_trail_entry *e, struct moor_error *err);

struct moor_trail_verdict {
    bool whole;         /* nothing is broken */
    uint64_t first;     /* number of the first line that is kept; 0 = there is none */
    uint64_t last;      /* number of the last good line */
    uint64_t seals;     /* unfinished lines of crashes */
    bool unfinished;    /* one is at the end, not sealed yet */
    uint64_t broken;    /* number the first broken line has or should have; 0 = none */
    char file[32];      /* of the broken line; "" = none */
    uint64_t file_line; /* its place in the file, from 1 */
    char reason[256];   /* "" = none */
};

struct moor_trail_line;
/* Called for every good line until it returns false. */
typedef bool (*moor_trail_fn)(void *ctx, const struct moor_trail_line *line);
/* Reads the whole chain up to the first broken line, whose place is in *out. fn NULL: only
 * verifies. Fails when the files cannot be read at all. */
MOOR_NODISCARD moor_code moor_trail_read(moor_trail_fn fn, void *ctx,
                                         struct moor_trail_verdict *out, struct moor_error *err);

#endif
