/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger.h: positions on the disk. <LIB>/logs/positions.json is a whole document;
 * positions.journal holds what changed since, so that an acknowledgement costs what it changed,
 * not what there is. A line of the journal is
 *
 *   CRC-32 of the JSON (8 hexadecimal digits), blank, JSON of the document's form, LF
 *
 * with the document's own `id`: lines of an earlier document count for nothing. Each is synced
 * before it is relied on. A torn or damaged one ends the reading. When the journal grows longer
 * than the document (and MOOR_LEDGER_JOURNAL_MIN), or a line could not be written, the whole
 * document is replaced, and has another id.
 *
 * One thread at a time.
 */
#ifndef MOOR_LOGS_LEDGER_H
#define MOOR_LOGS_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"
#include "logs/positions.h"

#define MOOR_LEDGER_JOURNAL_MIN ((uint64_t)64 * 1024)

struct moor_ledger {
    char *folder, *path, *journal_path;
    char id[MOOR_UUID_LEN + 1]; /* of the document; "" = there is none */
    uint64_t whole_bytes;       /* of the document */
    uint64_t journal_bytes;     /* of the good lines that belong to it */
    bool broken;                /* what is behind them is unknown */
};

/* Nothing is read or written yet. */
MOOR_NODISCARD moor_code moor_ledger_init(struct moor_ledger *l, const char *folder,
                                          struct moor_error *err);
void moor_ledger_drop(struct moor_ledger *l);

/* The document, then the lines of its journal, oldest first, in the arena; none when there is
 * nothing. BADINPUT: the document is damaged; see moor_ledger_set_aside(). Blocking. */
MOOR_NODISCARD moor_code moor_ledger_read(struct moor_ledger *l, struct moor_positions **docs,
                                          size_t *count, struct moor_arena *arena,
                                          struct moor_error *err);
/* The document becomes positions.json.bad. Blocking. */
MOOR_NODISCARD moor_code moor_ledger_set_aside(struct moor_ledger *l, struct moor_error *err);

/* A document on its way to the disk. */
struct moor_ledger_text {
    bool whole; /* in place of the document there is; else a line of its journal */
    char id[MOOR_UUID_LEN + 1];
    struct moor_buf text;
};

/* The next one has to be of everything. */
bool moor_ledger_wants_whole(const struct moor_ledger *l);
/* doc gets its id here. */
MOOR_NODISCARD moor_code moor_ledger_encode(const struct moor_ledger *l, bool whole,
                                            struct moor_positions *doc,
                                            struct moor_ledger_text *out, struct moor_error *err);
/* Makes it durable. Blocking. */
MOOR_NODISCARD moor_code moor_ledger_write(struct moor_ledger *l, const struct moor_ledger_text *t,
                                           struct moor_error *err);

#endif
