/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow_internal.h: a flow as its own files see it: flow.c (life, sending), flow_read.c (what can
 * be read again), flow_store.c (the queue on disk, and rows that come but once).
 */
#ifndef MOOR_LOGS_FLOW_INTERNAL_H
#define MOOR_LOGS_FLOW_INTERNAL_H

#include "base/arena.h"
#include "logs/flow.h"
#include "logs/harvest.h"
#include "logs/parcel.h"

#define MOOR_SPEC_BYTES ((size_t)256 * 1024 + MOOR_TRANSFORM_BYTES)
#define MOOR_GONE_MAX   16 /* files without a name kept open while the queue is full */
#define MOOR_PEN_MAX    ((size_t)4 * 1024 * 1024)

/* What a turn of reading is for. */
enum moor_purpose { TO_SEND, TO_QUEUE, TO_DROP };

/* A harvest, and which lives of its files it is of. */
struct moor_batch {
    struct moor_flow *flow; /* NULL: nobody waits for it any more */
    struct moor_harvest *harvest;
    unsigned lives[MOOR_HARVEST_SOURCES_MAX];
    enum moor_purpose purpose;
    int64_t made_ms;     /* wall clock */
    bool stale;          /* was rewound meanwhile */
    struct moor_buf raw; /* rows of the pen, a line each; the pool makes the body */
    uint32_t pen_cut;
    /* TO_QUEUE: */
    char *queue_folder, *folder;
    uint64_t number, bytes;
    struct moor_arena arena;
    struct moor_queue_head head;
    struct moor_error error;
};

/* An entry of the queue being read. */
struct moor_loading {
    struct moor_flow *flow; /* NULL: nobody waits */
    char *queue_folder;
    uint64_t number;
    struct moor_buf body;
    struct moor_error error;
};

struct moor_flow {
    struct moor_flow_env *env;
    struct moor_arena arena; /* of the spec */
    struct moor_flow_spec spec;
    const struct moor_transform *transform; /* of rows that come but once; NULL = none */
    struct moor_inputs inputs;
    struct moor_timer *wait;
    struct moor_packer *packer; /* kept while there is much to read */
    struct moor_batch *reading; /* on the pool */
    struct moor_batch *ready;   /* read, to be sent next */
    struct moor_batch *sending; /* the parcel is of it; NULL: of the queue's entry */
    struct moor_loading *loading;
    struct moor_batch *storing; /* rows of the pen on their way to the queue */
    struct moor_buf pen;        /* rows that come but once, a line each */
    uint32_t pen_rows, pen_cut;
    bool pen_held; /* the queue did not take them: until the timer, or until it has room */
    struct moor_timer *pen_timer;
    struct moor_journal_place journal; /* how far it was delivered, and read */
    struct moor_queue_entry *entry;    /* being loaded or sent */
    struct moor_parcel *parcel;
    bool in_flight; /* the parcel is on its way */
    bool waiting;   /* the destination, or this machine, failed: until the timer */
    bool stopping;
    bool queue_full; /* said so */
    unsigned attempts;
    int64_t waiting_since_ms;    /* wall clock: the first of them */
    struct moor_error problem;   /* MOOR_OK: all is well */
    uint64_t queue_done;         /* entries up to this one are delivered */
    uint64_t queue_done_written; /* ... says the document being written */
    struct moor_log_counts counts;
    bool unsaved; /* some of this is in no document yet */
};

/* flow.c */
/* Copies into the arena; false when it is full. */
bool moor_arena_list(struct moor_arena *arena, const struct moor_str_list *in,
                     struct moor_str_list *out);
/* What the spec wants done with rows, in the arena; NULL = nothing. */
MOOR_NODISCARD moor_code moor_flow_transform(const struct moor_flow_spec *spec,
                                             struct moor_arena *arena,
                                             const struct moor_transform **out,
                                             struct moor_error *err);
void moor_batch_free(struct moor_batch *b);
struct moor_batch *moor_batch_new(struct moor_flow *f, enum moor_purpose purpose);
void moor_flow_advance(struct moor_flow *f);  /* begins what can be begun */
void moor_flow_progress(struct moor_flow *f); /* positions or counts changed */
/* Forgets what was read, says why, and tries again later. */
void moor_flow_wait_after(struct moor_flow *f, moor_verdict v, const struct moor_error *err);
void moor_flow_begin_parcel(struct moor_flow *f, struct moor_buf *body, struct moor_buf *rejected,
                            uint32_t rows);

/* flow_read.c */
/* Takes the files' dirty flags with it; with nothing to read nothing begins. */
void moor_flow_begin_reading(struct moor_flow *f, enum moor_purpose purpose);
/* The batch was delivered, or is in the queue: positions and counts move. */
void moor_flow_apply_done(struct moor_flow *f, const struct moor_batch *b);

/* flow_store.c */
/* Takes the batch over. It goes on as f->reading, so that nothing else is read meanwhile, or, of
 * the pen, as f->storing. */
void moor_flow_begin_put(struct moor_flow *f, struct moor_batch *b);
struct moor_queue_entry *moor_flow_next_entry(const struct moor_flow *f);
void moor_flow_begin_loading(struct moor_flow *f, struct moor_queue_entry *entry);
void moor_flow_store_pen(struct moor_flow *f); /* begins, unless it is under way */
void moor_loading_free(struct moor_loading *l);

#endif
