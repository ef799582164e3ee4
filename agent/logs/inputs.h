/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inputs.h: the files of one flow: found by patterns, followed by inode, known again by their
 * marks. A file that its name was taken from (rotation, deletion) stays until all of it is
 * delivered and nothing more came for some minutes. Loop thread; looking at folders blocks, the
 * contents are read elsewhere (harvest.h).
 */
#ifndef MOOR_LOGS_INPUTS_H
#define MOOR_LOGS_INPUTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/jsontab.h"
#include "logs/mark.h"
#include "logs/positions.h"
#include "logs/watchset.h"
#include "platform/file.h"

#define MOOR_INPUT_TAIL_MS ((uint64_t)2000)       /* until an unfinished last line counts */
#define MOOR_INPUT_KEEP_MS ((uint64_t)300 * 1000) /* until a file without a name is let go */
/* How old what rotation put aside may be and still be taken for unseen. Less than the above: what
 * was let go was last written to longer ago. */
#define MOOR_INPUT_UNSEEN_MS ((int64_t)60 * 1000)

struct moor_input {
    struct moor_input *next, *hash_next, *unsaved_next;
    struct moor_file_key key;
    char *path; /* where it matched; a gone file keeps it */
    struct plat_file file;
    int32_t watch;         /* -1 = none */
    uint64_t size;         /* when last looked at */
    struct moor_mark done; /* delivered, or in the queue on disk */
    struct moor_mark read; /* read into a batch; never behind done */
    uint64_t fields_at;    /* of a W3C file: see moor_w3c_resume(); UINT64_MAX = not known */
    unsigned life;         /* changes when the file begins anew */
    bool dirty;            /* there may be more to read */
    bool unfinished;       /* a line without its end is left */
    bool last;             /* such a line counts: the file was rotated away */
    bool settled;          /* nothing came for a while: the last record is complete */
    bool gone;             /* no pattern finds it any more */
    bool seen;
    bool unsaved;        /* in the list of those */
    uint64_t changed_ms; /* monotonic: gone, or a notice since */
};

/* A position of a file that was not found yet. */
struct moor_known {
    struct moor_known *next, *hash_next;
    bool found; /* it is known no more: swept away with the next look at all */
    char *path;
    struct moor_file_key key;
    struct moor_mark mark;
    int64_t seen_ms;
};

struct moor_inputs_policy {
    struct moor_str_list allow; /* empty: everything */
    struct moor_str_list deny;
};

#define MOOR_INPUTS_BUCKETS 4096

struct moor_inputs {
    struct moor_input *first, **end;
    struct moor_input *buckets[MOOR_INPUTS_BUCKETS];
    struct moor_input *unsaved; /* no document knows how far they are */
    struct moor_known *known, **known_end;
    struct moor_known *known_buckets[MOOR_INPUTS_BUCKETS];
    struct moor_watchset *file_watches, *folder_watches;
    const char *key;                      /* of the flow, for the log */
    const struct moor_str_list *patterns; /* the flow's */
    const struct moor_inputs_policy *policy;
    size_t open_files;
    struct moor_buf folder, real_folder; /* the last that was looked into, and where it is */
    int64_t since_ms; /* what rotation put aside since then was never seen; 0 = not asked */
    bool advanced;    /* something of some file was delivered */
    bool joins;       /* records of several lines: the last one waits for what belongs to it */
    bool recovered;   /* the known ones were looked for */
    bool grew;        /* files were found that no document knows */
    bool again;       /* something moved while we looked: scan once more */
};

void moor_inputs_init(struct moor_inputs *in, struct moor_watchset *files,
                      struct moor_watchset *folders, const char *key);
void moor_inputs_drop(struct moor_inputs *in);

/* What an earlier run wrote down. */
MOOR_NODISCARD moor_code moor_inputs_remember(struct moor_inputs *in, const struct moor_position *p,
                                              struct moor_error *err);
/* The files' positions, in the arena: all, or of those that changed since the last call. */
MOOR_NODISCARD moor_code moor_inputs_positions(struct moor_inputs *in, bool all,
                                               struct moor_obj_list *out, int64_t now_ms,
                                               struct moor_arena *arena, struct moor_error *err);
/* f->done, or what it is called, is another. */
void moor_inputs_changed(struct moor_inputs *in, struct moor_input *f);

/* Looks at all folders: new files, renamed ones, those that went. */
void moor_inputs_scan(struct moor_inputs *in);
/* A notice for a file's watch; id -1: for all. */
void moor_inputs_notice(struct moor_inputs *in, int32_t id);
/* Whether a folder's entry is one that scan would look at, or is called as if rotation had made it
 * of one of our files: that file is then looked at, too. */
bool moor_inputs_cares(struct moor_inputs *in, const char *path);

/* The file no longer fits its mark: it begins anew. A copy that rotation made of it is read to the
 * end. */
void moor_inputs_restart(struct moor_inputs *in, struct moor_input *f);
/* The next with something to read, from after (NULL = the first) on. gone_only: among those that
 * may vanish. Its file is open; what cannot be opened is given up. */
struct moor_input *moor_inputs_next(struct moor_inputs *in, struct moor_input *after,
                                    bool gone_only);
/* f is not needed open for now: closed when too many are, unless its name is another's. */
void moor_inputs_spare(struct moor_inputs *in, struct moor_input *f);
/* Forgets what was read and not delivered. */
void moor_inputs_rewind(struct moor_inputs *in);
/* Lets go of what is finished, closes descriptors over the limit; *due_ms is lowered to when, on
 * the monotonic clock, it wants to be called again. idle: no batch refers to any file. */
void moor_inputs_tend(struct moor_inputs *in, bool idle, uint64_t *due_ms);

#endif
