/* SPDX-License-Identifier: Apache-2.0 */
/*
 * harvest.h: one turn of reading: lines of some files, from their marks on, or entries of the
 * journal, packed into one body. Blocking and heavy: runs on the pool. Holds its own descriptors,
 * so that the loop may do to its files what it wants meanwhile.
 */
#ifndef MOOR_LOGS_HARVEST_H
#define MOOR_LOGS_HARVEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/error.h"
#include "logs/journal.h"
#include "logs/mark.h"
#include "logs/pack.h"
#include "logs/transform.h"
#include "platform/file.h"

#define MOOR_HARVEST_SOURCES_MAX 64

/* What was read from one file. */
struct moor_harvest_source {
    /* Asked: */
    void *owner; /* of the caller */
    struct plat_file file;
    char *path; /* heap; FilePath of the rows */
    struct moor_mark from;
    bool last;    /* the file was rotated away: an unfinished line counts as one */
    bool settled; /* it has been quiet: the last record is complete */
    /* Asked and found: */
    uint64_t fields_at; /* of a W3C file: see moor_w3c_resume() */
    /* Found: */
    struct moor_mark to; /* equals from when nothing was taken */
    moor_mark_fit fit;   /* of from: anything but FITS means that nothing was taken */
    bool more;           /* stopped before the end */
    bool unfinished;     /* an unfinished line is left */
    uint32_t rows;
    uint32_t bad;      /* lines that are no JSON object: rejected */
    uint32_t cut;      /* of rows: cut at MOOR_LINE_MAX */
    uint32_t filtered; /* rows that the transform left out */
};

struct moor_harvest {
    /* Asked: */
    int format; /* moor_log_format */
    const struct moor_stamp_format *record_start;
    struct moor_journal_read *journal;      /* read instead of files; the harvest's, heap */
    const struct moor_transform *transform; /* NULL = none */
    const char *computer;
    const char *key;            /* of the flow, for rejected records */
    uint64_t source_bytes;      /* of one file at most, give or take a line */
    struct moor_packer *packer; /* empty; the harvest's while it runs */
    struct moor_harvest_source sources[MOOR_HARVEST_SOURCES_MAX];
    size_t count;
    /* Found: */
    struct moor_buf body; /* empty when rows is 0 */
    uint32_t rows;
    struct moor_buf rejected; /* lines for the dead-letter file */
    struct moor_error error;  /* code MOOR_OK: the results are good */
};

void moor_harvest_run(struct moor_harvest *h);

/* Closes, frees the paths and the harvest. */
void moor_harvest_free(struct moor_harvest *h);
MOOR_DEFINE_AUTOPTR(moor_harvest)

#endif
