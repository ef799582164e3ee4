/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal.h: one turn of reading the system's journal, as rows of the Syslog table. The journal is
 * its own buffer: its cursor moves after the acknowledgement, as a file's position does.
 */
#ifndef MOOR_LOGS_JOURNAL_H
#define MOOR_LOGS_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/jsontab.h"
#include "logs/pack.h"
#include "logs/syslog.h"
#include "logs/transform.h"
#include "platform/eventlog.h"

/* Where a flow begins that has no cursor yet. */
#define MOOR_JOURNAL_BACK_MS ((int64_t)3600 * 1000)

/* How far a flow is. */
struct moor_journal_place {
    char done[PLAT_CURSOR_MAX]; /* delivered; "" = nothing yet */
    char read[PLAT_CURSOR_MAX]; /* read into a batch */
    bool dirty;                 /* there may be more */
};

struct moor_journal_read {
    /* Asked: */
    const char *folder; /* NULL: the machine's */
    struct moor_str_list units;
    struct moor_syslog_filter filter;
    const char *computer;
    const struct moor_transform *transform; /* NULL = none */
    char from[PLAT_CURSOR_MAX];
    /* Found: */
    char to[PLAT_CURSOR_MAX];
    bool more; /* stopped before the end */
    bool gap;  /* the entry at from is gone: others may be, too */
    uint32_t rows, cut, filtered;
};

/* Reads until the body is full or the journal at its end. Pool. */
MOOR_NODISCARD moor_code moor_journal_read(struct moor_journal_read *j, struct moor_packer *packer,
                                           int64_t now_ms, struct moor_error *err);

/* The folder of the journal under MOORING_ROOT, as a heap string; NULL when there is no root: the
 * machine's own. */
char *moor_journal_folder(void);

#endif
