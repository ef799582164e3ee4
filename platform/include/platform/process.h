/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.h: starting programs. argv only: there is no shell and no search path. The child gets
 * the given environment and nothing else, its own session, default signal dispositions, umask 022,
 * and no descriptor but those named here. Loop integration is in run/child.h.
 */
#ifndef PLAT_PROCESS_H
#define PLAT_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"
#include "platform/account.h"
#include "platform/file.h"

struct plat_spawn {
    const char *const *argv;                /* argv[0] is the absolute path; NULL-terminated */
    const char *const *env;                 /* "NAME=value", NULL-terminated; NULL = empty */
    const char *cwd;                        /* NULL = "/" */
    const struct plat_file *in, *out, *err; /* NULL = the null device */
    const struct plat_file *extra;          /* becomes descriptor 3 in the child; NULL = none */
    uint64_t memory_max;                    /* bytes of address space, 0 = no limit */
    uint32_t files_max;                     /* open files, 0 = inherited */
    uint32_t tasks_max;              /* tasks of its user that let it start more; not root's */
    const char *group;               /* of platform/group.h; NULL = this process's */
    const struct plat_account *user; /* run as it, with its groups; NULL = as this process does */
};

struct plat_process {
    int64_t pid;
    uint64_t start_; /* private: with pid, its identity */
    int exit_fd_;    /* private to platform/: readable when the process ended; -1 = none */
    bool ended_;
};
#define PLAT_PROCESS_INIT                                                                          \
    {                                                                                              \
        .exit_fd_ = -1                                                                             \
    }

/* A program that cannot be started (missing, not executable, no memory) is an error here. */
MOOR_NODISCARD moor_code plat_spawn(const struct plat_spawn *how, struct plat_process *out,
                                    struct moor_error *err);

struct plat_exit {
    bool signaled;
    int code; /* exit status or signal number */
};
/* Does not block: *ended is false while it runs. After true the process is reaped. */
MOOR_NODISCARD moor_code plat_process_poll(struct plat_process *p, bool *ended,
                                           struct plat_exit *how, struct moor_error *err);
/* Ends the process and everything in its session that is still there. */
void plat_process_kill_tree(const struct plat_process *p);
void plat_process_drop(struct plat_process *p); /* forgets it; it goes on running */
MOOR_DEFINE_AUTO(plat_process)

/* Identity of a running process that survives pid reuse and reboots: pid and start time. */
struct plat_process_id {
    int64_t pid;
    uint64_t start; /* opaque; below 2^53, so that JSON can carry it */
};
/* pid 0 is this process. */
MOOR_NODISCARD moor_code plat_process_identify(int64_t pid, struct plat_process_id *out,
                                               struct moor_error *err); /* NOTFOUND when gone */
bool plat_process_alive(const struct plat_process_id *id);
void plat_process_kill_tree_id(const struct plat_process_id *id);

#endif
