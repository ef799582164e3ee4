/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h: what the manager knows of one run command's execution, and the record it is kept in:
 * run.json in the execution's folder (run_files.h), written when it changes, and before anything
 * is reported of it. Reports are made from it and from the ends of its output.
 */
#ifndef MOOR_MANAGER_RUN_H
#define MOOR_MANAGER_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "manager/run_files.h"

#define MOOR_RUNS_MAX  128 /* that wait or run, and ended ones kept for their output */
#define MOOR_RUNS_KEPT 32  /* of those, ended and no longer asked for */

typedef enum moor_run_state {
    MOOR_RUN_PENDING,
    MOOR_RUN_RUNNING,
    MOOR_RUN_SUCCEEDED, /* this and what follows is final */
    MOOR_RUN_FAILED,
    MOOR_RUN_TIMED_OUT,
    MOOR_RUN_CANCELED
} moor_run_state;

/* Kept in run.json; texts are heap copies, never NULL. */
struct moor_run_record {
    const char *name;
    int state; /* moor_run_state */
    bool asynchronous, fail_deployment;
    bool recorded; /* the audit log has it as permitted */
    bool exited;   /* exit_code counts */
    int64_t exit_code;
    const char *error_code; /* of a failure of ours, "" = none */
    const char *message;
    int64_t start_ms, end_ms; /* 0 = not yet */
};

struct moor_launched;
struct moor_manager;
struct moor_run_transfer;

struct moor_run {
    char id[MOOR_RUN_ID_LEN + 1];
    struct moor_run_record record; /* texts owned */
    /* Of this manager process only: */
    struct moor_manager *manager;
    bool listed;                  /* the service's document names it */
    bool output_sent, error_sent; /* to their URIs, or given up */
    bool sending; /* it has ended, but its output is on the way: the service is told later */
    char *output, *error;           /* ends of the streams as last read, NULL = none yet */
    uint64_t sizes;                 /* of both, when they were read */
    unsigned tries;                 /* of what is under way: a launch, a transfer */
    uint64_t not_before_ms;         /* monotonic: not tried again sooner */
    struct moor_launched *launched; /* the keeper, started by this process */
    struct moor_run_transfer *transfer;
    int32_t watch; /* of its folder; 0 = none */
};

bool moor_run_final(const struct moor_run *r);
/* Sets a final state; the message is cut at 1000 bytes. Memory is the only thing that can fail;
 * then the message is left out. */
void moor_run_settle(struct moor_run *r, int state, const char *error_code, const char *message);
/* Another message; its state stays. */
void moor_run_say(struct moor_run *r, const char *message);
/* From what the keeper left, read under limits. */
void moor_run_take_end(struct moor_run *r, const struct moor_run_end *end);
/* Reads the ends of its output, if they grew; true: they are others now. */
bool moor_run_read_output(struct moor_run *r);
MOOR_NODISCARD moor_code moor_run_save(const struct moor_run *r, struct moor_error *err);

struct moor_runs {
    struct moor_run *list[MOOR_RUNS_MAX];
    size_t count;
};
void moor_runs_drop(struct moor_runs *s);
MOOR_DEFINE_AUTO(moor_runs)
struct moor_run *moor_runs_find(const struct moor_runs *s, const char *id);
/* A new one with its folder; NOMEM at the limit. */
MOOR_NODISCARD moor_code moor_runs_add(struct moor_runs *s, const char *id, const char *name,
                                       struct moor_run **out, struct moor_error *err);
/* Its folder goes, too. */
void moor_runs_remove(struct moor_runs *s, struct moor_run *r);
/* Every folder there is; one without a record that can be read is removed. */
MOOR_NODISCARD moor_code moor_runs_load(struct moor_runs *s, struct moor_error *err);
/* Ended and no longer asked for: the oldest go, until MOOR_RUNS_KEPT are left. */
void moor_runs_clean(struct moor_runs *s);

/* Appends the report's items of what is listed, without the surrounding brackets. */
void moor_buf_runs_report(struct moor_buf *b, const struct moor_runs *s, size_t output_max);

#endif
