/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_files.h: what the manager and the keeper of a run command leave each other.
 *
 *   /var/lib/mooring/runs/<executionId>/   0711, root
 *       script            the user's who runs it, 0500
 *       stdout, stderr    0600, their end at least
 *       started           the keeper's: made once, before the script starts
 *       keeper            the keeper's: locked by it as long as it lives
 *       child             the keeper's: the script's process
 *       cancel            the manager's: end it
 *       end               the keeper's: how it ended
 *       keeper.log        what the keeper had to say
 *       run.json          the manager's record (run.h)
 *   /run/mooring/runs/<executionId>.json      the job, 0600; the keeper reads and removes it
 *   /run/mooring/runs/<executionId>.started   made by the keeper, gone when the machine restarts
 *
 * The job is the only one with secrets in it and is never on a disk. The manager can see no process
 * from within its sandbox; files it can. Blocking; small files.
 */
#ifndef MOOR_MANAGER_RUN_FILES_H
#define MOOR_MANAGER_RUN_FILES_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/jsontab.h"
#include "core/desired.h"
#include "platform/file.h"
#include "platform/process.h"

#define MOOR_RUN_ID_LEN     36
#define MOOR_RUN_JOB_MAX    ((size_t)8 << 20)
#define MOOR_RUN_OUTPUT_MAX ((uint64_t)8 << 20) /* of each stream; then its first half goes */
#define MOOR_RUN_SHOWN_MAX  4096                /* bytes of its end in a report */

/* Appends nothing but a path: name NULL is the folder itself. */
MOOR_NODISCARD moor_code moor_run_path(const char *execution_id, const char *name, char **out,
                                       struct moor_error *err);
/* In /run; ending: "json", "started". */
MOOR_NODISCARD moor_code moor_run_volatile_path(const char *execution_id, const char *ending,
                                                char **out, struct moor_error *err);
bool moor_run_exists(const char *execution_id, const char *name);
/* What is in /run about it, once it has ended. */
MOOR_NODISCARD moor_code moor_run_forget(const char *execution_id, struct moor_error *err);

struct moor_run_job {
    const char *user; /* NULL = root, or whoever the keeper is */
    uint32_t timeout_s;
    struct moor_obj_list parameters; /* struct moor_desired_parameter: arguments, variables */
    struct moor_obj_list secrets;    /* the same, of names only */
};
void moor_buf_run_job(struct moor_buf *b, const struct moor_run_job *job);
/* Removes the file, whatever is in it. An arena that wipes itself. */
MOOR_NODISCARD moor_code moor_run_take_job(const char *execution_id, struct moor_run_job *out,
                                           struct moor_arena *arena, struct moor_error *err);

/* For the keeper, which holds *lock as long as it lives. EXISTS: somebody else starts or started
 * it. On the disk when it returns. */
MOOR_NODISCARD moor_code moor_run_mark_started(const char *execution_id, int64_t now_ms,
                                               struct plat_file *lock, struct moor_error *err);
bool moor_run_kept(const char *execution_id);      /* its keeper lives */
bool moor_run_restarted(const char *execution_id); /* the machine has, since it started */
MOOR_NODISCARD moor_code moor_run_read_started(const char *execution_id, int64_t *start_ms,
                                               struct moor_error *err);
MOOR_NODISCARD moor_code moor_run_write_child(const char *execution_id,
                                              const struct plat_process_id *child,
                                              struct moor_error *err);
MOOR_NODISCARD moor_code moor_run_read_child(const char *execution_id, struct plat_process_id *out,
                                             struct moor_error *err);

typedef enum moor_run_how {
    MOOR_RUN_END_EXITED,    /* code: exit status */
    MOOR_RUN_END_SIGNALED,  /* code: signal */
    MOOR_RUN_END_TIMED_OUT, /* ended by the keeper at its time */
    MOOR_RUN_END_CANCELED,  /* ended by the keeper on request */
    MOOR_RUN_END_STOPPED,   /* ended by the system, with the keeper */
    MOOR_RUN_END_FAILED     /* never started: error_code and message say why */
} moor_run_how;
struct moor_run_end {
    int how; /* moor_run_how */
    int64_t code, end_ms;
    const char *error_code, *message; /* NULL = "" */
};
MOOR_NODISCARD moor_code moor_run_write_end(const char *execution_id,
                                            const struct moor_run_end *end, struct moor_error *err);
MOOR_NODISCARD moor_code moor_run_read_end(const char *execution_id, struct moor_run_end *out,
                                           struct moor_arena *arena, struct moor_error *err);

/* Appends the last MOOR_RUN_SHOWN_MAX bytes of a stream ("stdout", "stderr"), as UTF-8. A stream
 * that is not there is empty. */
void moor_buf_run_tail(struct moor_buf *b, const char *execution_id, const char *stream);

#endif
