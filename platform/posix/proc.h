/* SPDX-License-Identifier: Apache-2.0 */
/* proc.h (private to posix/): reading /proc and /sys, whose files have no size. */
#ifndef MOOR_POSIX_PROC_H
#define MOOR_POSIX_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The start of a file of the system, terminated and without white space at its end; cut at n - 1
 * bytes. "" and false when it cannot be read. Links are followed: never for paths others write. */
bool posix_read_system(const char *path, char *out, size_t n);

struct posix_proc {
    pid_t pid, parent, session, group;
    uint64_t start; /* clock ticks since boot */
    bool zombie;    /* ended, not yet waited for */
};

/* False when there is no such process. */
bool posix_proc_read(pid_t pid, struct posix_proc *out);

/* Calls fn for every process there is. */
void posix_proc_each(void (*fn)(void *ctx, const struct posix_proc *p), void *ctx);

/* A descriptor that becomes readable when the child pid ends, made without pidfd_open(); or -1. */
int posix_exit_fd_by_thread(pid_t pid);

/* plat_process_id.start of a process that started at these ticks of this boot. */
uint64_t posix_proc_stamp(uint64_t start);

/* Kills pid if it still is the process that started at stamp, what is in the session it leads, and
 * their descendants. Processes that leave the session and lose their parent are not found. */
void posix_kill_tree(pid_t pid, uint64_t stamp);

#endif
