/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trail_line.h: a line of the audit log and its head as text. Pure. Each is a JSON object whose
 * last member, "hash", is the SHA-256 of all bytes before that member.
 */
#ifndef MOOR_CORE_TRAIL_LINE_H
#define MOOR_CORE_TRAIL_LINE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "core/trail.h"

#define MOOR_TRAIL_HASH     64 /* hexadecimal digits */
#define MOOR_TRAIL_NOTHING  "0000000000000000000000000000000000000000000000000000000000000000"
#define MOOR_TRAIL_LINE_MAX 8192
#define MOOR_TRAIL_SEAL     "seal" /* verbs of the log's own lines */
#define MOOR_TRAIL_RESUME   "resume"
#define MOOR_TRAIL_NOTED    "noted" /* their verdict */

struct moor_trail_line {
    uint64_t number; /* 1 and up */
    int64_t time_ms;
    const char *by, *verb, *object, *detail, *verdict, *rule;
    const char *previous; /* hash of the line before; MOOR_TRAIL_NOTHING for the first */
    const char *hash;
    size_t torn; /* bytes in front that its seal speaks of */
};

/* Appends the line with its LF; hash gets its own. */
void moor_trail_print(struct moor_buf *b, uint64_t number, int64_t now_ms, const char *previous,
                      const struct moor_trail_entry *e, char hash[MOOR_TRAIL_HASH + 1]);
/* text without LF: a line, or what is left of an unfinished one with its seal behind. BADINPUT says
 * what is wrong. Texts land in the arena. */
MOOR_NODISCARD moor_code moor_trail_parse(struct moor_span text, struct moor_trail_line *out,
                                          struct moor_arena *arena, struct moor_error *err);
/* Appends what a seal's detail says of the bytes. */
void moor_trail_torn(struct moor_buf *b, struct moor_span bytes);

/* What is known of the chain beside the lines. */
struct moor_trail_head {
    uint64_t first; /* number of the first line that must be there */
    uint64_t file;  /* the newest file is called after the number of its first line */
    uint64_t size;  /* of the newest file */
    uint64_t last;  /* number of the last line; 0 = none yet */
    char tail[MOOR_TRAIL_HASH + 1]; /* its hash */
};
void moor_trail_head_print(struct moor_buf *b, const struct moor_trail_head *h);
MOOR_NODISCARD moor_code moor_trail_head_parse(struct moor_span text, struct moor_trail_head *out,
                                               struct moor_error *err);

#endif
